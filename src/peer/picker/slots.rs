//! Where a started piece keeps its blocks: a small number per piece, as narrow as the torrent allows.

use crate::fetch;
use crate::id::PieceIndex;

/// A map from pieces to slot numbers below the number of pieces.
#[derive(Clone, Debug)]
pub(super) enum SlotTable {
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl SlotTable {
    pub(super) fn new(pieces: u32) -> SlotTable {
        if pieces <= u32::from(u16::MAX) {
            SlotTable::Narrow(vec![u16::MAX; pieces as usize].into())
        } else {
            SlotTable::Wide(vec![u32::MAX; pieces as usize].into())
        }
    }

    pub(super) fn fetch(&self, piece: PieceIndex) {
        match self {
            SlotTable::Narrow(slots) => fetch::at(slots, piece.0 as usize),
            SlotTable::Wide(slots) => fetch::at(slots, piece.0 as usize),
        }
    }

    #[inline]
    pub(super) fn get(&self, piece: PieceIndex) -> Option<usize> {
        match self {
            SlotTable::Narrow(slots) => {
                let slot = slots[piece.0 as usize];
                (slot != u16::MAX).then_some(slot as usize)
            }
            SlotTable::Wide(slots) => {
                let slot = slots[piece.0 as usize];
                (slot != u32::MAX).then_some(slot as usize)
            }
        }
    }

    pub(super) fn set(&mut self, piece: PieceIndex, slot: usize) {
        match self {
            SlotTable::Narrow(slots) => slots[piece.0 as usize] = slot as u16,
            SlotTable::Wide(slots) => slots[piece.0 as usize] = slot as u32,
        }
    }

    pub(super) fn clear(&mut self, piece: PieceIndex) {
        self.set(piece, u32::MAX as usize);
    }
}
