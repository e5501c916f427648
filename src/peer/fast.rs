//! The fast extension (BEP 6), where both ends announced it: the first message says `have all` or `have none` in a byte,
//! every request is answered, by its block or by a reject, and a choke takes nothing back by itself.
//!
//! No piece is allowed fast: that would be a second way around the choker. What others allow or suggest is taken note
//! of and not used; both are offers (BEP 6: "may").

use crate::event::CloseReason;
use crate::id::{Block, ConnId, PieceIndex};
use crate::peer::Peer;
use crate::peer::seam::Action;
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;
use crate::wire::message::{BitfieldPayload, Message};

impl Peer {
    /// Both ends of the connection have announced the extension.
    pub(super) fn is_fast(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.fast)
    }

    /// The first message on a connection, where there is one to send. Who follows a schedule shows nothing.
    ///
    /// BEP 3 lets whoever has nothing send no bitfield. rqbit takes that silence for having everything, and tells such a
    /// peer of no piece it gains: those who speak BEP 10 but not BEP 6, as it does, get an empty one.
    pub(super) fn introduce_pieces(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let Some(end) = self.connections.far_end(conn) else { return };
        let (features, hidden) = (end.peer.features, self.schedule.is_some());
        let message = match (hidden || self.have.is_empty(), self.have.is_full()) {
            (true, _) if features.fast => Message::HaveNone,
            (true, _) if hidden || !features.extended => return,
            (false, true) if features.fast => Message::HaveAll,
            (_, _) => Message::Bitfield(BitfieldPayload::Set(self.have.clone())),
        };
        self.send(now, conn, message, actions);
    }

    pub(super) fn have_all_from(
        &mut self,
        now: Time,
        conn: ConnId,
        first: bool,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        self.only_fast(conn)?;
        let all = BitfieldPayload::Set(Bitfield::full(self.layout.pieces()));
        self.bitfield_from(now, conn, first, all, actions)
    }

    /// Says what is believed of a remote before it says anything.
    pub(super) fn have_none_from(&self, conn: ConnId, first: bool) -> Result<(), CloseReason> {
        self.only_fast(conn)?;
        if first { Ok(()) } else { Err(CloseReason::LateHaveNone) }
    }

    /// `suggest piece` or `allowed fast`.
    pub(super) fn offer_from(&self, conn: ConnId, piece: PieceIndex) -> Result<(), CloseReason> {
        self.only_fast(conn)?;
        if self.layout.contains(piece) { Ok(()) } else { Err(CloseReason::BadPieceIndex) }
    }

    /// A request of ours will not be answered by its block: somebody else may be asked for it.
    pub(super) fn reject_from(
        &mut self,
        now: Time,
        conn: ConnId,
        range: Block,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        self.only_fast(conn)?;
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        match self.layout.block_id(range).filter(|block| connection.settle(*block)) {
            Some(block) => {
                let waits_for_more = !connection.outstanding.is_empty();
                self.picker.release(block, conn);
                self.claims_after_choke(conn);
                // Whoever chokes rejects one after the other: the others are asked once, when that is over.
                if !waits_for_more || self.connections.unchoking.contains(conn) {
                    self.ask_all_but(now, Some(conn), actions);
                }
                Ok(())
            }
            // The answer to a cancel.
            None if connection.cancelled > 0 => {
                connection.cancelled -= 1;
                Ok(())
            }
            None => Err(CloseReason::UnrequestedReject),
        }
    }

    /// Says that a request will not be answered. Without the extension the remote knows that by itself.
    pub(super) fn reject(&mut self, now: Time, conn: ConnId, block: Block, actions: &mut Vec<Action>) {
        if self.is_fast(conn) {
            self.send(now, conn, Message::Reject(block), actions);
        }
    }

    /// A remote that chokes us and owes us nothing any more can finish no piece that it alone was to send.
    pub(super) fn claims_after_choke(&mut self, conn: ConnId) {
        let owes = self.connections.get(conn).is_some_and(|connection| !connection.outstanding.is_empty());
        if !owes && !self.connections.unchoking.contains(conn) {
            self.picker.end_claims(conn);
        }
    }

    fn only_fast(&self, conn: ConnId) -> Result<(), CloseReason> {
        if self.is_fast(conn) { Ok(()) } else { Err(CloseReason::UnexpectedMessage) }
    }
}
