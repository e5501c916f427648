//! Asking for blocks and taking them in.

use crate::event::{BlockFate, CloseReason, Event};
use crate::id::{Block, BlockId, ConnId};
use crate::peer::connection::Connection;
use crate::peer::picker::{Asker, Received};
use crate::peer::rates::Window;
use crate::peer::seam::Action;
use crate::peer::{Peer, emit, pipeline};
use crate::time::Time;
use crate::wire::message::{Message, Payload};

/// Blocks nobody asked for before a remote is dropped (BEP 6's close rule, with room for late answers).
const MAX_UNREQUESTED: u32 = 64;
/// A peer whose pieces under way come to so many bytes opens no further one: until their verdicts they are in memory.
const MAX_UNVERIFIED: u64 = 64 << 20;

impl Peer {
    /// Fills the connection's pipeline with requests, by the picking rule; where no free block is left for it, one
    /// block that somebody else was asked for, if a snubbed connection or the endgame allows it.
    pub(super) fn ask(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let connections = self.connections.count() as usize;
        let asking = self.connections.get(conn).filter(|_| self.connections.can_ask(conn));
        let Some(connection) = asking else { return };
        let room = self.depth(now, conn, connection).saturating_sub(connection.outstanding.len());
        if room == 0 {
            self.set_starved(conn, false);
            return;
        }
        let on_parole = self.on_parole(conn);
        let (mut picked, mut row) = (std::mem::take(&mut self.picked), std::mem::take(&mut self.asked));
        let pieces = self.connections.pieces(conn, &mut row);
        let asker = || Asker { conn, pieces, connections };
        let free =
            MAX_UNVERIFIED.saturating_sub(self.started_bytes()).div_ceil(u64::from(self.layout.block_size()));
        if on_parole {
            self.picker.pick_retries(&asker(), room, &mut picked);
        } else if free > 0 {
            let room = room.min(usize::try_from(free).unwrap_or(room));
            self.picker.pick(&asker(), room, &mut self.picker_draws, &mut picked);
        } else {
            self.picker.pick_started(&asker(), room, &mut self.picker_draws, &mut picked);
            self.held_back = true;
        }
        let endgame = !self.picker.has_free_block();
        if picked.is_empty() && connection.outstanding.is_empty() && !on_parole {
            let may_double = |other| endgame || self.connections.snubbed.contains(other);
            picked.extend(self.picker.pick_second(&asker(), &may_double, &mut self.picker_draws));
        }
        self.asked = row;
        self.set_starved(conn, picked.len() < room);
        for block in picked.drain(..) {
            self.request(now, conn, block, actions);
        }
        self.picked = picked;
        let begins = endgame && !self.endgame;
        self.endgame = endgame;
        if begins {
            self.ask_all(now, actions);
        }
    }

    pub(super) fn set_starved(&mut self, conn: ConnId, starved: bool) {
        if self.connections.starved.contains(conn) != starved {
            self.connections.starved.set(conn, starved);
            self.heed_haves(conn);
        }
    }

    /// What the pieces under way will hold in memory until their verdicts.
    fn started_bytes(&self) -> u64 {
        self.picker.started_pieces() as u64 * u64::from(self.layout.piece_size())
    }

    /// Asks on every connection, the snubbed ones last: blocks have become free.
    pub(super) fn ask_all(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.ask_all_but(now, None, actions);
    }

    /// The same for all but one, which has nothing to give now.
    pub(super) fn ask_all_but(&mut self, now: Time, but: Option<ConnId>, actions: &mut Vec<Action>) {
        for snubbed in [false, true] {
            for conn in self.connections.unchoking.clone().iter().filter(|conn| Some(*conn) != but) {
                if self.connections.open.contains(conn) && self.connections.snubbed.contains(conn) == snubbed
                {
                    self.ask(now, conn, actions);
                }
            }
        }
    }

