//! `minibit start tracker`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{begin, notice_gone};
use crate::cli::swarm::folder::{SwarmFolder, TRACKER};
use crate::cli::swarm::launch::Launched;
use crate::cli::swarm::state::{Member, State};
use crate::cli::swarm::{note, say};
use crate::cli::{Exit, Usage, tracker};
use crate::time::Span;
use crate::units::format_span;

/// Starts the tracker in the background.
///
/// Peers may have been started before: they keep asking until it is there.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Where to listen for HTTP; port 0 lets the system choose; may be repeated, for IPv6 say
    /// [default: 127.0.0.1:6969, unless --udp is given]
    #[arg(long, value_name = "IP:PORT")]
    http: Vec<SocketAddr>,
    /// Where to listen for UDP; port 0 lets the system choose; may be repeated
    #[arg(long, value_name = "IP:PORT")]
    udp: Vec<SocketAddr>,
    /// How often peers are asked to announce, as `30 s` or `30 min` [default: a scenario's]
    #[arg(long, value_name = "TIME", value_parser = tracker::interval)]
    interval: Option<Span>,
    /// How many peers one answer names [default: a scenario's]
    #[arg(long, value_name = "N")]
    peers_returned: Option<u32>,
    /// Where the folder `peers` is
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let (folder, _lock, mut state) = begin(&args.out)?;
    if let Some(running) = state.tracker.as_ref().filter(|tracker| tracker.is_running()) {
        return Err(Usage(format!(
            "the tracker runs already: {} (pid {}); `minibit status` shows it, `minibit stop tracker` ends it",
            running.listens.join(" "),
            running.process.pid
        ))
        .into());
    }
    notice_gone(&state.tracker);

    let mut launched = Launched::start(TRACKER, &words(&args), &folder.printed(TRACKER))?;
    let (process, pid) = (launched.process.clone(), launched.process.pid);
    let (name, since) = (TRACKER.to_owned(), Timestamp::now());
    state.tracker = Some(Member { name, since, listens: Vec::new(), end: None, process });
    let places = (args.http.len() + args.udp.len()).max(1);
    if let Err(error) = wait(&mut launched, places, &mut state, &folder) {
        drop(launched);
        // The error that is reported is the one that came first.
        let _ = State { tracker: None, ..state }.write(&folder);
        return Err(error);
    }
    launched.let_go();

    let listens = state.tracker.as_ref().map(|tracker| tracker.listens.clone()).unwrap_or_default();
    say(format_args!("tracker listens on {} (pid {pid})", listens.join(" ")));
    let unheard = state.peers.iter().any(Member::is_running)
        && !state.announce.iter().any(|announced| listens.contains(announced));
    if unheard {
        note(format_args!(
            "the peers that run ask another tracker: {}; `minibit stop peers` and start them again, or start \
             the tracker there",
            state.announce.join(" ")
        ));
    }
    Ok(Exit::Done)
}

/// Written down before it goes on without us: nothing runs that nobody knows of, even if `start` is killed.
fn wait(
    launched: &mut Launched,
    places: usize,
    state: &mut State,
    folder: &SwarmFolder,
) -> anyhow::Result<()> {
    state.write(folder)?;
    let listens = launched.listens(places)?;
    state.tracker.iter_mut().for_each(|tracker| tracker.listens.clone_from(&listens));
    state.write(folder)
}

/// The tracker's command line: what is not said it decides itself.
fn words(args: &Args) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["tracker".into(), "--log".into()];
    let mut add = |option: &str, value: String| words.extend([option.into(), value.into()]);
    args.http.iter().for_each(|addr| add("--http", addr.to_string()));
    args.udp.iter().for_each(|addr| add("--udp", addr.to_string()));
    args.interval.iter().for_each(|interval| add("--interval", format_span(*interval)));
    args.peers_returned.iter().for_each(|count| add("--peers-returned", count.to_string()));
    words
}
