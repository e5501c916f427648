//! What was started and where: the state file's content. Whether it is still there is asked of the system every time,
//! never read from here.

use std::fs;
use std::io;

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::folder::SwarmFolder;
use super::process::{Presence, Process};
use crate::cli::Usage;
use crate::torrent::split::marker::GENERATOR;

const HEAD: &str = "# Written by `minibit start`; `minibit stop` ends these processes, `minibit cleanup` removes this folder.";

/// The swarm by hand as it was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct State {
    pub generator: String,
    /// Whom the peers ask for each other; URLs.
    #[serde(default)]
    pub announce: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracker: Option<Member>,
    #[serde(default)]
    pub peers: Vec<Member>,
}

/// One process of the swarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Member {
    pub name: String,
    pub since: Timestamp,
    /// What it said that it listens on, a URL or an address each.
    #[serde(default)]
    pub listens: Vec<String>,
    /// How it ended, as far as a command saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    pub process: Process,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum End {
    /// Asked to, and in good order.
    Stopped,
    /// It did not do as it was asked.
    Killed,
    /// It had ended before it was to stop.
    Gone,
    /// It was told to leave when complete, and was.
    Left,
}

impl State {
    pub(in crate::cli) fn new() -> State {
        State { generator: GENERATOR.to_owned(), announce: Vec::new(), tracker: None, peers: Vec::new() }
    }

    /// `None` where nothing was started.
    pub(in crate::cli) fn read(folder: &SwarmFolder) -> anyhow::Result<Option<State>> {
        let file = folder.state_file();
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", file.display()))?,
        };
        let state: Result<State, _> = toml::from_str(&text);
        match state {
            Ok(state) if state.generator == GENERATOR => Ok(Some(state)),
            Ok(_) => Err(broken(folder, "MiniBit did not write it")),
            Err(error) => Err(broken(folder, error.message())),
        }
    }

    /// What was started here, which may be nothing. A folder of somebody else holds nothing of ours.
    pub(in crate::cli) fn here(folder: &SwarmFolder) -> anyhow::Result<State> {
        let state = if folder.is_ours() { State::read(folder)? } else { None };
        Ok(state.unwrap_or_else(State::new))
    }

    pub(in crate::cli) fn write(&self, folder: &SwarmFolder) -> anyhow::Result<()> {
        folder.write_state(&self.text()?)
    }

    pub(in crate::cli) fn text(&self) -> anyhow::Result<String> {
        let entries = toml::to_string(self).context("the state of the swarm cannot be written down")?;
        Ok(format!("{HEAD}\n{entries}"))
    }

    /// The tracker first.
    pub(in crate::cli) fn members(&self) -> impl Iterator<Item = &Member> {
        self.tracker.iter().chain(&self.peers)
    }
}

/// So many are named before the rest is counted.
const NAMED: usize = 5;

/// Refuses where some of them run: their files are about to go.
pub(in crate::cli) fn check_ended<'a>(members: impl Iterator<Item = &'a Member>) -> anyhow::Result<()> {
    let running: Vec<&str> =
        members.filter(|member| member.is_running()).map(|member| &*member.name).collect();
    match running[..] {
        [] => Ok(()),
        [one] => Err(Usage(format!("{one} still runs; end it first: minibit stop")).into()),
        [ref others @ .., last] => {
            let named = others.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            let last = match others.len().saturating_sub(NAMED) {
                0 => last.to_owned(),
                more => format!("{} more", more + 1),
            };
            Err(Usage(format!("{named} and {last} still run; end them first: minibit stop")).into())
        }
    }
}

impl Member {
    pub(in crate::cli) fn is_running(&self) -> bool {
        self.end.is_none() && self.process.is_running()
    }

    /// How it comes that it does not run, for a member that was not stopped.
    pub(in crate::cli) fn absence(&self) -> &'static str {
        match self.process.presence() {
            Presence::Running => "runs",
            Presence::Gone => "its process is gone",
            Presence::Replaced => "its process is gone, and another one has its number now",
            Presence::Restarted => "the machine was started anew since",
        }
    }
}

fn broken(folder: &SwarmFolder, why: &str) -> anyhow::Error {
    let file = folder.state_file();
    Usage(format!(
        "{}: {why}; end the processes it names by hand, then remove {}",
        file.display(),
        folder.path().display()
    ))
    .into()
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_anything_else_is_refused_with_advice() {
        let place = tempfile::tempdir().unwrap();
        let folder = SwarmFolder::beside_peers(place.path());
        assert_eq!(State::read(&folder).unwrap(), None);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = Process::of_child(&child).unwrap();
        child.wait().unwrap();
        let member = Member {
            name: "peer_1".into(),
            since: "2026-01-02T03:04:05Z".parse().unwrap(),
            listens: vec!["127.0.0.1:7000".into()],
            end: Some(End::Killed),
            process,
        };
        let tracker = Member { name: "tracker".into(), end: None, ..member.clone() };
        let state = State { tracker: Some(tracker), peers: vec![member.clone(), member], ..State::new() };
        folder.make(&State::new().text().unwrap()).unwrap();
        state.write(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap(), Some(state));

        for broken in ["", "generator = \"another\"", "generator = \"minibit\"\npeers = 3"] {
            fs::write(folder.state_file(), broken).unwrap();
            let error = State::read(&folder).unwrap_err().to_string();
            assert!(error.contains("by hand"), "{error}");
        }
        assert!(!Path::new(&folder.path().join("state.tmp")).exists());
    }
}
