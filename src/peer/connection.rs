//! One connection as the peer sees it: what the remote has, who chokes whom, what is asked for on either side.

use thin_vec::ThinVec;

use crate::fetch;
use crate::id::{Block, BlockId, ConnId, PieceIndex};
use crate::peer::exchange::Extended;
use crate::peer::haves::Have;
use crate::peer::rates::Rates;
use crate::peer::seam::{ConnSet, RemotePeer};
use crate::time::Time;
use crate::torrent::bitfield::{Bitfield, PieceSet};

/// The state of one connection. All times are the peer's own clock. A peer has many of these, and only on a few does
/// anything flow: what is only needed there takes a pointer while there is none.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) remote: RemotePeer,
    pub(crate) opened_at: Time,
    /// The picker counts it as a seed: it announced everything in its bitfield.
    pub(crate) counted_as_seed: bool,
    /// When we last unchoked it, also after it was choked again.
    pub(crate) unchoked_at: Option<Time>,
    /// Our requests that are not answered yet, oldest first.
    pub(crate) outstanding: ThinVec<BlockId>,
    /// When we first asked for something since it unchoked us; from then on its rate counts.
    pub(crate) asking_since: Option<Time>,
    /// Since when it owes us a block without having delivered one.
    pub(crate) owing_since: Time,
    pub(crate) snubbed: bool,
    /// Its requests that are not answered yet, oldest first.
    pub(crate) uploads: ThinVec<Block>,
    pub(crate) rates: Rates,
    /// Requests we took back and that it may have answered all the same.
    pub(crate) cancelled: u32,
    /// Blocks it sent without being asked.
    pub(crate) unrequested: u32,
    /// Present once its extension handshake has come.
    pub(crate) extended: Option<Box<Extended>>,
}

impl Connection {
    pub(crate) fn new(remote: RemotePeer, now: Time) -> Connection {
        Connection {
            remote,
            opened_at: now,
            counted_as_seed: false,
            unchoked_at: None,
            outstanding: ThinVec::new(),
            asking_since: None,
            owing_since: now,
            snubbed: false,
            uploads: ThinVec::new(),
            rates: Rates::default(),
            cancelled: 0,
            unrequested: 0,
            extended: None,
        }
    }

    /// Takes a block off the outstanding ones; false if it was not among them.
    pub(crate) fn settle(&mut self, block: BlockId) -> bool {
        let position = self.outstanding.iter().position(|outstanding| *outstanding == block);
        position.map(|at| self.outstanding.remove(at)).is_some()
    }
}

/// How much the remote has, and when that was heard. HAVEs are most of what a peer is told, so what they change lies
/// apart from the rest, for all connections side by side, and so do the times at which they were told.
#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    /// How many pieces the remote has announced.
    count: u32,
    /// How many pieces it has that we lack; we are interested while there is one.
    useful: u32,
    /// When it last sent anything.
    received_at: Time,
}

/// The connections of a peer, by the driver's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    /// How many the torrent has.
    torrent_pieces: u32,
    slots: Vec<Option<Connection>>,
    /// By number, like all that follows; without a meaning where no connection is.
    holdings: Vec<Holding>,
    last_sent_at: Vec<Time>,
    /// What each has announced: as many words for each as the torrent's pieces take, side by side.
    rows: Vec<u64>,
    /// All of them.
    pub(crate) open: ConnSet,
    /// Those that want something from us.
    pub(crate) interested: ConnSet,
    /// Those we let download from us.
    pub(crate) unchoked: ConnSet,
    /// Those that let us download.
    pub(crate) unchoking: ConnSet,
    /// Those with requests that are not answered yet: exactly where `uploads` is not empty.
    pub(crate) uploading: ConnSet,
    /// Those we are interested in, as far as we have told them.
    pub(crate) interesting: ConnSet,
    /// Those that could be asked for more, if they had more that is free: a piece one gets is asked for at once.
    pub(crate) starved: ConnSet,
    /// Those that have sent a message: a bitfield is no longer welcome.
    pub(crate) heard: ConnSet,
    /// Those over which something may have flown lately; for all others there are no rates to look at.
    pub(crate) moving: ConnSet,
}

impl Connections {
    /// Room is made for so many at a time: memory is what limits the number of simulated peers.
    const ROOM: usize = 8;

