//! Sixty-four holder counts beside one word of a bitfield: the loops that every pass over all pieces is made of.
//!
//! Comparisons take sixteen counts at once and gather the answers of a row in a word, to be combined with words of bitfields.

use wide::{i16x8, u8x16};

/// The holders of 64 successive pieces.
pub(super) type Row<C = u16> = [C; 64];

/// A number of holders: a byte where it can be one, for a swarm's pickers to be small and quick to look through.
pub(super) trait Count: Copy + Ord + Into<u16> + 'static {
    /// Counts stay below this.
    const LIMIT: Self;

    /// As many `holders`, or the limit where that is less.
    fn limited(holders: u16) -> Self;

    /// One more holder for each of eight pieces whose bit is set.
    fn raise(counts: &mut [Self; 8], byte: u8);
    /// One less.
    fn lower(counts: &mut [Self; 8], byte: u8);

    /// The smallest count of the pieces of `words`; `None` where they have none.
    fn fewest(rows: &[Row<Self>], words: impl Iterator<Item = u64>) -> Option<Self>;

    /// The pieces of a row with `holders` holders or fewer, as a word.
    fn at_most(row: &Row<Self>, holders: Self) -> u64;
    /// The pieces with fewer holders.
    fn below(row: &Row<Self>, holders: Self) -> u64;
    /// The pieces with exactly `holders` holders.
    fn exactly(row: &Row<Self>, holders: Self) -> u64;
}

impl Count for u8 {
    const LIMIT: u8 = u8::MAX;

    fn limited(holders: u16) -> u8 {
        holders.min(u16::from(u8::MAX)) as u8
    }

    // Eight at a time in one number: none of them overflows.
    #[inline]
    fn raise(counts: &mut [u8; 8], byte: u8) {
        *counts = u64::from_le_bytes(*counts).wrapping_add(ONES[byte as usize]).to_le_bytes();
    }

    #[inline]
    fn lower(counts: &mut [u8; 8], byte: u8) {
        *counts = u64::from_le_bytes(*counts).wrapping_sub(ONES[byte as usize]).to_le_bytes();
    }

    #[inline(always)]
    fn fewest(rows: &[Row<u8>], words: impl Iterator<Item = u64>) -> Option<u8> {
        if rows.len() > FEW {
            return fewest_of_many(rows, words);
        }
        let mut lanes = u8x16::splat(u8::LIMIT);
        for (row, word) in rows.iter().zip(words) {
            if word != 0 {
                let parts = row.as_chunks::<16>().0.iter().zip(missing(word));
                lanes =
                    parts.fold(lanes, |lanes, (counts, missing)| lanes.min(u8x16::new(*counts) | missing));
            }
        }
        Some(lanes.reduce_min()).filter(|fewest| *fewest < u8::LIMIT)
    }

    // Baseline x86-64 orders only signed bytes, but knows the greater of two without a sign.
    #[inline]
    fn at_most(row: &Row<u8>, holders: u8) -> u64 {
        let holders = u8x16::splat(holders);
        gather(row.as_chunks::<16>().0, |counts| u8x16::new(*counts).max(holders).simd_eq(holders))
    }

    #[inline]
    fn below(row: &Row<u8>, holders: u8) -> u64 {
        let holders = u8x16::splat(holders);
        !gather(row.as_chunks::<16>().0, |counts| {
            let counts = u8x16::new(*counts);
            counts.max(holders).simd_eq(counts)
        })
    }

    #[inline]
    fn exactly(row: &Row<u8>, holders: u8) -> u64 {
        let holders = u8x16::splat(holders);
        gather(row.as_chunks::<16>().0, |counts| u8x16::new(*counts).simd_eq(holders))
    }
}

impl Count for u16 {
    const LIMIT: u16 = i16::MAX as u16;

    fn limited(holders: u16) -> u16 {
        holders.min(u16::LIMIT)
    }

    #[inline]
    fn raise(counts: &mut [u16; 8], byte: u8) {
        for (count, mask) in counts.iter_mut().zip(MASKS[byte as usize]) {
            *count = count.wrapping_sub(mask);
        }
    }

    #[inline]
    fn lower(counts: &mut [u16; 8], byte: u8) {
        for (count, mask) in counts.iter_mut().zip(MASKS[byte as usize]) {
            *count = count.wrapping_add(mask);
        }
    }

    #[inline(always)]
    fn fewest(rows: &[Row<u16>], words: impl Iterator<Item = u64>) -> Option<u16> {
        fewest_of_many(rows, words)
    }

    #[inline]
    fn at_most(row: &Row<u16>, holders: u16) -> u64 {
        no_greater(row, holders as i16)
    }

    #[inline]
    fn below(row: &Row<u16>, holders: u16) -> u64 {
        no_greater(row, holders as i16 - 1)
    }

    #[inline]
    fn exactly(row: &Row<u16>, holders: u16) -> u64 {
        u16::at_most(row, holders) & !u16::below(row, holders)
    }
}

