//! The masked minimum: which eligible pieces have the fewest holders, straight from the counts.
//!
//! Two passes over counts and words, no state to keep up: the whole picker of small torrents, and the bounded worst
//! case of large ones.

use super::draw::{nth_bit, share};
use super::eligible::Eligible;
use super::rows::{Count, Fewest, LANES, Nearness, Row, nearness, with_holders};
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

/// What one look at all counts has shown: the fewest holders of an eligible piece, and about where such pieces are.
pub(super) struct Survey<'a, C> {
    rows: &'a [Row<C>],
    /// Of the first rows, which are all where this is the picker of a small torrent.
    nearest: [Nearness<C>; TOGETHER],
    fewest: Option<C>,
}

impl<'a, C: Count> Survey<'a, C> {
    pub(super) fn of(rows: &'a [Row<C>], eligible: &Eligible<'_>) -> Survey<'a, C> {
        let none = [C::from(0); LANES];
        let (mut nearest, mut overall) = ([none; TOGETHER], none);
        for (at, row) in rows.iter().enumerate() {
            let word = eligible.word(at);
            if word != 0 {
                let here = nearness(row, word);
                overall = nearer(overall, here);
                if let Some(nearest) = nearest.get_mut(at) {
                    *nearest = here;
                }
            }
        }
        let nearest_of_all = overall.into_iter().fold(C::from(0), C::max);
        let fewest = (nearest_of_all > C::from(0)).then(|| C::LIMIT.wrapping_sub(nearest_of_all));
        Survey { rows, nearest, fewest }
    }

    /// `None` where no piece is eligible.
    pub(super) fn fewest(&self) -> Option<C> {
        self.fewest
    }

    /// A uniform one of the eligible pieces with the fewest holders.
    pub(super) fn one(&self, eligible: &Eligible<'_>, rng: &mut Stream) -> Option<PieceIndex> {
        let holders = self.fewest?;
        let nearest = C::LIMIT.wrapping_sub(holders);
        let (mut seen, mut chosen) = (0, None);
        for (group, rows) in self.rows.chunks(TOGETHER).enumerate() {
            let mut ties = Ties::default();
            for (at, row) in rows.iter().enumerate() {
                let place = group * TOGETHER + at;
                if self.nearest.get(place).is_none_or(|lanes| holds(lanes, nearest)) {
                    ties.add(place, eligible.word(place) & with_holders(row, holders));
                }
            }
            seen += u64::from(ties.count);
            let share = if ties.count == 0 { None } else { share(ties.count, seen, rng) };
            chosen = share.and_then(|nth| ties.nth(nth)).or(chosen);
        }
        chosen
    }
}

/// Pieces that tie, by the few rows they are in.
struct Ties {
    rows: [(usize, u64); TOGETHER],
    len: usize,
    count: u32,
}

impl Default for Ties {
    fn default() -> Ties {
        Ties { rows: [(0, 0); TOGETHER], len: 0, count: 0 }
    }
}

impl Ties {
    #[inline]
    fn add(&mut self, row: usize, word: u64) {
        self.rows[self.len] = (row, word);
        self.len += 1;
        self.count += word.count_ones();
    }

    /// The `nth` of them, counted from 0.
    #[inline]
    fn nth(&self, nth: u32) -> Option<PieceIndex> {
        let mut left = nth;
        for &(row, word) in &self.rows[..self.len] {
            let here = word.count_ones();
            if left < here {
                return Some(PieceIndex(row as u32 * 64 + nth_bit(word, left)));
            }
            left -= here;
        }
        None
    }
}

#[inline]
fn nearer<C: Count>(mut nearest: Nearness<C>, other: Nearness<C>) -> Nearness<C> {
    for (nearest, other) in nearest.iter_mut().zip(other) {
        *nearest = (*nearest).max(other);
    }
    nearest
}

/// Without the branches of a search: there are sixteen.
#[inline]
fn holds<C: Count>(lanes: &Nearness<C>, nearness: C) -> bool {
    lanes.iter().fold(false, |any, lane| any | (*lane == nearness))
}
