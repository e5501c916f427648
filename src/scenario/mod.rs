//! A scenario: what swarm to run. [`Scenario`] is one case of a scenario file, fully resolved: no option is left
//! open, so everything behind this module reads values and never decides defaults.

pub mod population;

use std::path::PathBuf;

use crate::peer::policy::Policy;
use crate::time::Span;
use crate::torrent::layout::Layout;
pub use crate::torrent::split::Distribution;
use crate::units::Rate;

/// One case: a scenario with every axis fixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's stem: names the results folder.
    pub name: String,
    pub title: String,
    pub driver: DriverKind,
    pub repeat: u32,
    pub random_seed: u64,
    /// Scenario seconds per wall second in the real-time drivers.
    pub time_scale: f64,
    pub time_limit: Span,
    pub content: Content,
    pub distribution: Distribution,
    pub tracker: TrackerSettings,
    pub policy: Policy,
    /// In the order of the file.
    pub cohorts: Vec<Cohort>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriverKind {
    Sim,
    Tasks,
    Processes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub source: ContentSource,
    pub layout: Layout,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ContentSource {
    File(PathBuf),
    /// Reproducible bytes drawn from the random seed; never generated in virtual time.
    Synthetic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackerSettings {
    /// Between two regular announces.
    pub interval: Span,
    pub peers_returned: u32,
}

/// A group of like peers.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    pub name: String,
    pub count: u32,
    pub start_with: StartWith,
    /// `None` is unlimited.
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    /// One way, per end: a path's latency is the sum of its ends'.
    pub latency: Span,
    pub arrival: Arrival,
    pub on_complete: OnComplete,
    /// Mean time between two crashes of a peer that is present; `None` never crashes.
    pub crash_every: Option<Span>,
    /// How long after a crash the peer comes back with what it had verified; `None` never.
    pub rejoin: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartWith {
    Share,
    All,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    AtStart,
    /// Uniform over the first so much time.
    Over(Span),
    /// A Poisson process with this mean time between arrivals.
    Poisson {
        mean_gap: Span,
    },
}

/// What a peer does once it has everything (a peer that starts complete: from its arrival on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnComplete {
    Stay,
    Leave,
    LeaveAfter(Span),
    /// When it has uploaded this many times the content's size.
    LeaveAfterCopies(u32),
}
