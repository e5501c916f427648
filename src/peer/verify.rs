//! The verdict on a piece: announced where good, asked for again where bad, and somebody to answer for it.

use smallvec::SmallVec;

use crate::event::{CloseReason, Event};
use crate::id::{ConnId, PeerId, PieceIndex};
use crate::peer::seam::{Action, ConnSet, Verdict};
use crate::peer::{Peer, emit};
use crate::time::Time;

impl Peer {
    pub(super) fn verified(
        &mut self,
        now: Time,
        piece: PieceIndex,
        verdict: Verdict,
        actions: &mut Vec<Action>,
    ) {
        match verdict {
            Verdict::Good { digests } => self.piece_good(now, piece, &digests, actions),
            Verdict::Bad { digests } => self.piece_bad(now, piece, &digests, actions),
            Verdict::StoreFailed => {
                self.blame.forget(piece);
                self.picker.failed(piece, false);
                emit(Event::StorageFailed { piece }, actions);
                self.ask_all(now, actions);
            }
        }
    }

    fn piece_good(&mut self, now: Time, piece: PieceIndex, digests: &[u64], actions: &mut Vec<Action>) {
        if !self.have.insert(piece) {
            return;
        }
        self.missing -= u64::from(self.layout.piece_length(piece));
        self.picker.verified(piece);
        emit(Event::PieceVerified { piece }, actions);
        self.tell_everybody(now, piece, actions);
        let settled = self.blame.wants_digests(piece);
        let guilty = self.blame.good(piece, digests);
        self.ban(now, &guilty, actions);
        if self.have.is_full() {
            self.complete(now, actions);
        } else if self.held_back || settled {
            // What the piece held in memory is free again, or somebody on parole is.
            self.held_back = false;
            self.ask_all(now, actions);
        }
    }

    /// HAVE to those who lack the piece; those who have it may have become useless to us.
    fn tell_everybody(&mut self, now: Time, piece: PieceIndex, actions: &mut Vec<Action>) {
        let have = self.connections.having(piece);
        let mut useless: SmallVec<[ConnId; 8]> = SmallVec::new();
        for conn in have.iter() {
            if self.connections.less_useful(conn) == 0 {
                useless.push(conn);
            }
        }
        let others = self.connections.open.without(&have);
        let to = if self.schedule.is_some() { ConnSet::default() } else { others };
        for conn in to.iter() {
            self.connections.sent(conn, now);
        }
        self.totals.messages_sent += u64::from(to.count());
        if !to.is_empty() {
            actions.push(Action::Have { piece, to });
        }
        self.announce_turn(now, actions);
        for conn in useless {
            self.show_interest(now, conn, actions);
        }
    }

    fn complete(&mut self, now: Time, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.was_complete, true) {
            emit(Event::Completed, actions);
            self.announcer.completed(now);
            self.plan_search();
        }
        self.picker.rest();
        self.blame.rest();
        let complete = |conn: &ConnId| self.connections.is_complete(*conn);
        let complete: Vec<ConnId> = self.connections.open.iter().filter(complete).collect();
        for conn in complete {
            self.close(now, conn, CloseReason::BothComplete, actions);
        }
    }

    fn piece_bad(&mut self, now: Time, piece: PieceIndex, digests: &[u64], actions: &mut Vec<Action>) {
        emit(Event::PieceFailed { piece, bytes: self.layout.piece_length(piece) }, actions);
        self.picker.failed(piece, true);
        let guilty = self.blame.bad(piece, digests);
        self.ban(now, &guilty, actions);
        self.put_on_parole(now, piece, actions);
        self.ask_all(now, actions);
    }

    fn ban(&mut self, now: Time, guilty: &[PeerId], actions: &mut Vec<Action>) {
        for peer_id in guilty {
            let found = self.connections.to(*peer_id);
            let connection = found.and_then(|conn| self.connections.get(conn));
            emit(Event::Banned { remote: connection.and_then(|connection| connection.index) }, actions);
            if let Some(conn) = found {
                self.close(now, conn, CloseReason::Banned, actions);
            }
        }
    }

    /// A verified piece could not be read back for a remote: it counts as missing from now on.
    pub(super) fn read_failed(&mut self, now: Time, piece: PieceIndex, actions: &mut Vec<Action>) {
        if !self.have.remove(piece) {
            return;
        }
        self.lost_a_piece = true;
        self.missing += u64::from(self.layout.piece_length(piece));
        self.picker.lost(piece);
        self.dialer.lack_again();
        emit(Event::StorageFailed { piece }, actions);
        let (mut idle, mut unanswered) = (Vec::new(), Vec::new());
        for (conn, connection) in self.connections.iter_mut() {
            let lost = connection.uploads.iter().filter(|block| block.piece == piece);
            unanswered.extend(lost.map(|block| (conn, *block)));
            connection.uploads.retain(|block| block.piece != piece);
            idle.extend(connection.uploads.is_empty().then_some(conn));
        }
        idle.into_iter().for_each(|conn| self.connections.uploading.remove(conn));
        unanswered.into_iter().for_each(|(conn, block)| self.reject(now, conn, block, actions));
        let having = self.connections.having(piece);
        for conn in having.iter() {
            self.connections.more_useful(conn);
        }
        for conn in having.iter() {
            self.show_interest(now, conn, actions);
            self.ask(now, conn, actions);
        }
    }
}
