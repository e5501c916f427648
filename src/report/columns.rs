//! The columns of every CSV file, in order, and the rows that fill them. What each means stands in `docs/metrics.md`.

use crate::driver::{Ended, Pace};
use crate::experiment::compare::Comparison;
use crate::experiment::{Done, Plan, PlannedRun, Run, RunResult};
use crate::metrics::{CohortRow, Millionths, PeerRow, Sample, Summary};
use crate::report::cell::Cell;
use crate::time::Span;

/// Stands where the axes go: one column each, named by its key.
pub(super) const AXES: &str = "(axes)";

pub(super) const COMPLETIONS: &[&str] = &[
    "run_id",
    AXES,
    "random_seed",
    "repeat",
    "peer",
    "cohort",
    "initial_bytes",
    "arrived_s",
    "completed",
    "completion_s",
    "finished_at_s",
    "observed_s",
    "downloaded_bytes",
    "uploaded_bytes",
    "from_seeds_bytes",
    "duplicate_bytes",
    "messages_sent",
    "messages_received",
    "end",
];

pub(super) const RUNS: &[&str] = &[
    "run_id",
    AXES,
    "random_seed",
    "repeat",
    "ended",
    "peers",
    "leechers",
    "completers",
    "unfinished",
    "stranded",
    "stranded_pieces",
    "mean_completion_s",
    "median_completion_s",
    "p95_completion_s",
    "p99_completion_s",
    "last_completion_s",
    "last_finished_at_s",
    "bound_s",
    "last_over_bound",
    "messages_sent",
    "messages_per_peer",
    "downloaded_bytes",
    "uploaded_bytes",
    "from_seeds_bytes",
    "share_from_seeds",
    "duplicate_bytes",
    "duplicate_share",
    "uplink_utilisation",
    "leecher_utilisation",
    "fairness",
    "availability_min",
    "availability_mean",
    "ended_at_s",
];

pub(super) const COHORTS: &[&str] = &[
    "run_id",
    AXES,
    "random_seed",
    "repeat",
    "cohort",
    "peers",
    "leechers",
    "completers",
    "unfinished",
    "mean_completion_s",
    "median_completion_s",
    "p95_completion_s",
    "last_completion_s",
    "downloaded_bytes",
    "uploaded_bytes",
    "from_seeds_bytes",
    "share_from_seeds",
    "duplicate_bytes",
    "own_share",
    "uplink_utilisation",
];

pub(super) const TIMELINE: &[&str] = &[
    "run_id",
    AXES,
    "random_seed",
    "repeat",
    "at_s",
    "leechers",
    "seeds",
    "arrivals",
    "departures",
    "completed",
    "pieces_verified",
    "downloaded_bytes",
    "availability_min",
    "availability_mean",
    "only_with_seeds",
];

pub(super) const COMPARISON: &[&str] = &[
    "axis",
    "baseline",
    "value",
    "within",
    "metric",
    "pairs",
    "ratio",
    "ratio_low",
    "ratio_high",
    "correlation",
    "p",
    "p_holm",
    "unfinished_baseline",
    "unfinished_value",
    "verdict",
];

pub(super) const PERF: &[&str] = &[
    "run_id",
    AXES,
    "random_seed",
    "repeat",
    "wall_s",
    "records",
    "degraded",
    "timer_lag_p99_s",
    "timer_lag_max_s",
    "block_latency_p50_s",
    "block_latency_p99_s",
];

/// The header of a file, with the axes in their place.
pub(super) fn header<'a>(columns: &'a [&'a str], plan: &'a Plan) -> Vec<&'a str> {
    let axes = || plan.axes.iter().map(|axis| axis.key.as_str());
    columns.iter().flat_map(|&column| if column == AXES { axes().collect() } else { vec![column] }).collect()
}

/// `run_id`, the axes, `random_seed`, `repeat`: what every row about a run begins with.
pub(super) fn run_key(plan: &Plan, run: &PlannedRun) -> Vec<Cell> {
    let mut key = vec![Cell::from(run.id.as_str())];
    key.extend(plan.cases[run.case].values.iter().map(|value| Cell::from(value.as_str())));
    key.extend([Cell::from(run.random_seed), Cell::from(run.repeat)]);
    key
}

pub(super) fn completions(row: &PeerRow) -> Vec<Cell> {
    vec![
        row.peer.as_str().into(),
        row.cohort.as_str().into(),
        row.initial_bytes.into(),
        row.arrived.into(),
        row.completed.into(),
        row.completion().into(),
        row.finished_at.into(),
        row.observed.into(),
        row.downloaded_bytes.into(),
        row.uploaded_bytes.into(),
        row.from_seeds_bytes.into(),
        row.duplicate_bytes.into(),
        row.messages_sent.into(),
        row.messages_received.into(),
        row.end.name().into(),
    ]
}

/// Everything of `runs.csv` behind the key; `None` for a run that has not been carried out at all.
pub(super) fn run(run: &Run) -> Option<Vec<Cell>> {
    match &run.result {
        RunResult::Done(done) => Some(summary(ended(&done.ended), &done.summary)),
        RunResult::Failed(_) => {
            let mut cells = vec![Cell::Missing; RUNS.len() - 4];
            cells[0] = "failed".into();
            Some(cells)
        }
        RunResult::NotRun => None,
    }
}

