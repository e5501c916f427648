//! One connection as the peer sees it: what the remote has, who chokes whom, what is asked for on either side.

use smallvec::SmallVec;

use crate::id::{Block, BlockId, ConnId, PieceIndex};
use crate::peer::rates::Rates;
use crate::peer::seam::{ConnSet, RemotePeer};
use crate::time::Time;
use crate::torrent::bitfield::{Bitfield, PieceSet};

/// The state of one connection. All times are the peer's own clock.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) remote: RemotePeer,
    pub(crate) opened_at: Time,
    /// The picker counts it as a seed: it announced everything in its bitfield.
    pub(crate) counted_as_seed: bool,
    /// When we last unchoked it, also after it was choked again.
    pub(crate) unchoked_at: Option<Time>,
    /// Our requests that are not answered yet, oldest first.
    pub(crate) outstanding: SmallVec<[BlockId; 4]>,
    /// When we first asked for something since it unchoked us; from then on its rate counts.
    pub(crate) asking_since: Option<Time>,
    /// Since when it owes us a block without having delivered one.
    pub(crate) owing_since: Time,
    pub(crate) snubbed: bool,
    /// Its requests that are not answered yet, oldest first.
    pub(crate) uploads: SmallVec<[Block; 4]>,
    pub(crate) rates: Rates,
    /// Requests we took back and that it may have answered all the same.
    pub(crate) cancelled: u32,
    /// Blocks it sent without being asked.
    pub(crate) unrequested: u32,
}

impl Connection {
    pub(crate) fn new(remote: RemotePeer, now: Time) -> Connection {
        Connection {
            remote,
            opened_at: now,
            counted_as_seed: false,
            unchoked_at: None,
            outstanding: SmallVec::new(),
            asking_since: None,
            owing_since: now,
            snubbed: false,
            uploads: SmallVec::new(),
            rates: Rates::default(),
            cancelled: 0,
            unrequested: 0,
        }
    }

    /// Takes a block off the outstanding ones; false if it was not among them.
    pub(crate) fn settle(&mut self, block: BlockId) -> bool {
        let position = self.outstanding.iter().position(|outstanding| *outstanding == block);
        position.map(|at| self.outstanding.remove(at)).is_some()
    }
}

/// The remote as a holder of pieces: everything about a connection that a HAVE touches, in either direction. HAVEs are
/// most of what a peer is told and tells, so this lies together, apart from the rest.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// How many pieces the remote has announced.
    count: u32,
    /// How many pieces it has that we lack; we are interested while there is one.
    pub(crate) useful: u32,
    pub(crate) am_interested: bool,
    /// It could be asked for more, if it had more that is free: a piece it gets is asked for at once.
    pub(crate) starved: bool,
    /// It has sent a message: a bitfield is no longer welcome.
    pub(crate) heard: bool,
    pub(crate) last_received_at: Time,
    pub(crate) last_sent_at: Time,
}

impl Holder {
    /// A remote of which nothing is known yet.
    pub(crate) fn new(now: Time) -> Holder {
        Holder {
            count: 0,
            useful: 0,
            am_interested: false,
            starved: false,
            heard: false,
            last_received_at: now,
            last_sent_at: now,
        }
    }
}

/// The connections of a peer, by the driver's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    /// How many the torrent has.
    torrent_pieces: u32,
    slots: Vec<Option<Connection>>,
    /// Present exactly where a connection is.
    holders: Vec<Option<Holder>>,
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
}

impl Connections {
    /// Room for so many from the start: memory is what limits the number of simulated peers.
    const ROOM: u32 = 64;

    pub(crate) fn new(torrent_pieces: u32) -> Connections {
        Connections {
            torrent_pieces,
            slots: Vec::new(),
            holders: Vec::new(),
            rows: Vec::new(),
            open: ConnSet::default(),
            interested: ConnSet::default(),
            unchoked: ConnSet::default(),
            unchoking: ConnSet::default(),
            uploading: ConnSet::default(),
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.open.count()
    }

    /// What the remote has announced; nothing where there is no such connection.
    pub(crate) fn pieces(&self, conn: ConnId) -> PieceSet<'_> {
        match self.holder(conn) {
            Some(holder) => PieceSet::new(&self.rows[self.row(conn)], self.torrent_pieces, holder.count),
            None => PieceSet::new(&[], self.torrent_pieces, 0),
        }
    }

