//! `minibit start`: the swarm of a split file by hand, in the background.

mod peers;
mod tracker;

use std::path::Path;

use super::swarm::folder::{Lock, SwarmFolder};
use super::swarm::note;
use super::swarm::state::{Member, State};
use super::{Exit, Usage};

/// Starts a split file's tracker or peers in the background.
///
/// They go on when the shell is closed. `minibit status` shows them, `minibit logs` tells what they do, and
/// `minibit stop` ends them. What is known of them lies in DIR/.minibit-swarm.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Tracker(tracker::Args),
    Peers(peers::Args),
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Tracker(args) => tracker::run(args),
        Command::Peers(args) => peers::run(&args),
    }
}

/// The swarm of this place, new where nothing was started yet, and nobody else's to change meanwhile.
fn begin(out: &Path) -> anyhow::Result<(SwarmFolder, Lock, State)> {
    if !out.is_dir() {
        return Err(Usage(format!("{}: there is no such folder", out.display())).into());
    }
    let folder = SwarmFolder::beside_peers(out);
    folder.make(&State::new().text()?)?;
    let lock = folder.lock()?;
    let state = State::read(&folder)?.unwrap_or_else(State::new);
    Ok((folder, lock, state))
}

/// Says which of an earlier start's processes ended without `minibit stop`: what the state file says of them is over.
fn notice_gone<'a>(earlier: impl IntoIterator<Item = &'a Member>) {
    for member in earlier.into_iter().filter(|member| member.end.is_none() && !member.is_running()) {
        let pid = member.process.pid;
        note(format_args!("{} of an earlier start (pid {pid}) ended: {}", member.name, member.absence()));
    }
}
