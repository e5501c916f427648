//! Sixty-four holder counts beside one word of a bitfield: the loops that every pass over all pieces is made of.
//!
//! A word's bytes become masks over eight counts through a table, and every loop runs over eight counts without a branch: the
//! form that compilers turn into vector instructions on every machine. Counts stay below 32,768.

/// The holders of 64 successive pieces.
pub(super) type Row = [u16; 64];

/// For every byte, all ones in the lanes of its set bits.
static MASKS: [[u16; 8]; 256] = masks();

const fn masks() -> [[u16; 8]; 256] {
    let mut masks = [[0; 8]; 256];
    let mut entry = 0;
    while entry < 8 * 256 {
        if (entry / 8) >> (entry % 8) & 1 == 1 {
            masks[entry / 8][entry % 8] = u16::MAX;
        }
        entry += 1;
    }
    masks
}

/// One more holder for the pieces of `word`.
pub(super) fn raise(row: &mut Row, word: u64) {
    for (counts, byte) in row.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
        for (count, mask) in counts.iter_mut().zip(MASKS[byte as usize]) {
            *count = count.wrapping_sub(mask);
        }
    }
}

/// One holder less for the pieces of `word`.
pub(super) fn lower(row: &mut Row, word: u64) {
    for (counts, byte) in row.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
        for (count, mask) in counts.iter_mut().zip(MASKS[byte as usize]) {
            *count = count.wrapping_add(mask);
        }
    }
}

/// The pieces with exactly `holders` holders, as a word.
#[inline]
pub(super) fn with_holders(row: &Row, holders: u16) -> u64 {
    that_match(row, |count| count == holders)
}

/// The pieces whose holders match, as a word.
#[inline]
pub(super) fn that_match(row: &Row, matches: impl Fn(u16) -> bool) -> u64 {
    // Most rows have none, and that is cheaper to see.
    let any = row.iter().fold(0, |any, count| any | u16::from(matches(*count)));
    if any == 0 { 0 } else { word_that_match(row, matches) }
}

fn word_that_match(row: &Row, matches: impl Fn(u16) -> bool) -> u64 {
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
            let lanes = self.greatest.iter_mut().zip(counts).zip(&MASKS[byte as usize]);
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

    proptest! {
        #[test]
        fn rows_count_compare_and_find_like_single_pieces(
            counts in prop::collection::vec(1u16..9, 64),
            word: u64,
            floor in 0u16..10,
        ) {
            let row: Row = counts.try_into().unwrap();
            let held = |at: usize| word >> at & 1 == 1;
            let (mut raised, mut lowered) = (row, row);
            raise(&mut raised, word);
            lower(&mut lowered, word);
            for at in 0..64 {
                prop_assert_eq!(raised[at], row[at] + u16::from(held(at)));
                prop_assert_eq!(lowered[at], row[at] - u16::from(held(at)));
                prop_assert_eq!(with_holders(&row, floor) >> at & 1 == 1, row[at] == floor);
            }
            let mut fewest = Fewest::of_at_least(floor);
            fewest.look_at(&row, word);
            let expected = (0..64).filter(|&at| held(at) && row[at] >= floor).map(|at| row[at]).min();
            prop_assert_eq!(fewest.result(), expected);
        }
    }
}
