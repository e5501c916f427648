//! The masked minimum: which eligible pieces have the fewest holders, straight from the counts.
//!
//! Two passes over counts and words, no state to keep up: the whole picker of small torrents, and the bounded worst
//! case of large ones.

use super::draw::{nth_bit, share};
use super::eligible::Eligible;
use super::rows::{Fewest, Row, with_holders};
use crate::id::PieceIndex;
use crate::rng::Stream;

/// Rows looked at together when ties are counted: 4,096 pieces.
const TOGETHER: usize = 64;

/// The smallest count of at least `floor` over the eligible pieces.
pub(super) fn fewest_holders(rows: &[Row], floor: u16, eligible: impl Fn(usize) -> u64) -> Option<u16> {
    let mut fewest = Fewest::of_at_least(floor);
    for (at, row) in rows.iter().enumerate() {
        let word = eligible(at);
        if word != 0 {
            fewest.look_at(row, word);
        }
    }
    fewest.result()
}

/// A uniform one of the eligible pieces with exactly `holders` holders.
pub(super) fn one_with_holders(
    rows: &[Row],
    holders: u16,
    eligible: &Eligible<'_>,
    rng: &mut Stream,
) -> Option<PieceIndex> {
    let (mut seen, mut chosen) = (0, None);
    for (group, rows) in rows.chunks(TOGETHER).enumerate() {
        let mut ties = [0; TOGETHER];
        let mut count = 0;
        for (at, row) in rows.iter().enumerate() {
            let word = eligible.word(group * TOGETHER + at);
            if word != 0 {
                ties[at] = word & with_holders(row, holders);
                count += ties[at].count_ones();
            }
        }
        seen += u64::from(count);
        let share = if count == 0 { None } else { share(count, seen, rng) };
        if let Some(mut nth) = share {
            let at = ties.iter().position(|ties| {
                let here = nth < ties.count_ones();
                nth -= if here { 0 } else { ties.count_ones() };
                here
            });
            chosen = at.map(|at| PieceIndex((group * TOGETHER + at) as u32 * 64 + nth_bit(ties[at], nth)));
        }
    }
    chosen
}
