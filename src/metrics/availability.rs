//! How many of the peers present hold each piece: the least and the mean at any moment, and over time.
//!
//! Peers that started complete are one number; of the others every piece is counted. A verified piece costs constant
//! work, the arrival or end of a stay one step for each piece the peer holds then.

use serde::{Deserialize, Serialize};

use crate::id::PieceIndex;
use crate::metrics::Millionths;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;

/// What is known of one peer's pieces.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    /// Everything, from the start on.
    Everything,
    These(Bitfield),
}

/// Over the peers present.
#[derive(Clone, Debug)]
pub(super) struct Availability {
    /// Present, and complete from the start on.
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
    pub(super) fn new(pieces: u32) -> Availability {
        Availability {
            seeds: 0,
            holders: vec![0; pieces as usize],
            pieces_with: vec![pieces],
            least: 0,
            copies: 0,
            over_time: OverTime::default(),
        }
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

    pub(super) fn came(&mut self, holding: &Holding) {
        match holding {
            Holding::Everything => self.seeds += 1,
            Holding::These(pieces) => pieces.iter().for_each(|piece| self.one_more(piece)),
        }
    }

    pub(super) fn went(&mut self, holding: &Holding) {
        match holding {
            Holding::Everything => self.seeds -= 1,
            Holding::These(pieces) => pieces.iter().for_each(|piece| self.one_less(piece)),
        }
    }

    /// A peer has verified a piece.
    pub(super) fn gained(&mut self, holding: &mut Holding, piece: PieceIndex, present: bool) {
        if let Holding::These(pieces) = holding
            && pieces.insert(piece)
            && present
        {
            self.one_more(piece);
        }
    }

    /// A peer has lost a piece. One that had everything is counted like the others from then on.
    pub(super) fn lost(&mut self, holding: &mut Holding, piece: PieceIndex, present: bool) {
        if let Holding::Everything = holding {
            let everything = Holding::These(Bitfield::full(self.holders.len() as u32));
            if present {
                self.went(holding);
                self.came(&everything);
            }
            *holding = everything;
        }
        if let Holding::These(pieces) = holding
            && pieces.remove(piece)
            && present
        {
            self.one_less(piece);
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
            let mut availability = Availability::new(PIECES);
            let mut peers: Vec<(bool, Holding)> = (0..4)
                .map(|at| (false, if at == 0 { Holding::Everything } else { Holding::These(Bitfield::empty(PIECES)) }))
                .collect();
            for (at, step) in steps {
                let (present, holding) = &mut peers[at];
                match step {
                    Step::Comes if !*present => {
                        availability.came(holding);
                        *present = true;
                    }
                    Step::Goes if *present => {
                        availability.went(holding);
                        *present = false;
                    }
                    Step::Gains(piece) => availability.gained(holding, PieceIndex(piece), *present),
                    Step::Loses(piece) => availability.lost(holding, PieceIndex(piece), *present),
                    Step::Comes | Step::Goes => {}
                }
                let here = || peers.iter().filter(|(present, _)| *present).map(|(_, holding)| holding);
                let holders = |piece: u32, among: &dyn Fn(&Holding) -> bool| {
                    let holds = |holding: &&Holding| match holding {
                        Holding::Everything => true,
                        Holding::These(pieces) => pieces.contains(PieceIndex(piece)),
                    };
                    here().filter(|holding| among(holding)).filter(holds).count() as u32
                };
                let counts: Vec<u32> = (0..PIECES).map(|piece| holders(piece, &|_| true)).collect();
                prop_assert_eq!(availability.least(), *counts.iter().min().unwrap());
                prop_assert_eq!(availability.copies(), counts.iter().map(|count| u64::from(*count)).sum::<u64>());
                let is_seed = |holding: &Holding| matches!(holding, Holding::Everything);
                let only = (0..PIECES).filter(|piece| {
                    holders(*piece, &is_seed) > 0 && holders(*piece, &|holding| !is_seed(holding)) == 0
                });
                prop_assert_eq!(availability.only_with_seeds(), only.count() as u32);
            }
        }
    }

    #[test]
    fn only_the_time_in_which_somebody_lacked_something_counts() {
        let mut availability = Availability::new(2);
        let secs = |secs: u64| Time::ZERO + Span::from_secs(secs);
        let mut leecher = Holding::These(Bitfield::empty(2));
        // Nobody holds anything at first, for no time at all; then the seed is there.
        availability.came(&leecher);
        availability.advance(secs(0), true);
        availability.came(&Holding::Everything);
        availability.advance(secs(2), true);
        availability.gained(&mut leecher, PieceIndex(0), true);
        availability.gained(&mut leecher, PieceIndex(1), true);
        availability.advance(secs(4), true);
        availability.went(&leecher);
        availability.advance(secs(100), false);
        let run = availability.over_run();
        assert_eq!((run.least, run.mean.map(Millionths::as_f64)), (Some(1), Some(1.5)));
        assert_eq!(Availability::new(2).over_run(), RunAvailability::default());
    }
}
