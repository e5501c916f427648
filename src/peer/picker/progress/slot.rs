//! A started piece as a whole: how many of its blocks are free, requested and received.

use super::Standing;
use crate::id::PieceIndex;

/// Half a cache line, so that none lies across two.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Slot {
    /// Bit `i`: block `i` of the first 64 is free.
    pub(super) first: u64,
    /// [`NO_PIECE`] while vacant.
    pub(super) piece: PieceIndex,
    pub(super) blocks: u32,
    pub(super) free: u32,
    pub(super) requested: u32,
    pub(super) received_bytes: u32,
    /// Position in `Progress::open` while a block is free; the next vacant slot while vacant.
    pub(super) position: u32,
}

pub(super) const NO_PIECE: PieceIndex = PieceIndex(u32::MAX);
/// The end of the vacant slots.
pub(super) const NONE: u32 = u32::MAX;

impl Slot {
    pub(super) const VACANT: Slot = Slot {
        first: 0,
        piece: NO_PIECE,
        blocks: 0,
        free: 0,
        requested: 0,
        received_bytes: 0,
        position: NONE,
    };

    /// Takes the lowest free bit, if one of the first 64 blocks is free.
    #[inline]
    pub(super) fn take_lowest(&mut self) -> Option<u32> {
        let index = self.first.trailing_zeros();
        self.first &= self.first.checked_sub(1)?;
        Some(index)
    }

    pub(super) fn standing(&self) -> Standing {
        if self.free > 0 { Standing::Started } else { Standing::Closed }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.free + self.requested == 0
    }
}
