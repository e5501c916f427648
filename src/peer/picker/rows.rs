//! Sixty-four holder counts beside one word of a bitfield: the loops that every pass over all pieces is made of.
//!
//! A word's bytes become masks over eight counts through a table, and every loop runs over so many counts without a branch: the
//! form that compilers turn into vector instructions on every machine.

/// The holders of 64 successive pieces.
pub(super) type Row<C = u16> = [C; 64];

/// A number of holders: a byte where it can be one, for a swarm's pickers to be small and quick to look through.
pub(super) trait Count: Copy + Ord + From<u8> + Into<u16> + 'static {
    /// Counts stay below this.
    const LIMIT: Self;

    /// For every byte, all ones in the lanes of its set bits.
    const MASKS: &'static [[Self; 8]; 256];

    fn wrapping_add(self, other: Self) -> Self;
    fn wrapping_sub(self, other: Self) -> Self;
    fn masked(self, mask: Self) -> Self;
}

macro_rules! count {
    ($number:ty, $limit:expr) => {
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
            fn wrapping_add(self, other: $number) -> $number {
                self.wrapping_add(other)
            }

            #[inline]
            fn wrapping_sub(self, other: $number) -> $number {
                self.wrapping_sub(other)
            }

            #[inline]
            fn masked(self, mask: $number) -> $number {
                self & mask
            }
        }
    };
}

count!(u8, u8::MAX);
count!(u16, i16::MAX as u16);

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

/// The pieces with exactly `holders` holders, as a word.
#[inline]
pub(super) fn with_holders<C: Count>(row: &Row<C>, holders: C) -> u64 {
    that_match(row, |count| count == holders)
}

/// The pieces whose holders match, as a word.
#[inline]
pub(super) fn that_match<C: Count>(row: &Row<C>, matches: impl Fn(C) -> bool) -> u64 {
    // Most rows have none, and that is cheaper to see.
    let none = C::from(0);
    let matching = row.iter().fold(none, |sum, count| sum.wrapping_add(C::from(u8::from(matches(*count)))));
    if matching == none { 0 } else { word_that_match(row, matches) }
}

fn word_that_match<C: Count>(row: &Row<C>, matches: impl Fn(C) -> bool) -> u64 {
    let mut equal = [0u8; 64];
    for (equal, count) in equal.iter_mut().zip(row) {
        *equal = u8::from(matches(*count));
    }
    let mut word = 0;
    for (at, equal) in equal.as_chunks::<8>().0.iter().enumerate() {
        // Eight bytes of 0 or 1 gather in the highest byte of the product.
        let gathered = u64::from_le_bytes(*equal).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= gathered << (8 * at);
    }
    word
}

/// How near the counts of a row's eligible pieces are to none, in sixteen lanes that the compiler can take together. 0 where no
/// piece of a lane is eligible.
pub(super) type Nearness<C> = [C; LANES];

pub(super) const LANES: usize = 16;

/// The greatest nearness of the pieces of `word`, lane by lane.
#[inline]
pub(super) fn nearness<C: Count>(row: &Row<C>, word: u64) -> Nearness<C> {
    let mut nearest = [C::from(0); LANES];
    for (counts, bytes) in row.as_chunks::<LANES>().0.iter().zip(word.to_le_bytes().as_chunks::<2>().0) {
        let (low, high) = (&C::MASKS[bytes[0] as usize], &C::MASKS[bytes[1] as usize]);
        let masks = low.iter().chain(high);
        for ((nearest, count), mask) in nearest.iter_mut().zip(counts).zip(masks) {
            *nearest = (*nearest).max(C::LIMIT.wrapping_sub(*count).masked(*mask));
        }
    }
    nearest
}

/// The smallest count of at least a floor, over all pieces it is shown.
pub(super) struct Fewest {
    /// What a count is subtracted from, so that smaller ones come out greater and ones below the floor negative.
    ceiling: u16,
    greatest: [i16; 8],
}

impl Fewest {
    pub(super) fn of_at_least(floor: u16) -> Fewest {
        Fewest { ceiling: floor + i16::MAX as u16, greatest: [0; 8] }
    }

    /// Takes the pieces of `word` into account.
    #[inline]
    pub(super) fn look_at(&mut self, row: &Row, word: u64) {
        for (counts, byte) in row.as_chunks::<8>().0.iter().zip(word.to_le_bytes()) {
            let lanes = self.greatest.iter_mut().zip(counts).zip(&u16::MASKS[byte as usize]);
            for ((greatest, count), mask) in lanes {
                *greatest = (*greatest).max((self.ceiling.wrapping_sub(*count) & mask) as i16);
            }
        }
    }

    pub(super) fn result(&self) -> Option<u16> {
        let greatest = self.greatest.into_iter().fold(0, i16::max);
        (greatest > 0).then(|| self.ceiling - greatest as u16)
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
            prop_assert_eq!(with_holders(&row, holders) >> at & 1 == 1, row[at] == holders);
        }
        let nearest = nearness(&row, word).into_iter().max().map(|nearest| C::LIMIT.into() - nearest.into());
        let expected = (0..64).filter(|&at| held(at)).map(|at| row[at].into()).min();
        prop_assert_eq!(nearest.filter(|_| word != 0), expected);
        Ok(())
    }

    proptest! {
        #[test]
        fn rows_count_compare_and_find_like_single_pieces(
            counts in prop::collection::vec(1u8..9, 64),
            offset in 0u8..240,
            word: u64,
            floor in 0u16..10,
        ) {
            let counts: Vec<u8> = counts.into_iter().map(|count| count + offset).collect();
            let narrow: Row<u8> = counts.try_into().unwrap();
            let wide: Row = narrow.map(u16::from);
            check(narrow, word, offset + 3)?;
            check(wide, word, u16::from(offset) + 3)?;
            let floor = u16::from(offset) + floor;
            let mut fewest = Fewest::of_at_least(floor);
            fewest.look_at(&wide, word);
            let eligible = (0..64).filter(|&at| word >> at & 1 == 1 && wide[at] >= floor);
            prop_assert_eq!(fewest.result(), eligible.map(|at| wide[at]).min());
        }
    }
}