/// The counts up to `limit`, by what is left of each above it: whether there is anything is told as well by a byte, to
/// which all that is negative comes as 0. Below their limit counts are the same numbers with a sign.
#[inline]
fn no_greater(row: &Row<u16>, limit: i16) -> u64 {
    let limit = i16x8::splat(limit);
    let above = |counts: &[u16; 8]| i16x8::new(counts.map(|count| count as i16)) - limit;
    gather(row.as_chunks::<8>().0.as_chunks::<2>().0, |[low, high]| {
        u8x16::narrow_i16x8(above(low), above(high)).simd_eq(u8x16::ZERO)
    })
}

/// Makes a word of four times sixteen lanes: a bit set where all bits of a lane are.
#[inline]
fn gather<T>(parts: &[T], lanes: impl Fn(&T) -> u8x16) -> u64 {
    parts.iter().rev().fold(0, |word, part| word << 16 | u64::from(lanes(part).to_bitmask()))
}

/// One more holder for the pieces of `word`.
pub(super) fn raise<C: Count>(row: &mut Row<C>, word: u64) {
    for (counts, byte) in row.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
        C::raise(counts, byte);
    }
}

/// One holder less for the pieces of `word`, which have one.
pub(super) fn lower<C: Count>(row: &mut Row<C>, word: u64) {
    for (counts, byte) in row.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
        C::lower(counts, byte);
    }
}

/// For every byte, a one in the lanes of its set bits.
static ONES: [u64; 256] = {
    let mut ones = [0; 256];
    let mut entry = 0;
    while entry < 8 * 256 {
        ones[entry / 8] |= (((entry as u64 / 8) >> (entry % 8)) & 1) << (8 * (entry % 8));
        entry += 1;
    }
    ones
};

/// For every byte, all ones in the lanes of its set bits.
static MASKS: [[u16; 8]; 256] = {
    let mut masks = [[0; 8]; 256];
    let mut entry = 0;
    while entry < 8 * 256 {
        if (entry / 8) >> (entry % 8) & 1 == 1 {
            masks[entry / 8][entry % 8] = u16::MAX;
        }
        entry += 1;
    }
    masks
};

/// Of many rows few have fewer holders than all before, and a branch on that is well predicted. Of up to so many it is not.
pub(super) const FEW: usize = 16;

#[inline(always)]
fn fewest_of_many<C: Count>(rows: &[Row<C>], words: impl Iterator<Item = u64>) -> Option<C> {
    let mut fewest = C::LIMIT;
    for (row, word) in rows.iter().zip(words) {
        if word != 0 {
            let mut fewer = word & C::below(row, fewest);
            while fewer != 0 {
                fewest = row[fewer.trailing_zeros() as usize % 64];
                fewer &= C::below(row, fewest);
            }
        }
    }
    (fewest < C::LIMIT).then_some(fewest)
}

/// All ones in the bytes whose bits are not set in the word: of sixteen pieces after sixteen.
#[inline(always)]
fn missing(word: u64) -> [u8x16; 4] {
    const BITS: u8x16 = u8x16::new([1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
    let twice = |bytes: u8x16| [u8x16::unpack_low(bytes, bytes), u8x16::unpack_high(bytes, bytes)];
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    let [pairs, _] = twice(u8x16::new(bytes));
    let [low, high] = twice(pairs);
    let ([first, second], [third, fourth]) = (twice(low), twice(high));
    [first, second, third, fourth].map(|eights| (eights & BITS).simd_eq(u8x16::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<C: Count + std::fmt::Debug>(row: Row<C>, word: u64, holders: C) -> Result<(), TestCaseError> {
        let held = |at: usize| word >> at & 1 == 1;
        let (mut raised, mut lowered) = (row, row);
        raise(&mut raised, word);
        lower(&mut lowered, word);
        for at in 0..64 {
            let (count, change) = (row[at].into(), u16::from(held(at)));
            prop_assert_eq!(raised[at].into(), count + change);
            prop_assert_eq!(lowered[at].into(), count - change);
            prop_assert_eq!(C::exactly(&row, holders) >> at & 1 == 1, row[at] == holders);
            prop_assert_eq!(C::at_most(&row, holders) >> at & 1 == 1, row[at] <= holders);
            prop_assert_eq!(C::below(&row, holders) >> at & 1 == 1, row[at] < holders);
        }
        let fewest = (0..64).filter(|&at| held(at)).map(|at| row[at]).min();
        prop_assert_eq!(C::fewest(&[row], [word].into_iter()), fewest);
        prop_assert_eq!(C::fewest(&[row; FEW + 1], [word; FEW + 1].into_iter()), fewest);
        Ok(())
    }

    proptest! {
        #[test]
        fn rows_count_compare_and_find_like_single_pieces(
            counts in prop::collection::vec(1u8..9, 64),
            offset in 0u8..246,
            word: u64,
            holders in 0u8..10,
        ) {
            let counts: Vec<u8> = counts.into_iter().map(|count| count + offset).collect();
            let narrow: Row<u8> = counts.try_into().unwrap();
            check(narrow, word, offset + holders)?;
            check(narrow.map(u16::from), word, u16::from(offset + holders))?;
            check(narrow.map(|count| u16::from(count) << 7), word, u16::from(offset + holders) << 7)?;
        }
    }
}
