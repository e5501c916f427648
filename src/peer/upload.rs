//! Who may download from us, and which block goes out next.

use crate::event::Event;
use crate::id::{Block, ConnId, PieceIndex};
use crate::peer::choker::{Candidate, Occasion, rare_pieces, rarity_score};
use crate::peer::seam::Action;
use crate::peer::{Peer, emit};
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::wire::message::Message;

impl Peer {
    /// The next block for the uplink, pulled by the driver when there is room; `ready` says which connections can
    /// take data. Blocks go round-robin over the unchoked connections, so a slow one holds nobody up. The driver
    /// sends the block's data as a `piece` message.
    pub fn next_upload(
        &mut self,
        now: Time,
        ready: &dyn Fn(ConnId) -> bool,
        actions: &mut Vec<Action>,
    ) -> Option<(ConnId, Block)> {
        if self.queued_uploads == 0 {
            return None;
        }
        let conn = match &self.schedule {
            Some(schedule) => self.whose_turn(schedule).filter(|conn| ready(*conn))?,
            None => self.next_in_turn(ready)?,
        };
        let connection = self.connections.get_mut(conn)?;
        let block = connection.uploads.pop_front()?;
        self.queued_uploads -= 1;
        self.served = conn;
        connection.sent.add(now, u64::from(block.length));
        connection.last_sent_at = now;
        self.uploaded += u64::from(block.length);
        self.totals.messages_sent += 1;
        emit(Event::Uploaded { to: connection.remote.index, block }, actions);
        self.turn_taken(now, conn, block, actions);
        Some((conn, block))
    }

    /// Round-robin over those who wait and can take data.
    fn next_in_turn(&self, ready: &dyn Fn(ConnId) -> bool) -> Option<ConnId> {
        let end = self.connections.end();
        let turn = (1..=end).map(|step| ConnId((self.served.0 + step) % end));
        let waiting = |conn: &ConnId| self.connections.get(*conn).is_some_and(|it| !it.uploads.is_empty());
        turn.filter(waiting).find(|conn| ready(*conn))
    }

    pub(super) fn choke_round(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.choose_unchoked(now, Occasion::Round, actions);
    }

    /// Somebody became interested, or a slot was given up: fill it at once.
    pub(super) fn fill_slots(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.choose_unchoked(now, Occasion::SlotFree, actions);
    }

    fn choose_unchoked(&mut self, now: Time, occasion: Occasion, actions: &mut Vec<Action>) {
        if !self.uploads {
            return;
        }
        let candidates = self.candidates(now);
        let mut chosen = Vec::new();
        let (seeding, draws) = (self.have.is_full(), &mut self.choker_draws);
        self.choker.decide(now, occasion, seeding, &candidates, draws, &mut chosen);
        for candidate in &candidates {
            let wanted = chosen.binary_search(&candidate.conn).is_ok();
            if wanted && !candidate.unchoked {
                self.unchoke(now, candidate.conn, actions);
            } else if !wanted && candidate.unchoked {
                self.choke(now, candidate.conn, actions);
            }
        }
    }

    fn candidates(&self, now: Time) -> Vec<Candidate> {
        let rare = self.choker.wants_rarity().then(|| self.rare_pieces());
        let score = |pieces: &Bitfield| rare.as_ref().map_or(0, |rare| rarity_score(rare, pieces));
        let candidate = |(conn, connection): (ConnId, &crate::peer::connection::Connection)| Candidate {
            conn,
            interested: connection.remote_interested,
            unchoked: connection.unchoked,
            snubbed: connection.snubbed,
            received: connection.received.sum(now),
            sent: connection.sent.sum(now),
            rare: score(&connection.pieces),
            connected_at: connection.opened_at,
            unchoked_at: connection.unchoked_at,
            pending: !connection.uploads.is_empty(),
            peer_id: connection.remote.peer_id,
        };
        self.connections.iter().map(candidate).collect()
    }

    /// The pieces that few of the peers we know hold (the assignment's rule).
    fn rare_pieces(&self) -> Bitfield {
        let pieces = (0..self.layout.pieces()).map(PieceIndex);
        rare_pieces(pieces.map(|piece| self.picker.availability(piece)), self.connections.count())
    }

    fn unchoke(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.unchoked = true;
        connection.unchoked_at = Some(now);
        let optimistic = self.choker.is_optimistic(conn);
        emit(Event::Unchoked { remote: connection.remote.index, optimistic }, actions);
        self.send(now, conn, Message::Unchoke, actions);
    }

    /// Requests of this unchoke are not answered any more; the remote asks again after the next one.
    fn choke(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let held = connection.unchoked_at.map_or(Span::MAX, |since| now.since(since));
        assert!(
            !connection.remote_interested || held >= self.policy.round,
            "{conn:?} was unchoked for {held} only"
        );
        connection.unchoked = false;
        self.queued_uploads -= connection.uploads.len() as u32;
        connection.uploads.clear();
        emit(Event::Choked { remote: connection.remote.index }, actions);
        self.send(now, conn, Message::Choke, actions);
    }
}
