//! Which block to ask a connection for: availability, the picking rule, and the life of every block from free over
//! requested and received to verified.
//!
//! Knows nothing of messages, time, rates or chokes: the peer asks for blocks and tells what became of them. Connections are
//! numbers here, and all randomness is the caller's stream.

mod ahead;
mod availability;
mod blocks;
mod choose;
mod draw;
mod eligible;
mod order;
mod outcome;
mod progress;
mod rarest;
mod retries;
mod rows;
mod search;
mod second;
mod slots;
mod started;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use crate::id::{BlockId, ConnId, PieceIndex};
use crate::peer::policy::{PickerPolicy, StartedFirst};
use crate::rng::Stream;
use crate::torrent::bitfield::{Bitfield, PieceSet};
use crate::torrent::layout::Layout;
use availability::Availability;
use blocks::Block;
use order::{Order, rank};
use progress::{Change, Progress, Standing};
use retries::Retries;

/// The picker of one peer. Its fields lie in this order, so that all of its memory can be asked for (`ahead`) from the
/// first one on.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Picker {
    /// Pieces we have.
    verified: u32,
    first_random: u32,
    layout: Layout,
    policy: PickerPolicy,
    started_first: StartedFirst,
    availability: Availability,
    /// In large torrents; small ones are looked through at every pick.
    order: Option<Order>,
    /// Wanted pieces with a free block, unopened or started.
    free: Bitfield,
    progress: Progress,
    retries: Retries,
}

/// Who is asking.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub conn: ConnId,
    /// What the remote has: as many pieces as the torrent.
    pub pieces: PieceSet<'a>,
    /// How many connections the peer has; one and a half times as many started pieces are enough.
    pub connections: usize,
}

/// What a block that arrived is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The first of its kind.
    Useful {
        /// It was the last one missing: the piece now waits for [`Picker::verified`] or [`Picker::failed`].
        piece_complete: bool,
        /// Another connection is asked for it too: to be cancelled there.
        other: Option<ConnId>,
    },
    /// We have it, or its piece is being fetched again from another connection alone.
    Duplicate,
}

/// Up to so many pieces, looking at all counts is cheaper than keeping them ordered.
const FLAT_UP_TO: u32 = 4096;

impl Picker {
    /// A picker for a peer that has `have` and knows no remote.
    pub fn new(
        layout: Layout,
        policy: PickerPolicy,
        started_first: StartedFirst,
        first_random: u32,
        have: &Bitfield,
    ) -> Picker {
        let mut picker = Picker::flat(layout, policy, started_first, first_random, have);
        if layout.pieces() > FLAT_UP_TO {
            picker.keep_an_order();
        }
        picker
    }

    fn flat(
        layout: Layout,
        policy: PickerPolicy,
        started_first: StartedFirst,
        first_random: u32,
        have: &Bitfield,
    ) -> Picker {
        let pieces = layout.pieces();
        let mut free = Bitfield::full(pieces);
        for piece in have.iter() {
            free.remove(piece);
        }
        Picker {
            layout,
            policy,
            started_first,
            first_random,
            verified: have.count(),
            availability: Availability::new(pieces),
            order: None,
            free,
            progress: Progress::new(layout),
            retries: Retries::default(),
        }
    }

    fn keep_an_order(&mut self) {
        self.order = Some(Order::new(self.layout.pieces()));
    }

    /// A connection's pieces became known.
    pub fn join(&mut self, pieces: PieceSet<'_>) {
        if self.is_sparse(pieces) {
            pieces.iter().for_each(|piece| self.gained(piece));
        } else {
            self.availability.join(pieces);
            self.forget_order();
        }
    }

    /// A connection that had joined is gone; `pieces` is what joined and all that was [gained](Self::gained) since.
    pub fn leave(&mut self, pieces: PieceSet<'_>) {
        if self.is_sparse(pieces) {
            pieces.iter().for_each(|piece| self.dropped(piece));
        } else {
            self.availability.leave(pieces);
            self.forget_order();
        }
    }

    /// Whether single steps are cheaper than a walk over all counts.
    fn is_sparse(&self, pieces: PieceSet<'_>) -> bool {
        pieces.count() <= pieces.pieces() / 64
    }

    fn forget_order(&mut self) {
        if let Some(order) = &mut self.order {
            order.forget();
        }
    }

    /// A complete remote: one counter for all pieces. Its [`leave_seed`](Self::leave_seed) must match.
    pub fn join_seed(&mut self) {
        self.availability.join_seed();
    }

    pub fn leave_seed(&mut self) {
        self.availability.leave_seed();
    }

    /// Whether the order of equal changes shows in later picks.
    pub fn keeps_an_order(&self) -> bool {
        self.order.is_some()
    }

    /// A connection that had joined has one more piece.
    #[inline]
    pub fn gained(&mut self, piece: PieceIndex) {
        let count = self.availability.raise(piece);
        self.count_changed(piece, count - 1, count);
    }

    /// How many have each piece, complete remotes left out, to count further in where nothing else depends on it: only while
    /// there are so few `connections` that the counts suffice, and no order.
    pub(crate) fn counts_below(&mut self, connections: u32) -> Option<&mut [u8]> {
        if self.order.is_some() { None } else { self.availability.narrow_counts_below(connections) }
    }

    /// A connection that had joined no longer has a piece (BEP 54's `lt_donthave`).
    pub fn dropped(&mut self, piece: PieceIndex) {
        let count = self.availability.lower(piece);
        self.count_changed(piece, count + 1, count);
    }

    #[inline]
    fn count_changed(&mut self, piece: PieceIndex, from: u16, to: u16) {
        if let Some(order) = &mut self.order
            && order.reaches(from.min(to))
            && self.free.contains(piece)
        {
            let started = self.progress.standing(piece).is_some();
            order.change(piece, Some(rank(from, started)), Some(rank(to, started)));
        }
    }

