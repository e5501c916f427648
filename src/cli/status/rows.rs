//! What there is to show: asked of the system, and read from what the peers record.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::swarm::folder::SwarmFolder;
use crate::cli::swarm::lines::Lines;
use crate::cli::swarm::standing::{Ending, Standing};
use crate::cli::swarm::state::{End, Member, State};

/// A peer, and how far its records have been read.
pub(super) struct Watched {
    member: Member,
    recorded: Lines,
    standing: Standing,
    printed: PathBuf,
}

#[derive(Debug, Serialize)]
pub(super) struct Swarm {
    pub announce: Vec<String>,
    pub tracker: Option<TrackerRow>,
    pub peers: Vec<PeerRow>,
}

#[derive(Debug, Serialize)]
pub(super) struct TrackerRow {
    pub pid: u32,
    pub running: bool,
    pub well: bool,
    pub state: String,
    pub listens: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct PeerRow {
    pub name: String,
    pub pid: u32,
    pub listens: Option<String>,
    pub running: bool,
    /// Neither failed nor gone without a word.
    pub well: bool,
    pub state: String,
    pub complete: bool,
    pub pieces: Option<u32>,
    pub pieces_in_all: Option<u32>,
    pub download_bytes_per_s: f64,
    pub upload_bytes_per_s: f64,
    pub connections: u32,
    pub unchoked: Vec<Unchoked>,
}

#[derive(Debug, Serialize)]
pub(super) struct Unchoked {
    pub peer: String,
    pub optimistic: bool,
}

impl Swarm {
    pub(super) fn lives(&self) -> bool {
        self.peers.iter().any(|peer| peer.running)
            || self.tracker.as_ref().is_some_and(|tracker| tracker.running)
    }

    pub(super) fn is_well(&self) -> bool {
        self.peers.iter().all(|peer| peer.well) && self.tracker.as_ref().is_none_or(|tracker| tracker.well)
    }
}

/// The peers there are now, each read as far as it was.
pub(super) fn watched(state: &State, mut before: Vec<Watched>, folder: &SwarmFolder) -> Vec<Watched> {
    let watch = |member: &Member| {
        let known = before.iter().position(|watched| watched.member.process == member.process);
        let (recorded, standing) = match known {
            Some(at) => {
                let watched = before.swap_remove(at);
                (watched.recorded, watched.standing)
            }
            None => (Lines::of(folder.recorded(&member.name)), Standing::new()),
        };
        Watched { member: member.clone(), recorded, standing, printed: folder.printed(&member.name) }
    };
    state.peers.iter().map(watch).collect()
}

/// Asks the system who runs, and reads what they have recorded since the last time.
pub(super) fn look(state: &State, peers: &mut [Watched], folder: &SwarmFolder) -> anyhow::Result<Swarm> {
    let tracker = state.tracker.as_ref().map(|tracker| {
        let running = tracker.is_running();
        let printed = folder.printed(&tracker.name);
        let (well, state) = if running { (true, "runs".to_owned()) } else { absent(tracker, &printed) };
        TrackerRow { pid: tracker.process.pid, running, well, state, listens: tracker.listens.clone() }
    });
    let peers = peers.iter_mut().map(Watched::look).collect::<anyhow::Result<Vec<PeerRow>>>()?;
    Ok(Swarm { announce: state.announce.clone(), tracker, peers })
}

impl Watched {
    fn look(&mut self) -> anyhow::Result<PeerRow> {
        // Asked before its records are read: whoever has ended has written everything.
        let running = self.member.is_running();
        loop {
            let name = &self.member.name;
            let lines = self.recorded.more().with_context(|| format!("cannot read the records of {name}"))?;
            if lines.is_empty() {
                break;
            }
            lines.iter().for_each(|line| self.standing.line(line));
        }
        let (member, standing) = (&self.member, &self.standing);
        let (well, state) = if running { (true, doing(standing).to_owned()) } else { self.ended() };
        let heading = standing.heading.as_ref();
        let (download_bytes_per_s, upload_bytes_per_s) = match heading {
            Some(heading) if running => standing.rates(heading.at(Timestamp::now())),
            _ => (0.0, 0.0),
        };
        let unchoked = standing.unchoked().map(|(peer, optimistic)| Unchoked { peer, optimistic });
        Ok(PeerRow {
            name: member.name.clone(),
            pid: member.process.pid,
            listens: member.listens.first().cloned(),
            running,
            well,
            state,
            complete: standing.is_complete() || member.end == Some(End::Left),
            pieces: heading.map(|_| standing.pieces()),
            pieces_in_all: heading.map(|heading| heading.pieces),
            download_bytes_per_s,
            upload_bytes_per_s,
            connections: if running { standing.connections } else { 0 },
            unchoked: if running { unchoked.collect() } else { Vec::new() },
        })
    }

    /// How a peer that does not run has ended, and whether in good order.
    fn ended(&self) -> (bool, String) {
        let (member, standing) = (&self.member, &self.standing);
        match &standing.end {
            Some(Ending::Failed(reason)) => return (false, format!("failed: {reason}")),
            Some(Ending::Left) if matches!(member.end, None | Some(End::Gone)) => {
                return (true, "left".to_owned());
            }
            _ => {}
        }
        absent(member, &self.printed)
    }
}

/// What a peer that runs is at.
fn doing(standing: &Standing) -> &'static str {
    match standing {
        Standing { heading: None, .. } => "starting",
        _ if standing.is_complete() => "seeding",
        Standing { connections: 0, tracker_answers: Some(true), .. } => "waiting for peers",
        Standing { connections: 0, .. } => "waiting for the tracker",
        _ => "downloading",
    }
}

/// How a process that does not run has ended, and whether in good order. One that could not go on may have had no room
/// for the record of that, and has printed it all the same.
fn absent(member: &Member, printed: &Path) -> (bool, String) {
    let state = match member.end {
        Some(End::Stopped) => return (true, "stopped".to_owned()),
        Some(End::Killed) => return (true, "killed by stop".to_owned()),
        Some(End::Left) => return (true, "left".to_owned()),
        Some(End::Gone) => "ended before stop".to_owned(),
        None => format!("gone: {}", member.absence()),
    };
    let printed = fs::read_to_string(printed).unwrap_or_default();
    match printed.lines().rev().find_map(|line| line.strip_prefix("minibit: ")) {
        Some(error) => (false, format!("failed: {error}")),
        None => (false, state),
    }
}
