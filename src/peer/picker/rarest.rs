//! The masked minimum: which eligible pieces have the fewest holders, straight from the counts.
//!
//! One pass over counts and words, no state to keep up: the whole picker of small torrents, and the bounded worst
//! case of large ones.

use smallvec::SmallVec;

use super::draw::{nth_bit, share};
use super::eligible::Eligible;
use super::rows::{self, Count, Row};
use crate::id::PieceIndex;
use crate::rng::Stream;

/// Rows of which one draw is made: 4,096 pieces.
const TOGETHER: usize = 64;

/// The smallest count of at least `floor` over the eligible pieces.
pub(super) fn fewest_holders(rows: &[Row], floor: u16, eligible: impl Fn(usize) -> u64) -> Option<u16> {
    let mut fewest = u16::LIMIT;
    for (at, row) in rows.iter().enumerate() {
        let word = eligible(at);
        if word != 0 {
            let fewer = word & u16::below(row, fewest) & !u16::below(row, floor);
            if fewer != 0 {
                fewest = rows::rarest(row, fewer).0;
            }
        }
    }
    (fewest < u16::LIMIT).then_some(fewest)
}

/// What one look at all counts shows: the fewest holders of an eligible piece, and which pieces have so few. Pieces with
/// more holders than a limit do not matter.
//
// It is looked into where it was made: moving its room for ties costs more than a row.
pub(super) struct Survey<'a, C> {
    rows: &'a [Row<C>],
    eligible: &'a Eligible<'a>,
    /// At first the limit.
    fewest: C,
    ties: Ties,
}

impl<'a, C: Count> Survey<'a, C> {
    #[inline(always)]
    pub(super) fn up_to(limit: u16, rows: &'a [Row<C>], eligible: &'a Eligible<'a>) -> Survey<'a, C> {
        Survey { rows, eligible, fewest: C::limited(limit), ties: Ties::default() }
    }

    /// A uniform one of the eligible pieces with the fewest holders.
    #[inline(always)]
    pub(super) fn one(&mut self, rng: &mut Stream) -> Option<PieceIndex> {
        for (at, (row, word)) in self.rows.iter().zip(self.eligible.all_words()).enumerate() {
            if word != 0 {
                let few = word & C::at_most(row, self.fewest);
                if few != 0 {
                    self.take_in(at, row, few);
                }
            }
        }
        if self.ties.others { self.one_of_many(rng) } else { self.ties.one(rng) }
    }

    /// Pieces that have no more holders than the fewest so far.
    #[inline(always)]
    fn take_in(&mut self, at: usize, row: &Row<C>, few: u64) {
        let fewer = few & C::below(row, self.fewest);
        if fewer == 0 {
            self.ties.add(at, few);
        } else {
            let (fewest, rarest) = rows::rarest(row, fewer);
            self.fewest = fewest;
            self.ties.clear();
            self.ties.add(at, rarest);
        }
    }

    /// A uniform one where not all ties were kept.
    #[cold]
    #[inline(never)]
    fn one_of_many(&self, rng: &mut Stream) -> Option<PieceIndex> {
        let (mut seen, mut chosen) = (0, None);
        for (group, rows) in self.rows.chunks(TOGETHER).enumerate() {
            let mut ties = Ties::default();
            for (place, row) in (group * TOGETHER..).zip(rows) {
                ties.add(place, self.eligible.word(place) & C::exactly(row, self.fewest));
            }
            chosen = any_of(&ties.rows, &mut seen, rng).or(chosen);
        }
        chosen
    }
}

/// Pieces that tie, by the few rows they are in, ascending.
#[derive(Default)]
struct Ties {
    rows: SmallVec<[Tied; TOGETHER]>,
    /// There are rows that found no room.
    others: bool,
}

struct Tied {
    row: u32,
    count: u32,
    word: u64,
}

impl Ties {
    #[inline]
    fn clear(&mut self) {
        self.rows.clear();
        self.others = false;
    }

    #[inline(always)]
    fn add(&mut self, row: usize, word: u64) {
        if self.rows.len() < TOGETHER {
            self.rows.push(Tied { row: row as u32, count: word.count_ones(), word });
        } else {
            self.others = true;
        }
    }

    #[inline]
    fn one(&self, rng: &mut Stream) -> Option<PieceIndex> {
        let group = |tied: &Tied| tied.row as usize / TOGETHER;
        let (mut seen, mut chosen) = (0, None);
        for rows in self.rows.chunk_by(|one, next| group(one) == group(next)) {
            chosen = any_of(rows, &mut seen, rng).or(chosen);
        }
        chosen
    }
}

/// A uniform one of the pieces in these rows, if they take the choice over from all that were `seen` before.
#[inline]
fn any_of(rows: &[Tied], seen: &mut u64, rng: &mut Stream) -> Option<PieceIndex> {
    let count = rows.iter().map(|tied| tied.count).sum();
    if count == 0 {
        return None;
    }
    *seen += u64::from(count);
    let mut left = share(count, *seen, rng)?;
    for tied in rows {
        if left < tied.count {
            return Some(PieceIndex(tied.row * 64 + nth_bit(tied.word, left)));
        }
        left -= tied.count;
    }
    None
}
