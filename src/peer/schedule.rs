//! An oracle's schedule, followed by a peer: what to send to whom, in which order.
//!
//! It takes the place of choker and upload order, and of the picker by hiding: a peer that follows a schedule announces
//! a piece only to the one to whom it is to send it next, so that this one asks for it, and nobody else does. It
//! announces one turn ahead: what comes next is asked for while the last block is under way.
//!
//! Where schedules come from is not known here.

use std::collections::VecDeque;

use crate::id::{Block, ConnId, PeerId, PieceIndex};
use crate::peer::Peer;
use crate::peer::seam::{Action, ConnSet};
use crate::time::Time;

/// What is left of a peer's turns.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    turns: VecDeque<(PeerId, PieceIndex)>,
    /// The first turn's piece is announced.
    announced: bool,
}

impl Schedule {
    pub(super) fn new(turns: Vec<(PeerId, PieceIndex)>) -> Schedule {
        Schedule { turns: turns.into(), announced: false }
    }

    fn is_turn_of(&self, peer: PeerId, piece: PieceIndex) -> bool {
        self.announced && self.turns.front() == Some(&(peer, piece))
    }
}

impl Peer {
    /// Announces the piece whose turn it is, once we have it and are connected to whom it is for.
    pub(super) fn announce_turn(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Some(schedule) = &self.schedule else { return };
        let Some(&(to, piece)) = schedule.turns.front() else { return };
        if schedule.announced || !self.have.contains(piece) {
            return;
        }
        let Some(conn) = self.connections.to(to) else { return };
        if let Some(schedule) = &mut self.schedule {
            schedule.announced = true;
        }
        self.connections.sent(conn, now);
        self.totals.messages_sent += 1;
        let mut only = ConnSet::default();
        only.insert(conn);
        actions.push(Action::Have { piece, to: only });
    }

    /// The connection that is to be served now; `None` while the one whose turn it is has not asked yet. Whoever had
    /// its turn and asks once more, because it took us for snubbed, is served first.
    pub(super) fn whose_turn(&self, schedule: &Schedule) -> Option<ConnId> {
        let asking = self.connections.iter().filter_map(|(conn, connection)| {
            let asked = connection.uploads.first()?;
            let peer_id = self.connections.far_end(conn)?.peer.peer_id;
            Some((schedule.is_turn_of(peer_id, asked.piece), conn))
        });
        asking.min().map(|(_, conn)| conn)
    }

    /// A block was handed out; with the last one of its piece the next turn begins.
    pub(super) fn turn_taken(&mut self, now: Time, conn: ConnId, block: Block, actions: &mut Vec<Action>) {
        let (Some(schedule), Some(end)) = (&mut self.schedule, self.connections.far_end(conn)) else {
            return;
        };
        let last = block.begin + block.length == self.layout.piece_length(block.piece);
        if last && schedule.is_turn_of(end.peer.peer_id, block.piece) {
            schedule.turns.pop_front();
            schedule.announced = false;
            self.announce_turn(now, actions);
        }
    }
}
