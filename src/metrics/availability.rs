//! How many of the peers present hold each piece: the least and the mean at any moment, and over time.
//!
//! Peers that started complete are one number; of the others every piece is counted. A verified piece costs constant
//! work, the arrival or end of a stay one step for each piece the peer holds then.

use serde::{Deserialize, Serialize};

use crate::fetch;
use crate::id::PieceIndex;
use crate::metrics::Millionths;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;

/// Over the peers present.
#[derive(Clone, Debug)]
pub(super) struct Availability {
    pieces: u32,
    /// The pieces of every peer, present or not: rows of 64-bit words in one block of memory, so that a verified piece
    /// finds its bit without following a pointer.
    held: Vec<u64>,
    /// Whether the peer has everything from the start on; its row means nothing then.
    whole: Vec<bool>,
    /// Those of them that are present.
    seeds: u32,
    /// For every piece, how many others hold it.
    holders: Vec<u32>,
    /// How many pieces have 0, 1, 2, … such holders.
    pieces_with: Vec<u32>,
    /// The first of these that is not 0.
    least: usize,
    /// The sum of `holders`.
    copies: u64,
    over_time: OverTime,
}

/// Availability while somebody was there who lacked something.
#[derive(Clone, Copy, Debug, Default)]
struct OverTime {
    now: Time,
    least: Option<u32>,
    watched: Span,
    /// Copies of all pieces × ns.
    copies: u128,
}

/// Availability over a run. Its fields are columns of `runs.csv`, defined in `docs/metrics.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAvailability {
    pub least: Option<u32>,
    pub mean: Option<Millionths>,
}

