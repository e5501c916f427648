//! What became of each peer: one row of `completions.csv`.

use serde::{Deserialize, Serialize};

use crate::driver::Ended;
use crate::event::Traffic;
use crate::metrics::Participant;
use crate::metrics::uplinks::GroupId;
use crate::time::{Span, Time};

/// How a peer's part in a run ended. A peer that completed is `Complete` whatever came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Complete,
    /// Left before completing.
    Left,
    /// Crashed and was not back when the run ended.
    Crashed,
    /// Its driver could not carry it on.
    Failed,
    /// Present (or still to come) when no progress was possible any more.
    Stranded,
    /// Still incomplete at the time limit.
    Limit,
    /// Still incomplete when the run was interrupted.
    Interrupted,
}

impl End {
    /// As the results spell it.
    pub fn name(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::Left => "left",
            End::Crashed => "crashed",
            End::Failed => "failed",
            End::Stranded => "stranded",
            End::Limit => "limit",
            End::Interrupted => "interrupted",
        }
    }

    /// Whether the swarm failed the peer, and not the peer the swarm: its completion time is unknown because the
    /// run could or would not go on.
    pub fn was_cut_short(self) -> bool {
        matches!(self, End::Stranded | End::Limit | End::Interrupted)
    }
}

/// One peer of one run, all its stays taken together. Each field is a column of `completions.csv`, defined in
/// `docs/metrics.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRow {
    pub peer: String,
    pub cohort: String,
    pub initial_bytes: u64,
    /// First arrival; `None` if it never came.
    pub arrived: Option<Time>,
    /// Has everything, from the start on or since `finished_at`.
    pub completed: bool,
    /// `None` for a peer that started complete or did not complete.
    pub finished_at: Option<Time>,
    pub observed: Option<Span>,
    /// `None`, here and below, is what its client does not tell, or its driver lost count of: a process that was killed has
    /// not said it.
    pub downloaded_bytes: Option<u64>,
    pub uploaded_bytes: Option<u64>,
    pub from_seeds_bytes: Option<u64>,
    pub duplicate_bytes: Option<u64>,
    pub messages_sent: Option<u64>,
    pub messages_received: Option<u64>,
    pub end: End,
}

impl PeerRow {
    /// It lacked something when it came, or would have.
    pub fn is_leecher(&self) -> bool {
        !self.completed || self.finished_at.is_some()
    }

    /// Time from arrival to completion; what every mean and quantile is taken over.
    pub fn completion(&self) -> Option<Span> {
        Some(self.finished_at?.since(self.arrived?))
    }
}

/// What is known of one peer while the run goes on. In this order: what blocks and pieces ask for is one cache line.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct PeerSums {
    pub(super) group: GroupId,
    pub(super) stay: Stay,
    pub(super) downloaded_bytes: u64,
    pub(super) uploaded_bytes: u64,
    pub(super) from_seeds_bytes: u64,
    pub(super) duplicate_bytes: u64,
    /// Some of what it downloaded came from nobody that is known.
    pub(super) fed_by_strangers: bool,
    pub(super) arrived: Option<Time>,
    pub(super) finished_at: Option<Time>,
    pub(super) messages_sent: u64,
    pub(super) messages_received: u64,
    /// Stays whose messages have not been told.
    pub(super) untold: u32,
    knows: Known,
}

/// Which of the sums are known.
#[derive(Clone, Copy, Debug)]
struct Known {
    blocks_and_messages: bool,
    downloaded: bool,
    uploaded: bool,
    wasted: bool,
}

/// Where a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    NotYet,
    Present,
    Over { since: Time, end: End },
}

impl Known {
    fn by(participant: &Participant) -> Known {
        let all = !participant.foreign;
        Known { blocks_and_messages: all, downloaded: all, uploaded: all, wasted: all }
    }
}

impl PeerSums {
    /// `cohort` is its position among the cohorts of the population.
    pub(super) fn new(participant: &Participant, cohort: u32) -> PeerSums {
        PeerSums {
            group: GroupId { cohort, starts_complete: participant.starts_complete() },
            arrived: None,
            finished_at: None,
            stay: Stay::NotYet,
            downloaded_bytes: 0,
            uploaded_bytes: 0,
            from_seeds_bytes: 0,
            fed_by_strangers: false,
            duplicate_bytes: 0,
            messages_sent: 0,
            messages_received: 0,
            untold: 0,
            knows: Known::by(participant),
        }
    }

    /// A foreign client tells what it has moved.
    pub(super) fn moved(&mut self, traffic: Traffic) {
        let add = |sum: &mut u64, told: &mut bool, bytes: Option<u64>| {
            *sum += bytes.unwrap_or(0);
            *told |= bytes.is_some();
        };
        add(&mut self.downloaded_bytes, &mut self.knows.downloaded, traffic.downloaded);
        add(&mut self.uploaded_bytes, &mut self.knows.uploaded, traffic.uploaded);
        add(&mut self.duplicate_bytes, &mut self.knows.wasted, traffic.wasted);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.group.starts_complete || self.finished_at.is_some()
    }

    /// A sum over stays is known where every one of them has been told.
    fn told(&self, sum: u64) -> Option<u64> {
        (self.untold == 0).then_some(sum)
    }

    pub(super) fn row(&self, participant: &Participant, ended: &Ended, run_end: Time) -> PeerRow {
        let last_seen = match self.stay {
            Stay::Over { since, .. } => since,
            Stay::NotYet | Stay::Present => run_end,
        };
        let known = self.knows;
        let blocks = |sum: u64| known.blocks_and_messages.then_some(sum);
        PeerRow {
            peer: participant.name.clone(),
            cohort: participant.cohort.clone(),
            initial_bytes: participant.initial_bytes,
            arrived: self.arrived,
            completed: self.is_complete(),
            finished_at: self.finished_at,
            observed: self.arrived.map(|arrived| self.finished_at.unwrap_or(last_seen).since(arrived)),
            downloaded_bytes: known.downloaded.then_some(self.downloaded_bytes),
            uploaded_bytes: known.uploaded.then_some(self.uploaded_bytes),
            from_seeds_bytes: blocks(self.from_seeds_bytes),
            duplicate_bytes: known.wasted.then_some(self.duplicate_bytes),
            messages_sent: blocks(self.messages_sent).and_then(|sum| self.told(sum)),
            messages_received: blocks(self.messages_received).and_then(|sum| self.told(sum)),
            end: self.end(ended),
        }
    }

    fn end(&self, ended: &Ended) -> End {
        match (self.is_complete(), self.stay, ended) {
            (true, _, _) => End::Complete,
            (false, Stay::Over { end, .. }, _) => end,
            (false, _, Ended::TimeLimit) => End::Limit,
            (false, _, Ended::Interrupted) => End::Interrupted,
            // A run that ended complete has no such peer; if a driver says otherwise, the peer was let down.
            (false, _, Ended::Stranded(_) | Ended::Complete) => End::Stranded,
        }
    }
}
