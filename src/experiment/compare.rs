//! Which value of an axis does better: every value against the axis's first, within every combination of the other
//! axes, over runs paired by random seed. Every comparison ends in words.

use std::fmt;

use crate::experiment::significance::{holm, signed_rank};
use crate::experiment::statistics::{PAIRS_TO_DECIDE, PairedRatio, paired_ratio};
use crate::metrics::Summary;
use crate::scenario::file::Axis;

/// The metrics that are compared, the headline first. Never only the mean.
pub const COMPARED: [&str; 4] =
    ["mean_completion_s", "median_completion_s", "p95_completion_s", "last_completion_s"];

/// What a comparison has to know of one run.
#[derive(Clone, Copy, Debug)]
pub struct ComparedRun<'a> {
    pub repeat: u32,
    pub summary: &'a Summary,
    /// Sockets could not keep up.
    pub degraded: bool,
    pub interrupted: bool,
}

/// The runs of one case, ascending by repeat, and its value on every axis.
#[derive(Clone, Debug)]
pub struct ComparedCase<'a> {
    pub values: &'a [String],
    pub runs: Vec<ComparedRun<'a>>,
}

/// One value against the baseline of its axis, in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub axis: String,
    pub baseline: String,
    pub value: String,
    /// The other axes, fixed: key and value.
    pub within: Vec<(String, String)>,
    pub metric: &'static str,
    /// Mean of `value` over mean of `baseline`: below 1 the value is faster.
    pub estimate: Option<PairedRatio>,
    /// Two-sided, of Wilcoxon's signed-rank test on the pairs' log ratios.
    pub p: Option<f64>,
    /// Corrected after Holm for all comparisons of the metric that could be decided; `None` for the others.
    pub p_holm: Option<f64>,
    /// Peers that did not complete in the paired runs, on each side.
    pub unfinished: (u64, u64),
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval lies on one side of 1, and the test, corrected for all that was asked, agrees.
    Difference,
    NoDifferenceShown,
    TooFewRepeats {
        pairs: usize,
    },
    /// Runs that were cut short have no completion times for some peers; a mean over the others would flatter them.
    CutShort,
    /// Sockets could not keep up in so many of the paired runs.
    Degraded {
        runs: usize,
    },
    /// Nobody had anything to fetch, or all of it took no time.
    NoTimes,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Difference => write!(f, "difference"),
            Verdict::NoDifferenceShown => write!(f, "no difference shown"),
            Verdict::TooFewRepeats { pairs } => {
                write!(f, "too few repeats to decide ({pairs} of {PAIRS_TO_DECIDE})")
            }
            Verdict::CutShort => write!(f, "not comparable: runs were cut short"),
            Verdict::Degraded { runs } => write!(f, "refused: {runs} degraded runs"),
            Verdict::NoTimes => write!(f, "not comparable: no completion times"),
        }
    }
}

/// What a corrected p must not exceed to show a difference.
const SIGNIFICANT: f64 = 0.05;

/// All comparisons: axes in order, then the combinations of the others in the order of `cases`, then values, then
/// metrics. `random_seed` draws the intervals.
pub fn compare(
    axes: &[Axis],
    cases: &[ComparedCase<'_>],
    random_seed: u64,
    allow_degraded: bool,
) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for (position, axis) in axes.iter().enumerate() {
        let Some((baseline, others)) = axis.values.split_first() else { continue };
        for case in cases.iter().filter(|case| case.values[position] == *baseline) {
            for value in others {
                let partner =
                    cases.iter().find(|partner| differs_only(partner.values, case.values, position, value));
                let Some(partner) = partner else { continue };
                let within = axes.iter().zip(case.values).enumerate();
                let within: Vec<_> = within
                    .filter(|(at, _)| *at != position)
                    .map(|(_, (axis, value))| (axis.key.clone(), value.clone()))
                    .collect();
                for metric in COMPARED {
                    let judged = judge(&pairs(case, partner), metric, random_seed, allow_degraded);
                    comparisons.push(Comparison {
                        axis: axis.key.clone(),
                        baseline: baseline.clone(),
                        value: value.clone(),
                        within: within.clone(),
                        metric,
                        estimate: judged.estimate,
                        p: judged.p,
                        p_holm: None,
                        unfinished: judged.unfinished,
                        verdict: judged.verdict,
                    });
                }
            }
        }
    }
    COMPARED.iter().for_each(|metric| correct(&mut comparisons, metric));
    comparisons
}

