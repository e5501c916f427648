//! How well real time is kept: how late things happen that were due, and how long a block takes from its request.
//! All in wall time. It measures and judges nothing.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::time::Span;

/// Anything slower is counted as this: an hour.
const LONGEST: u64 = 3_600_000_000;

/// Two histograms in microseconds.
#[derive(Clone, Debug)]
pub struct Lateness {
    timers: Histogram<u64>,
    blocks: Histogram<u64>,
}

/// The same as numbers: microseconds, and how often. What a process tells another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatenessCounts {
    timers: Vec<(u64, u64)>,
    blocks: Vec<(u64, u64)>,
}

impl From<&Lateness> for LatenessCounts {
    fn from(lateness: &Lateness) -> LatenessCounts {
        let counts = |histogram: &Histogram<u64>| {
            let recorded = histogram.iter_recorded();
            recorded.map(|value| (value.value_iterated_to(), value.count_at_value())).collect()
        };
        LatenessCounts { timers: counts(&lateness.timers), blocks: counts(&lateness.blocks) }
    }
}

impl From<&LatenessCounts> for Lateness {
    fn from(counts: &LatenessCounts) -> Lateness {
        let mut lateness = Lateness::default();
        for (histogram, counts) in
            [(&mut lateness.timers, &counts.timers), (&mut lateness.blocks, &counts.blocks)]
        {
            counts.iter().for_each(|(micros, count)| histogram.saturating_record_n(*micros, *count));
        }
        lateness
    }
}

impl Default for Lateness {
    fn default() -> Lateness {
        let histogram = || {
            // Two digits of everything up to an hour.
            Histogram::new_with_bounds(1, LONGEST, 2)
                .expect("1 is at most half of an hour, 2 digits are at most 5")
        };
        Lateness { timers: histogram(), blocks: histogram() }
    }
}

impl Lateness {
    /// Something happened so long after it was due.
    pub fn timer(&mut self, late: Duration) {
        self.timers.saturating_record(micros(late));
    }

    /// A block came so long after it was asked for.
    pub fn block(&mut self, after: Duration) {
        self.blocks.saturating_record(micros(after));
    }

    pub fn add(&mut self, other: &Lateness) {
        let same = "both have the same bounds";
        self.timers.add(&other.timers).expect(same);
        self.blocks.add(&other.blocks).expect(same);
    }

    /// The lateness that only a share of `1 - quantile` of the timers exceeded; zero where there were none.
    pub fn timers_at(&self, quantile: f64) -> Span {
        Span::from_micros(self.timers.value_at_quantile(quantile))
    }

    pub fn latest_timer(&self) -> Span {
        Span::from_micros(self.timers.max())
    }

    pub fn blocks_at(&self, quantile: f64) -> Span {
        Span::from_micros(self.blocks.value_at_quantile(quantile))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded_by_all() {
        let (mut one, mut other) = (Lateness::default(), Lateness::default());
        assert_eq!((one.timers_at(0.99), one.latest_timer()), (Span::ZERO, Span::ZERO));
        (1..=50).for_each(|millis| one.timer(Duration::from_millis(millis)));
        (51..=100).for_each(|millis| other.timer(Duration::from_millis(millis)));
        other.block(Duration::MAX);
        one.add(&other);
        let p99 = one.timers_at(0.99).as_secs_f64();
        assert!((0.098..0.101).contains(&p99), "{p99}");
        assert!((0.099..0.102).contains(&one.latest_timer().as_secs_f64()));
        assert!(one.blocks_at(0.5) >= Span::from_secs(3_600));

        let told = Lateness::from(&LatenessCounts::from(&one));
        assert_eq!((&told.timers, &told.blocks), (&one.timers, &one.blocks), "nothing is lost on the way");
    }
}
