//! A set of pieces. In memory it is a row of 64-bit words, lowest piece in the lowest bit, so that the picker can
//! combine rows word by word; on the wire it is BEP 3's bytes, lowest piece in the highest bit.

use std::ops::Deref;

use crate::id::PieceIndex;

/// A set of pieces out of a fixed number of them, in words that it owns ([`Bitfield`]) or that lie elsewhere ([`PieceSet`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pieces<W> {
    words: W,
    pieces: u32,
    count: u32,
}

/// A set of pieces by itself.
pub type Bitfield = Pieces<Box<[u64]>>;

/// A view of a set of pieces.
pub type PieceSet<'a> = Pieces<&'a [u64]>;

/// Why bytes from the wire are no bitfield of this torrent (BEP 3: exact length, spare bits clear).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitfieldError {
    #[error("bitfield of {got} bytes instead of {expected}")]
    WrongLength { got: usize, expected: usize },
    #[error("bitfield with spare bits set")]
    SpareBits,
}

impl Bitfield {
    pub fn empty(pieces: u32) -> Bitfield {
        Bitfield { words: vec![0; pieces.div_ceil(64) as usize].into(), pieces, count: 0 }
    }

    pub fn full(pieces: u32) -> Bitfield {
        let mut words = vec![u64::MAX; pieces.div_ceil(64) as usize];
        if !pieces.is_multiple_of(64)
            && let Some(last) = words.last_mut()
        {
            *last = (1 << (pieces % 64)) - 1;
        }
        Bitfield { words: words.into(), pieces, count: pieces }
    }

    /// Returns whether the piece is new. The piece must exist.
    //
    // Early returns, not arithmetic on the comparison: rustc 1.95 (GVN with SimplifyComparisonIntegral) loses
    // `count += u32::from(new)` where this is inlined into a branch on its result.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        debug_assert!(piece.0 < self.pieces);
        let (word, bit) = (&mut self.words[piece.0 as usize / 64], 1 << (piece.0 % 64));
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.count += 1;
        true
    }

    /// Returns whether the piece was there.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        let (word, bit) = (&mut self.words[piece.0 as usize / 64], 1 << (piece.0 % 64));
        if *word & bit == 0 {
            return false;
        }
        *word &= !bit;
        self.count -= 1;
        true
    }

    /// The bytes of BEP 3's `bitfield` message.
    pub fn to_wire(&self) -> Vec<u8> {
        let bytes = self.pieces.div_ceil(8) as usize;
        self.words.iter().flat_map(|word| word.to_le_bytes()).take(bytes).map(u8::reverse_bits).collect()
    }

    pub fn from_wire(bytes: &[u8], pieces: u32) -> Result<Bitfield, BitfieldError> {
        let expected = pieces.div_ceil(8) as usize;
        if bytes.len() != expected {
            return Err(BitfieldError::WrongLength { got: bytes.len(), expected });
        }
        let mut field = Bitfield::empty(pieces);
        for (at, byte) in bytes.iter().enumerate() {
            field.words[at / 8] |= u64::from(byte.reverse_bits()) << (at % 8 * 8);
        }
        field.count = field.words.iter().map(|word| word.count_ones()).sum();
        let spare =
            field.words.iter().zip(Bitfield::full(pieces).words()).any(|(word, full)| word & !full != 0);
        if spare { Err(BitfieldError::SpareBits) } else { Ok(field) }
    }
}

impl<W: Deref<Target = [u64]>> Pieces<W> {
    /// How many pieces the torrent has.
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// How many of them are in the set.
    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn is_full(&self) -> bool {
        self.count == self.pieces
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn contains(&self, piece: PieceIndex) -> bool {
        self.words.get(piece.0 as usize / 64).is_some_and(|word| word >> (piece.0 % 64) & 1 == 1)
    }

    /// Piece `i` is bit `i % 64` of word `i / 64`; bits beyond the last piece are clear.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The pieces of the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            std::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)))
                .take_while(|word| *word != 0)
                .map(move |word| PieceIndex(at as u32 * 64 + word.trailing_zeros()))
        })
    }

    /// How many pieces of `self` are missing in `other`.
    pub fn count_missing_in(&self, other: &Pieces<impl Deref<Target = [u64]>>) -> u32 {
        self.words.iter().zip(other.words.iter()).map(|(mine, theirs)| (mine & !theirs).count_ones()).sum()
    }

    /// Whether `other` has every piece of `self`.
    pub fn is_subset_of(&self, other: &Pieces<impl Deref<Target = [u64]>>) -> bool {
        self.words.iter().zip(other.words.iter()).all(|(mine, theirs)| mine & !theirs == 0)
    }

    pub fn as_set(&self) -> PieceSet<'_> {
        PieceSet { words: &self.words, pieces: self.pieces, count: self.count }
    }
}

impl<'a> PieceSet<'a> {
    /// `words` as [`Pieces::words`] gives them, with `count` bits set in all.
    pub fn new(words: &'a [u64], pieces: u32, count: u32) -> PieceSet<'a> {
        debug_assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), count);
        PieceSet { words, pieces, count }
    }
}

impl<W> std::fmt::Debug for Pieces<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitfield({} of {})", self.count, self.pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_wire_form_round_trips_and_the_count_is_right(flags in prop::collection::vec(any::<bool>(), 0..300)) {
            let mut field = Bitfield::empty(flags.len() as u32);
            for (at, _) in flags.iter().enumerate().filter(|(_, set)| **set) {
                field.insert(PieceIndex(at as u32));
            }
            prop_assert_eq!(field.count() as usize, flags.iter().filter(|set| **set).count());
            prop_assert_eq!(field.iter().count() as u32, field.count());
            prop_assert_eq!(Bitfield::from_wire(&field.to_wire(), field.pieces()), Ok(field));
        }
    }

    #[test]
    fn the_first_piece_is_the_highest_bit_on_the_wire() {
        let mut field = Bitfield::empty(9);
        field.insert(PieceIndex(0));
        field.insert(PieceIndex(8));
        assert_eq!(field.to_wire(), [0x80, 0x80]);
    }

    #[test]
    fn wrong_lengths_and_spare_bits_are_refused() {
        assert_eq!(Bitfield::from_wire(&[0; 3], 9), Err(BitfieldError::WrongLength { got: 3, expected: 2 }));
        assert_eq!(Bitfield::from_wire(&[0, 0x40], 9), Err(BitfieldError::SpareBits));
        assert_eq!(Bitfield::from_wire(&[], 0), Ok(Bitfield::full(0)));
    }
}