/// The more comparisons, the likelier that one of them looks like a difference by chance.
fn correct(comparisons: &mut [Comparison], metric: &str) {
    let decided = |one: &&mut Comparison| {
        one.metric == metric && matches!(one.verdict, Verdict::Difference | Verdict::NoDifferenceShown)
    };
    let mut asked: Vec<&mut Comparison> = comparisons.iter_mut().filter(decided).collect();
    // Without a test there is nothing to show a difference by.
    let ps: Vec<f64> = asked.iter().map(|one| one.p.unwrap_or(1.0)).collect();
    for (one, p) in asked.iter_mut().zip(holm(&ps)) {
        one.p_holm = Some(p);
        if p > SIGNIFICANT {
            one.verdict = Verdict::NoDifferenceShown;
        }
    }
}

fn differs_only(values: &[String], base: &[String], position: usize, value: &str) -> bool {
    values
        .iter()
        .zip(base)
        .enumerate()
        .all(|(at, (mine, base))| mine == if at == position { value } else { base })
}

type Pair<'a> = (ComparedRun<'a>, ComparedRun<'a>);

/// Runs of the same repeat on both sides that nobody interrupted.
fn pairs<'a>(baseline: &ComparedCase<'a>, other: &ComparedCase<'a>) -> Vec<Pair<'a>> {
    let whole =
        |runs: &[ComparedRun<'a>]| runs.iter().filter(|run| !run.interrupted).copied().collect::<Vec<_>>();
    let others = whole(&other.runs);
    whole(&baseline.runs)
        .into_iter()
        .filter_map(|run| others.iter().find(|other| other.repeat == run.repeat).map(|other| (run, *other)))
        .collect()
}

struct Judged {
    estimate: Option<PairedRatio>,
    p: Option<f64>,
    unfinished: (u64, u64),
    /// Before the correction for other comparisons.
    verdict: Verdict,
}

fn judge(pairs: &[Pair<'_>], metric: &str, random_seed: u64, allow_degraded: bool) -> Judged {
    let unfinished = pairs.iter().fold((0, 0), |sums, (baseline, other)| {
        (sums.0 + baseline.summary.unfinished, sums.1 + other.summary.unfinished)
    });
    let value = |run: &ComparedRun<'_>| run.summary.metric(metric).flatten();
    let values: Vec<_> =
        pairs.iter().filter_map(|(baseline, other)| Some((value(baseline)?, value(other)?))).collect();
    let estimate = paired_ratio(&values, random_seed);
    let verdict = verdict(pairs, estimate.as_ref(), allow_degraded);
    Judged { estimate, p: signed_rank(&values), unfinished, verdict }
}

fn verdict(pairs: &[Pair<'_>], estimate: Option<&PairedRatio>, allow_degraded: bool) -> Verdict {
    let runs = || pairs.iter().flat_map(|(baseline, other)| [baseline, other]);
    let degraded = runs().filter(|run| run.degraded).count();
    if degraded > 0 && !allow_degraded {
        return Verdict::Degraded { runs: degraded };
    }
    if runs().any(|run| run.summary.cut_short > 0) {
        return Verdict::CutShort;
    }
    // A pair in which a side has no time to compare decides nothing.
    let decided = estimate.as_ref().map_or(pairs.len(), |estimate| estimate.pairs);
    if decided < PAIRS_TO_DECIDE {
        return Verdict::TooFewRepeats { pairs: decided };
    }
    match estimate.and_then(|estimate| estimate.interval) {
        None => Verdict::NoTimes,
        Some((low, high)) if low > 1.0 || high < 1.0 => Verdict::Difference,
        Some(_) => Verdict::NoDifferenceShown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn axis(key: &str, values: &[&str]) -> Axis {
        Axis { key: key.to_owned(), values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    fn run_of(seconds: u64) -> Summary {
        let time = Some(Span::from_secs(seconds));
        Summary {
            mean_completion: time,
            median_completion: time,
            p95_completion: time,
            last_completion: time,
            ..Summary::default()
        }
    }

    fn runs(summaries: &[Summary]) -> Vec<ComparedRun<'_>> {
        let numbered = summaries.iter().enumerate();
        numbered
            .map(|(repeat, summary)| ComparedRun {
                repeat: repeat as u32,
                summary,
                degraded: false,
                interrupted: false,
            })
            .collect()
    }

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    /// The headline comparison of two cases, after `change` had its way with the second's runs.
    fn headline(first: &[Summary], second: &[Summary], change: impl Fn(&mut ComparedRun<'_>)) -> Comparison {
        let (a, b) = (values(&["a"]), values(&["b"]));
        let mut changed = runs(second);
        changed.iter_mut().for_each(change);
        let cases =
            [ComparedCase { values: &a, runs: runs(first) }, ComparedCase { values: &b, runs: changed }];
        compare(&[axis("policy.picker", &["a", "b"])], &cases, 1, false).remove(0)
    }

    fn ten(seconds: u64) -> Vec<Summary> {
        (0..10).map(|repeat| run_of(seconds + repeat)).collect()
    }

    #[test]
    fn a_clear_difference_is_called_one_with_its_ratio() {
        let comparison = headline(&ten(100), &ten(150), |_| {});
        assert_eq!(comparison.verdict, Verdict::Difference);
        assert!((1.45..1.5).contains(&comparison.estimate.unwrap().ratio));
        assert_eq!(comparison.verdict.to_string(), "difference");
    }

    #[test]
    fn identical_runs_show_no_difference() {
        let comparison = headline(&ten(100), &ten(100), |_| {});
        assert_eq!(comparison.verdict.to_string(), "no difference shown");
        assert_eq!(comparison.estimate.unwrap().ratio, 1.0);
    }

    #[test]
    fn one_of_many_small_differences_is_not_shown() {
        // Nine of ten pairs are a little slower: by itself just enough, beside five other questions not.
        let slower: Vec<_> = (0..10u64).map(|at| run_of(if at == 0 { 98 } else { 106 + at })).collect();
        let even = vec![run_of(100); 10];
        let alone = headline(&even, &slower, |_| {});
        assert_eq!(alone.verdict, Verdict::Difference);
        assert_eq!(alone.p, alone.p_holm);
        assert!(alone.p.unwrap() < 0.01, "{:?}", alone.p);
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
        let rows: Vec<Vec<String>> = names.iter().map(|name| values(&[name])).collect();
        let numbered = rows.iter().enumerate();
        let cases: Vec<_> = numbered
            .map(|(at, row)| ComparedCase { values: row, runs: runs(if at == 1 { &slower } else { &even }) })
            .collect();
        let among = compare(&[axis("policy.picker", &names)], &cases, 1, false).remove(0);
        assert_eq!((among.p, among.verdict), (alone.p, Verdict::NoDifferenceShown));
        assert_eq!(among.p_holm, alone.p.map(|p| p * 13.0));
    }

    #[test]
    fn below_ten_pairs_nothing_is_decided_however_large_the_ratio() {
        let comparison = headline(&ten(100)[..5], &ten(900), |_| {});
        assert_eq!(comparison.verdict.to_string(), "too few repeats to decide (5 of 10)");
        assert!(comparison.estimate.is_some());
    }

    #[test]
    fn interrupted_runs_make_no_pair() {
        let comparison = headline(&ten(100), &ten(150), |run| run.interrupted = run.repeat == 3);
        assert_eq!(comparison.verdict, Verdict::TooFewRepeats { pairs: 9 });
    }

    #[test]
    fn degraded_runs_are_refused() {
        let comparison = headline(&ten(100), &ten(150), |run| run.degraded = run.repeat < 2);
        assert_eq!(comparison.verdict.to_string(), "refused: 2 degraded runs");
    }

    #[test]
    fn peers_without_a_time_are_counted_and_a_run_cut_short_is_not_compared() {
        let crashed: Vec<_> = ten(150).into_iter().map(|run| Summary { unfinished: 1, ..run }).collect();
        let comparison = headline(&ten(100), &crashed, |_| {});
        assert_eq!((comparison.unfinished, comparison.verdict), ((0, 10), Verdict::Difference));
        let limit: Vec<_> = crashed.into_iter().map(|run| Summary { cut_short: 1, ..run }).collect();
        assert_eq!(headline(&ten(100), &limit, |_| {}).verdict, Verdict::CutShort);
    }

    #[test]
    fn swarms_without_a_completion_are_not_comparable() {
        let nothing = vec![Summary::default(); 10];
        assert_eq!(headline(&nothing, &ten(1), |_| {}).verdict, Verdict::NoTimes);
    }

    #[test]
    fn every_value_meets_its_axis_first_value_within_every_combination_of_the_others() {
        let axes = [axis("picker", &["rare", "random", "line"]), axis("choker", &["tft", "all"])];
        let summaries = ten(5);
        let names: Vec<Vec<String>> = axes[0]
            .values
            .iter()
            .flat_map(|picker| axes[1].values.iter().map(|choker| vec![picker.clone(), choker.clone()]))
            .collect();
        let cases: Vec<_> =
            names.iter().map(|values| ComparedCase { values, runs: runs(&summaries) }).collect();
        let comparisons = compare(&axes, &cases, 1, false);
        let named: Vec<String> = comparisons
            .iter()
            .filter(|comparison| comparison.metric == COMPARED[0])
            .map(|one| format!("{}/{} in {}", one.value, one.baseline, one.within[0].1))
            .collect();
        assert_eq!(
            named,
            [
                "random/rare in tft",
                "line/rare in tft",
                "random/rare in all",
                "line/rare in all",
                "all/tft in rare",
                "all/tft in random",
                "all/tft in line",
            ]
        );
        assert_eq!(comparisons.len(), 7 * COMPARED.len());
    }
}
