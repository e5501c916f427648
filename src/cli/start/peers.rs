//! `minibit start peers`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{begin, notice_gone};
use crate::cli::peer::{Conduct, OnComplete, read_metainfo};
use crate::cli::swarm::folder::SwarmFolder;
use crate::cli::swarm::heading::PEER;
use crate::cli::swarm::launch::Launched;
use crate::cli::swarm::state::{End, Member, State};
use crate::cli::swarm::{note, say};
use crate::cli::{Exit, Usage, tracker, unrepeatable_random_seed};
use crate::net::announce::TrackerUrl;
use crate::torrent::split::MAX_PEERS;
use crate::torrent::split::folder::PEERS;
use crate::torrent::split::marker::Marker;

/// Starts the peers of a split file in the background.
///
/// Each has the blocks that `minibit split` dealt it in DIR/peers/peer_1 and so on, brings itself to the whole file and
/// rebuilds it in that folder. They may be started before the tracker: they keep asking for it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How many; peers beyond those that split dealt to start with nothing [default: as many as split dealt to]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PEERS)))]
    peers: Option<u32>,
    /// Whom to ask for peers; may be repeated [default: those that `minibit split --tracker` named, or else the one that
    /// `minibit start tracker` starts]
    #[arg(long = "tracker", value_name = "URL", value_parser = TrackerUrl::parse)]
    trackers: Vec<TrackerUrl>,
    /// Where peer_1 listens, the others on the ports that follow [default: ports that the system chooses]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// What each does when its file is whole
    #[arg(long, value_enum, default_value_t = OnComplete::Stay)]
    on_complete: OnComplete,
    #[command(flatten)]
    conduct: Conduct,
    /// Where the folder `peers` is
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    args.conduct.policy()?;
    let dealt = dealt(&args.out)?;
    let own = read_metainfo(&args.out.join(PEERS).join(&dealt.torrent))?.announce.concat();
    let (folder, _lock, mut state) = begin(&args.out)?;
    let running = state.peers.iter().filter(|peer| peer.is_running()).count();
    if running > 0 {
        return Err(Usage(format!(
            "{running} of {} peers run already; `minibit status` shows them, `minibit stop peers` ends them",
            state.peers.len()
        ))
        .into());
    }
    notice_gone(&state.peers);

    let tracker = state.tracker.as_ref().filter(|tracker| tracker.is_running());
    let named: Vec<String> = args.trackers.iter().map(ToString::to_string).collect();
    let (asked, waiting) = match tracker {
        _ if !named.is_empty() => (Asked::These(named), false),
        _ if !own.is_empty() => (Asked::Own(own), false),
        Some(tracker) => (Asked::These(tracker.listens.clone()), false),
        None => (Asked::These(vec![tracker::default_url().to_string()]), true),
    };
    start(args, &dealt, &asked, &folder, &mut state)?;

    for peer in &state.peers {
        match peer.end {
            Some(_) => say(format_args!("{} has the whole file already, and has left", peer.name)),
            None => say(format_args!(
                "{} listens on {} (pid {})",
                peer.name,
                peer.listens.join(" "),
                peer.process.pid
            )),
        }
    }
    say(format_args!("{} peers of {} ask {}", state.peers.len(), dealt.torrent, state.announce.join(" ")));
    if waiting {
        note(format_args!(
            "no tracker runs here yet; the peers keep asking until one does: minibit start tracker"
        ));
    }
    Ok(Exit::Done)
}

/// Whom the peers ask for each other; URLs.
enum Asked {
    /// Those of the torrent itself, in the tiers it has them in.
    Own(Vec<String>),
    These(Vec<String>),
}

/// What split left to be shared.
fn dealt(out: &Path) -> anyhow::Result<Marker> {
    let peers = out.join(PEERS);
    Marker::of(&peers).ok_or_else(|| {
        Usage(format!(
            "{}: `minibit split` made no such folder; split a file first: minibit split FILE --peers 5",
            peers.display()
        ))
        .into()
    })
}

