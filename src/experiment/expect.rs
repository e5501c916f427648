//! The thresholds of a scenario (`[[expect]]`), checked against every run of every case they are about.

use crate::driver::Ended;
use crate::experiment::{Done, Plan, Run};
use crate::scenario::file::{Bounds, Case, Expect};

/// One threshold in one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub metric: String,
    pub range: Bounds,
    /// Position in `Plan::cases`.
    pub case: usize,
    /// How many runs were looked at, and how many of them hold.
    pub runs: usize,
    pub holding: usize,
    /// The first value outside the range; the inner `None` is a run that has no such value, which holds nowhere.
    pub broken_by: Option<Option<f64>>,
}

impl Expectation {
    /// Every run holds, and there is one.
    pub fn holds(&self) -> bool {
        self.runs > 0 && self.holding == self.runs
    }
}

/// Thresholds in the order of the file, cases in the order of the plan. Interrupted runs are not held against anybody.
pub(super) fn check(plan: &Plan, runs: &[Run], expects: &[Expect]) -> Vec<Expectation> {
    let meant = |expect: &Expect, case: &Case| {
        let value_of =
            |key: &str| plan.axes.iter().position(|axis| axis.key == key).map(|at| &case.values[at]);
        expect.only.iter().all(|(key, value)| value_of(key) == Some(value))
    };
    let mut expectations = Vec::new();
    for expect in expects {
        for (at, _) in plan.cases.iter().enumerate().filter(|(_, case)| meant(expect, case)) {
            let of_case = runs.iter().filter(|run| run.planned.case == at).filter_map(Run::done);
            expectations.push(judge(expect, at, of_case.filter(|done| done.ended != Ended::Interrupted)));
        }
    }
    expectations
}

fn judge<'a>(expect: &Expect, case: usize, runs: impl Iterator<Item = &'a Done>) -> Expectation {
    let values: Vec<Option<f64>> = runs.map(|done| done.summary.metric(&expect.metric).flatten()).collect();
    let holds = |value: &Option<f64>| value.is_some_and(|value| expect.range.contain(value));
    Expectation {
        metric: expect.metric.clone(),
        range: expect.range,
        case,
        runs: values.len(),
        holding: values.iter().filter(|value| holds(value)).count(),
        broken_by: values.iter().find(|value| !holds(value)).copied(),
    }
}
