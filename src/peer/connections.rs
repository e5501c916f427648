//! The connections of a peer: who is there, who chokes whom, and what the remotes have.

mod ahead;

use crate::id::{ConnId, PeerId, PieceIndex};
use crate::peer::connection::{Connection, FarEnd};
use crate::peer::haves::Have;
use crate::peer::rows::Rows;
use crate::peer::seam::{ConnSet, RemotePeer};
use crate::time::Time;
use crate::torrent::bitfield::{Bitfield, PieceSet};
use crate::torrent::layout::Layout;

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

/// The connections of a peer, by the driver's numbers. In this order: what every block and every word looks at comes
/// first, in few cache lines.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Connections {
    /// All of them.
    pub(crate) open: ConnSet,
    /// Those that have sent a message: a bitfield is no longer welcome.
    pub(crate) heard: ConnSet,
    /// Those that want something from us.
    pub(crate) interested: ConnSet,
    /// Those we let download from us.
    pub(crate) unchoked: ConnSet,
    /// Those we are interested in, as far as we have told them.
    pub(crate) interesting: ConnSet,
    /// Those with requests that are not answered yet: exactly where `uploads` is not empty.
    pub(crate) uploading: ConnSet,
    /// Those over which something may have flown lately; for all others there are no rates to look at.
    pub(crate) moving: ConnSet,
    slots: Vec<Option<Connection>>,
    /// By number, like all that follows; without a meaning where no connection is.
    last_sent_at: Vec<Time>,
    holdings: Vec<Holding>,
    /// What each has announced.
    rows: Rows,
    /// How many the torrent has.
    torrent_pieces: u32,
    far_ends: Vec<Option<FarEnd>>,
    /// Those that let us download.
    pub(crate) unchoking: ConnSet,
    /// Those that could be asked for more, if they had more that is free: a piece one gets is asked for at once.
    pub(crate) starved: ConnSet,
    /// Those that owe us blocks and have delivered nothing for long.
    pub(crate) snubbed: ConnSet,
    /// When we last unchoked each, also after it was choked again; `Time::NEVER` where never yet.
    unchoked_at: Vec<Time>,
    /// The place of each among all of them in the order of peer ids.
    places: Vec<u16>,
}

impl Connections {
    /// Room is made for so many at a time: memory is what limits the number of simulated peers.
    const ROOM: usize = 8;