/// All of them or none: where one cannot start, the others are ended again.
fn start(
    args: &Args,
    dealt: &Marker,
    asked: &Asked,
    folder: &SwarmFolder,
    state: &mut State,
) -> anyhow::Result<()> {
    let before = state.clone();
    let (Asked::Own(urls) | Asked::These(urls)) = asked;
    state.announce.clone_from(urls);
    let own = matches!(asked, Asked::Own(_));
    let ip = loopback_beside(urls);
    let tracker = |url: &String| ["--tracker".into(), url.into()];
    let trackers: Vec<OsString> = if own { Vec::new() } else { urls.iter().flat_map(tracker).collect() };
    let mut launched = Vec::new();
    let started = launch_all(args, dealt, (ip, &trackers), folder, state, &mut launched);
    match &started {
        Ok(()) => launched.into_iter().for_each(Launched::let_go),
        Err(_) => {
            drop(launched);
            note("no peer was left running");
            if args.port.is_some() {
                note("--port decides where they listen; without it they take ports that are free");
            }
            // The error that is reported is the one that came first.
            let _ = State { peers: Vec::new(), ..before }.write(folder);
        }
    }
    started
}

/// Each is written down before the next one is started, and none goes on without us before all are: nothing runs that
/// nobody knows of, even if `start` is killed.
fn launch_all(
    args: &Args,
    dealt: &Marker,
    (ip, trackers): (IpAddr, &[OsString]),
    folder: &SwarmFolder,
    state: &mut State,
    launched: &mut Vec<Launched>,
) -> anyhow::Result<()> {
    state.peers.clear();
    let (count, random_seed) = (args.peers.unwrap_or(dealt.peers), unrepeatable_random_seed());
    for number in 1..=count {
        let name = format!("{PEER}_{number}");
        let mut words = words(args, dealt, ip, number)?;
        words.extend_from_slice(trackers);
        words.extend(["--records".into(), folder.recorded(&name).into()]);
        words.extend(["--one-of".into(), format!("{number}/{count}").into()]);
        words.extend(["--random-seed".into(), random_seed.to_string().into()]);
        folder.forget_records(&name)?;
        let since = Timestamp::now();
        let peer = Launched::start(&name, &words, &folder.printed(&name))?;
        let process = peer.process.clone();
        launched.push(peer);
        state.peers.push(Member { name, since, listens: Vec::new(), end: None, process });
        state.write(folder)?;
    }
    for (peer, member) in launched.iter_mut().zip(&mut state.peers) {
        member.listens = peer.listens(1)?;
        member.end = member.listens.is_empty().then_some(End::Left);
    }
    state.write(folder)
}

/// Where peers of these trackers listen. A peer announces from the address it listens on, so it reaches trackers of that IP
/// version alone.
fn loopback_beside(trackers: &[String]) -> IpAddr {
    let is_v6 = |url: &String| {
        TrackerUrl::parse(url).is_ok_and(|tracker| tracker.ip().is_some_and(|ip| ip.is_ipv6()))
    };
    let only_v6 = !trackers.is_empty() && trackers.iter().all(is_v6);
    if only_v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
}

/// What the user decides of one peer's command line.
fn words(args: &Args, dealt: &Marker, ip: IpAddr, number: u32) -> anyhow::Result<Vec<OsString>> {
    let peers = args.out.join(PEERS);
    let listen = SocketAddr::new(ip, port(args.port, number)?);
    let mut words = vec!["peer".into(), peers.join(&dealt.torrent).into()];
    words.extend(["--dir".into(), peers.join(format!("{PEER}_{number}")).into()]);
    words.extend(["--listen".into(), listen.to_string().into()]);
    words.extend(["--on-complete".into(), args.on_complete.word().into()]);
    words.extend(args.conduct.words());
    Ok(words)
}

/// 0 is any that is free.
fn port(first: Option<u16>, number: u32) -> anyhow::Result<u16> {
    let Some(first) = first else { return Ok(0) };
    let port = u32::from(first) + number - 1;
    u16::try_from(port).map_err(|_| {
        Usage(format!(
            "{PEER}_{number} would listen on port {port}, and 65535 is the last; choose a smaller --port"
        ))
        .into()
    })
}
