//! The results as one JSON object, for `--json`.

use serde_json::{Map, Value, json};

use crate::experiment::Results;
use crate::metrics::METRICS;
use crate::report::cell::Cell;
use crate::report::columns;

/// Cases with their means, runs, their cohorts, and comparisons. Every field has the name and meaning of its CSV column.
pub fn json(results: &Results<'_>) -> Value {
    let plan = results.plan;
    let cases = plan.cases.iter().enumerate().map(|(at, case)| {
        let axes: Map<String, Value> = plan
            .axes
            .iter()
            .zip(&case.values)
            .map(|(axis, value)| (axis.key.clone(), value.as_str().into()))
            .collect();
        let metrics: Map<String, Value> = METRICS
            .iter()
            .map(|metric| (metric.name.to_owned(), results.case_mean(at, metric.name).into()))
            .collect();
        json!({ "axes": axes, "runs": results.whole_runs(at).count(), "means": metrics })
    });
    let runs = results.runs.iter().filter_map(|run| {
        let cells = [columns::run_key(plan, &run.planned), columns::run(run)?].concat();
        Some(object(&columns::header(columns::RUNS, plan), &cells))
    });
    let cohorts = results.runs.iter().filter_map(|run| Some((run, run.done()?)));
    let cohorts = cohorts.flat_map(|(run, done)| {
        let key = columns::run_key(plan, &run.planned);
        let cells = move |row| [key.clone(), columns::cohort(row)].concat();
        done.cohorts.iter().map(move |row| object(&columns::header(columns::COHORTS, plan), &cells(row)))
    });
    let comparisons = results
        .comparisons
        .iter()
        .map(|one| object(&columns::header(columns::COMPARISON, plan), &columns::comparison(one)));
    let expectations = results.expectations.iter().map(|one| {
        let axes: Map<String, Value> =
            one.case.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        json!({
            "subject": one.expect.subject(),
            "statistic": one.expect.statistic_name(),
            "range": one.expect.range.to_string(),
            "axes": axes,
            "runs": one.runs,
            "holding": one.holding,
            "measured": one.measured,
            "low": one.interval.map(|(low, _)| low),
            "high": one.interval.map(|(_, high)| high),
            "holds": one.holds(),
        })
    });
    json!({
        "scenario": plan.name,
        "folder": results.store.folder().display().to_string(),
        "cases": cases.collect::<Vec<_>>(),
        "runs": runs.collect::<Vec<_>>(),
        "cohorts": cohorts.collect::<Vec<_>>(),
        "comparisons": comparisons.collect::<Vec<_>>(),
        "expectations": expectations.collect::<Vec<_>>(),
    })
}

fn object(header: &[&str], cells: &[Cell]) -> Value {
    header.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.to_json())).collect()
}
