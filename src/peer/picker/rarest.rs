//! The masked minimum: which eligible pieces have the fewest holders, straight from the counts.
//!
//! Two passes over counts and words, no state to keep up: the whole picker of small torrents, and the bounded worst
//! case of large ones.

use super::draw::{nth_bit, share};
use super::eligible::Eligible;
use super::rows::{Count, FEW, Row};
use crate::id::PieceIndex;
use crate::rng::Stream;

/// Rows of which one draw is made: 4,096 pieces.
const TOGETHER: usize = 64;

/// The smallest count of at least `floor` over the eligible pieces.
pub(super) fn fewest_holders<C: Count>(rows: &[Row<C>], floor: u16, eligible: &[u64]) -> Option<u16> {
    let floor = C::limited(floor);
    let words = rows
        .iter()
        .zip(eligible)
        .map(|(row, &word)| if word == 0 { 0 } else { word & !C::below(row, floor) });
    C::fewest(rows, words).map(C::into)
}

/// A look at all counts: the fewest holders of an eligible piece, and which pieces have so few.
pub(super) struct Survey<'a, C> {
    rows: &'a [Row<C>],
    eligible: &'a Eligible<'a>,
}

impl<'a, C: Count> Survey<'a, C> {
    pub(super) fn of(rows: &'a [Row<C>], eligible: &'a Eligible<'a>) -> Survey<'a, C> {
        Survey { rows, eligible }
    }

    /// The fewest holders of an eligible piece; `None` where there is no such piece.
    #[inline(always)]
    pub(super) fn fewest(&self) -> Option<C> {
        C::fewest(self.rows, self.eligible.all_words())
    }

    /// A uniform one of the eligible pieces with so many `holders`.
    #[inline(always)]
    pub(super) fn one(&self, holders: C, rng: &mut Stream) -> Option<PieceIndex> {
        let (mut seen, mut words) = (0, self.eligible.all_words());
        if self.rows.len() <= FEW {
            return Ties::<FEW>::of(0, self.rows, &mut words, holders).one(&mut seen, rng);
        }
        let mut chosen = None;
        for (group, rows) in self.rows.chunks(TOGETHER).enumerate() {
            let ties = Ties::<TOGETHER>::of(group * TOGETHER, rows, &mut words, holders);
            chosen = ties.one(&mut seen, rng).or(chosen);
        }
        chosen
    }
}

/// Pieces that tie, by the rows they are in.
struct Ties<const ROWS: usize> {
    rows: [(u32, u64); ROWS],
    len: usize,
}

impl<const ROWS: usize> Ties<ROWS> {
    /// In `rows`, the first of which is at `place`; `words` has the next word for each.
    //
    // Which rows have ties nothing predicts: each is noted, and written over by the next where it has none.
    #[inline(always)]
    fn of<C: Count>(
        place: usize,
        rows: &[Row<C>],
        words: &mut impl Iterator<Item = u64>,
        holders: C,
    ) -> Ties<ROWS> {
        let mut ties = Ties { rows: [(0, 0); ROWS], len: 0 };
        for ((at, row), word) in (place..).zip(rows).zip(words) {
            if word != 0 {
                let word = word & C::exactly(row, holders);
                ties.rows[ties.len] = (at as u32, word);
                ties.len += usize::from(word != 0);
            }
        }
        ties
    }

    /// A uniform one of them, if they take the choice over from all that were `seen` before.
    #[inline(always)]
    fn one(&self, seen: &mut u64, rng: &mut Stream) -> Option<PieceIndex> {
        let rows = &self.rows[..self.len];
        let count = rows.iter().map(|(_, word)| word.count_ones()).sum();
        if count == 0 {
            return None;
        }
        *seen += u64::from(count);
        let mut left = share(count, *seen, rng)?;
        for &(row, word) in rows {
            let here = word.count_ones();
            if left < here {
                return Some(PieceIndex(row * 64 + nth_bit(word, left)));
            }
            left -= here;
        }
        None
    }
}
