//! The cases side by side: how long it took, how the swarm worked, and how its cohorts fared.

use std::collections::BTreeSet;

use comfy_table::{CellAlignment, Table};

use crate::experiment::{Plan, Results};
use crate::report::cell::for_people;
use crate::report::form::Form;

/// How a column shows the mean of its metric over a case's runs.
#[derive(Clone, Copy)]
enum Shown {
    /// With three significant digits.
    Number,
    Percent,
}

use Shown::{Number, Percent};

/// Title, metric and form of each column. Times are in seconds.
type Columns = [(&'static str, &'static str, Shown)];

const TIMES: &Columns = &[
    ("mean s", "mean_completion_s", Number),
    ("median s", "median_completion_s", Number),
    ("p95 s", "p95_completion_s", Number),
    ("last s", "last_finished_at_s", Number),
    ("bound s", "bound_s", Number),
    ("over bound", "last_over_bound", Number),
];

const SWARM: &Columns = &[
    ("uplink use", "uplink_utilisation", Percent),
    ("from seeds", "share_from_seeds", Percent),
    ("duplicates", "duplicate_share", Percent),
    ("stranded", "stranded", Number),
    ("least available", "availability_min", Number),
    ("available", "availability_mean", Number),
    ("fairness", "fairness", Number),
    ("messages", "messages_sent", Number),
];

const COHORT: &Columns = &[
    ("mean s", "mean_completion_s", Number),
    ("median s", "median_completion_s", Number),
    ("last s", "last_completion_s", Number),
    ("uplink use", "uplink_utilisation", Percent),
    ("own share", "own_share", Percent),
    ("from seeds", "share_from_seeds", Percent),
];

/// Runs, peers that completed, and completion times against the bound.
pub(super) fn times(results: &Results<'_>, form: Form) -> String {
    let plan = results.plan;
    let mut table = form.table();
    table.set_header(header(plan, form, &["runs", "complete"], TIMES));
    for (at, case) in plan.cases.iter().enumerate() {
        let mut row: Vec<String> = case.values.iter().map(|value| form.text(value)).collect();
        row.push(count(
            results.whole_runs(at).count() as u64,
            plan.runs.iter().filter(|run| run.case == at).count() as u64,
        ));
        let (completers, leechers) = results
            .whole_runs(at)
            .fold((0, 0), |sums, run| (sums.0 + run.summary.completers, sums.1 + run.summary.leechers));
        row.push(count(completers, leechers));
        row.extend(TIMES.iter().map(|(_, metric, shown)| cell(*shown, results.case_mean(at, metric))));
        table.add_row(row);
    }
    aligned(table, plan.axes.len())
}

/// What the swarm did with its links and pieces.
pub(super) fn swarm(results: &Results<'_>, form: Form) -> String {
    let plan = results.plan;
    let mut table = form.table();
    table.set_header(header(plan, form, &[], SWARM));
    for (at, case) in plan.cases.iter().enumerate() {
        let values = case.values.iter().map(|value| form.text(value));
        let cells = SWARM.iter().map(|(_, metric, shown)| cell(*shown, results.case_mean(at, metric)));
        table.add_row(values.chain(cells).collect::<Vec<_>>());
    }
    aligned(table, plan.axes.len())
}

/// One row a case and cohort; empty where all cohorts but one have nothing to fetch.
pub(super) fn cohorts(results: &Results<'_>, form: Form) -> String {
    let plan = results.plan;
    let has_leechers = |case: usize, cohort: &str| {
        results.cohort_mean(case, cohort, "leechers").is_some_and(|leechers| leechers > 0.0)
    };
    let several = |at: usize| {
        let cohorts = plan.cases[at].scenario.cohorts.iter();
        cohorts.filter(|cohort| has_leechers(at, &cohort.name)).count() > 1
    };
    if !(0..plan.cases.len()).any(several) {
        return String::new();
    }
    let mut table = form.table();
    table.set_header(header(plan, form, &["cohort"], COHORT));
    for (at, case) in plan.cases.iter().enumerate() {
        for cohort in case.scenario.cohorts.iter().filter(|cohort| cohort.count > 0) {
            let values = case.values.iter().map(|value| form.text(value));
            let mean = |metric: &str| results.cohort_mean(at, &cohort.name, metric);
            let cells = COHORT.iter().map(|(_, metric, shown)| cell(*shown, mean(metric)));
            table.add_row(values.chain([form.text(&cohort.name)]).chain(cells).collect::<Vec<_>>());
        }
    }
    aligned(table, plan.axes.len() + 1)
}

fn header(plan: &Plan, form: Form, fixed: &[&str], columns: &Columns) -> Vec<String> {
    let axes = short_keys(plan).into_iter().map(|key| form.text(key));
    let titles = fixed.iter().copied().chain(columns.iter().map(|(title, ..)| *title));
    axes.chain(titles.map(str::to_owned)).collect()
}

/// The last part of every axis's key where that tells them apart, otherwise the keys.
fn short_keys(plan: &Plan) -> Vec<&str> {
    let short: Vec<&str> =
        plan.axes.iter().map(|axis| axis.key.rsplit('.').next().unwrap_or(&axis.key)).collect();
    let distinct: BTreeSet<&str> = short.iter().copied().collect();
    if distinct.len() == short.len() {
        short
    } else {
        plan.axes.iter().map(|axis| axis.key.as_str()).collect()
    }
}

/// Numbers to the right, the first `texts` columns to the left.
fn aligned(mut table: Table, texts: usize) -> String {
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

fn count(part: u64, whole: u64) -> String {
    if part == whole { whole.to_string() } else { format!("{part} of {whole}") }
}

fn cell(shown: Shown, value: Option<f64>) -> String {
    match (value, shown) {
        (None, _) => "–".to_owned(),
        (Some(value), Number) => for_people(value),
        (Some(value), Percent) => format!("{:.0} %", value * 100.0),
    }
}
