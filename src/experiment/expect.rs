//! The expectations of a scenario (`[[expect]]`), held against the runs of the cases they are about.
//! `docs/expectations.md` says what is taken for what.

use crate::driver::Ended;
use crate::experiment::statistics::paired_ratio;
use crate::experiment::{Done, Plan, Run};
use crate::metrics::{COHORT_METRICS, METRICS};
use crate::scenario::file::{Expect, ScenarioError, ScenarioFile, Side, Statistic};

/// One expectation in one case, or in one pair of cases that its ratio is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub expect: Expect,
    /// The axes with their values, those that the ratio itself names apart.
    pub case: Vec<(String, String)>,
    /// How many runs (or pairs of runs) were looked at, and how many of them lie in the range for themselves.
    pub runs: usize,
    pub holding: usize,
    /// The first value outside the range; the inner `None` is a run that has no such value.
    pub broken_by: Option<Option<f64>>,
    /// What the statistic sums them up to; `None` where it sums up nothing, or a value is missing.
    pub measured: Option<f64>,
    /// The 95 % interval of the mean; `None` for other statistics, or below two runs.
    pub interval: Option<(f64, f64)>,
}

impl Expectation {
    /// There is a run, none lacks the value, and what they are summed up to lies in the range.
    pub fn holds(&self) -> bool {
        let range = self.expect.range;
        match self.expect.statistic {
            Statistic::Every => self.runs > 0 && self.holding == self.runs,
            Statistic::Interval => {
                self.interval.is_some_and(|(low, high)| range.contain(low) && range.contain(high))
            }
            _ => self.measured.is_some_and(|value| range.contain(value)),
        }
    }
}

/// Refuses a file whose expectations name metrics that no results have.
pub fn check_metrics(file: &ScenarioFile) -> Result<(), ScenarioError> {
    let of_runs: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    file.check_metrics(&of_runs, COHORT_METRICS)
}

/// Expectations in the order of the file, cases in the order of the plan. Interrupted runs are not held against
/// anybody; a ratio is not formed over degraded ones unless they are allowed.
pub(super) fn check(
    plan: &Plan,
    runs: &[Run],
    expects: &[Expect],
    random_seed: u64,
    allow_degraded: bool,
) -> Vec<Expectation> {
    let held = Held { plan, runs, random_seed, allow_degraded };
    expects.iter().flat_map(|expect| held.against(expect)).collect()
}

struct Held<'a> {
    plan: &'a Plan,
    runs: &'a [Run],
    random_seed: u64,
    allow_degraded: bool,
}

/// A value, and what it is divided by.
type Pair = (f64, f64);

