//! A message came in: what it means is decided here, what follows in `download` and `upload`.

use crate::event::{CloseReason, Event};
use crate::id::{Block, BlockId, ConnId, PieceIndex};
use crate::peer::connection::Connection;
use crate::peer::seam::Action;
use crate::peer::{Peer, emit};
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;
use crate::wire::message::{BitfieldPayload, Message};

/// Requests a remote may have queued with us (libtorrent accepts 2,000, Transmission 500).
pub(super) const MAX_QUEUED_REQUESTS: usize = 500;
/// With so many a peer is [crowded](Peer::is_crowded): a few more, and it refuses one.
const CROWDED: usize = MAX_QUEUED_REQUESTS - 64;

impl Peer {
    pub(super) fn received(&mut self, now: Time, conn: ConnId, message: Message, actions: &mut Vec<Action>) {
        if !self.connections.open.contains(conn) {
            return;
        }
        self.connections.received(conn, now);
        let first = !self.connections.heard.contains(conn);
        // These say nothing about pieces: a bitfield may still follow.
        if first && !matches!(message, Message::KeepAlive | Message::Port(_) | Message::Extended { .. }) {
            self.connections.heard.insert(conn);
        }
        self.totals.messages_received += 1;
        let verdict = match message {
            Message::KeepAlive | Message::Port(_) => Ok(()),
            Message::Choke => self.choked_by(now, conn, actions),
            Message::Unchoke => self.unchoked_by(now, conn, actions),
            Message::Interested => self.interest_from(now, conn, true, actions),
            Message::NotInterested => self.interest_from(now, conn, false, actions),
            Message::Have(piece) => self.have_from(now, conn, piece, actions),
            Message::Bitfield(payload) => self.bitfield_from(now, conn, first, payload, actions),
            Message::Request(block) => self.request_from(now, conn, block, actions),
            Message::Piece { block, payload } => self.block_from(now, conn, block, payload, actions),
            Message::Cancel(block) => self.cancel_from(now, conn, block, actions),
            Message::HaveAll => self.have_all_from(now, conn, first, actions),
            Message::HaveNone => self.have_none_from(conn, first),
            Message::Reject(block) => self.reject_from(now, conn, block, actions),
            Message::SuggestPiece(piece) | Message::AllowedFast(piece) => self.offer_from(conn, piece),
            Message::Extended { id, payload } => self.extended_from(now, conn, id, &payload, actions),
        };
        if let Err(reason) = verdict {
            self.close(now, conn, reason, actions);
        }
    }

    fn choked_by(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        connection.asking_since = Time::NEVER;
        connection.rates.forget_recent();
        if connection.fast {
            // It answers every request all the same.
            self.connections.unchoking.remove(conn);
            self.set_starved(conn, false);
            self.claims_after_choke(conn);
            return Ok(());
        }
        let given_up = std::mem::take(&mut connection.outstanding);
        // It may have unchoked us again before they came there: then it answers them, and those that follow.
        connection.cancelled = connection.cancelled.saturating_add(given_up.len() as u32);
        self.connections.unchoking.remove(conn);
        for block in &given_up {
            self.picker.release(*block, conn);
        }
        self.picker.end_claims(conn);
        self.set_starved(conn, false);
        if !given_up.is_empty() {
            self.ask_all(now, actions);
        }
        Ok(())
    }

    fn unchoked_by(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) -> Result<(), CloseReason> {
        self.connections.unchoking.insert(conn);
        self.ask(now, conn, actions);
        Ok(())
    }

    fn interest_from(
        &mut self,
        now: Time,
        conn: ConnId,
        interested: bool,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        if self.connections.interested.contains(conn) != interested {
            self.connections.interested.set(conn, interested);
            self.fill_slots(now, actions);
        }
        Ok(())
    }

    fn have_from(
        &mut self,
        now: Time,
        conn: ConnId,
        piece: PieceIndex,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        if !self.layout.contains(piece) {
            return Err(CloseReason::BadPieceIndex);
        }
        if !self.connections.gained(conn, piece, !self.have.contains(piece)) {
            return Ok(());
        }
        self.picker.gained(piece);
        if self.have.contains(piece) {
            return if self.connections.is_complete(conn) { self.unless_both_complete() } else { Ok(()) };
        }
        // Elsewhere the pipeline is as full as it may be, or nothing of ours would be answered.
        if self.acts_on_haves(conn) {
            self.show_interest(now, conn, actions);
            self.ask(now, conn, actions);
        }
        Ok(())
    }

    pub(super) fn bitfield_from(
        &mut self,
        now: Time,
        conn: ConnId,
        first: bool,
        payload: BitfieldPayload,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        let pieces = match payload {
            BitfieldPayload::Set(pieces) => pieces,
            BitfieldPayload::Raw(bytes) => {
                Bitfield::from_wire(&bytes, self.layout.pieces()).map_err(|_| CloseReason::BadBitfield)?
            }
        };
        if !first {
            // BEP 3 knows it as the first message alone. aria2 sends it, or `have all`, whenever that is shorter than a
            // `have` for every piece it has gained, so it means what those would.
            return pieces.iter().try_for_each(|piece| self.have_from(now, conn, piece, actions));
        }
        let (missing, complete) = (pieces.count_missing_in(&self.have), pieces.is_full());
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        connection.counted_as_seed = complete;
        if complete {
            self.picker.join_seed();
        } else {
            self.picker.join(pieces.as_set());
        }
        self.connections.set_pieces(conn, &pieces, missing);
        if complete {
            self.unless_both_complete()?;
        }
        self.show_interest(now, conn, actions);
        Ok(())
    }

