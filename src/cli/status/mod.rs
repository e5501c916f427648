//! `minibit status`: how the swarm that `minibit start` started is doing.

mod rows;
mod table;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use self::rows::{look, watched};
use self::table::show;
use super::swarm::folder::SwarmFolder;
use super::swarm::state::State;
use super::{Exit, Usage};

const EXIT_CODES: &str = "\
Exit codes:
  0  everything runs, or has ended in good order
  1  something that was started is gone, or has failed
  2  nothing was started in this folder";

/// Shows the tracker and the peers that `minibit start` started.
///
/// Of every peer its verified pieces, how fast it receives and sends (over the last 5 s), with how many it is connected,
/// and whom it lets download: those with a star by lot, optimistically.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Args {
    /// Show it anew every second, until Ctrl-C or until nothing runs
    #[arg(short, long)]
    watch: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Where the folder `peers` is
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// Between two tables.
const PAUSE: Duration = Duration::from_secs(1);
/// How long `stop` may take to write down what it has done; and between two looks at whether it has.
const PATIENCE: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(20);
/// To the terminal's top left corner, and everything wiped away.
const WIPE: &str = "\x1b[H\x1b[2J";

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let folder = SwarmFolder::beside_peers(&args.out);
    let mut peers = Vec::new();
    let mut out = io::stdout().lock();
    let wipes = args.watch && !args.json && out.is_terminal();
    let mut patience = PATIENCE;
    loop {
        // Asked before anything is looked at: what is seen then is settled, if it was not changing before.
        let is_changing = folder.is_at_work();
        let state = State::here(&folder)?;
        if state.members().next().is_none() {
            return Err(nothing_started(args, &folder).into());
        }
        peers = watched(&state, peers, &folder);
        let swarm = look(&state, &mut peers, &folder)?;
        if !swarm.is_well() && is_changing && patience > Duration::ZERO {
            // Whoever is being ended is not gone for an unknown reason.
            thread::sleep(MOMENT);
            patience = patience.saturating_sub(MOMENT);
            continue;
        }
        if wipes {
            write!(out, "{WIPE}")?;
        }
        show(&swarm, args.json, &mut out)?;
        if !(args.watch && (swarm.lives() || is_changing)) {
            return Ok(if swarm.is_well() { Exit::Done } else { Exit::Failed });
        }
        if !wipes && !args.json {
            writeln!(out)?;
        }
        out.flush()?;
        thread::sleep(PAUSE);
    }
}

fn nothing_started(args: &Args, folder: &SwarmFolder) -> Usage {
    let place = args.out.display();
    if folder.is_foreign() {
        return Usage(format!(
            "nothing is known of what was started in {place}: {}",
            folder.of_somebody_else()
        ));
    }
    Usage(format!(
        "nothing was started in {place}; minibit start tracker, minibit start peers (--out DIR for another folder)"
    ))
}