    pub(crate) fn new(layout: &Layout) -> Connections {
        Connections {
            torrent_pieces: layout.pieces(),
            slots: Vec::new(),
            far_ends: Vec::new(),
            holdings: Vec::new(),
            last_sent_at: Vec::new(),
            unchoked_at: Vec::new(),
            places: Vec::new(),
            rows: Rows::new(layout),
            open: ConnSet::default(),
            interested: ConnSet::default(),
            unchoked: ConnSet::default(),
            unchoking: ConnSet::default(),
            uploading: ConnSet::default(),
            interesting: ConnSet::default(),
            starved: ConnSet::default(),
            heard: ConnSet::default(),
            moving: ConnSet::default(),
            snubbed: ConnSet::default(),
        }
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(crate) fn count(&self) -> u32 {
        self.open.count()
    }

    /// What the remote has announced; nothing where there is no such connection. `gathered` may be used for it.
    pub(crate) fn pieces<'a>(&'a self, conn: ConnId, gathered: &'a mut Vec<u64>) -> PieceSet<'a> {
        if !self.open.contains(conn) {
            return PieceSet::new(&[], self.torrent_pieces, 0);
        }
        let count = self.holdings[conn.0 as usize].count;
        PieceSet::new(self.rows.row(conn, gathered), self.torrent_pieces, count)
    }

    /// Whether the remote has announced this piece.
    pub(crate) fn has(&self, conn: ConnId, piece: PieceIndex) -> bool {
        self.open.contains(conn) && self.rows.contains(conn, piece)
    }

    /// Whether the remote has announced every piece.
    pub(crate) fn is_complete(&self, conn: ConnId) -> bool {
        self.open.contains(conn) && self.holdings[conn.0 as usize].count == self.torrent_pieces
    }

    /// A remote has announced a piece, which `useful` says we lack; returns whether that is new.
    #[inline]
    pub(crate) fn gained(&mut self, conn: ConnId, piece: PieceIndex, useful: bool) -> bool {
        if !self.rows.insert(conn, piece) {
            return false;
        }
        let holding = &mut self.holdings[conn.0 as usize];
        holding.count += 1;
        if useful {
            holding.useful += 1;
        }
        true
    }

    /// Takes out of `waiting` the HAVEs that came before a time, on open connections; calls `new` for every piece that was
    /// not known of its remote. Returns how many are left, all at the beginning and in their order.
    //
    // Most of what a simulated peer does: everything the loop needs is looked up before it.
    #[inline]
    pub(crate) fn note(
        &mut self,
        waiting: &mut [Have],
        before: Time,
        ours: &Bitfield,
        mut new: impl FnMut(PieceIndex),
    ) -> usize {
        let (mut rows, holdings, ours) = (self.rows.bits(), &mut self.holdings[..], ours.words());
        let all_heard = self.open.is_subset_of(&self.heard);
        let mut kept = 0;
        for place in 0..waiting.len() {
            let have = waiting[place];
            if have.at >= before {
                waiting[kept] = have;
                kept += 1;
                continue;
            }
            debug_assert!(self.open.contains(have.conn), "a HAVE on {:?}, which is closed", have.conn);
            if !all_heard {
                self.heard.insert(have.conn);
            }
            let holding = &mut holdings[have.conn.0 as usize];
            // It may have sent something else since.
            holding.received_at = holding.received_at.max(have.at);
            if rows.insert(have.conn, have.piece) {
                let (word, bit) = (have.piece.0 as usize / 64, have.piece.0 % 64);
                holding.count += 1;
                holding.useful += (!ours[word] >> bit & 1) as u32;
                new(have.piece);
            }
        }
        kept
    }

    /// The remote has announced all it has; `useful` of that we lack.
    pub(crate) fn set_pieces(&mut self, conn: ConnId, pieces: &Bitfield, useful: u32) {
        self.rows.set(conn, pieces.words().iter().copied());
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
        // A word may be handed over later than what came after it.
        let received_at = &mut self.holdings[conn.0 as usize].received_at;
        *received_at = at.max(*received_at);
    }

    /// We have sent something to the remote.
    pub(crate) fn sent(&mut self, conn: ConnId, at: Time) {
        self.last_sent_at[conn.0 as usize] = at;
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

    /// Who is at the other end.
    pub(crate) fn far_end(&self, conn: ConnId) -> Option<&FarEnd> {
        self.far_ends.get(conn.0 as usize)?.as_ref()
    }

    pub(crate) fn far_end_mut(&mut self, conn: ConnId) -> Option<&mut FarEnd> {
        self.far_ends.get_mut(conn.0 as usize)?.as_mut()
    }

    /// Ascending by number.
    pub(crate) fn far_ends(&self) -> impl Iterator<Item = (ConnId, &FarEnd)> {
        (0..).map(ConnId).zip(&self.far_ends).filter_map(|(conn, end)| Some((conn, end.as_ref()?)))
    }

    /// The connection to this peer.
    pub(crate) fn to(&self, peer_id: PeerId) -> Option<ConnId> {
        self.far_ends().find(|(_, end)| end.is(peer_id)).map(|(conn, _)| conn)
    }

    /// When we last unchoked it, also after it was choked again; `None` never yet on this connection.
    pub(crate) fn unchoked_at(&self, conn: ConnId) -> Option<Time> {
        Some(self.unchoked_at[conn.0 as usize]).filter(|at| *at < Time::NEVER)
    }

    /// We unchoke it.
    pub(crate) fn unchoke(&mut self, conn: ConnId, now: Time) {
        self.unchoked_at[conn.0 as usize] = now;
        self.unchoked.insert(conn);
    }

    /// Its place among all of them in the order of peer ids, which no driver chooses.
    pub(crate) fn place(&self, conn: ConnId) -> u32 {
        self.places[conn.0 as usize].into()
    }

    pub(crate) fn insert(&mut self, conn: ConnId, remote: RemotePeer, now: Time) {
        let at = conn.0 as usize;
        if self.slots.len() <= at {
            self.make_room(at + 1);
        }
        assert!(self.slots[at].is_none(), "the driver used {conn:?} twice");
        self.rows.clear(conn);
        self.slots[at] = Some(Connection::new(&remote, now));
        self.holdings[at] = Holding { received_at: now, ..Holding::default() };
        self.last_sent_at[at] = now;
        self.unchoked_at[at] = Time::NEVER;
        self.places[at] = self.make_way((remote.peer_id, conn));
        self.far_ends[at] = Some(FarEnd { peer: remote, opened_at: now, extended: None });
        self.open.insert(conn);
    }

    /// The place of a new connection in the order of peer ids; all behind it move on.
    fn make_way(&mut self, new: (PeerId, ConnId)) -> u16 {
        let mut place = 0;
        for (at, end) in self.far_ends.iter().enumerate() {
            let Some(end) = end else { continue };
            if (end.peer.peer_id, ConnId(at as u32)) < new {
                place += 1;
            } else {
                self.places[at] += 1;
            }
        }
        place
    }

    fn make_room(&mut self, numbers: usize) {
        if self.rows.room() < numbers {
            let more = numbers.next_multiple_of(Self::ROOM) - self.slots.len();
            self.slots.reserve_exact(more);
            self.far_ends.reserve_exact(more);
            self.unchoked_at.reserve_exact(more);
            self.places.reserve_exact(more);
            self.holdings.reserve_exact(more);
            self.last_sent_at.reserve_exact(more);
            self.rows.make_room(self.slots.len() + more);
        }
        self.slots.resize_with(numbers, || None);
        self.far_ends.resize_with(numbers, || None);
        self.unchoked_at.resize(numbers, Time::NEVER);
        self.places.resize(numbers, 0);
        self.holdings.resize(numbers, Holding::default());
        self.last_sent_at.resize(numbers, Time::ZERO);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<FarEnd> {
        let at = conn.0 as usize;
        let end = self.far_ends.get_mut(at)?.take()?;
        self.slots[at] = None;
        // Those without a connection are of no account.
        let place = self.places[at];
        self.places.iter_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
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
            &mut self.snubbed,
        ] {
            set.remove(conn);
        }
        Some(end)
    }

    /// Ascending by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        (0..).map(ConnId).zip(&self.slots).filter_map(|(conn, slot)| Some((conn, slot.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Connection)> {
        (0..).map(ConnId).zip(&mut self.slots).filter_map(|(conn, slot)| Some((conn, slot.as_mut()?)))
    }

    /// Who has the piece, as far as announced.
    pub(crate) fn having(&self, piece: PieceIndex) -> ConnSet {
        // The row of a connection that is gone keeps what was in it.
        self.rows.having(piece).intersection(&self.open)
    }

    /// One more than the highest number in use.
    pub(crate) fn end(&self) -> u32 {
        self.slots.len() as u32
    }
}
