//! Drivers carry a population through one run. They own everything the peers must not know: time, links, sockets,
//! disks, arrivals and ends. All of them report the same way: records.

pub mod course;
#[cfg(feature = "cli")]
pub mod processes;
#[cfg(feature = "net")]
mod real_time;
pub mod sim;
#[cfg(feature = "net")]
pub mod tasks;

#[cfg(feature = "net")]
pub use real_time::folder::LeftBehind;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::event::Record;
use crate::id::{PeerIndex, PieceIndex};
use crate::scenario::Scenario;
use crate::time::{Span, Time};

/// Takes every record of a run, in the order of `at` (virtual time: exactly; real time: as they come in).
pub trait Recorder {
    fn record(&mut self, record: &Record);

    /// Takes several, one after the other.
    fn record_all(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.record(record));
    }
}

impl Recorder for Vec<Record> {
    fn record(&mut self, record: &Record) {
        self.push(record.clone());
    }
}

/// How a run is watched and stopped from outside.
#[derive(Debug, Default)]
pub struct Control {
    interrupted: AtomicBool,
}

impl Control {
    /// End the run as soon as possible; what it recorded stays valid.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub ended: Ended,
    pub at: Time,
    /// What sockets could not keep up with; `None` in virtual time.
    pub pace: Option<Pace>,
    /// One for every cohort of a foreign client.
    pub clients: Vec<ForeignClient>,
}

/// What other people's program a cohort was, and how it fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignClient {
    pub cohort: String,
    pub client: String,
    /// `None` where it was not found.
    pub version: Option<String>,
    /// As its first peer said it had them, by the client's own words for them.
    pub settings: BTreeMap<String, String>,
    /// What its first peer was told and cannot be asked about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, String>,
    /// What it has no setting for, and how that is then.
    #[serde(default)]
    pub no_switch: Vec<String>,
    /// What the scenario asks of the cohort and this client cannot do.
    pub not_honoured: Vec<String>,
    /// Peers that could not go on, and why.
    pub failures: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// No present or future peer is incomplete.
    Complete,
    /// No progress is possible any more.
    Stranded(Stranded),
    TimeLimit,
    Interrupted,
}

/// Why nothing can move: pieces that nobody alive (or still to come) can give, and who lacks them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranded {
    pub pieces: Vec<PieceIndex>,
    pub peers: Vec<PeerIndex>,
}

/// How well a real-time driver kept its schedule, in wall time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// From the first arrival to the last closed socket: neither preparing the content nor removing files.
    /// Zero in what was stored before this was measured.
    #[serde(default)]
    pub took: Span,
    pub timer_lag_p99: Span,
    pub timer_lag_max: Span,
    pub block_latency_p50: Span,
    pub block_latency_p99: Span,
    /// The p99 lag exceeds a tenth of the shortest shaped block time (never without a rate limit).
    pub degraded: bool,
}

/// Where peers are MiniBit's own state machines, other people's clients have no place.
fn refuse_foreign_clients(scenario: &Scenario) -> Result<(), DriverError> {
    if scenario.is_mixed() {
        let what = "other people's clients and trackers are processes: run with --driver processes";
        return Err(DriverError::Unsupported(format!("{}: {what}", scenario.name)));
    }
    Ok(())
}

/// Why a run could not be carried out. (What remotes do wrong is never one of these: it is recorded.)
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// A broken invariant: a mistake in MiniBit. Whoever planned the run adds the command that repeats it.
    #[error("{invariant} is broken at {at}, peer {peer}, random seed {random_seed}: {what}")]
    Invariant { invariant: &'static str, at: Time, peer: PeerIndex, random_seed: u64, what: String },
    /// The machine will not do it: where, what, and what to do about it.
    #[error("{context}: {source}")]
    Io { context: String, source: std::io::Error },
    /// The scenario asks this driver for something it cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// A peer ended complete, but its content is not the original.
    #[error("peer {peer} is complete, but its content differs from the original")]
    WrongContent { peer: PeerIndex },
}
