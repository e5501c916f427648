//! The CSV files: RFC 4180, UTF-8, comma, line feed, a header each.

use std::io::{self, Write};
use std::path::Path;

use crate::experiment::{Plan, Results, Run};
use crate::metrics::RunMetrics;
use crate::report::cell::Cell;
use crate::report::columns;
use crate::report::file::{WriteError, replace};

/// `completions.csv`, `timeline.csv`, `runs.csv`, `cohorts.csv`, `comparison.csv` and `perf.csv`.
pub(super) fn write_all(results: &Results<'_>, folder: &Path) -> Result<(), WriteError> {
    let plan = results.plan;
    per_run(results, &folder.join("completions.csv"), columns::COMPLETIONS, |metrics| {
        metrics.peers.iter().map(columns::completions).collect()
    })?;
    per_run(results, &folder.join("timeline.csv"), columns::TIMELINE, |metrics| {
        metrics.timeline.iter().map(|sample| columns::timeline(sample, metrics.pieces)).collect()
    })?;
    let keyed = |run: &Run, cells: Vec<Cell>| [columns::run_key(plan, &run.planned), cells].concat();
    let runs = results.runs.iter().filter_map(|run| Some(keyed(run, columns::run(run)?)));
    table(&folder.join("runs.csv"), plan, columns::RUNS, runs)?;
    let cohorts = results.runs.iter().filter_map(|run| Some((run, run.done()?)));
    let cohorts = cohorts.flat_map(|(run, done)| done.cohorts.iter().map(move |row| (run, row)));
    let cohorts = cohorts.map(|(run, row)| keyed(run, columns::cohort(row)));
    table(&folder.join("cohorts.csv"), plan, columns::COHORTS, cohorts)?;
    let comparisons = results.comparisons.iter().map(columns::comparison);
    table(&folder.join("comparison.csv"), plan, columns::COMPARISON, comparisons)?;
    let perf = results.runs.iter().filter_map(|run| Some(keyed(run, columns::perf(run.done()?))));
    table(&folder.join("perf.csv"), plan, columns::PERF, perf)
}

/// Many rows a run, one run in memory at a time.
fn per_run(
    results: &Results<'_>,
    path: &Path,
    columns: &[&str],
    rows: impl Fn(&RunMetrics) -> Vec<Vec<Cell>>,
) -> Result<(), WriteError> {
    let mut unreadable = None;
    replace(path, |out| {
        let mut out = writer(out);
        out.write_record(header(columns, results.plan))?;
        for run in &results.runs {
            let metrics = match run.metrics(results.store) {
                Ok(metrics) => metrics,
                Err(error) => {
                    unreadable = Some(error);
                    return Err(io::Error::other("a stored run cannot be read"));
                }
            };
            let key: Vec<String> =
                columns::run_key(results.plan, &run.planned).iter().map(Cell::to_csv).collect();
            for row in metrics.iter().flat_map(&rows) {
                out.write_record(key.iter().cloned().chain(row.iter().map(Cell::to_csv)))?;
            }
        }
        out.flush()
    })
    .map_err(|error| unreadable.take().map_or(error, WriteError::Store))
}

fn table(
    path: &Path,
    plan: &Plan,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<(), WriteError> {
    replace(path, |out| {
        let mut out = writer(out);
        out.write_record(header(columns, plan))?;
        for row in rows {
            out.write_record(row.iter().map(Cell::to_csv))?;
        }
        out.flush()
    })
}

fn header(columns: &[&str], plan: &Plan) -> Vec<String> {
    columns::header(columns, plan).into_iter().map(|name| Cell::from(name).to_csv()).collect()
}

fn writer(out: &mut dyn Write) -> csv::Writer<&mut dyn Write> {
    csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out)
}
