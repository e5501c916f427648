//! An executed plan: its runs, what they add up to a case, and how the cases compare.

use std::collections::BTreeSet;

use crate::driver::{Ended, ForeignClient};
use crate::experiment::compare::{ComparedCase, ComparedRun, Comparison, compare};
use crate::experiment::expect::{Expectation, check};
use crate::experiment::{Done, Plan, Run, RunResult, Store};
use crate::scenario::file::Expect;

/// Everything the report shows.
#[derive(Debug)]
pub struct Results<'a> {
    pub plan: &'a Plan,
    pub store: &'a Store,
    /// In the order of the plan.
    pub runs: Vec<Run>,
    pub comparisons: Vec<Comparison>,
    /// One for every threshold of the scenario and every case it is about.
    pub expectations: Vec<Expectation>,
}

impl<'a> Results<'a> {
    pub fn new(
        plan: &'a Plan,
        store: &'a Store,
        runs: Vec<Run>,
        expects: &[Expect],
        allow_degraded: bool,
    ) -> Results<'a> {
        let cases: Vec<ComparedCase<'_>> = plan
            .cases
            .iter()
            .enumerate()
            .map(|(at, case)| ComparedCase { values: &case.values, runs: compared(&runs, at) })
            .collect();
        let random_seed = plan.cases.first().map_or(0, |case| case.scenario.random_seed);
        let comparisons = compare(&plan.axes, &cases, random_seed, allow_degraded);
        let expectations = check(plan, &runs, expects, random_seed, allow_degraded);
        Results { plan, store, runs, comparisons, expectations }
    }

    /// The runs of a case that went to their own end.
    pub fn whole_runs(&self, case: usize) -> impl Iterator<Item = &Done> {
        let of_case = self.runs.iter().filter(move |run| run.planned.case == case);
        of_case.filter_map(Run::done).filter(|done| done.ended != Ended::Interrupted)
    }

    /// The mean of a metric over the whole runs of a case that have it.
    pub fn case_mean(&self, case: usize, metric: &str) -> Option<f64> {
        mean(self.whole_runs(case).filter_map(|done| done.summary.metric(metric).flatten()))
    }

    /// The same for one cohort.
    pub fn cohort_mean(&self, case: usize, cohort: &str, metric: &str) -> Option<f64> {
        let rows = self.whole_runs(case).flat_map(|done| &done.cohorts).filter(|row| row.cohort == cohort);
        mean(rows.filter_map(|row| row.metric(metric).flatten()))
    }

    /// What MiniBit failed at: run and reason.
    pub fn failures(&self) -> impl Iterator<Item = (&Run, &str)> {
        self.runs.iter().filter_map(|run| match &run.result {
            RunResult::Failed(reason) => Some((run, reason.as_str())),
            RunResult::Done(_) | RunResult::NotRun => None,
        })
    }

    /// Runs that ended otherwise than with every peer complete, the interrupted ones apart.
    pub fn unfinished(&self) -> impl Iterator<Item = (&Run, &Done)> {
        let done = self.runs.iter().filter_map(|run| Some((run, run.done()?)));
        done.filter(|(_, done)| !matches!(done.ended, Ended::Complete | Ended::Interrupted))
    }

    /// Foreign clients that could not go on: the run, and what became of whom.
    pub fn client_failures(&self) -> impl Iterator<Item = (&Run, &str)> {
        let done = self.runs.iter().filter_map(|run| Some((run, run.done()?)));
        let failures = done.flat_map(|(run, done)| done.perf.clients.iter().map(move |client| (run, client)));
        failures.flat_map(|(run, client)| client.failures.iter().map(move |one| (run, one.as_str())))
    }

    /// What foreign clients do not do although the scenario asks for it: cohort, client, and what; each once.
    pub fn not_honoured(&self) -> BTreeSet<(&str, &str, &str)> {
        let clients = self.runs.iter().filter_map(Run::done).flat_map(|done| &done.perf.clients);
        fn told(client: &ForeignClient) -> impl Iterator<Item = (&str, &str, &str)> {
            let of = (client.cohort.as_str(), client.client.as_str());
            client.not_honoured.iter().map(move |what| (of.0, of.1, what.as_str()))
        }
        clients.flat_map(told).collect()
    }

    /// Runs that were stored by a build of another revision than `revision`, where both are known.
    pub fn from_other_builds(&self, revision: Option<&str>) -> usize {
        let Some(revision) = revision else { return 0 };
        let stored = self.runs.iter().filter_map(Run::done).filter(|done| done.was_stored);
        stored.filter(|done| done.perf.revision.as_deref().is_some_and(|other| other != revision)).count()
    }

    pub fn degraded(&self) -> usize {
        self.runs.iter().filter_map(Run::done).filter(|done| done.perf.is_degraded()).count()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

fn compared(runs: &[Run], case: usize) -> Vec<ComparedRun<'_>> {
    let of_case = runs.iter().filter(|run| run.planned.case == case);
    of_case
        .filter_map(|run| {
            let done = run.done()?;
            Some(ComparedRun {
                repeat: run.planned.repeat,
                summary: &done.summary,
                degraded: done.perf.is_degraded(),
                interrupted: done.ended == Ended::Interrupted,
            })
        })
        .collect()
}