    /// How many requests may be outstanding. A snubbed connection is kept at one, so that it can make good.
    fn depth(&self, now: Time, conn: ConnId, connection: &Connection) -> usize {
        if self.connections.snubbed.contains(conn) {
            return 1;
        }
        let reach = Window::new(self.policy.pipeline.rate_window).reach(now);
        let asking = match connection.asking_since {
            Time::NEVER => reach,
            since => now.since(since).min(reach),
        };
        let bytes = connection.rates.recent(now);
        let kept = connection.requests_kept;
        pipeline::depth(&self.policy.pipeline, bytes, asking, self.layout.block_size(), kept) as usize
    }

    fn request(&mut self, now: Time, conn: ConnId, block: BlockId, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.asking_since = connection.asking_since.min(now);
        if connection.outstanding.is_empty() {
            connection.owing_since = now;
        }
        connection.outstanding.push(block);
        let (from, range) = (connection.index, self.layout.block(block));
        self.send(now, conn, Message::Request(range), actions);
        emit(Event::Requested { from, block: range }, actions);
        self.check_by(now + self.policy.snub_after);
    }

    pub(super) fn block_from(
        &mut self,
        now: Time,
        conn: ConnId,
        range: Block,
        payload: Payload,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        let from = connection.index;
        let length = payload.length() as u64;
        self.downloaded += length;
        let whole = self.layout.block_id(range).filter(|_| length == u64::from(range.length));
        let Some(block) = whole.filter(|block| connection.settle(*block)) else {
            return self.unrequested_block(conn, range, actions);
        };
        // Only what we asked for earns anything.
        connection.rates.receive(now, length, &self.policy);
        connection.owing_since = now;
        self.connections.snubbed.remove(conn);
        self.connections.moving.insert(conn);
        self.last_block_at = now;
        match self.picker.received(block, conn) {
            Received::Duplicate => {
                emit(Event::Downloaded { from, block: range, fate: BlockFate::Duplicate }, actions);
            }
            Received::Useful { piece_complete, other } => {
                emit(Event::Downloaded { from, block: range, fate: BlockFate::Useful }, actions);
                if let Some(end) = self.connections.far_end(conn) {
                    self.blame.received(block, end.peer.peer_id);
                }
                actions.push(Action::Store { block: range, payload });
                if piece_complete {
                    let digests = self.blame.wants_digests(block.piece);
                    actions.push(Action::Verify { piece: block.piece, digests });
                }
                self.cancel_other(now, other, block, actions);
            }
        }
        self.claims_after_choke(conn);
        self.ask(now, conn, actions);
        Ok(())
    }

    /// A block we did not ask this remote for, or no longer: dropped. One late answer to every cancelled request is
    /// normal; more than that, or what nobody ever asked for, is not.
    fn unrequested_block(
        &mut self,
        conn: ConnId,
        range: Block,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        let late = connection.cancelled > 0;
        let useless = self.layout.block_id(range).is_some_and(|block| !self.picker.is_missing(block));
        let fate = if late && useless { BlockFate::Duplicate } else { BlockFate::Unrequested };
        emit(Event::Downloaded { from: connection.index, block: range, fate }, actions);
        if late {
            connection.cancelled -= 1;
            return Ok(());
        }
        connection.unrequested += 1;
        if connection.unrequested > MAX_UNREQUESTED { Err(CloseReason::UnrequestedBlocks) } else { Ok(()) }
    }

    /// Takes a request back.
    pub(super) fn cancel(&mut self, now: Time, conn: ConnId, block: BlockId, actions: &mut Vec<Action>) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.settle(block);
            connection.cancelled += 1;
            self.send(now, conn, Message::Cancel(self.layout.block(block)), actions);
        }
    }

    /// The first answer wins: the other connection that was asked for the block is told not to bother.
    fn cancel_other(&mut self, now: Time, other: Option<ConnId>, block: BlockId, actions: &mut Vec<Action>) {
        let Some(other) = other else { return };
        self.cancel(now, other, block, actions);
        self.ask(now, other, actions);
    }
}