    fn request_from(
        &mut self,
        now: Time,
        conn: ConnId,
        block: Block,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        if !self.layout.covers(block) || block.length > self.layout.largest_request() {
            return Err(CloseReason::BadRequest);
        }
        if !self.have.contains(block.piece) {
            if !self.lost_a_piece && !self.is_fast(conn) {
                return Err(CloseReason::RequestForMissingPiece);
            }
            self.reject(now, conn, block, actions);
            return Ok(());
        }
        let unchoked = self.connections.unchoked.contains(conn);
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        if connection.uploads.contains(&block) {
            return Ok(());
        }
        let (full, fast) = (connection.uploads.len() >= MAX_QUEUED_REQUESTS, connection.fast);
        if unchoked && full && !fast {
            return Err(CloseReason::TooManyRequests);
        }
        if !unchoked || full {
            // It crossed our choke on its way: dropped without a word (BEP 3), or rejected (BEP 6).
            self.reject(now, conn, block, actions);
            return Ok(());
        }
        connection.uploads.push(block);
        self.crowded |= connection.uploads.len() >= CROWDED;
        self.connections.uploading.insert(conn);
        Ok(())
    }

    /// Whether this request would be more than is taken, or be no request for what we have.
    pub(super) fn refuses(&self, conn: ConnId, block: Block) -> bool {
        let full = |connection: &Connection| connection.uploads.len() >= MAX_QUEUED_REQUESTS;
        !self.layout.covers(block)
            || block.length > self.layout.largest_request()
            || !self.have.contains(block.piece)
            || self.connections.get(conn).is_some_and(full)
    }

    /// Whether some remote has, or has had, nearly as many requests queued with us as are taken. Before that, up to 64 further
    /// requests of our own kind bring about nothing by themselves.
    pub fn is_crowded(&self) -> bool {
        self.crowded
    }

    fn cancel_from(
        &mut self,
        now: Time,
        conn: ConnId,
        block: Block,
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(conn) else { return Ok(()) };
        let queued = connection.uploads.len();
        connection.uploads.retain(|queued| *queued != block);
        let taken_back = connection.uploads.len() < queued;
        if connection.uploads.is_empty() {
            self.connections.uploading.remove(conn);
        }
        if taken_back {
            self.reject(now, conn, block, actions);
        }
        Ok(())
    }

    /// Two complete peers have nothing for each other.
    pub(super) fn unless_both_complete(&self) -> Result<(), CloseReason> {
        if self.have.is_full() { Err(CloseReason::BothComplete) } else { Ok(()) }
    }

    /// Says `interested` where the remote has become useful, `not interested` where it has ceased to be.
    pub(super) fn show_interest(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        if !self.connections.open.contains(conn) {
            return;
        }
        let interested = self.connections.useful(conn) > 0;
        if self.connections.interesting.contains(conn) != interested {
            self.connections.interesting.set(conn, interested);
            self.heed_haves(conn);
            let message = if interested { Message::Interested } else { Message::NotInterested };
            self.send(now, conn, message, actions);
        }
    }

    /// Keeps [`Peer::heeded_haves`] in step with the connection.
    pub(super) fn heed_haves(&mut self, conn: ConnId) {
        let acts = self.connections.open.contains(conn) && self.acts_on_haves(conn);
        self.heeded_haves.set(conn, acts);
    }

    /// Whether another piece of the remote's makes a difference at once.
    fn acts_on_haves(&self, conn: ConnId) -> bool {
        !self.connections.interesting.contains(conn) || self.connections.starved.contains(conn)
    }

    /// The remote is snubbed. What nobody else could be asked for because of it is taken back, if somebody else could
    /// be: a piece that it alone was to send again, and a block whose other requester is snubbed too. A remote that
    /// chokes us and rejects nothing, against BEP 6, is asked for nothing any more.
    pub(super) fn note_snub(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        let Some(connection) = self.connections.get(conn) else { return };
        emit(Event::Snubbed { remote: connection.index }, actions);
        let outstanding = connection.outstanding.clone();
        self.connections.snubbed.insert(conn);
        let choked = !self.connections.unchoking.contains(conn);
        for block in outstanding {
            if choked || self.is_blocked(conn, block) {
                self.picker.release(block, conn);
                self.cancel(now, conn, block, actions);
            }
        }
    }

    /// Whether only snubbed connections are in the way of another that could send the block.
    fn is_blocked(&self, conn: ConnId, block: BlockId) -> bool {
        let snubbed = |other: &ConnId| self.connections.snubbed.contains(*other);
        let requesters = self.picker.requesters(block);
        let full = requesters.len() > 1 && requesters.iter().all(snubbed);
        let another = self.connections.open.iter().any(|other| {
            other != conn
                && !snubbed(&other)
                && self.connections.can_ask(other)
                && self.connections.has(other, block.piece)
                && !requesters.contains(&other)
        });
        another && (full || self.picker.is_exclusive(block.piece))
    }
}