fn summary(ended: &str, run: &Summary) -> Vec<Cell> {
    vec![
        ended.into(),
        run.peers.into(),
        run.leechers.into(),
        run.completers.into(),
        run.unfinished.into(),
        run.stranded.into(),
        run.stranded_pieces.into(),
        run.mean_completion.into(),
        run.median_completion.into(),
        run.p95_completion.into(),
        run.p99_completion.into(),
        run.last_completion.into(),
        run.last_finished_at.into(),
        run.bound.into(),
        run.last_over_bound().into(),
        run.messages_sent.into(),
        run.messages_per_peer().into(),
        run.downloaded_bytes.into(),
        run.uploaded_bytes.into(),
        run.from_seeds_bytes.into(),
        run.share_from_seeds().into(),
        run.duplicate_bytes.into(),
        run.duplicate_share().into(),
        run.uplink_utilisation().into(),
        run.leecher_utilisation().into(),
        run.fairness.map(Millionths::as_f64).into(),
        run.availability.least.into(),
        run.availability.mean.map(Millionths::as_f64).into(),
        run.ended_at.into(),
    ]
}

pub(super) fn cohort(row: &CohortRow) -> Vec<Cell> {
    let peers = &row.summary;
    vec![
        row.cohort.as_str().into(),
        peers.peers.into(),
        peers.leechers.into(),
        peers.completers.into(),
        peers.unfinished.into(),
        peers.mean_completion.into(),
        peers.median_completion.into(),
        peers.p95_completion.into(),
        peers.last_completion.into(),
        peers.downloaded_bytes.into(),
        peers.uploaded_bytes.into(),
        peers.from_seeds_bytes.into(),
        peers.share_from_seeds().into(),
        peers.duplicate_bytes.into(),
        row.own_share().into(),
        peers.uplink_utilisation().into(),
    ]
}

/// `pieces` is how many the content has.
pub(super) fn timeline(sample: &Sample, pieces: u32) -> Vec<Cell> {
    let counts = &sample.counts;
    vec![
        sample.at.into(),
        counts.leechers.into(),
        counts.seeds.into(),
        counts.arrivals.into(),
        counts.departures.into(),
        counts.completed.into(),
        counts.pieces_verified.into(),
        counts.downloaded_bytes.into(),
        counts.availability_min.into(),
        Millionths::of(counts.copies.into(), pieces.into()).map(Millionths::as_f64).into(),
        counts.only_with_seeds.into(),
    ]
}

pub(super) fn comparison(comparison: &Comparison) -> Vec<Cell> {
    let estimate = comparison.estimate;
    let interval = estimate.and_then(|estimate| estimate.interval);
    vec![
        comparison.axis.as_str().into(),
        comparison.baseline.as_str().into(),
        comparison.value.as_str().into(),
        Cell::Text(within(comparison)),
        comparison.metric.into(),
        estimate.map_or(0, |estimate| estimate.pairs).into(),
        estimate.map(|estimate| estimate.ratio).into(),
        interval.map(|(low, _)| low).into(),
        interval.map(|(_, high)| high).into(),
        estimate.and_then(|estimate| estimate.correlation).into(),
        comparison.p.into(),
        comparison.p_holm.into(),
        comparison.unfinished.0.into(),
        comparison.unfinished.1.into(),
        Cell::Text(comparison.verdict.to_string()),
    ]
}

/// `policy.choker=tit-for-tat, content.block_size=512 B`; empty with a single axis.
pub(super) fn within(comparison: &Comparison) -> String {
    let fixed = comparison.within.iter().map(|(key, value)| format!("{key}={value}"));
    fixed.collect::<Vec<_>>().join(", ")
}

pub(super) fn perf(done: &Done) -> Vec<Cell> {
    let pace = |value: fn(&Pace) -> Span| Cell::from(done.perf.pace.as_ref().map(value));
    vec![
        done.perf.wall_s.into(),
        done.records.into(),
        done.perf.is_degraded().into(),
        pace(|pace| pace.timer_lag_p99),
        pace(|pace| pace.timer_lag_max),
        pace(|pace| pace.block_latency_p50),
        pace(|pace| pace.block_latency_p99),
    ]
}

/// How a run ended, in one word.
pub(super) fn ended(ended: &Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::Stranded(_) => "stranded",
        Ended::TimeLimit => "limit",
        Ended::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{COHORT_METRICS, Counts, METRICS};
    use crate::time::Time;

    /// The columns that `docs/metrics.md` defines for a file, in its order.
    fn documented(file: &str) -> Vec<&'static str> {
        let page = include_str!("../../docs/metrics.md");
        let section = page.split("\n## ").find(|section| section.lines().next() == Some(file)).unwrap();
        let first_cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        first_cells.filter(|cell| *cell != "column").map(|cell| cell.trim_matches('`')).collect()
    }

    #[test]
    fn the_page_of_metrics_defines_every_column_of_every_file_in_order() {
        assert_eq!(documented("completions.csv"), COMPLETIONS);
        assert_eq!(documented("runs.csv"), RUNS);
        assert_eq!(documented("cohorts.csv"), COHORTS);
        assert_eq!(documented("timeline.csv"), TIMELINE);
        assert_eq!(documented("comparison.csv"), COMPARISON);
        assert_eq!(documented("perf.csv"), PERF);
    }

    #[test]
    fn every_row_is_as_long_as_its_header() {
        let behind_key = |columns: &[&str]| columns.len() - 4;
        assert_eq!(summary("complete", &Summary::default()).len(), behind_key(RUNS));
        assert_eq!(cohort(&CohortRow::default()).len(), behind_key(COHORTS));
        assert_eq!(
            timeline(&Sample { at: Time::ZERO, counts: Counts::default() }, 1).len(),
            behind_key(TIMELINE)
        );
    }

    #[test]
    fn every_metric_is_a_column() {
        for metric in METRICS {
            assert!(RUNS.contains(&metric.name), "{}", metric.name);
        }
        let row = CohortRow::default();
        for metric in COHORT_METRICS {
            assert!(COHORTS.contains(metric) && row.metric(metric).is_some(), "{metric}");
        }
    }
}
