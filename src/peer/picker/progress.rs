//! The blocks of started pieces: free, requested or received, and from whom. Knows nothing of rarity.
//!
//! A piece is started while any of its blocks is requested or received. Its blocks live in a slot that the next
//! started piece uses again, so that nothing is allocated once a peer has reached its usual number of them.

mod ahead;
mod slot;

use smallvec::SmallVec;

use super::blocks::{Block, Blocks};
use super::slots::SlotTable;
use crate::id::{BlockId, ConnId, PieceIndex};
use crate::torrent::layout::Layout;
use slot::{NO_PIECE, NONE, Slot};

/// A piece as the choice of the next one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Wanted, and not one block of it requested.
    Unopened,
    /// Some blocks requested or received, some free.
    Started,
    /// Not wanted, or no block of it free.
    Closed,
}

/// How a piece stood, and how it stands now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) before: Standing,
    pub(super) after: Standing,
}

/// What a request took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) blocks: usize,
    /// The piece was not started before.
    pub(super) opened: bool,
    /// None of its blocks is free any more.
    pub(super) closed: bool,
}

/// What receiving a block has changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) was: Block,
    /// No block of the piece is missing any more.
    pub(super) complete: bool,
    /// Of its standing, for a block that was free.
    pub(super) change: Option<Change>,
}

#[derive(Clone, Debug)]
pub(super) struct Progress {
    layout: Layout,
    /// Blocks of every piece but perhaps the last, kept so that no division is made per block.
    stride: usize,
    /// The last piece and its blocks.
    last: (PieceIndex, u32),
    /// Bytes of the last block of every other piece.
    last_length: u32,
    /// Words of free-block bits per slot beyond the first 64 blocks.
    words: usize,
    slot_of: SlotTable,
    slots: Vec<Slot>,
    /// The first slot without a piece.
    vacant: u32,
    started: usize,
    /// Per slot, bit `i` of its words: block `64 + i` is free.
    free: Vec<u64>,
    /// Per slot, [`Layout::blocks_per_piece`] blocks.
    blocks: Blocks,
    /// Started pieces with a free block, in no order.
    open: Vec<PieceIndex>,
    /// Per connection, the piece it was asked for last, very likely that of its next block too, and its slot; a hint, and
    /// empty where a piece has one block.
    latest: Vec<(PieceIndex, u32)>,
    unverified_bytes: u64,
}

impl Progress {
    pub(super) fn new(layout: Layout) -> Progress {
        let last = PieceIndex(layout.pieces().saturating_sub(1));
        Progress {
            layout,
            stride: layout.blocks_per_piece() as usize,
            last: (last, layout.blocks_in(last)),
            last_length: layout.piece_size() - (layout.blocks_per_piece() - 1) * layout.block_size(),
            words: layout.blocks_per_piece().div_ceil(64) as usize - 1,
            slot_of: SlotTable::new(layout.pieces()),
            slots: Vec::new(),
            vacant: NONE,
            started: 0,
            free: Vec::new(),
            blocks: Blocks::default(),
            open: Vec::new(),
            latest: Vec::new(),
            unverified_bytes: 0,
        }
    }

    /// Started pieces, those that wait for their verdict included.
    pub(super) fn started(&self) -> usize {
        self.started
    }

    /// Started pieces with a free block.
    pub(super) fn open(&self) -> &[PieceIndex] {
        &self.open
    }

    /// Bytes received of pieces without a verdict.
    pub(super) fn unverified_bytes(&self) -> u64 {
        self.unverified_bytes
    }

    /// `None` for a piece that is not started.
    pub(super) fn standing(&self, piece: PieceIndex) -> Option<Standing> {
        self.slot_of.get(piece).map(|slot| self.slots[slot].standing())
    }

    /// Requests outstanding for blocks of `piece`, a doubled block counted once.
    pub(super) fn requested(&self, piece: PieceIndex) -> u32 {
        self.slot_of.get(piece).map_or(0, |slot| self.slots[slot].requested)
    }

    pub(super) fn block(&self, block: BlockId) -> Option<Block> {
        self.slot_of.get(block.piece).map(|slot| self.blocks.get(self.at(slot, block.index)))
    }

    /// Gives `piece`, not started so far, a slot with all blocks free.
    #[inline(never)]
    fn start(&mut self, piece: PieceIndex) -> usize {
        let stride = self.stride;
        let slot = self.take_vacant().unwrap_or_else(|| self.add_slot());
        let blocks = self.blocks_in(piece);
        let word = |first: u32| u64::MAX.checked_shr(64 - blocks.saturating_sub(first).min(64)).unwrap_or(0);
        for (further, first) in
            self.free[slot * self.words..][..self.words].iter_mut().zip((64..).step_by(64))
        {
            *further = word(first);
        }
        self.blocks.free(slot * stride..slot * stride + blocks as usize);
        let position = self.open.len() as u32;
        self.slots[slot] = Slot { first: word(0), piece, blocks, free: blocks, position, ..Slot::VACANT };
        self.open.push(piece);
        self.slot_of.set(piece, slot);
        self.started += 1;
        slot
    }

