//! One run in one row of `runs.csv`, and the metrics that a scenario may set thresholds on.

use serde::{Deserialize, Serialize};

use crate::metrics::quantile::Sorted;
use crate::metrics::{Millionths, PeerRow, RunAvailability, fairness};
use crate::time::{Span, Time};

/// One run, summed up over its peers. Each field is a column of `runs.csv`, defined in `docs/metrics.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub peers: u64,
    /// Peers that lacked something when they came (or would have).
    pub leechers: u64,
    /// Leechers that completed.
    pub completers: u64,
    /// Leechers that did not, and of these …
    pub unfinished: u64,
    /// … those that were present or still to come when no progress was possible any more, …
    pub stranded: u64,
    /// … and those whose completion time is unknown because the run was cut short (stranded, limit, interrupted).
    pub cut_short: u64,
    pub stranded_pieces: u64,
    pub mean_completion: Option<Span>,
    pub median_completion: Option<Span>,
    pub p95_completion: Option<Span>,
    pub p99_completion: Option<Span>,
    pub last_completion: Option<Span>,
    pub last_finished_at: Option<Time>,
    pub bound: Option<Time>,
    /// `None`, here and below, where it is unknown of one of the peers.
    pub messages_sent: Option<u64>,
    pub downloaded_bytes: Option<u64>,
    pub uploaded_bytes: Option<u64>,
    pub from_seeds_bytes: Option<u64>,
    pub duplicate_bytes: Option<u64>,
    /// Bytes received by the last completion, and bytes that the uplinks present could have sent by then; `None` where
    /// a link is unlimited or nobody completed.
    pub received_and_offered: Option<(u64, u64)>,
    /// The same for what came from peers that started without everything, and for their uplinks.
    pub leechers_gave_and_offered: Option<(u64, u64)>,
    /// Whether those who took gave alike: Jain's index over share ratios.
    pub fairness: Option<Millionths>,
    /// While somebody was there who lacked something.
    pub availability: RunAvailability,
    /// Scenario time at the run's end.
    pub ended_at: Time,
}

impl Summary {
    /// Sums up the rows; what rows do not show (pieces, links, bound) is left to the caller.
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a PeerRow> + Clone, ended_at: Time) -> Summary {
        let completions = Sorted::new(rows.clone().filter_map(PeerRow::completion).collect());
        let count = |test: &dyn Fn(&PeerRow) -> bool| rows.clone().filter(|row| test(row)).count() as u64;
        let sum = |value: &dyn Fn(&PeerRow) -> Option<u64>| rows.clone().map(value).sum::<Option<u64>>();
        let completers = completions.len() as u64;
        let unfinished = count(&|row| !row.completed);
        Summary {
            peers: rows.clone().count() as u64,
            leechers: completers + unfinished,
            completers,
            unfinished,
            stranded: count(&|row| row.end == super::End::Stranded),
            cut_short: count(&|row| row.end.was_cut_short()),
            stranded_pieces: 0,
            mean_completion: completions.mean(),
            median_completion: completions.median(),
            p95_completion: completions.percentile(95),
            p99_completion: completions.percentile(99),
            last_completion: completions.last(),
            last_finished_at: rows.clone().filter_map(|row| row.finished_at).max(),
            bound: None,
            messages_sent: rows.clone().map(|row| row.messages_sent).sum(),
            downloaded_bytes: sum(&|row| row.downloaded_bytes),
            uploaded_bytes: sum(&|row| row.uploaded_bytes),
            from_seeds_bytes: sum(&|row| row.from_seeds_bytes),
            duplicate_bytes: sum(&|row| row.duplicate_bytes),
            received_and_offered: None,
            leechers_gave_and_offered: None,
            fairness: fairness::of_share_ratios(rows),
            availability: RunAvailability::default(),
            ended_at,
        }
    }

    /// How far the last completion is from the theoretical optimum; `None` where there is no bound to speak of.
    pub fn last_over_bound(&self) -> Option<f64> {
        ratio(self.last_finished_at?.as_nanos(), self.bound?.as_nanos())
    }

    /// The share of all payload received that came from peers that were complete when they first arrived.
    pub fn share_from_seeds(&self) -> Option<f64> {
        ratio(self.from_seeds_bytes?, self.downloaded_bytes?)
    }

    /// The share of all payload received that was of no use.
    pub fn duplicate_share(&self) -> Option<f64> {
        ratio(self.duplicate_bytes?, self.downloaded_bytes?)
    }

    /// How much of what the uplinks could have sent was received, up to the last completion.
    pub fn uplink_utilisation(&self) -> Option<f64> {
        let (received, offered) = self.received_and_offered?;
        ratio(received, offered)
    }

    /// The same of what the leechers alone gave and could have given.
    pub fn leecher_utilisation(&self) -> Option<f64> {
        let (received, offered) = self.leechers_gave_and_offered?;
        ratio(received, offered)
    }

    pub fn messages_per_peer(&self) -> Option<f64> {
        ratio(self.messages_sent?, self.peers)
    }

    /// Whether the last completion lies below the bound by more than a thousandth: then the run itself is wrong.
    pub fn is_below_bound(&self) -> bool {
        let nanos = |time: Option<Time>| time.map_or(0, |time| u128::from(time.as_nanos()));
        self.last_finished_at.is_some() && nanos(self.last_finished_at) * 1000 < nanos(self.bound) * 999
    }

    /// Whether `name` tells of completion times while some are unknown, because the run was cut short: over the rest
    /// it would flatter.
    pub fn hides_unknown_times(&self, name: &str) -> bool {
        self.cut_short > 0 && OF_TIMES.contains(&name)
    }

    /// A metric by its column in `runs.csv`. The outer `None` is an unknown name, the inner one a missing value.
    pub fn metric(&self, name: &str) -> Option<Option<f64>> {
        METRICS.iter().find(|metric| metric.name == name).map(|metric| (metric.value)(self))
    }
}

