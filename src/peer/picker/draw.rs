//! Uniform draws from what fits a condition, without a branch per piece.

use crate::id::PieceIndex;
use crate::rng::Stream;

/// A uniform one of the `pieces` that fit.
#[inline]
pub(super) fn one_of(
    pieces: &[PieceIndex],
    fits: impl Fn(PieceIndex) -> bool,
    rng: &mut Stream,
) -> Option<PieceIndex> {
    if pieces.len() > TOGETHER {
        return one_of_many(pieces, pieces.chunks(TOGETHER).map(|pieces| fitting(pieces, &fits)), rng);
    }
    one_of_fitting(pieces, fitting(pieces, fits), rng)
}

/// A uniform one of at most [`TOGETHER`] `pieces`, of those that a word names.
#[inline]
pub(super) fn one_of_fitting(pieces: &[PieceIndex], fitting: u64, rng: &mut Stream) -> Option<PieceIndex> {
    if fitting == 0 {
        None
    } else if fitting.is_power_of_two() {
        Some(pieces[fitting.trailing_zeros() as usize])
    } else {
        let nth = rng.below(u64::from(fitting.count_ones())) as u32;
        Some(pieces[nth_bit(fitting, nth) as usize])
    }
}

/// A uniform one of the `pieces` that are named: of [`TOGETHER`] after as many, by one of the `words`.
pub(super) fn one_of_many(
    pieces: &[PieceIndex],
    words: impl Iterator<Item = u64>,
    rng: &mut Stream,
) -> Option<PieceIndex> {
    let (mut seen, mut chosen) = (0, None);
    for (pieces, fitting) in pieces.chunks(TOGETHER).zip(words) {
        if fitting != 0 {
            seen += u64::from(fitting.count_ones());
            let taken_over = share(fitting.count_ones(), seen, rng);
            chosen = taken_over.map(|nth| pieces[nth_bit(fitting, nth) as usize]).or(chosen);
        }
    }
    chosen
}

/// Pieces whose answers fit in a word.
pub(super) const TOGETHER: usize = 64;

/// Which of at most [`TOGETHER`] pieces fit, as a word.
#[inline]
pub(super) fn fitting(pieces: &[PieceIndex], fits: impl Fn(PieceIndex) -> bool) -> u64 {
    pieces.iter().enumerate().fold(0, |word, (at, &piece)| word | u64::from(fits(piece)) << at)
}

/// Whether the last `count` of `seen` things take the choice over, and which of them: each with the same chance.
pub(super) fn share(count: u32, seen: u64, rng: &mut Stream) -> Option<u32> {
    let draw = if seen == 1 { 0 } else { rng.below(seen) };
    (draw < u64::from(count)).then_some(draw as u32)
}

/// So many pieces are looked at together, without a loop or a branch.
pub(super) const WINDOW: usize = 4;

/// Position of the `n`th set bit of a byte, by byte and `n`.
static NTH: [[u8; 8]; 256] = positions();

const fn positions() -> [[u8; 8]; 256] {
    let mut positions = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut nth, mut at) = (0, 0);
        while at < 8 {
            if byte >> at & 1 == 1 {
                positions[byte][nth] = at as u8;
                nth += 1;
            }
            at += 1;
        }
        byte += 1;
    }
    positions
}

/// A uniform set bit of the low eight, by its position. Which one is drawn nothing predicts, so it is looked up.
#[inline]
pub(super) fn any_of_eight(fitting: u64, rng: &mut Stream) -> usize {
    let positions = &NTH[fitting as usize % 256];
    let nth = if fitting.is_power_of_two() { 0 } else { rng.below_u32((fitting as u8).count_ones()) };
    positions[nth as usize % 8].into()
}

/// Position of the `nth` set bit, counted from 0. There must be one. Bytes are counted side by side and the last step looked up,
/// because nothing predicts the end of a loop over `nth` bits.
#[inline]
pub(super) fn nth_bit(word: u64, nth: u32) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * ONES;
    const EVEN_BITS: u64 = 0x55 * ONES;
    const LOW_PAIRS: u64 = 0x33 * ONES;
    const LOW_FOURS: u64 = 0x0f * ONES;
    let pairs = word - ((word >> 1) & EVEN_BITS);
    let fours = (pairs & LOW_PAIRS) + ((pairs >> 2) & LOW_PAIRS);
    let counts = (fours + (fours >> 4)) & LOW_FOURS;
    // Every byte: the set bits in it and below.
    let up_to = counts.wrapping_mul(ONES);
    let passed = (((u64::from(nth) * ONES) | HIGHEST) - up_to) & HIGHEST;
    let at = (passed >> 7).wrapping_mul(ONES) >> 56 << 3;
    let below = (up_to << 8) >> at & 0xff;
    (at + u64::from(NTH[(word >> at) as usize % 256][(u64::from(nth) - below) as usize % 8])) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_nth_bit_is_the_one_that_counting_finds(word: u64) {
            let bits = (0..64).filter(|at| word >> at & 1 == 1);
            for (nth, at) in bits.enumerate() {
                prop_assert_eq!(nth_bit(word, nth as u32), at);
            }
        }
    }
}
