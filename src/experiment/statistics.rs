//! Paired comparison of runs: the ratio of two means with an interval that says how far to trust it.
//!
//! The run is the unit, not the peer: peers of one swarm share its fate. It must not know what is compared.

use crate::rng::{Entity, Purpose, Stream};

/// Below so many pairs nothing is decided: five can never pass a two-sided 5 % sign test.
pub const PAIRS_TO_DECIDE: usize = 10;

const RESAMPLES: usize = 10_000;

/// A ratio of means over paired runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedRatio {
    pub pairs: usize,
    /// Mean of the second over mean of the first.
    pub ratio: f64,
    /// The middle 95 % of the ratio under resampling of pairs; `None` below two pairs.
    pub interval: Option<(f64, f64)>,
    /// Pearson's, between the two sides of the pairs; `None` where a side does not vary.
    pub correlation: Option<f64>,
}

/// Compares pairs of positive values, one pair a random seed. `None` without pairs or where the first mean is 0.
///
/// The interval is the percentile bootstrap (Efron 1979) over whole pairs, drawn from `random_seed`.
pub fn paired_ratio(pairs: &[(f64, f64)], random_seed: u64) -> Option<PairedRatio> {
    let ratio = ratio_of_sums(pairs.iter().copied())?;
    Some(PairedRatio {
        pairs: pairs.len(),
        ratio,
        interval: (pairs.len() >= 2).then(|| bootstrap(pairs, random_seed)).flatten(),
        correlation: correlation(pairs),
    })
}

fn ratio_of_sums(pairs: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (first, second) = pairs.fold((0.0, 0.0), |sums, pair| (sums.0 + pair.0, sums.1 + pair.1));
    (first > 0.0).then(|| second / first)
}

fn bootstrap(pairs: &[(f64, f64)], random_seed: u64) -> Option<(f64, f64)> {
    let mut stream = Stream::new(random_seed, Entity::Scenario, Purpose::Bootstrap);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| ratio_of_sums((0..pairs.len()).map(|_| pairs[stream.index(pairs.len())])))
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let rank =
        |thousandths: usize| ratios.get((ratios.len() * thousandths).div_ceil(1000).max(1) - 1).copied();
    Some((rank(25)?, rank(975)?))
}

fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let count = pairs.len() as f64;
    let sums = pairs.iter().fold((0.0, 0.0), |sums, pair| (sums.0 + pair.0, sums.1 + pair.1));
    let (mean_first, mean_second) = (sums.0 / count, sums.1 / count);
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for pair in pairs {
        let (a, b) = (pair.0 - mean_first, pair.1 - mean_second);
        both += a * b;
        first += a * a;
        second += b * b;
    }
    let scale = libm::sqrt(first * second);
    (scale > 0.0).then(|| both / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` pairs whose first sides vary by seed, and whose second sides are `ratio` times that, give or take `noise`.
    fn pairs(n: usize, ratio: f64, noise: f64) -> Vec<(f64, f64)> {
        let mut stream = Stream::new(5, Entity::Scenario, Purpose::Jitter);
        let mut unit = move || stream.below(1_000_001) as f64 / 1e6;
        (0..n)
            .map(|_| {
                let first = 50.0 + 100.0 * unit();
                (first, first * ratio * (1.0 + noise * (unit() - 0.5)))
            })
            .collect()
    }

    fn excludes_one(estimate: &PairedRatio) -> bool {
        estimate.interval.is_some_and(|(low, high)| low > 1.0 || high < 1.0)
    }

    #[test]
    fn a_known_ratio_is_found_between_noisy_pairs() {
        let estimate = paired_ratio(&pairs(20, 1.1, 0.1), 1).unwrap();
        let (low, high) = estimate.interval.unwrap();
        assert!(low < 1.1 && 1.1 < high && high - low < 0.04, "{estimate:?}");
        assert!(excludes_one(&estimate));
        assert!(estimate.correlation.unwrap() > 0.9);
    }

    #[test]
    fn noise_alone_shows_no_difference() {
        assert!(!excludes_one(&paired_ratio(&pairs(20, 1.0, 0.4), 1).unwrap()));
    }

    #[test]
    fn equal_pairs_have_the_interval_one_to_one() {
        let estimate = paired_ratio(&pairs(12, 1.0, 0.0), 1).unwrap();
        assert_eq!((estimate.ratio, estimate.interval), (1.0, Some((1.0, 1.0))));
        assert!(!excludes_one(&estimate));
    }

    #[test]
    fn the_interval_covers_a_true_ratio_about_as_often_as_it_says() {
        let mut stream = Stream::new(11, Entity::Scenario, Purpose::Jitter);
        let covered = (0..200)
            .filter(|at| {
                // Uniform noise on both sides with equal means: the true ratio is 1.
                let mut value = || 100.0 + stream.below(50_000) as f64 / 1000.0;
                let pairs: Vec<_> = (0..30).map(|_| (value(), value())).collect();
                !excludes_one(&paired_ratio(&pairs, *at).unwrap())
            })
            .count();
        assert!((180..=198).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_one_another() {
        let pairs = pairs(15, 1.05, 0.3);
        assert_eq!(paired_ratio(&pairs, 1), paired_ratio(&pairs, 1));
        assert_ne!(paired_ratio(&pairs, 1), paired_ratio(&pairs, 2));
    }

    #[test]
    fn nothing_to_divide_by_gives_nothing() {
        assert_eq!(paired_ratio(&[], 1), None);
        assert_eq!(paired_ratio(&[(0.0, 1.0)], 1), None);
        let one = paired_ratio(&[(2.0, 1.0)], 1).unwrap();
        assert_eq!((one.ratio, one.interval, one.correlation), (0.5, None, None));
    }
}