    /// Takes the slot that became vacant last.
    fn take_vacant(&mut self) -> Option<usize> {
        let slot = self.vacant as usize;
        self.vacant = self.slots.get(slot)?.position;
        Some(slot)
    }

    #[cold]
    fn add_slot(&mut self) -> usize {
        self.slots.push(Slot::VACANT);
        self.free.resize(self.free.len() + self.words, 0);
        self.blocks.grow(self.stride);
        self.slots.len() - 1
    }

    /// Forgets all blocks of `piece`; nothing happens to one that is not started.
    pub(super) fn stop(&mut self, piece: PieceIndex) {
        let Some(slot) = self.slot_of.get(piece) else { return };
        self.unverified_bytes -= u64::from(self.slots[slot].received_bytes);
        if self.slots[slot].free > 0 {
            self.close(slot);
        }
        self.slots[slot] = Slot { position: self.vacant, ..Slot::VACANT };
        self.slot_of.clear(piece);
        self.vacant = slot as u32;
        self.started -= 1;
    }

    /// Gives back the memory of started pieces, of which there are none for now.
    pub(super) fn rest(&mut self) {
        debug_assert!(self.started == 0, "{} pieces are started", self.started);
        (self.slots, self.vacant) = (Vec::new(), NONE);
        (self.free, self.blocks) = (Vec::new(), Blocks::default());
        (self.open, self.latest) = (Vec::new(), Vec::new());
    }

    /// Requests up to `want` free blocks of `piece` from `conn`, lowest first. There must be a free block, and at least one be
    /// wanted.
    #[inline]
    pub(super) fn request(
        &mut self,
        piece: PieceIndex,
        conn: ConnId,
        want: usize,
        out: &mut Vec<BlockId>,
    ) -> Taken {
        let started = self.slot_of.get(piece);
        let slot = started.unwrap_or_else(|| self.start(piece));
        if self.stride > 1 {
            self.note_latest(conn, piece, slot);
        }
        let state = &mut self.slots[slot];
        let taken = want.min(state.free as usize);
        debug_assert!(taken > 0, "nothing to request of piece {piece}");
        state.free -= taken as u32;
        state.requested += taken as u32;
        let closed = state.free == 0;
        for _ in 0..taken {
            let further = || take_lowest(&mut self.free[slot * self.words..][..self.words]);
            let index = state.take_lowest().unwrap_or_else(further);
            self.blocks.set(slot * self.stride + index as usize, Block::Requested(conn));
            out.push(BlockId { piece, index });
        }
        if closed {
            self.close(slot);
        }
        Taken { blocks: taken, opened: started.is_none(), closed }
    }

    #[inline]
    fn note_latest(&mut self, conn: ConnId, piece: PieceIndex, slot: usize) {
        let (at, noted) = (conn.0 as usize, (piece, slot as u32));
        match self.latest.get_mut(at) {
            Some(latest) => *latest = noted,
            None => self.latest.resize(at + 1, noted),
        }
    }

    /// The word with the bit of a block.
    #[inline]
    fn free_word(&mut self, slot: usize, index: u32) -> &mut u64 {
        match (index as usize / 64).checked_sub(1) {
            None => &mut self.slots[slot].first,
            Some(further) => &mut self.free[slot * self.words + further],
        }
    }

    /// Appends up to `want` free blocks of `piece`, lowest first; all of them are free where it is not started.
    #[inline]
    pub(super) fn free_blocks(&self, piece: PieceIndex, want: usize, out: &mut Vec<BlockId>) {
        let of_piece = |index| BlockId { piece, index };
        match self.slot_of.get(piece) {
            None => out.extend((0..self.blocks_in(piece).min(want as u32)).map(of_piece)),
            Some(slot) => {
                let further = &self.free[slot * self.words..][..self.words];
                let words = std::iter::once(&self.slots[slot].first).chain(further).enumerate();
                let free = words.flat_map(|(at, &word)| bits(word).map(move |bit| at as u32 * 64 + bit));
                out.extend(free.take(want).map(of_piece));
            }
        }
    }

    /// Adds `conn` to a block that one other connection is asked for.
    pub(super) fn double(&mut self, block: BlockId, conn: ConnId) {
        let Some(slot) = self.slot_of.get(block.piece) else { return };
        let at = self.at(slot, block.index);
        if let Some(first) = self.blocks.only_requester(at) {
            self.blocks.set(at, Block::Doubled(first, conn));
        }
    }