    /// The remote has announced a piece; returns whether that is new.
    pub(crate) fn gained(&mut self, conn: ConnId, piece: PieceIndex) -> bool {
        let row = self.row(conn);
        let (word, bit) = (&mut self.rows[row][piece.0 as usize / 64], 1 << (piece.0 % 64));
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        if let Some(holder) = self.holder_mut(conn) {
            holder.count += 1;
        }
        true
    }

    /// Reads what a HAVE for this piece will change, and nothing more: the reads of several HAVEs overlap, where the
    /// changes would wait for one another's memory.
    pub(crate) fn look_ahead(&self, conn: ConnId, piece: PieceIndex) -> u64 {
        let word = self.row(conn).start + piece.0 as usize / 64;
        let useful = self.holder(conn).map_or(0, |holder| holder.useful);
        self.rows.get(word).copied().unwrap_or(0) ^ u64::from(useful)
    }

    /// The remote has announced all it has.
    pub(crate) fn set_pieces(&mut self, conn: ConnId, pieces: &Bitfield) {
        let row = self.row(conn);
        self.rows[row].copy_from_slice(pieces.words());
        if let Some(holder) = self.holder_mut(conn) {
            holder.count = pieces.count();
        }
    }

    fn row(&self, conn: ConnId) -> std::ops::Range<usize> {
        let words = self.torrent_pieces.div_ceil(64) as usize;
        conn.0 as usize * words..(conn.0 as usize + 1) * words
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.slots.get(conn.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots.get_mut(conn.0 as usize)?.as_mut()
    }

    pub(crate) fn holder(&self, conn: ConnId) -> Option<&Holder> {
        self.holders.get(conn.0 as usize)?.as_ref()
    }

    pub(crate) fn holder_mut(&mut self, conn: ConnId) -> Option<&mut Holder> {
        self.holders.get_mut(conn.0 as usize)?.as_mut()
    }

    /// We may ask it for something: it has what we lack and lets us download.
    pub(crate) fn can_ask(&self, conn: ConnId) -> bool {
        self.unchoking.contains(conn) && self.holder(conn).is_some_and(|holder| holder.useful > 0)
    }

    /// `most` is how many there will be at the same time, as far as known.
    pub(crate) fn insert(&mut self, conn: ConnId, connection: Connection, holder: Holder, most: u32) {
        let (at, row) = (conn.0 as usize, self.row(conn));
        if self.slots.len() <= at {
            if self.slots.capacity() == 0 {
                let room = most.min(Self::ROOM) as usize;
                self.slots.reserve_exact(room);
                self.holders.reserve_exact(room);
                self.rows.reserve_exact(room * row.len());
            }
            self.slots.resize_with(at + 1, || None);
            self.holders.resize_with(at + 1, || None);
            self.rows.resize(row.end, 0);
        }
        self.rows[row].fill(0);
        assert!(self.slots[at].is_none(), "the driver used {conn:?} twice");
        (self.slots[at], self.holders[at]) = (Some(connection), Some(holder));
        self.open.insert(conn);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Connection> {
        let connection = self.slots.get_mut(conn.0 as usize)?.take()?;
        self.holders[conn.0 as usize] = None;
        for set in [
            &mut self.open,
            &mut self.interested,
            &mut self.unchoked,
            &mut self.unchoking,
            &mut self.uploading,
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

    /// With what each is as a holder; ascending by number.
    pub(crate) fn with_holders(&self) -> impl Iterator<Item = (ConnId, &Connection, &Holder)> {
        let both = (0..).map(ConnId).zip(self.slots.iter().zip(&self.holders));
        both.filter_map(|(conn, (slot, holder))| Some((conn, slot.as_ref()?, holder.as_ref()?)))
    }

    /// Ascending by number.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (ConnId, &Holder)> {
        (0..).map(ConnId).zip(&self.holders).filter_map(|(conn, slot)| Some((conn, slot.as_ref()?)))
    }

    /// Who has the piece, as far as announced. Without a branch on what each has: nothing predicts that.
    pub(crate) fn having(&self, piece: PieceIndex) -> ConnSet {
        let (stride, word, bit) = (self.row(ConnId(1)).start, piece.0 as usize / 64, piece.0 % 64);
        let has = |row: &[u64]| row[word] >> bit & 1;
        let sets = self.rows.chunks(64 * stride);
        // The row of a connection that is gone keeps what was in it.
        let sets = sets.map(|rows| rows.chunks_exact(stride).rev().fold(0, |set, row| set << 1 | has(row)));
        ConnSet::from_words(sets).intersection(&self.open)
    }

    /// One more than the highest number in use.
    pub(crate) fn end(&self) -> u32 {
        self.slots.len() as u32
    }
}