impl Held<'_> {
    fn against(&self, expect: &Expect) -> Vec<Expectation> {
        let meant: Vec<usize> = (0..self.plan.cases.len())
            .filter(|&case| self.is_at(case, &expect.only) && self.is_at(case, &expect.of.axes))
            .collect();
        let judged = meant.into_iter().map(|case| {
            let pairs = match &expect.over {
                None => self.whole(case).map(|(_, done)| Some((value(done, &expect.of)?, 1.0))).collect(),
                Some(over) => self.pairs(case, &expect.of, over),
            };
            self.judge(expect, self.axes_but(case, &expect.of.axes), &pairs)
        });
        judged.collect()
    }

    fn value_of(&self, case: usize, key: &str) -> Option<&str> {
        let position = self.plan.axes.iter().position(|axis| axis.key == key)?;
        Some(&self.plan.cases[case].values[position])
    }

    fn is_at(&self, case: usize, conditions: &[(String, String)]) -> bool {
        conditions.iter().all(|(key, value)| self.value_of(case, key) == Some(value))
    }

    /// The case's own values, without those of the axes that `named` names.
    fn axes_but(&self, case: usize, named: &[(String, String)]) -> Vec<(String, String)> {
        let own = self.plan.axes.iter().zip(&self.plan.cases[case].values);
        let others = own.filter(|(axis, _)| named.iter().all(|(key, _)| *key != axis.key));
        others.map(|(axis, value)| (axis.key.clone(), value.clone())).collect()
    }

    /// Repeat and results of a case's runs that went to their own end.
    fn whole(&self, case: usize) -> impl Iterator<Item = (u32, &Done)> {
        let of_case = self.runs.iter().filter(move |run| run.planned.case == case);
        let done = of_case.filter_map(|run| Some((run.planned.repeat, run.done()?)));
        done.filter(|(_, done)| done.ended != Ended::Interrupted)
    }

    /// The runs of `case` with those of the same repeat in the case that differs from it as `over` says.
    fn pairs(&self, case: usize, of: &Side, over: &Side) -> Vec<Option<Pair>> {
        let others = self.axes_but(case, &of.axes);
        let partner = (0..self.plan.cases.len())
            .find(|&partner| self.is_at(partner, &over.axes) && self.is_at(partner, &others));
        let Some(partner) = partner else { return Vec::new() };
        let fit = |done: &Done| self.allow_degraded || !done.perf.is_degraded();
        let pairs = self.whole(case).filter_map(|(repeat, done)| {
            let (_, other) = self.whole(partner).find(|(other, _)| *other == repeat)?;
            (fit(done) && fit(other)).then(|| Some((value(done, of)?, value(other, over)?)))
        });
        pairs.collect()
    }

    fn judge(&self, expect: &Expect, case: Vec<(String, String)>, pairs: &[Option<Pair>]) -> Expectation {
        let quotient = |pair: &Option<Pair>| pair.filter(|pair| pair.1 > 0.0).map(|pair| pair.0 / pair.1);
        let values: Vec<Option<f64>> = pairs.iter().map(quotient).collect();
        let lies = |value: &Option<f64>| value.is_some_and(|value| expect.range.contain(value));
        let (measured, interval) = self.summed_up(expect.statistic, pairs, &values);
        Expectation {
            expect: expect.clone(),
            case,
            runs: values.len(),
            holding: values.iter().filter(|value| lies(value)).count(),
            broken_by: values.iter().find(|value| !lies(value)).copied(),
            measured,
            interval,
        }
    }

    fn summed_up(
        &self,
        statistic: Statistic,
        pairs: &[Option<Pair>],
        values: &[Option<f64>],
    ) -> (Option<f64>, Option<(f64, f64)>) {
        let all: Option<Vec<f64>> = values.iter().copied().collect();
        let Some(mut values) = all.filter(|values| !values.is_empty()) else { return (None, None) };
        values.sort_unstable_by(f64::total_cmp);
        let middle = |at: usize| values[at];
        match statistic {
            Statistic::Every => (None, None),
            Statistic::Mean | Statistic::Interval => {
                let pairs: Vec<Pair> = pairs.iter().flatten().map(|(value, over)| (*over, *value)).collect();
                let estimate = paired_ratio(&pairs, self.random_seed);
                (estimate.map(|one| one.ratio), estimate.and_then(|one| one.interval))
            }
            Statistic::Median => {
                let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
                (Some((middle(low) + middle(high)) / 2.0), None)
            }
            Statistic::Least => (values.first().copied(), None),
            Statistic::Most => (values.last().copied(), None),
        }
    }
}