    /// How many connected peers have `piece`, seeds included.
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        self.availability.total(piece)
    }

    /// Appends up to `want` free blocks by the picking rule; they are requested from the asker from now on. The free blocks of
    /// a piece follow one another, lowest first.
    pub fn pick(&mut self, asker: &Asker<'_>, want: usize, rng: &mut Stream, out: &mut Vec<BlockId>) {
        self.pick_by(Picker::choose, asker, want, rng, out);
    }

    /// The same, but opens no piece: for a peer that holds as many unverified bytes as it may.
    pub fn pick_started(&mut self, asker: &Asker<'_>, want: usize, rng: &mut Stream, out: &mut Vec<BlockId>) {
        self.pick_by(Picker::choose_started, asker, want, rng, out);
    }

    /// The same of nothing but pieces of exclusive retry: for a remote that is to send pieces alone.
    pub fn pick_retries(&mut self, asker: &Asker<'_>, want: usize, out: &mut Vec<BlockId>) {
        let mut left = want;
        for piece in self.retries.open_to(asker.conn) {
            if left > 0 && asker.pieces.contains(piece) && self.free.contains(piece) {
                left -= self.request(piece, asker.conn, left, out);
            }
        }
    }

    #[inline]
    fn pick_by(
        &mut self,
        choose: impl Fn(&mut Picker, &Asker<'_>, &[PieceIndex], &mut Stream) -> Option<PieceIndex>,
        asker: &Asker<'_>,
        want: usize,
        rng: &mut Stream,
        out: &mut Vec<BlockId>,
    ) {
        // Hardly ever is anything kept from anybody, and every block asks.
        let kept = if self.retries.is_empty() { None } else { Some(self.retries.kept_from(asker.conn)) };
        let kept = kept.as_deref().unwrap_or_default();
        let mut left = want;
        while left > 0 {
            let Some(piece) = choose(self, asker, kept, rng) else { break };
            left -= self.request(piece, asker.conn, left, out);
        }
    }

    /// Requests up to `want` free blocks of `piece` from `conn` and returns how many.
    #[inline(always)]
    fn request(&mut self, piece: PieceIndex, conn: ConnId, want: usize, out: &mut Vec<BlockId>) -> usize {
        let taken = self.progress.request(piece, conn, want, out);
        match (taken.opened, taken.closed) {
            (false, false) => {}
            (false, true) => self.follow(piece, Standing::Started, Standing::Closed),
            (true, false) => self.follow(piece, Standing::Unopened, Standing::Started),
            (true, true) => self.follow(piece, Standing::Unopened, Standing::Closed),
        }
        self.retries.claim(piece, conn);
        taken.blocks
    }

    /// What [`pick`](Self::pick) would append as things stand, requesting nothing.
    pub fn preview(&mut self, asker: &Asker<'_>, want: usize, rng: &mut Stream, out: &mut Vec<BlockId>) {
        let mut kept = self.retries.kept_from(asker.conn);
        let mut left = want;
        while left > 0 {
            let Some(piece) = self.choose(asker, &kept, rng) else { break };
            let before = out.len();
            self.progress.free_blocks(piece, left, out);
            left -= out.len() - before;
            if left > 0 {
                kept.push(piece);
            }
        }
    }

    /// Whether any block of a wanted piece has been asked of nobody. Endgame only when not.
    pub fn has_free_block(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether the piece failed before and is requested from one connection at a time.
    pub fn is_exclusive(&self, piece: PieceIndex) -> bool {
        self.retries.contains(piece)
    }

    /// Whether every block of the piece is here and its verdict is not.
    pub fn is_complete(&self, piece: PieceIndex) -> bool {
        self.progress.is_complete(piece)
    }

    /// Whether nobody has delivered the block yet.
    pub fn is_missing(&self, block: BlockId) -> bool {
        match self.progress.block(block) {
            Some(state) => state != Block::Received,
            None => self.standing(block.piece) == Standing::Unopened,
        }
    }

    /// The connections a block is requested from, at most two.
    pub fn requesters(&self, block: BlockId) -> SmallVec<[ConnId; 2]> {
        self.progress.requesters(block)
    }

    /// Pieces with a block requested or received and no verdict.
    pub fn started_pieces(&self) -> usize {
        self.progress.started()
    }

    /// Bytes received of pieces without a verdict.
    pub fn unverified_bytes(&self) -> u64 {
        self.progress.unverified_bytes()
    }

    fn standing(&self, piece: PieceIndex) -> Standing {
        let unstarted = || if self.free.contains(piece) { Standing::Unopened } else { Standing::Closed };
        self.progress.standing(piece).unwrap_or_else(unstarted)
    }

    /// Keeps the set of free pieces and their order in step with the blocks.
    #[inline]
    fn restand(&mut self, piece: PieceIndex, change: Change) {
        if change.before != change.after {
            self.follow(piece, change.before, change.after);
        }
    }

    // Inlined, because where both are known little of it is left, and which change comes next nothing predicts.
    #[inline]
    fn follow(&mut self, piece: PieceIndex, before: Standing, after: Standing) {
        if after == Standing::Closed {
            self.free.remove(piece);
        } else {
            self.free.insert(piece);
        }
        if let Some(order) = &mut self.order {
            let holders = self.availability.count(piece);
            let rank = |standing| match standing {
                Standing::Unopened => Some(rank(holders, false)),
                Standing::Started => Some(rank(holders, true)),
                Standing::Closed => None,
            };
            order.change(piece, rank(before), rank(after));
        }
    }
}