    pub(crate) fn new(torrent_pieces: u32) -> Connections {
        Connections {
            torrent_pieces,
            slots: Vec::new(),
            holdings: Vec::new(),
            last_sent_at: Vec::new(),
            rows: Vec::new(),
            open: ConnSet::default(),
            interested: ConnSet::default(),
            unchoked: ConnSet::default(),
            unchoking: ConnSet::default(),
            uploading: ConnSet::default(),
            interesting: ConnSet::default(),
            starved: ConnSet::default(),
            heard: ConnSet::default(),
            moving: ConnSet::default(),
        }
    }

    pub(crate) fn fetch(&self) {
        fetch::one(&self.slots);
        fetch::one(&self.rows);
        fetch::one(&self.open);
        fetch::one(&self.uploading);
        fetch::one(&self.moving);
    }

    pub(crate) fn fetch_slot(&self, conn: ConnId) {
        let at = conn.0 as usize;
        fetch::at(&self.slots, at);
        fetch::at(&self.holdings, at);
        fetch::at(&self.last_sent_at, at);
    }

    pub(crate) fn fetch_row(&self, conn: ConnId) {
        if let Some(row) = self.rows.get(self.row(conn)) {
            fetch::all(row);
        }
    }

    pub(crate) fn fetch_column(&self, piece: PieceIndex) {
        let words = self.row_words();
        for at in (piece.0 as usize / 64..self.rows.len()).step_by(words) {
            fetch::at(&self.rows, at);
        }
    }

    pub(crate) fn fetch_bit(&self, conn: ConnId, piece: PieceIndex) {
        fetch::at(&self.rows, conn.0 as usize * self.row_words() + piece.0 as usize / 64);
    }

    pub(crate) fn fetch_holdings(&self) {
        fetch::all(&self.holdings);
    }

    pub(crate) fn fetch_sent(&self) {
        fetch::all(&self.last_sent_at);
    }

    pub(crate) fn count(&self) -> u32 {
        self.open.count()
    }