/// `None` where the run has no such value, or would hide unknown completion times behind it.
fn value(done: &Done, side: &Side) -> Option<f64> {
    let Some(cohort) = &side.cohort else {
        let known = !done.summary.hides_unknown_times(&side.metric);
        return done.summary.metric(&side.metric).flatten().filter(|_| known);
    };
    let row = done.cohorts.iter().find(|row| row.cohort == *cohort)?;
    row.metric(&side.metric).flatten().filter(|_| !row.summary.hides_unknown_times(&side.metric))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::experiment::{Perf, RunResult};
    use crate::metrics::{CohortRow, Summary};
    use crate::scenario::file::{Overrides, from_text};
    use crate::time::Span;

    const SWARM: &str = "repeat = 4\n[content]\nsize = \"1 MiB\"\n[peers.slow]\ncount = 3\n[peers.fast]\n\
                         [compare]\n\"policy.picker\" = [\"random\", \"sequential\"]\n\
                         \"policy.choker\" = [\"rarity\", \"random\"]\n";

    fn of_mean(seconds: u64) -> Summary {
        Summary { mean_completion: Some(Span::from_secs(seconds)), ..Summary::default() }
    }

    /// Case 0 takes 100 s and 0, 1, 2, 3 s more, case 1 200 s and so on. Slow peers take twice as long, and fast ones half.
    fn done(case: usize, repeat: u32) -> Done {
        let seconds = 100 * (case as u64 + 1) + u64::from(repeat);
        let cohort = |cohort: &str, seconds| CohortRow {
            cohort: cohort.to_owned(),
            summary: of_mean(seconds),
            ..CohortRow::default()
        };
        Done {
            ended: Ended::Complete,
            summary: of_mean(seconds),
            cohorts: vec![cohort("slow", 2 * seconds), cohort("fast", seconds / 2)],
            trace_digest: String::new(),
            records: 0,
            perf: Perf::default(),
            was_stored: false,
            only_here: None,
        }
    }

    fn checked_with(expect: &str, change: impl Fn(usize, u32, &mut Done)) -> Vec<Expectation> {
        let text = format!("{SWARM}[[expect]]\nmetric = \"mean_completion_s\"\n{expect}\n");
        let file = from_text(Path::new("swarm.toml"), text, &Overrides::default())
            .unwrap_or_else(|error| panic!("{error}"));
        let plan = Plan::new(file.name.clone(), file.axes.clone(), file.cases.clone());
        let run = |planned: &crate::experiment::PlannedRun| {
            let mut done = done(planned.case, planned.repeat);
            change(planned.case, planned.repeat, &mut done);
            Run { planned: planned.clone(), result: RunResult::Done(Box::new(done)) }
        };
        let runs: Vec<Run> = plan.runs.iter().map(run).collect();
        check(&plan, &runs, &file.expects, 1, false)
    }

    fn checked(expect: &str) -> Vec<Expectation> {
        checked_with(expect, |_, _, _| {})
    }

    /// Whether it holds in each of the cases it is about.
    fn holds(expect: &str) -> Vec<bool> {
        checked(expect).iter().map(Expectation::holds).collect()
    }

    #[test]
    fn every_run_counts_in_every_case_or_only_in_some() {
        assert_eq!(holds("range = \"< 300\""), [true, true, false, false]);
        let one =
            &checked("range = \"<= 101\"\nonly = [\"policy.picker=random\", \"policy.choker=rarity\"]")[0];
        assert_eq!((one.runs, one.holding, one.broken_by), (4, 2, Some(Some(102.0))));
    }

    #[test]
    fn repeats_are_summed_up_as_asked() {
        let only = "only = [\"policy.picker=random\", \"policy.choker=rarity\"]";
        let measured =
            |statistic| checked(&format!("range = \"< 9\"\nstatistic = \"{statistic}\"\n{only}"))[0].measured;
        assert_eq!(["mean", "median", "min", "max"].map(measured), [101.5, 101.5, 100.0, 103.0].map(Some));
        assert_eq!(holds(&format!("range = \"100..103\"\nstatistic = \"interval\"\n{only}")), [true]);
        assert_eq!(holds(&format!("range = \"101.4..101.6\"\nstatistic = \"interval\"\n{only}")), [false]);
    }

    #[test]
    fn a_ratio_is_formed_over_pairs_for_every_combination_of_the_other_axes() {
        let of_pickers =
            checked("ratio = [\"policy.picker=sequential\", \"policy.picker=random\"]\nrange = \"> 2.5\"");
        let cases: Vec<&str> = of_pickers.iter().map(|one| one.case[0].1.as_str()).collect();
        assert_eq!(cases, ["rarity", "random"]);
        let ratios: Vec<f64> = of_pickers.iter().filter_map(|one| one.measured).collect();
        assert_eq!(ratios, [301.5 / 101.5, 401.5 / 201.5]);
        assert_eq!(of_pickers.iter().map(Expectation::holds).collect::<Vec<_>>(), [true, false]);
        let both = "ratio = [[\"policy.picker=sequential\", \"policy.choker=random\"], \
                    [\"policy.picker=random\", \"policy.choker=rarity\"]]\nstatistic = \"every-pair\"\nrange = \"3.8..3.95\"";
        let both = &checked(both)[0];
        assert_eq!((both.runs, both.holding, both.case.len()), (4, 2, 0));
        assert_eq!(both.broken_by, Some(Some(4.0)));
    }

    #[test]
    fn cohorts_are_judged_by_themselves_and_against_each_other() {
        assert_eq!(holds("cohort = \"slow\"\nrange = \"> 500\""), [false, false, true, true]);
        let ratio =
            "ratio = [\"cohort=slow\", \"cohort=fast\"]\nstatistic = \"every-pair\"\nrange = \">= 4\"";
        assert_eq!(holds(ratio), [true; 4]);
    }

    #[test]
    fn a_run_cut_short_has_no_times_and_holds_nowhere() {
        let ratio = "ratio = [\"policy.picker=sequential\", \"policy.picker=random\"]\nrange = \"> 0\"";
        let cut = checked_with(ratio, |case, repeat, done| {
            if (case, repeat) == (0, 2) {
                done.summary.cut_short = 1;
            }
        });
        assert_eq!(cut.iter().map(Expectation::holds).collect::<Vec<_>>(), [false, true]);
        assert_eq!((cut[0].measured, cut[0].broken_by), (None, Some(None)));
    }

    #[test]
    fn interrupted_and_degraded_runs_make_no_pair() {
        let ratio = "ratio = [\"policy.picker=sequential\", \"policy.picker=random\"]\nrange = \"> 0\"";
        let fewer = checked_with(ratio, |_, repeat, done| match repeat {
            0 => done.ended = Ended::Interrupted,
            1 => {
                let lag = Span::from_millis(9);
                done.perf.pace = Some(crate::driver::Pace {
                    took: lag,
                    timer_lag_p99: lag,
                    timer_lag_max: lag,
                    block_latency_p50: lag,
                    block_latency_p99: lag,
                    degraded: true,
                });
            }
            _ => {}
        });
        assert_eq!(fewer.iter().map(|one| one.runs).collect::<Vec<_>>(), [2, 2]);
    }
}
