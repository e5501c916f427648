//! The swarm over scenario time, sampled on a grid that fits any run: its step is a power of two of a second and
//! doubles whenever the samples become too many. Grids of different runs are therefore subsets of each other.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Time};

/// 1/512 s: the finest step that is a power of two of a second and a whole number of nanoseconds.
const FINEST_STEP: Span = Span::from_nanos(1_953_125);
/// Between half of this and this many samples describe a run, plus its end.
const MOST_SAMPLES: usize = 256;

/// What the swarm adds up to at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Peers present that lack something.
    pub leechers: u32,
    /// Peers present that have everything.
    pub seeds: u32,
    /// Stays begun so far, rejoins included.
    pub arrivals: u32,
    /// Stays ended so far: left, crashed or failed.
    pub departures: u32,
    /// Peers that have completed so far.
    pub completed: u32,
    /// Pieces verified so far, over all peers.
    pub pieces_verified: u64,
    /// Payload received so far, useful or not.
    pub downloaded_bytes: u64,
    /// Holders of the piece that has the fewest, among the peers present.
    pub availability_min: u32,
    /// Holders of all pieces together, among the peers present.
    pub copies: u64,
    /// Pieces that only peers hold who started complete.
    pub only_with_seeds: u32,
}

/// The counts after everything that happened up to and including `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Time,
    pub counts: Counts,
}

/// Takes a sample at every multiple of its step.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    step: Span,
    next: Time,
    samples: Vec<Sample>,
}

impl Timeline {
    pub(super) fn new() -> Timeline {
        Timeline { step: FINEST_STEP, next: Time::ZERO, samples: Vec::with_capacity(MOST_SAMPLES + 1) }
    }

    /// Time moves on to `now`; `counts` are those of everything that happened before.
    pub(super) fn advance(&mut self, now: Time, counts: &Counts) {
        while self.next < now {
            self.samples.push(Sample { at: self.next, counts: *counts });
            if self.samples.len() > MOST_SAMPLES {
                self.coarsen();
            }
            self.next += self.step;
        }
    }

    /// The samples up to the run's end, which is always the last of them.
    pub(super) fn finish(mut self, end: Time, counts: &Counts) -> Vec<Sample> {
        self.advance(end, counts);
        self.samples.push(Sample { at: end, counts: *counts });
        self.samples
    }

    /// Keeps every other sample; the last one stays, because there is an odd number of them.
    fn coarsen(&mut self) {
        let mut keep = false;
        self.samples.retain(|_| {
            keep = !keep;
            keep
        });
        self.step = self.step * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(completed: u32) -> Counts {
        Counts { completed, ..Counts::default() }
    }

    #[test]
    fn a_sample_holds_what_happened_up_to_its_moment() {
        let mut timeline = Timeline::new();
        let step = FINEST_STEP;
        timeline.advance(Time::ZERO, &completed(0));
        timeline.advance(Time::ZERO + step, &completed(1));
        timeline.advance(Time::ZERO + step + Span::from_nanos(1), &completed(2));
        let samples = timeline.finish(Time::ZERO + step + Span::from_nanos(1), &completed(3));
        let seen: Vec<_> =
            samples.iter().map(|sample| (sample.at.as_nanos(), sample.counts.completed)).collect();
        assert_eq!(seen, [(0, 1), (step.as_nanos(), 2), (step.as_nanos() + 1, 3)]);
    }

    #[test]
    fn a_run_of_any_length_has_a_few_hundred_samples_on_one_grid() {
        for hours in [1, 10, 1_000, 100_000] {
            let end = Time::ZERO + Span::from_secs(hours * 3600 + 1);
            let mut timeline = Timeline::new();
            for part in 1..=1_000 {
                timeline.advance(Time::from_nanos(end.as_nanos() / 1_000 * part), &completed(part as u32));
            }
            let samples = timeline.finish(end, &completed(0));
            assert!(
                (MOST_SAMPLES / 2..=MOST_SAMPLES + 1).contains(&samples.len()),
                "{} samples",
                samples.len()
            );
            let step = samples[1].at.since(samples[0].at).as_nanos();
            assert!((step / FINEST_STEP.as_nanos()).is_power_of_two());
            for (index, sample) in samples[..samples.len() - 1].iter().enumerate() {
                assert_eq!(sample.at.as_nanos(), index as u64 * step);
            }
            assert_eq!(samples.last().map(|sample| sample.at), Some(end));
        }
    }

    #[test]
    fn a_run_that_ends_at_once_has_one_sample() {
        assert_eq!(Timeline::new().finish(Time::ZERO, &completed(1)).len(), 1);
    }
}
