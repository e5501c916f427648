//! Where a started piece keeps its blocks: a small number per piece, as narrow as they need.

use crate::fetch;
use crate::id::PieceIndex;

/// A map from pieces to slot numbers below the number of pieces. Slots are numbered from 0, and few pieces are started at a
/// time: numbers take a byte until one does not fit, and then as much as any could.
#[derive(Clone, Debug)]
pub(super) enum SlotTable {
    Byte(Box<[u8]>),
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl SlotTable {
    pub(super) fn new(pieces: u32) -> SlotTable {
        SlotTable::Byte(vec![u8::MAX; pieces as usize].into())
    }

    pub(super) fn fetch(&self, piece: PieceIndex) {
        let at = piece.0 as usize;
        match self {
            SlotTable::Byte(slots) => fetch::at(slots, at),
            SlotTable::Narrow(slots) => fetch::at(slots, at),
            SlotTable::Wide(slots) => fetch::at(slots, at),
        }
    }

    #[inline]
    pub(super) fn get(&self, piece: PieceIndex) -> Option<usize> {
        let at = piece.0 as usize;
        match self {
            SlotTable::Byte(slots) => Some(slots[at]).filter(|slot| *slot != u8::MAX).map(usize::from),
            SlotTable::Narrow(slots) => Some(slots[at]).filter(|slot| *slot != u16::MAX).map(usize::from),
            SlotTable::Wide(slots) => {
                Some(slots[at]).filter(|slot| *slot != u32::MAX).map(|slot| slot as usize)
            }
        }
    }

    pub(super) fn set(&mut self, piece: PieceIndex, slot: usize) {
        if let SlotTable::Byte(slots) = self
            && slot >= usize::from(u8::MAX)
        {
            *self = widened(slots);
        }
        let at = piece.0 as usize;
        match self {
            SlotTable::Byte(slots) => slots[at] = slot as u8,
            SlotTable::Narrow(slots) => slots[at] = slot as u16,
            SlotTable::Wide(slots) => slots[at] = slot as u32,
        }
    }

    pub(super) fn clear(&mut self, piece: PieceIndex) {
        let at = piece.0 as usize;
        match self {
            SlotTable::Byte(slots) => slots[at] = u8::MAX,
            SlotTable::Narrow(slots) => slots[at] = u16::MAX,
            SlotTable::Wide(slots) => slots[at] = u32::MAX,
        }
    }
}

#[cold]
fn widened(slots: &[u8]) -> SlotTable {
    let known = |slot: u8| Some(slot).filter(|slot| *slot != u8::MAX);
    if slots.len() <= usize::from(u16::MAX) {
        SlotTable::Narrow(slots.iter().map(|slot| known(*slot).map_or(u16::MAX, u16::from)).collect())
    } else {
        SlotTable::Wide(slots.iter().map(|slot| known(*slot).map_or(u32::MAX, u32::from)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stay_what_they_are_where_numbers_become_wider() {
        for pieces in [300, 70_000] {
            let mut table = SlotTable::new(pieces);
            for slot in 0..300 {
                table.set(PieceIndex(slot), slot as usize);
            }
            table.clear(PieceIndex(7));
            let found = (0..300).map(|piece| table.get(PieceIndex(piece)));
            let expected = (0..300).map(|slot| (slot != 7).then_some(slot));
            assert!(found.eq(expected), "{pieces} pieces");
        }
    }
}