/// Metrics over the completion times that are known.
const OF_TIMES: &[&str] = &[
    "mean_completion_s",
    "median_completion_s",
    "p95_completion_s",
    "p99_completion_s",
    "last_completion_s",
    "last_finished_at_s",
    "last_over_bound",
];

/// A column of `runs.csv` that is a number.
pub struct Metric {
    pub name: &'static str,
    value: fn(&Summary) -> Option<f64>,
}

/// Every metric that `[[expect]]` may name.
pub const METRICS: &[Metric] = &[
    Metric { name: "mean_completion_s", value: |run| secs(run.mean_completion) },
    Metric { name: "median_completion_s", value: |run| secs(run.median_completion) },
    Metric { name: "p95_completion_s", value: |run| secs(run.p95_completion) },
    Metric { name: "p99_completion_s", value: |run| secs(run.p99_completion) },
    Metric { name: "last_completion_s", value: |run| secs(run.last_completion) },
    Metric { name: "last_finished_at_s", value: |run| run.last_finished_at.map(Time::as_secs_f64) },
    Metric { name: "bound_s", value: |run| run.bound.map(Time::as_secs_f64) },
    Metric { name: "last_over_bound", value: Summary::last_over_bound },
    Metric { name: "peers", value: |run| Some(run.peers as f64) },
    Metric { name: "leechers", value: |run| Some(run.leechers as f64) },
    Metric { name: "completers", value: |run| Some(run.completers as f64) },
    Metric { name: "unfinished", value: |run| Some(run.unfinished as f64) },
    Metric { name: "stranded", value: |run| Some(run.stranded as f64) },
    Metric { name: "stranded_pieces", value: |run| Some(run.stranded_pieces as f64) },
    Metric { name: "messages_sent", value: |run| run.messages_sent.map(|sum| sum as f64) },
    Metric { name: "messages_per_peer", value: Summary::messages_per_peer },
    Metric { name: "downloaded_bytes", value: |run| run.downloaded_bytes.map(|sum| sum as f64) },
    Metric { name: "uploaded_bytes", value: |run| run.uploaded_bytes.map(|sum| sum as f64) },
    Metric { name: "from_seeds_bytes", value: |run| run.from_seeds_bytes.map(|sum| sum as f64) },
    Metric { name: "duplicate_bytes", value: |run| run.duplicate_bytes.map(|sum| sum as f64) },
    Metric { name: "share_from_seeds", value: Summary::share_from_seeds },
    Metric { name: "duplicate_share", value: Summary::duplicate_share },
    Metric { name: "uplink_utilisation", value: Summary::uplink_utilisation },
    Metric { name: "leecher_utilisation", value: Summary::leecher_utilisation },
    Metric { name: "fairness", value: |run| run.fairness.map(Millionths::as_f64) },
    Metric { name: "availability_min", value: |run| run.availability.least.map(f64::from) },
    Metric { name: "availability_mean", value: |run| run.availability.mean.map(Millionths::as_f64) },
    Metric { name: "ended_at_s", value: |run| Some(run.ended_at.as_secs_f64()) },
];

fn secs(span: Option<Span>) -> Option<f64> {
    span.map(Span::as_secs_f64)
}

pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
