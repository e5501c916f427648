//! `minibit logs`: what the tracker and the peers that `minibit start` started do, in sentences.

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use jiff::tz::TimeZone;

use super::swarm::folder::{SwarmFolder, TRACKER};
use super::swarm::heading::PEER;
use super::swarm::lines::Lines;
use super::swarm::narration::{Narrator, Told};
use super::swarm::state::{Member, State};
use super::{Exit, Usage};
use crate::report::printable;

/// Tells what the tracker and the peers do that `minibit start` started.
///
/// The pieces each has, whom it unchokes and why, every block with its sender, how far it is, and where the whole file is
/// in the end. The same as JSON lines is in DIR/.minibit-swarm (docs/trace.md says what they mean).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose: `peer_3` (or just 3), or `tracker` [default: everybody's]
    #[arg(value_name = "PEER|tracker")]
    who: Option<String>,
    /// Go on telling, until Ctrl-C or until all have ended
    #[arg(short, long)]
    follow: bool,
    /// Of what has happened so far, only the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    /// Where the folder `peers` is
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// Between two looks at what has happened since.
const PAUSE: Duration = Duration::from_millis(200);

/// One process and how far its log has been told.
struct Source {
    member: Member,
    printed: Lines,
    recorded: Lines,
    narrator: Narrator,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let folder = SwarmFolder::beside_peers(&args.out);
    let state = State::here(&folder)?;
    if folder.is_foreign() {
        let place = args.out.display();
        let unknown =
            format!("nothing is known of what was started in {place}: {}", folder.of_somebody_else());
        return Err(Usage(unknown).into());
    }
    let mut sources = chosen(&state, args)?
        .into_iter()
        .map(|member| Source {
            printed: Lines::of(folder.printed(&member.name)),
            recorded: Lines::of(folder.recorded(&member.name)),
            narrator: Narrator::new(member.since),
            member: member.clone(),
        })
        .collect::<Vec<_>>();
    let mut out = io::stdout().lock();
    let (mut first, zone) = (true, TimeZone::system());
    loop {
        // Asked before the files are read: whoever has ended has written everything.
        let lives = sources.iter().any(|source| source.member.is_running());
        let mut told = more(&mut sources)?;
        told.iter_mut().for_each(|(_, told)| name_first(told, &state));
        let skipped = match args.lines {
            Some(lines) if first => told.len().saturating_sub(lines),
            _ => 0,
        };
        for (name, told) in told.iter().skip(skipped) {
            let at = told.at.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f");
            writeln!(out, "{at} {name:<8} {}", printable(&told.text))?;
        }
        out.flush()?;
        if !(args.follow && lives) {
            return Ok(Exit::Done);
        }
        first = false;
        thread::sleep(PAUSE);
    }
}

/// A tracker knows its peers by their addresses alone.
fn name_first(told: &mut Told, state: &State) {
    let at = |text: &str, peer: &Member| {
        let addr = peer.listens.first()?;
        let rest = text.strip_prefix(addr.as_str())?.strip_prefix(' ')?;
        Some(format!("{} {rest}", peer.name))
    };
    if let Some(text) = state.peers.iter().find_map(|peer| at(&told.text, peer)) {
        told.text = text;
    }
}

fn chosen<'a>(state: &'a State, args: &Args) -> anyhow::Result<Vec<&'a Member>> {
    let all: Vec<&Member> = state.members().collect();
    if all.is_empty() {
        let place = args.out.display();
        return Err(Usage(format!(
            "nothing was started in {place}, so there is nothing to tell; minibit start tracker, minibit start peers"
        ))
        .into());
    }
    let Some(who) = &args.who else { return Ok(all) };
    let chosen: Vec<&Member> = all
        .iter()
        .filter(|member| member.name == *who || member.name == format!("{PEER}_{who}"))
        .copied()
        .collect();
    if chosen.is_empty() {
        let peers = match &state.peers[..] {
            [] => None,
            [one] => Some(one.name.clone()),
            [first, .., last] => Some(format!("{} to {}", first.name, last.name)),
        };
        let tracker = state.tracker.as_ref().map(|_| TRACKER.to_owned());
        let there: Vec<String> = peers.into_iter().chain(tracker).collect();
        return Err(
            Usage(format!("nobody called {who} was started here, only {}", there.join(" and "))).into()
        );
    }
    Ok(chosen)
}

/// Everything since the last time, of all of them, in the order in which it happened.
fn more(sources: &mut [Source]) -> anyhow::Result<Vec<(String, Told)>> {
    let mut all = Vec::new();
    for source in sources {
        let name = &source.member.name;
        let cannot = || format!("cannot read what {name} wrote");
        // In this order: what is printed about a record is printed after it is recorded.
        let printed = source.printed.more().with_context(cannot)?;
        let mut told = Vec::new();
        loop {
            let recorded = source.recorded.more().with_context(cannot)?;
            if recorded.is_empty() {
                break;
            }
            told.extend(recorded.iter().filter_map(|line| source.narrator.recorded(line)));
        }
        told.extend(printed.iter().filter_map(|line| source.narrator.printed(line)));
        all.extend(told.into_iter().map(|told| (name.clone(), told)));
    }
    all.sort_by_key(|(_, told)| told.at);
    Ok(all)
}
