//! How surprising paired runs would be if nothing had changed: Wilcoxon's signed-rank test, and Holm's correction for
//! asking several times. It must not know what is compared.

/// Up to so many pairs every assignment of signs is counted; beyond, the normal approximation is good to
/// two thousandths.
const EXACT: usize = 50;

/// Two-sided p of Wilcoxon's signed-rank test (1945) on the logarithms of the pairs' ratios: how often signs tossed by a
/// fair coin give ranks at least as lopsided. Equal pairs are dropped, ties share their mean rank, and the distribution
/// is that of the ranks at hand. `None` where no pair is positive on both sides.
pub fn signed_rank(pairs: &[(f64, f64)]) -> Option<f64> {
    let positive: Vec<&(f64, f64)> =
        pairs.iter().filter(|(first, second)| *first > 0.0 && *second > 0.0).collect();
    if positive.is_empty() {
        return None;
    }
    let logs = positive.iter().map(|(first, second)| libm::log(second / first));
    let ranks = doubled_ranks(logs.filter(|log| *log != 0.0).collect());
    let total: usize = ranks.iter().map(|(rank, _)| rank).sum();
    let positive: usize = ranks.iter().filter(|(_, is_positive)| *is_positive).map(|(rank, _)| rank).sum();
    // The distribution is symmetric: the smaller side stands for both.
    let smaller = positive.min(total - positive);
    let tail = if ranks.len() <= EXACT { exact_tail(&ranks, smaller) } else { normal_tail(&ranks, smaller) };
    Some((2.0 * tail).min(1.0))
}

/// Twice the rank of each difference by its size, ties sharing the mean, and whether it is positive.
fn doubled_ranks(mut differences: Vec<f64>) -> Vec<(usize, bool)> {
    differences.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut ranks = Vec::with_capacity(differences.len());
    for tied in differences.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        let twice_the_mean = first + (first + tied.len() - 1);
        ranks.extend(tied.iter().map(|difference| (twice_the_mean, *difference > 0.0)));
    }
    ranks
}

/// The share of all assignments of signs whose positive ranks sum up to at most `limit`.
fn exact_tail(ranks: &[(usize, bool)], limit: usize) -> f64 {
    // Assignments by their sum. Counts up to 2⁵⁰ are exact.
    let mut ways = vec![0.0; limit + 1];
    ways[0] = 1.0;
    for (rank, _) in ranks {
        for sum in (*rank..=limit).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    ways.iter().sum::<f64>() / libm::exp2(ranks.len() as f64)
}

/// The same by the normal distribution with the mean and the variance of these ranks, continuity corrected.
fn normal_tail(ranks: &[(usize, bool)], limit: usize) -> f64 {
    let ranks = ranks.iter().map(|(rank, _)| *rank as f64 / 2.0);
    let (mean, variance) =
        ranks.fold((0.0, 0.0), |(mean, variance), rank| (mean + rank / 2.0, variance + rank * rank / 4.0));
    let z = (limit as f64 / 2.0 + 0.5 - mean) / libm::sqrt(variance);
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// Holm's step-down correction (1979): what each p becomes when all of them are asked about together. In the order
/// given.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|&a, &b| ps[a].total_cmp(&ps[b]).then(a.cmp(&b)));
    let mut corrected = vec![0.0; ps.len()];
    let mut largest = 0.0f64;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max((ps[at] * (ps.len() - rank) as f64).min(1.0));
        corrected[at] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pairs with the log ratios `differences`.
    fn p(differences: &[f64]) -> f64 {
        let pairs: Vec<(f64, f64)> =
            differences.iter().map(|difference| (1.0, libm::exp(*difference))).collect();
        signed_rank(&pairs).unwrap()
    }

    #[test]
    fn pairs_that_all_agree_are_as_surprising_as_coins_that_do() {
        for n in 1..=12usize {
            let agreeing: Vec<f64> = (1..=n).map(|at| at as f64 / 100.0).collect();
            assert!((p(&agreeing) - libm::exp2(1.0 - n as f64)).abs() < 1e-12, "{n}");
        }
    }

    #[test]
    fn the_exact_distribution_is_the_tabled_one() {
        // n = 10, W = 8 is the largest with a two-sided p of at most 5 %: 0.0488; W = 9 has 0.0645.
        let with_negative_ranks = |ranks: &[usize]| {
            let sign = |at: &usize| if ranks.contains(at) { -1.0 } else { 1.0 };
            p(&(1..=10usize).map(|at| at as f64 * sign(&at) / 100.0).collect::<Vec<_>>())
        };
        assert!((with_negative_ranks(&[8]) - 0.048_828_125).abs() < 1e-12);
        assert!((with_negative_ranks(&[9]) - 0.064_453_125).abs() < 1e-12);
    }

    #[test]
    fn equal_pairs_are_dropped_and_ties_share_their_rank() {
        assert_eq!(p(&[0.0, 0.0, 0.0]), 1.0);
        // Three ties and no other: two of three agree in half of all assignments or better.
        assert_eq!(p(&[0.5, 0.5, -0.5]), 1.0);
        assert_eq!(p(&[0.0, 0.5, 0.5, 0.5]), 0.25);
        assert_eq!(signed_rank(&[(0.0, 1.0), (2.0, 0.0)]), None);
    }

    #[test]
    fn the_approximation_continues_the_exact_distribution() {
        let ranks: Vec<(usize, bool)> = (1..=EXACT).map(|rank| (2 * rank, true)).collect();
        for limit in [600, 800, 1000, 1200] {
            let (exact, normal) = (exact_tail(&ranks, limit), normal_tail(&ranks, limit));
            assert!((exact - normal).abs() < 0.002, "{limit}: {exact} against {normal}");
        }
    }

    #[test]
    fn holm_multiplies_the_smallest_by_all_and_never_falls() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(corrected.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{corrected:?}");
        assert_eq!(holm(&[0.7, 0.9]), [1.0, 1.0]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }

    proptest! {
        #[test]
        fn small_samples_are_what_counting_every_assignment_gives(
            differences in prop::collection::vec((-4i32..=4).prop_map(|tenth| f64::from(tenth) / 10.0), 1..9)
        ) {
            let ranks = doubled_ranks(differences.iter().copied().filter(|one| *one != 0.0).collect());
            let lopsided = |positive: usize| positive.min(ranks.iter().map(|(rank, _)| rank).sum::<usize>() - positive);
            let sum = |signs: usize| {
                ranks.iter().enumerate().filter(|(at, _)| signs >> at & 1 == 1).map(|(_, (rank, _))| rank).sum::<usize>()
            };
            let seen = lopsided(ranks.iter().filter(|(_, up)| *up).map(|(rank, _)| rank).sum());
            let all = 1usize << ranks.len();
            let as_lopsided = (0..all).filter(|signs| lopsided(sum(*signs)) <= seen).count();
            let p = (2.0 * exact_tail(&ranks, seen)).min(1.0);
            prop_assert!((p - as_lopsided as f64 / all as f64).abs() < 1e-9);
        }
    }
}