    /// What the remote has announced; nothing where there is no such connection.
    pub(crate) fn pieces(&self, conn: ConnId) -> PieceSet<'_> {
        if !self.open.contains(conn) {
            return PieceSet::new(&[], self.torrent_pieces, 0);
        }
        let count = self.holdings[conn.0 as usize].count;
        PieceSet::new(&self.rows[self.row(conn)], self.torrent_pieces, count)
    }

    /// A remote has announced a piece, which `useful` says we lack; returns whether that is new.
    #[inline]
    pub(crate) fn gained(&mut self, conn: ConnId, piece: PieceIndex, useful: bool) -> bool {
        let words = self.row_words();
        let word = &mut self.rows[conn.0 as usize * words + piece.0 as usize / 64];
        let bit = 1 << (piece.0 % 64);
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        let holding = &mut self.holdings[conn.0 as usize];
        holding.count += 1;
        if useful {
            holding.useful += 1;
        }
        true
    }

    /// The HAVEs of connections that are open, each at its time; calls `new` for every piece that was not known of its
    /// remote.
    #[inline]
    pub(crate) fn gained_all(&mut self, haves: &[Have], ours: &Bitfield, mut new: impl FnMut(PieceIndex)) {
        let (row_words, ours) = (self.row_words(), ours.words());
        for &Have { at, conn, piece } in haves {
            let (word, bit) = (piece.0 as usize / 64, 1 << (piece.0 % 64));
            let known = &mut self.rows[conn.0 as usize * row_words + word];
            let holding = &mut self.holdings[conn.0 as usize];
            holding.received_at = at;
            if *known & bit == 0 {
                *known |= bit;
                holding.count += 1;
                if ours[word] & bit == 0 {
                    holding.useful += 1;
                }
                new(piece);
            }
        }
    }

    /// A number without a meaning, from the memory that a HAVE for this piece will change.
    #[inline]
    pub(crate) fn look_ahead(&self, conn: ConnId, piece: PieceIndex) -> u64 {
        let word = conn.0 as usize * self.row_words() + piece.0 as usize / 64;
        self.rows.get(word).copied().unwrap_or(0)
    }

    /// The remote has announced all it has; `useful` of that we lack.
    pub(crate) fn set_pieces(&mut self, conn: ConnId, pieces: &Bitfield, useful: u32) {
        let row = self.row(conn);
        self.rows[row].copy_from_slice(pieces.words());
        let holding = &mut self.holdings[conn.0 as usize];
        (holding.count, holding.useful) = (pieces.count(), useful);
    }

    /// How many pieces the remote has that we lack.
    pub(crate) fn useful(&self, conn: ConnId) -> u32 {
        self.holdings.get(conn.0 as usize).map_or(0, |holding| holding.useful)
    }

    /// We have a piece now that the remote has too; returns how many it still has that we lack.
    pub(crate) fn less_useful(&mut self, conn: ConnId) -> u32 {
        let useful = &mut self.holdings[conn.0 as usize].useful;
        *useful -= 1;
        *useful
    }

    /// We have lost a piece that the remote has.
    pub(crate) fn more_useful(&mut self, conn: ConnId) {
        self.holdings[conn.0 as usize].useful += 1;
    }

    /// When the remote last sent anything.
    pub(crate) fn last_received_at(&self, conn: ConnId) -> Time {
        self.holdings[conn.0 as usize].received_at
    }

    /// When we last sent it anything.
    pub(crate) fn last_sent_at(&self, conn: ConnId) -> Time {
        self.last_sent_at[conn.0 as usize]
    }

    /// The remote has sent something.
    pub(crate) fn received(&mut self, conn: ConnId, at: Time) {
        self.holdings[conn.0 as usize].received_at = at;
    }

    /// We have sent something to the remote.
    pub(crate) fn sent(&mut self, conn: ConnId, at: Time) {
        self.last_sent_at[conn.0 as usize] = at;
    }

    fn row_words(&self) -> usize {
        self.torrent_pieces.div_ceil(64) as usize
    }

    fn row(&self, conn: ConnId) -> std::ops::Range<usize> {
        let words = self.row_words();
        conn.0 as usize * words..(conn.0 as usize + 1) * words
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.slots.get(conn.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots.get_mut(conn.0 as usize)?.as_mut()
    }

    /// We may ask it for something: it has what we lack and lets us download.
    pub(crate) fn can_ask(&self, conn: ConnId) -> bool {
        self.unchoking.contains(conn) && self.useful(conn) > 0
    }

    pub(crate) fn insert(&mut self, conn: ConnId, connection: Connection, now: Time) {
        let (at, row) = (conn.0 as usize, self.row(conn));
        if self.slots.len() <= at {
            self.make_room(at + 1);
        }
        self.rows[row].fill(0);
        assert!(self.slots[at].is_none(), "the driver used {conn:?} twice");
        self.slots[at] = Some(connection);
        self.holdings[at] = Holding { received_at: now, ..Holding::default() };
        self.last_sent_at[at] = now;
        self.open.insert(conn);
    }

    fn make_room(&mut self, numbers: usize) {
        if self.slots.capacity() < numbers {
            let more = numbers.next_multiple_of(Self::ROOM) - self.slots.len();
            self.slots.reserve_exact(more);
            self.holdings.reserve_exact(more);
            self.last_sent_at.reserve_exact(more);
            self.rows.reserve_exact(more * self.row_words());
        }
        self.slots.resize_with(numbers, || None);
        self.holdings.resize(numbers, Holding::default());
        self.last_sent_at.resize(numbers, Time::ZERO);
        self.rows.resize(numbers * self.row_words(), 0);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        let connection = self.slots.get_mut(conn.0 as usize)?.take()?;
        for set in [
            &mut self.open,
            &mut self.interested,
            &mut self.unchoked,
            &mut self.unchoking,
            &mut self.uploading,
            &mut self.interesting,
            &mut self.starved,
            &mut self.heard,
            &mut self.moving,
        ] {
            set.remove(conn);
        }
        Some(connection)
    }

    /// Ascending by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        (0..).map(ConnId).zip(&self.slots).filter_map(|(conn, slot)| Some((conn, slot.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Connection)> {
        (0..).map(ConnId).zip(&mut self.slots).filter_map(|(conn, slot)| Some((conn, slot.as_mut()?)))
    }

    /// Who has the piece, as far as announced. Without a branch on what each has: nothing predicts that.
    pub(crate) fn having(&self, piece: PieceIndex) -> ConnSet {
        let (stride, word, bit) = (self.row_words(), piece.0 as usize / 64, piece.0 % 64);
        let sets = self.rows.chunks(64 * stride).map(|rows| column(rows, stride, word, bit));
        // The row of a connection that is gone keeps what was in it.
        ConnSet::from_words(sets).intersection(&self.open)
    }

    /// One more than the highest number in use.
    pub(crate) fn end(&self) -> u32 {
        self.slots.len() as u32
    }
}

/// Which of these rows, 64 at most and so many words long each, have this bit of this word.
fn column(rows: &[u64], row_words: usize, word: usize, bit: u32) -> u64 {
    // Said once, so that it need not be looked at for each.
    assert!(word < row_words, "a row of {row_words} words has no word {word}");
    rows.chunks_exact(row_words).rev().fold(0, |set, row| set << 1 | row[word] >> bit & 1)
}