    /// Takes one requester off a block; a block without any is free. Returns false, and
    /// does nothing, if `conn` was not asked for it.
    pub(super) fn release(&mut self, block: BlockId, conn: ConnId) -> bool {
        let Some(slot) = self.slot_of.get(block.piece) else { return false };
        let at = self.at(slot, block.index);
        match self.blocks.get(at) {
            Block::Requested(only) if only == conn => {
                self.blocks.set(at, Block::Free);
                *self.free_word(slot, block.index) |= 1 << (block.index % 64);
                let state = &mut self.slots[slot];
                state.requested -= 1;
                state.free += 1;
                if state.free == 1 {
                    state.position = self.open.len() as u32;
                    self.open.push(block.piece);
                }
                if state.free == state.blocks {
                    self.stop(block.piece);
                }
            }
            Block::Doubled(first, second) if second == conn => self.blocks.set(at, Block::Requested(first)),
            Block::Doubled(first, second) if first == conn => self.blocks.set(at, Block::Requested(second)),
            Block::Free | Block::Requested(_) | Block::Doubled(..) | Block::Received => return false,
        }
        true
    }

    /// Marks a block as received, requested or not; `None` if it was received before, or its piece is neither started nor
    /// `wanted`.
    #[inline]
    pub(super) fn receive(&mut self, block: BlockId, wanted: impl FnOnce() -> bool) -> Option<Receipt> {
        let (slot, before) = match self.slot_of.get(block.piece) {
            Some(slot) => (slot, Standing::Started),
            None if wanted() => (self.start(block.piece), Standing::Unopened),
            None => return None,
        };
        let at = self.at(slot, block.index);
        let was = self.blocks.get(at);
        let length = self.length(block);
        let mut change = None;
        match was {
            Block::Received => return None,
            Block::Requested(_) | Block::Doubled(..) => self.slots[slot].requested -= 1,
            Block::Free => {
                *self.free_word(slot, block.index) &= !(1 << (block.index % 64));
                let state = &mut self.slots[slot];
                state.free -= 1;
                change = Some(Change { before, after: state.standing() });
            }
        }
        self.blocks.set(at, Block::Received);
        let state = &mut self.slots[slot];
        state.received_bytes += length;
        self.unverified_bytes += u64::from(length);
        let complete = state.is_complete();
        if change.is_some_and(|change| change.after == Standing::Closed) {
            self.close(slot);
        }
        Some(Receipt { was, complete, change })
    }

    /// Whether every block of `piece` has been received.
    pub(super) fn is_complete(&self, piece: PieceIndex) -> bool {
        self.slot_of.get(piece).is_some_and(|slot| self.slots[slot].is_complete())
    }

    /// Slots that may hold a piece, for [`busy_at`](Self::busy_at).
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The block at a place of a slot and its only requester, if it has exactly one.
    pub(super) fn busy_at(&self, slot: usize, index: u32) -> Option<(BlockId, ConnId)> {
        let Slot { piece, blocks, .. } = self.slots[slot];
        let only = self.blocks.only_requester(self.at(slot, index))?;
        (piece != NO_PIECE && index < blocks).then_some((BlockId { piece, index }, only))
    }

    fn at(&self, slot: usize, index: u32) -> usize {
        slot * self.stride + index as usize
    }

    fn blocks_in(&self, piece: PieceIndex) -> u32 {
        if piece == self.last.0 { self.last.1 } else { self.stride as u32 }
    }

    fn length(&self, block: BlockId) -> u32 {
        if block.piece == self.last.0 {
            return self.layout.block(block).length;
        }
        let is_last = block.index + 1 >= self.stride as u32;
        if is_last { self.last_length } else { self.layout.block_size() }
    }

    /// Takes a slot's piece off the list of those with a free block.
    #[inline(never)]
    fn close(&mut self, slot: usize) {
        let position = self.slots[slot].position as usize;
        self.open.swap_remove(position);
        if let Some(moved) = self.open.get(position).and_then(|&piece| self.slot_of.get(piece)) {
            self.slots[moved].position = position as u32;
        }
    }

    /// The two possible requesters of a block.
    pub(super) fn requesters(&self, block: BlockId) -> SmallVec<[ConnId; 2]> {
        match self.block(block) {
            Some(Block::Requested(only)) => SmallVec::from_slice(&[only]),
            Some(Block::Doubled(first, second)) => SmallVec::from_slice(&[first, second]),
            Some(Block::Free | Block::Received) | None => SmallVec::new(),
        }
    }
}

/// Takes the lowest free bit beyond the first 64 blocks, of which there must be one.
#[inline(never)]
fn take_lowest(words: &mut [u64]) -> u32 {
    let at = words.iter().position(|word| *word != 0).expect("a slot with a free block has its bit");
    let index = (at as u32 + 1) * 64 + words[at].trailing_zeros();
    words[at] &= words[at] - 1;
    index
}

/// The set bits of a word, by their positions.
fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        (word != 0).then(|| {
            word &= word - 1;
            bit
        })
    })
}
