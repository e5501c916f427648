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

    /// For every byte, all ones in the lanes of its set bits.
    const MASKS: &'static [[Self; 8]; 256];

    fn wrapping_add(self, other: Self) -> Self;
    fn wrapping_sub(self, other: Self) -> Self;

    /// The pieces of a row with `holders` holders or fewer, as a word.
    fn at_most(row: &Row<Self>, holders: Self) -> u64;
    /// The pieces with fewer holders.
    fn below(row: &Row<Self>, holders: Self) -> u64;

    /// The pieces with exactly `holders` holders.
    fn exactly(row: &Row<Self>, holders: Self) -> u64 {
        Self::at_most(row, holders) & !Self::below(row, holders)
    }
}

macro_rules! count {
    ($number:ty, $limit:expr, $at_most:path, $below:path) => {
        impl Count for $number {
            const LIMIT: $number = $limit;
            const MASKS: &'static [[$number; 8]; 256] = &{
                let mut masks = [[0; 8]; 256];
                let mut entry = 0;
                while entry < 8 * 256 {
                    if (entry / 8) >> (entry % 8) & 1 == 1 {
                        masks[entry / 8][entry % 8] = <$number>::MAX;
                    }
                    entry += 1;
                }
                masks
            };

            #[inline]
            fn limited(holders: u16) -> $number {
                holders.min(Self::LIMIT.into()) as $number
            }

            #[inline]
            fn wrapping_add(self, other: $number) -> $number {
                self.wrapping_add(other)
            }

            #[inline]
            fn wrapping_sub(self, other: $number) -> $number {
                self.wrapping_sub(other)
            }

            #[inline]
            fn at_most(row: &Row<$number>, holders: $number) -> u64 {
                $at_most(row, holders)
            }

            #[inline]
            fn below(row: &Row<$number>, holders: $number) -> u64 {
                $below(row, holders)
            }
        }
    };
}

count!(u8, u8::MAX, bytes_at_most, bytes_below);
count!(u16, i16::MAX as u16, pairs_at_most, pairs_below);

// Baseline x86-64 orders only signed bytes, but knows the greater of two without a sign.

#[inline]
fn bytes_at_most(row: &Row<u8>, holders: u8) -> u64 {
    let holders = u8x16::splat(holders);
    gather(row.as_chunks::<16>().0, |counts| u8x16::new(*counts).max(holders).simd_eq(holders))
}

#[inline]
fn bytes_below(row: &Row<u8>, holders: u8) -> u64 {
    let holders = u8x16::splat(holders);
    !gather(row.as_chunks::<16>().0, |counts| {
        let counts = u8x16::new(*counts);
        counts.max(holders).simd_eq(counts)
    })
}

#[inline]
fn pairs_at_most(row: &Row<u16>, holders: u16) -> u64 {
    no_greater(row, holders as i16)
}

#[inline]
fn pairs_below(row: &Row<u16>, holders: u16) -> u64 {
    no_greater(row, holders as i16 - 1)
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
        for (count, mask) in counts.iter_mut().zip(C::MASKS[byte as usize]) {
            *count = count.wrapping_sub(mask);
        }
    }
}

/// One holder less for the pieces of `word`.
pub(super) fn lower<C: Count>(row: &mut Row<C>, word: u64) {
    for (counts, byte) in row.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
        for (count, mask) in counts.iter_mut().zip(C::MASKS[byte as usize]) {
            *count = count.wrapping_add(mask);
        }
    }
}

/// The fewest holders of a piece of `word`, which must have one, and the pieces of `word` with so many. A look at some piece's
/// count leaves those with fewer, of which two or three looks as a rule leave none.
#[inline(always)]
pub(super) fn rarest<C: Count>(row: &Row<C>, word: u64) -> (C, u64) {
    let mut left = word;
    loop {
        let holders = row[left.trailing_zeros() as usize % 64];
        let fewer = left & C::below(row, holders);
        if fewer == 0 {
            return (holders, left & C::at_most(row, holders));
        }
        left = fewer;
    }
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
        if let Some(fewest) = (0..64).filter(|&at| held(at)).map(|at| row[at]).min() {
            prop_assert_eq!(rarest(&row, word), (fewest, word & C::exactly(&row, fewest)));
        }
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
