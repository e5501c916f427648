//! A scenario: what swarm to run. [`Scenario`] is one case of a scenario file, fully resolved: no option is left
//! open, so everything behind this module reads values and never decides defaults.

pub mod client;
pub mod content;
pub mod file;
pub mod hypercube;
pub mod overlay;
pub mod population;

use crate::peer::policy::Policy;
use crate::time::{Span, Time};
use crate::units::Rate;

pub use crate::torrent::split::Distribution;
pub use crate::tracker::Settings as TrackerSettings;
pub use crate::wire::announce::Protocol;
#[cfg(feature = "cli")]
pub(crate) use client::foreign_clients;
pub use client::{Client, TrackerProgram};
pub use content::{Content, ContentFile, ContentSource};
pub use overlay::Overlay;

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
    /// How peers ask it; in virtual time they need neither.
    pub tracker_protocol: Protocol,
    pub tracker_program: TrackerProgram,
    pub overlay: Overlay,
    pub policy: Policy,
    /// In the order of the file.
    pub cohorts: Vec<Cohort>,
}

impl Scenario {
    /// More peers than any machine runs; a typing error is found at once.
    pub const MAX_PEERS: u32 = 1_000_000;

    /// Everybody who ever takes part.
    pub fn peers(&self) -> u32 {
        self.cohorts.iter().fold(0, |sum, cohort| sum.saturating_add(cohort.count))
    }

    /// How many take part in the distribution.
    pub fn sharing_peers(&self) -> u32 {
        let sharing = self.cohorts.iter().filter(|cohort| cohort.start_with == StartWith::Share);
        sharing.fold(0, |sum, cohort| sum.saturating_add(cohort.count))
    }

    /// How many start with `all`.
    pub fn complete_peers(&self) -> u32 {
        let complete = self.cohorts.iter().filter(|cohort| cohort.start_with == StartWith::All);
        complete.fold(0, |sum, cohort| sum.saturating_add(cohort.count))
    }

    /// The cohorts whose peers are programs of somebody else.
    pub fn foreign_cohorts(&self) -> impl Iterator<Item = &Cohort> {
        self.cohorts.iter().filter(|cohort| cohort.client.is_foreign() && cohort.count > 0)
    }

    /// Whether other people's programs take part.
    pub fn is_mixed(&self) -> bool {
        self.foreign_cohorts().next().is_some() || self.tracker_program != TrackerProgram::Minibit
    }

    /// How many connections one peer has at the most.
    pub fn most_connections(&self) -> u32 {
        let others = self.peers().saturating_sub(1);
        match self.overlay {
            Overlay::Tracker { .. } => self.policy.max_connections.min(others),
            Overlay::FullMesh | Overlay::Star => others,
            Overlay::RandomRegular { degree } => degree,
        }
    }

    /// The random seed of repeat `repeat` = 0, 1, …: the same for every case, so that their runs are paired.
    pub fn random_seed_of(&self, repeat: u32) -> u64 {
        self.random_seed.wrapping_add(u64::from(repeat))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriverKind {
    Sim,
    Tasks,
    Processes,
}

impl Cohort {
    /// Whether its peers give anything: a free-rider does not, nor does an uplink of 0 B/s.
    pub fn uploads(&self) -> bool {
        self.behaviour == Behaviour::Cooperative && self.upload.is_none_or(|rate| !rate.is_zero())
    }
}

/// A group of like peers.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    pub name: String,
    pub client: Client,
    pub count: u32,
    pub start_with: StartWith,
    pub behaviour: Behaviour,
    /// `None` is unlimited.
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    /// One way, per end: a path's latency is the sum of its ends'.
    pub latency: Span,
    /// One way, per end: every message is delayed by so much more at the most, uniformly drawn.
    pub jitter: Span,
    pub arrival: Arrival,
    pub on_complete: OnComplete,
    /// Mean time after which a peer that still lacks something gives up and leaves; `None` never does.
    pub abort_every: Option<Span>,
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

/// How a peer treats the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As the policy says.
    Cooperative,
    /// Downloads and announces like the others, and never unchokes anybody, whatever its uplink.
    FreeRider,
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
    /// After an exponentially distributed time with this mean.
    LeaveAfterMean(Span),
    /// At this point of the run, or on completion where that comes later.
    LeaveAt(Time),
    /// When it has uploaded this many times the content's size.
    LeaveAfterCopies(u32),
    /// When what it has uploaded is to the content's size as this to a thousand. (Not to what it has downloaded: a peer
    /// that starts with something is judged like the others, and waste does not count as merit.)
    LeaveAtShareRatio {
        thousandths: u32,
    },
}

/// Scenarios for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::torrent::layout::Layout;

    /// Ten pieces of 16 KiB shared at random by the cohorts.
    pub(crate) fn scenario(cohorts: Vec<Cohort>) -> Scenario {
        Scenario {
            name: "test".to_owned(),
            title: "A test".to_owned(),
            driver: DriverKind::Sim,
            repeat: 1,
            random_seed: 1,
            time_scale: 1.0,
            time_limit: Span::from_secs(3_600),
            content: Content {
                source: ContentSource::Synthetic,
                layout: Layout::new(160 << 10, 16 << 10, 16 << 10).unwrap(),
            },
            distribution: Distribution::RandomSubset,
            tracker: TrackerSettings { interval: Span::from_secs(30), peers_returned: 50 },
            tracker_protocol: Protocol::Http,
            tracker_program: TrackerProgram::Minibit,
            overlay: Overlay::Tracker { dial: None },
            policy: Policy::default(),
            cohorts,
        }
    }

    /// Unlimited peers that share, are there from the start and stay.
    pub(crate) fn cohort(name: &str, count: u32) -> Cohort {
        Cohort {
            name: name.to_owned(),
            client: Client::Minibit,
            count,
            start_with: StartWith::Share,
            behaviour: Behaviour::Cooperative,
            upload: None,
            download: None,
            latency: Span::ZERO,
            jitter: Span::ZERO,
            arrival: Arrival::AtStart,
            on_complete: OnComplete::Stay,
            abort_every: None,
            crash_every: None,
            rejoin: None,
        }
    }
}
