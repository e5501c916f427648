//! Who may download from us, and which block goes out next.

use crate::event::Event;
use crate::id::{Block, ConnId, PieceIndex};
use crate::peer::choker::{Candidates, Occasion, rare_pieces, rarity_score};
use crate::peer::connections::Connections;
use crate::peer::seam::{Action, ConnSet};
use crate::peer::{Peer, emit};
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::wire::message::Message;

impl Peer {
    /// The next block for the uplink, pulled by the driver when there is room; `ready` says which connections can
    /// take data. Blocks go round-robin over the unchoked connections, so a slow one holds nobody up. The driver
    /// sends the block's data as a `piece` message.
    #[inline]
    pub fn next_upload(
        &mut self,
        now: Time,
        ready: &dyn Fn(ConnId) -> bool,
        actions: &mut Vec<Action>,
    ) -> Option<(ConnId, Block)> {
        // Asked for after every step of the peer; most of the time nobody waits.
        if self.connections.uploading.is_empty() { None } else { self.take_upload(now, ready, actions) }
    }

    fn take_upload(
        &mut self,
        now: Time,
        ready: &dyn Fn(ConnId) -> bool,
        actions: &mut Vec<Action>,
    ) -> Option<(ConnId, Block)> {
        let conn = match &self.schedule {
            Some(schedule) => self.whose_turn(schedule).filter(|conn| ready(*conn))?,
            None => self.next_in_turn(ready)?,
        };
        let connection = self.connections.get_mut(conn)?;
        if connection.uploads.is_empty() {
            return None;
        }
        let block = connection.uploads.remove(0);
        let last = connection.uploads.is_empty();
        self.served = conn;
        connection.rates.send(now, u64::from(block.length), &self.policy);
        self.uploaded += u64::from(block.length);
        self.totals.messages_sent += 1;
        if self.missing == 0 {
            self.last_block_at = now;
        }
        emit(Event::Uploaded { to: connection.index, block }, actions);
        if last {
            self.connections.uploading.remove(conn);
        }
        self.connections.moving.insert(conn);
        self.connections.sent(conn, now);
        self.turn_taken(now, conn, block, actions);
        Some((conn, block))
    }

    /// Round-robin over those who wait and can take data.
    pub(super) fn next_in_turn(&self, ready: &dyn Fn(ConnId) -> bool) -> Option<ConnId> {
        let waiting = &self.connections.uploading;
        let later = waiting.iter().filter(|conn| *conn > self.served);
        later.chain(waiting.iter().filter(|conn| *conn <= self.served)).find(|conn| ready(*conn))
    }

    pub(super) fn choke_round(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.choose_unchoked(now, Occasion::Round, actions);
        self.rest_rates(now);
    }

    /// Keeps no rates where nothing has flown for as long as they look back.
    fn rest_rates(&mut self, now: Time) {
        for conn in self.connections.moving.clone().iter() {
            let resting = self.connections.get_mut(conn).is_none_or(|connection| connection.rates.rest(now));
            self.connections.moving.set(conn, !resting);
        }
    }

    /// Somebody became interested, or a slot was given up: fill it at once.
    #[inline]
    pub(super) fn fill_slots(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.uploads && self.slots_are_open() {
            self.choose_unchoked(now, Occasion::SlotFree, actions);
        }
    }

    #[inline(never)]
    fn choose_unchoked(&mut self, now: Time, occasion: Occasion, actions: &mut Vec<Action>) {
        let rare = self.choker.wants_rarity().then(|| self.rare_pieces());
        let standing = Standing { connections: &self.connections, rare, now };
        let (seeding, draws) = (self.have.is_full(), &mut self.choker_draws);
        let chosen = self.choker.decide(now, occasion, seeding, &standing, draws);
        let unchoked = &self.connections.unchoked;
        for conn in chosen.without(unchoked).union(&unchoked.without(&chosen)).iter() {
            if chosen.contains(conn) {
                self.unchoke(now, conn, actions);
            } else {
                self.choke(now, conn, actions);
            }
        }
    }

    /// Whether somebody holds a slot without need, or a slot is free and somebody waits for one.
    fn slots_are_open(&self) -> bool {
        let (interested, unchoked) = (&self.connections.interested, &self.connections.unchoked);
        let free = self.choker.slots().is_none_or(|slots| unchoked.count() < slots);
        !unchoked.is_subset_of(interested) || (free && !interested.is_subset_of(unchoked))
    }

    /// The pieces that few of the peers we know hold (the assignment's rule).
    fn rare_pieces(&self) -> Bitfield {
        let pieces = (0..self.layout.pieces()).map(PieceIndex);
        rare_pieces(pieces.map(|piece| self.picker.availability(piece)), self.connections.count())
    }

    fn unchoke(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get(conn) else { return };
        let (remote, optimistic) = (connection.index, self.choker.is_optimistic(conn));
        self.connections.unchoke(conn, now);
        emit(Event::Unchoked { remote, optimistic }, actions);
        self.send(now, conn, Message::Unchoke, actions);
    }

    /// Requests of this unchoke are not answered by their blocks any more; the remote asks again after the next one.
    fn choke(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let held = self.connections.unchoked_at(conn).map_or(Span::MAX, |since| now.since(since));
        let Some(connection) = self.connections.get_mut(conn) else { return };
        // Given back and not only emptied: most connections are choked most of the time.
        let unanswered = std::mem::take(&mut connection.uploads);
        let remote = connection.index;
        assert!(
            !self.connections.interested.contains(conn) || held >= self.policy.round,
            "{conn:?} was unchoked for {held} only"
        );
        self.connections.unchoked.remove(conn);
        self.connections.uploading.remove(conn);
        emit(Event::Choked { remote }, actions);
        self.send(now, conn, Message::Choke, actions);
        for block in unanswered {
            self.reject(now, conn, block, actions);
        }
    }
}

/// What the choker may ask.
struct Standing<'a> {
    connections: &'a Connections,
    /// Only where the choker wants to know.
    rare: Option<Bitfield>,
    now: Time,
}

impl Candidates for Standing<'_> {
    fn interested(&self) -> &ConnSet {
        &self.connections.interested
    }

    fn unchoked(&self) -> &ConnSet {
        &self.connections.unchoked
    }

    fn snubbed(&self) -> &ConnSet {
        &self.connections.snubbed
    }

    fn pending(&self) -> &ConnSet {
        &self.connections.uploading
    }

    fn moving(&self) -> &ConnSet {
        &self.connections.moving
    }

    fn received(&self, conn: ConnId) -> u64 {
        self.connections.get(conn).map_or(0, |connection| connection.rates.received(self.now))
    }

    fn sent(&self, conn: ConnId) -> u64 {
        self.connections.get(conn).map_or(0, |connection| connection.rates.sent(self.now))
    }

    fn rare(&self, conn: ConnId) -> u32 {
        let score = |rare| rarity_score(rare, self.connections.pieces(conn, &mut Vec::new()));
        self.rare.as_ref().map_or(0, score)
    }

    fn unchoked_at(&self, conn: ConnId) -> Option<Time> {
        self.connections.unchoked_at(conn)
    }

    fn place(&self, conn: ConnId) -> u32 {
        self.connections.place(conn)
    }
}