impl Availability {
    /// `initials` are what the peers start with, in the order of the population; nobody is present yet.
    pub(super) fn new<'a>(pieces: u32, initials: impl Iterator<Item = &'a Bitfield>) -> Availability {
        let (mut held, mut whole) = (Vec::new(), Vec::new());
        for initial in initials {
            held.extend_from_slice(initial.words());
            whole.push(initial.is_full());
        }
        Availability {
            pieces,
            held,
            whole,
            seeds: 0,
            holders: vec![0; pieces as usize],
            pieces_with: vec![pieces],
            least: 0,
            copies: 0,
            over_time: OverTime::default(),
        }
    }

    /// It will be told soon that the peer has verified the piece.
    pub(super) fn fetch(&self, peer: usize, piece: PieceIndex) {
        fetch::at(&self.held, self.place(peer, piece).0);
        fetch::at(&self.holders, piece.0 as usize);
    }

    /// Copies of all pieces together.
    pub(super) fn copies(&self) -> u64 {
        self.copies + u64::from(self.seeds) * self.holders.len() as u64
    }

    /// Holders of the piece that has the fewest.
    pub(super) fn least(&self) -> u32 {
        self.least as u32 + self.seeds
    }

    /// Pieces that are there, and only with peers that started complete.
    pub(super) fn only_with_seeds(&self) -> u32 {
        if self.seeds == 0 { 0 } else { self.pieces_with[0] }
    }

    /// Before every change, in the order of time: what was until `now`, with or without somebody who lacked something.
    pub(super) fn advance(&mut self, now: Time, wanted: bool) {
        let span = now.since(self.over_time.now);
        self.over_time.now = now;
        if wanted && !span.is_zero() {
            let (least, copies) = (self.least(), self.copies());
            let over_time = &mut self.over_time;
            over_time.least = Some(over_time.least.map_or(least, |known| known.min(least)));
            over_time.watched += span;
            over_time.copies += u128::from(copies) * u128::from(span.as_nanos());
        }
    }

    pub(super) fn came(&mut self, peer: usize) {
        if self.whole[peer] {
            self.seeds += 1;
        } else {
            self.for_each_held(peer, Availability::one_more);
        }
    }

    pub(super) fn went(&mut self, peer: usize) {
        if self.whole[peer] {
            self.seeds -= 1;
        } else {
            self.for_each_held(peer, Availability::one_less);
        }
    }

    /// The peer has verified a piece.
    pub(super) fn gained(&mut self, peer: usize, piece: PieceIndex, present: bool) {
        let (word, bit) = self.place(peer, piece);
        if self.whole[peer] || self.held[word] & bit != 0 {
            return;
        }
        self.held[word] |= bit;
        if present {
            self.one_more(piece);
        }
    }

    /// The peer has lost a piece. One that had everything is counted like the others from then on.
    pub(super) fn lost(&mut self, peer: usize, piece: PieceIndex, present: bool) {
        if self.whole[peer] {
            self.whole[peer] = false;
            if present {
                self.seeds -= 1;
                self.for_each_held(peer, Availability::one_more);
            }
        }
        let (word, bit) = self.place(peer, piece);
        if self.held[word] & bit == 0 {
            return;
        }
        self.held[word] &= !bit;
        if present {
            self.one_less(piece);
        }
    }

    fn words(&self) -> usize {
        self.pieces.div_ceil(64) as usize
    }

    /// The word of `held` and the bit in it.
    fn place(&self, peer: usize, piece: PieceIndex) -> (usize, u64) {
        (peer * self.words() + piece.0 as usize / 64, 1 << (piece.0 % 64))
    }

    fn for_each_held(&mut self, peer: usize, change: fn(&mut Availability, PieceIndex)) {
        let first = peer * self.words();
        for at in 0..self.words() {
            let mut word = self.held[first + at];
            while word != 0 {
                change(self, PieceIndex(at as u32 * 64 + word.trailing_zeros()));
                word &= word - 1;
            }
        }
    }

    fn one_more(&mut self, piece: PieceIndex) {
        let holders = &mut self.holders[piece.0 as usize];
        let before = *holders as usize;
        *holders += 1;
        self.copies += 1;
        self.pieces_with[before] -= 1;
        if self.pieces_with.len() == before + 1 {
            self.pieces_with.push(0);
        }
        self.pieces_with[before + 1] += 1;
        if before == self.least && self.pieces_with[before] == 0 {
            self.least = before + 1;
        }
    }

    fn one_less(&mut self, piece: PieceIndex) {
        let holders = &mut self.holders[piece.0 as usize];
        let before = *holders as usize;
        *holders -= 1;
        self.copies -= 1;
        self.pieces_with[before] -= 1;
        self.pieces_with[before - 1] += 1;
        self.least = self.least.min(before - 1);
    }

    pub(super) fn over_run(&self) -> RunAvailability {
        let OverTime { least, watched, copies, .. } = self.over_time;
        let all = u128::from(watched.as_nanos()) * self.holders.len() as u128;
        RunAvailability { least, mean: Millionths::of(copies, all) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECES: u32 = 5;

    /// What happens to one of four peers.
    #[derive(Clone, Debug)]
    enum Step {
        Comes,
        Goes,
        Gains(u32),
        Loses(u32),
    }

    fn step() -> impl Strategy<Value = (usize, Step)> {
        let step = prop_oneof![
            2 => Just(Step::Comes),
            1 => Just(Step::Goes),
            6 => (0..PIECES).prop_map(Step::Gains),
            1 => (0..PIECES).prop_map(Step::Loses),
        ];
        (0..4usize, step)
    }

    proptest! {
        #[test]
        fn the_counts_are_those_of_a_recount(steps in prop::collection::vec(step(), 1..80)) {
            let initials: Vec<Bitfield> =
                (0..4).map(|at| if at == 0 { Bitfield::full(PIECES) } else { Bitfield::empty(PIECES) }).collect();
            let mut availability = Availability::new(PIECES, initials.iter());
            // Present, a seed still, and what it holds.
            let mut peers: Vec<(bool, bool, Bitfield)> =
                initials.into_iter().map(|initial| (false, initial.is_full(), initial)).collect();
            for (at, step) in steps {
                let (present, whole, pieces) = &mut peers[at];
                match step {
                    Step::Comes if !*present => {
                        availability.came(at);
                        *present = true;
                    }
                    Step::Goes if *present => {
                        availability.went(at);
                        *present = false;
                    }
                    Step::Gains(piece) => {
                        availability.gained(at, PieceIndex(piece), *present);
                        pieces.insert(PieceIndex(piece));
                    }
                    Step::Loses(piece) => {
                        availability.lost(at, PieceIndex(piece), *present);
                        pieces.remove(PieceIndex(piece));
                        *whole = false;
                    }
                    Step::Comes | Step::Goes => {}
                }
                let holders = |piece: u32, among: &dyn Fn(bool) -> bool| {
                    let here = peers.iter().filter(|(present, whole, _)| *present && among(*whole));
                    here.filter(|(.., pieces)| pieces.contains(PieceIndex(piece))).count() as u32
                };
                let counts: Vec<u32> = (0..PIECES).map(|piece| holders(piece, &|_| true)).collect();
                prop_assert_eq!(availability.least(), *counts.iter().min().unwrap());
                prop_assert_eq!(availability.copies(), counts.iter().map(|count| u64::from(*count)).sum::<u64>());
                let only = (0..PIECES).filter(|piece| {
                    holders(*piece, &|whole| whole) > 0 && holders(*piece, &|whole| !whole) == 0
                });
                prop_assert_eq!(availability.only_with_seeds(), only.count() as u32);
            }
        }
    }

    #[test]
    fn only_the_time_in_which_somebody_lacked_something_counts() {
        let (leecher, seed) = (0, 1);
        let initials = [Bitfield::empty(2), Bitfield::full(2)];
        let mut availability = Availability::new(2, initials.iter());
        let secs = |secs: u64| Time::ZERO + Span::from_secs(secs);
        // Nobody holds anything at first, for no time at all; then the seed is there.
        availability.came(leecher);
        availability.advance(secs(0), true);
        availability.came(seed);
        availability.advance(secs(2), true);
        availability.gained(leecher, PieceIndex(0), true);
        availability.gained(leecher, PieceIndex(1), true);
        availability.advance(secs(4), true);
        availability.went(leecher);
        availability.advance(secs(100), false);
        let run = availability.over_run();
        assert_eq!((run.least, run.mean.map(Millionths::as_f64)), (Some(1), Some(1.5)));
        assert_eq!(Availability::new(2, initials.iter()).over_run(), RunAvailability::default());
    }
}
