//! `minibit status`: how the swarm that `minibit start` started is doing.

use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use super::swarm::folder::SwarmFolder;
use super::swarm::lines::Lines;
use super::swarm::standing::{Ending, Standing};
use super::swarm::state::{End, Member, State};
use super::{Exit, Usage};
use crate::report::printable;

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

/// A peer, and how far its records have been read.
struct Watched {
    member: Member,
    recorded: Lines,
    standing: Standing,
    printed: PathBuf,
}

#[derive(Debug, Serialize)]
struct Swarm {
    announce: Vec<String>,
    tracker: Option<TrackerRow>,
    peers: Vec<PeerRow>,
}

#[derive(Debug, Serialize)]
struct TrackerRow {
    pid: u32,
    running: bool,
    well: bool,
    state: String,
    listens: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PeerRow {
    name: String,
    pid: u32,
    listens: Option<String>,
    running: bool,
    /// Neither failed nor gone without a word.
    well: bool,
    state: String,
    complete: bool,
    pieces: Option<u32>,
    pieces_in_all: Option<u32>,
    download_bytes_per_s: f64,
    upload_bytes_per_s: f64,
    connections: u32,
    unchoked: Vec<Unchoked>,
}

#[derive(Debug, Serialize)]
struct Unchoked {
    peer: String,
    optimistic: bool,
}

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
            return Err(nothing_started(args).into());
        }
        peers = watched(&state, peers, &folder);
        let swarm = look(&state, &mut peers)?;
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

impl Swarm {
    fn lives(&self) -> bool {
        self.peers.iter().any(|peer| peer.running)
            || self.tracker.as_ref().is_some_and(|tracker| tracker.running)
    }

    fn is_well(&self) -> bool {
        self.peers.iter().all(|peer| peer.well) && self.tracker.as_ref().is_none_or(|tracker| tracker.well)
    }
}

fn nothing_started(args: &Args) -> Usage {
    let place = args.out.display();
    Usage(format!(
        "nothing was started in {place}; minibit start tracker, minibit start peers (--out DIR for another folder)"
    ))
}

/// The peers there are now, each read as far as it was.
fn watched(state: &State, mut before: Vec<Watched>, folder: &SwarmFolder) -> Vec<Watched> {
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
fn look(state: &State, peers: &mut [Watched]) -> anyhow::Result<Swarm> {
    let tracker = state.tracker.as_ref().map(|tracker| {
        let running = tracker.is_running();
        let (well, state) = if running { (true, "runs".to_owned()) } else { absent(tracker) };
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
        let (well, state) = absent(member);
        let printed = fs::read_to_string(&self.printed).unwrap_or_default();
        match printed.lines().rev().find_map(|line| line.strip_prefix("minibit: ")) {
            Some(error) if !well => (well, format!("{state}: {error}")),
            _ => (well, state),
        }
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

/// How a process that does not run has ended, and whether in good order.
fn absent(member: &Member) -> (bool, String) {
    match member.end {
        Some(End::Stopped) => (true, "stopped".to_owned()),
        Some(End::Killed) => (true, "killed by stop".to_owned()),
        Some(End::Left) => (true, "left".to_owned()),
        Some(End::Gone) => (false, "ended before stop".to_owned()),
        None => (false, format!("gone: {}", member.absence())),
    }
}

fn show(swarm: &Swarm, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(swarm)?)?;
        return Ok(());
    }
    match &swarm.tracker {
        Some(tracker) => {
            let place = tracker.listens.join(" ");
            writeln!(out, "tracker {place} (pid {}): {}", tracker.pid, tracker.state)?;
        }
        None => writeln!(out, "tracker: none was started here; the peers ask {}", swarm.announce.join(" "))?,
    }
    if swarm.peers.is_empty() {
        writeln!(out, "no peers were started yet: minibit start peers")?;
        return Ok(());
    }
    writeln!(out, "{}", table(&swarm.peers))?;
    let complete = swarm.peers.iter().filter(|peer| peer.complete).count();
    writeln!(out, "{complete} of {} peers have the whole file", swarm.peers.len())?;
    if swarm.peers.iter().any(|peer| !peer.well) {
        writeln!(out, "`minibit logs PEER` tells what happened; `minibit stop` ends the others")?;
    }
    Ok(())
}

fn table(peers: &[PeerRow]) -> Table {
    let mut table = Table::new();
    let header = ["peer", "pieces", "%", "down", "up", "connected", "unchoked", "state"];
    table.load_style(presets::NOTHING).set_header(header);
    for peer in peers {
        let (pieces, of) = (peer.pieces.unwrap_or(0), peer.pieces_in_all.unwrap_or(0));
        let known = peer.pieces.is_some();
        let unchoked: Vec<String> = peer
            .unchoked
            .iter()
            .map(|unchoked| format!("{}{}", unchoked.peer, if unchoked.optimistic { "*" } else { "" }))
            .collect();
        table.add_row([
            peer.name.clone(),
            if known { format!("{pieces}/{of}") } else { "–".to_owned() },
            if known { percent(pieces, of) } else { "–".to_owned() },
            rate(peer.download_bytes_per_s),
            rate(peer.upload_bytes_per_s),
            peer.connections.to_string(),
            if unchoked.is_empty() { "–".to_owned() } else { unchoked.join(" ") },
            printable(&peer.state).into_owned(),
        ]);
    }
    table
        .column_iter_mut()
        .skip(1)
        .take(5)
        .for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// Rounded down: 100 is everything.
fn percent(part: u32, of: u32) -> String {
    (u64::from(part) * 100).checked_div(of.into()).unwrap_or(100).to_string()
}

/// For people: one decimal in the unit that fits.
fn rate(bytes_per_second: f64) -> String {
    let units = ["B/s", "KiB/s", "MiB/s", "GiB/s"];
    let (mut rate, mut unit) = (bytes_per_second, 0);
    while rate >= 1024.0 && unit + 1 < units.len() {
        rate /= 1024.0;
        unit += 1;
    }
    let unit = units[unit];
    if rate == 0.0 { "0".to_owned() } else { format!("{rate:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares_are_rounded_for_people() {
        assert_eq!([rate(0.0), rate(512.0), rate(1536.0)], ["0", "512.0 B/s", "1.5 KiB/s"]);
        assert_eq!(rate(5.0 * 1024f64.powi(4)), "5120.0 GiB/s");
        assert_eq!([percent(49, 50), percent(50, 50), percent(999, 1000)], ["98", "100", "99"]);
    }
}
