//! One cohort of one run in one row of `cohorts.csv`.

use serde::{Deserialize, Serialize};

use crate::metrics::Summary;
use crate::metrics::summary::ratio;

/// The peers of one cohort, summed up. Each field is a column of `cohorts.csv`, defined in `docs/metrics.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortRow {
    pub cohort: String,
    /// Over the cohort's peers alone. What only a whole run has (bound, stranded pieces) is missing.
    pub summary: Summary,
    /// Payload that others received from the cohort's peers.
    pub given_bytes: u64,
    /// The part of it that peers of the cohort itself received.
    pub own_bytes: u64,
}

/// The columns of `cohorts.csv` that `[[expect]]` may name with a `cohort`.
pub const COHORT_METRICS: &[&str] = &[
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

impl CohortRow {
    /// How much of what the cohort gave stayed in it.
    pub fn own_share(&self) -> Option<f64> {
        ratio(self.own_bytes, self.given_bytes)
    }

    /// A metric by its column. The outer `None` is an unknown name, the inner one a missing value.
    pub fn metric(&self, name: &str) -> Option<Option<f64>> {
        match name {
            "own_share" => Some(self.own_share()),
            _ if COHORT_METRICS.contains(&name) => self.summary.metric(name),
            _ => None,
        }
    }
}
