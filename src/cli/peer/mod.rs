//! `minibit peer`: one peer in the foreground, among peers of any make.

mod acquaintance;
mod conduct;
mod part;
mod place;
mod records;
mod shown;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::signals::Signals;
use super::{Exit, Usage, parent, unrepeatable_random_seed};
use crate::event::Event;
use crate::net::alarm::Alarm;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host::{self, HostSetup};
use crate::net::store::Store;
use crate::peer::{Neighbours, Setup};
use crate::scenario::file::choker_name;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;
use acquaintance::OneOf;
pub(super) use conduct::Conduct;
use part::PartArgs;
use place::Place;
use records::{Beginning, RecordLines};
use shown::Shown;
pub(super) use shown::printed;

/// Batches of records that may wait to be shown.
const UNSHOWN: usize = 64;
/// For what cannot be interrupted, when the peer has ended.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Runs one peer until Ctrl-C.
///
/// Keeps its pieces in DIR: in the file or the folder of files that the torrent names, or in the block files of a folder
/// `blocks`, as `minibit split` writes them. What is there already is checked and counts. Says `listening on IP:PORT` on
/// stdout when it is ready, and `complete: FILE` when the content is whole (on stderr where stdout takes the records).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The .torrent file
    torrent: PathBuf,
    /// Where its pieces are, or are to be
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where to listen; port 0 lets the system choose. A peer on a loopback address dials no other machine
    #[arg(long, value_name = "IP:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Whom to ask for peers, instead of the torrent's own trackers; may be
    /// repeated, the preferred one first
    #[arg(long = "tracker", value_name = "URL", value_parser = TrackerUrl::parse)]
    trackers: Vec<TrackerUrl>,
    /// What to do when the file is whole
    #[arg(long, value_enum, default_value_t = OnComplete::Stay)]
    on_complete: OnComplete,
    /// Write everything that happens to FILE while it happens, as JSON lines (docs/trace.md); `-` is stdout
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// What the peer is called in its records
    #[arg(long, value_name = "NAME", default_value = "peer")]
    name: String,
    /// Which of how many it is, as `3/5`: these are called NAME_1 and so on, and know each other by the --random-seed
    /// they share
    #[arg(long, value_name = "K/N", requires = "random_seed")]
    one_of: Option<OneOf>,
    /// What everything it draws begins with, its peer id too [default: another one every time]
    #[arg(long, value_name = "S")]
    random_seed: Option<u64>,
    /// When its records' time began, in nanoseconds since 1970, so that several peers share one time [default: now]
    #[arg(long, value_name = "UNIX_NS", requires = "records")]
    clock_start: Option<u64>,
    /// End when stdin ends before a line came on it
    #[arg(long, hide = true)]
    until_let_go: bool,
    #[command(flatten)]
    conduct: Conduct,
    #[command(flatten)]
    part: PartArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnComplete {
    /// Seed until Ctrl-C
    Stay,
    /// Tell the tracker and end
    Leave,
}

impl OnComplete {
    /// As the command line writes it.
    pub(super) fn word(self) -> &'static str {
        match self {
            OnComplete::Stay => "stay",
            OnComplete::Leave => "leave",
        }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    if args.part.is_given() {
        return part::take(&args);
    }
    if args.until_let_go {
        parent::live_no_longer_than_stdin_until_let_go().context("cannot start a thread")?;
    }
    let metainfo = read_metainfo(&args.torrent)?;
    let trackers: Vec<Vec<TrackerUrl>> = match &args.trackers[..] {
        [] => trackers_of(&metainfo)?,
        named => named.iter().map(|url| vec![url.clone()]).collect(),
    };
    let place = Arc::new(Place::find(&args.dir, &metainfo)?);
    let store = Arc::new(place.open(&metainfo)?);
    let have = store.scan();
    let clock_start = args.clock_start.map_or_else(unix_nanos, Ok)?;
    let one_of = args.one_of.unwrap_or(OneOf::ALONE);
    let random_seed = args.random_seed.unwrap_or_else(unrepeatable_random_seed);
    let mut policy = args.conduct.policy()?;
    // BEP 27: of a private torrent's peers nobody is told but by its trackers.
    policy.peer_exchange &= !metainfo.private;
    let choker = choker_name(policy.choker);
    let names = args.one_of.map_or_else(|| vec![args.name.clone()], |one_of| one_of.names(&args.name));
    let open = |path: &PathBuf| RecordLines::open(path, one_of.index(), names);
    let stdout = !args.records.as_deref().is_some_and(records::is_stdout);
    let mut lines = args.records.as_ref().map(open).transpose()?;
    if have.is_full() {
        say_complete(&place, &store, stdout)?;
        if args.on_complete == OnComplete::Leave {
            return Ok(Exit::Done);
        }
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {} (--listen)", args.listen))?;
        let addr = listener.local_addr()?;
        let clock = Clock::since(UNIX_EPOCH + Duration::from_nanos(clock_start), 1.0);
        let (records, mut happened) = mpsc::channel(UNSHOWN);
        let (handle, host) = host::start(HostSetup {
            peer: Setup {
                index: one_of.index(),
                random_seed,
                peer_id: one_of.peer_id(random_seed),
                addr,
                info_hash: metainfo.info_hash,
                layout: metainfo.layout,
                have: have.clone(),
                policy,
                uploads: true,
                neighbours: Neighbours::FromTracker { dial: None },
                schedule: None,
                trackers: trackers.iter().map(Vec::len).collect(),
            },
            listener,
            clock,
            alarm: Alarm::start().context("cannot start the thread that keeps time")?,
            links: args.conduct.links(),
            contacts: Arc::new(one_of.others(random_seed)),
            trackers: trackers.into_iter().flatten().collect(),
            store: Arc::clone(&store),
            records,
            loopback_only: addr.ip().is_loopback(),
        });
        if let Some(lines) = &mut lines {
            lines.begin(&Beginning {
                addr,
                metainfo: &metainfo,
                clock_start,
                have: &have,
                file: place.file(),
                choker,
            });
        }
        let mut shown = Shown::new(one_of.index(), &have, lines);
        say(stdout, &format!("listening on {addr}"));
        shown.happened(clock.now(), arrived(&metainfo, &have));

        let (mut exit, mut vanished) = (Exit::Done, false);
        // Rebuilding a large file takes a while; the peer serves meanwhile.
        let mut finishing: Option<JoinHandle<anyhow::Result<()>>> = None;
        let mut finished = Ok(());
        loop {
            let batch = tokio::select! {
                batch = happened.recv() => batch,
                result = async { finishing.as_mut().expect("the branch is only open with one").await },
                    if finishing.is_some() =>
                {
                    finishing = None;
                    finished = result?;
                    if finished.is_err() || args.on_complete == OnComplete::Leave {
                        handle.leave();
                    }
                    continue;
                }
                signal = signals.next() => {
                    // The first one ends the stay in good order, a second one at once.
                    vanished = exit != Exit::Done;
                    if vanished { handle.stop() } else { handle.leave() }
                    exit = signal;
                    continue;
                }
            };
            // The host has ended.
            let Some(batch) = batch else { break };
            shown.show(&batch);
            if batch.iter().any(|record| record.event == Event::Completed) {
                let (place, store) = (Arc::clone(&place), Arc::clone(&store));
                let say = move || say_complete(&place, &store, stdout);
                finishing = Some(tokio::task::spawn_blocking(say));
            }
        }
        if let Some(finishing) = finishing {
            finished = finishing.await?;
        }
        let end = host.await?;
        let event = match &end.failed {
            Some(reason) => Event::Failed { reason: reason.clone() },
            None if vanished => Event::Crashed,
            None => Event::Left,
        };
        shown.happened(clock.now(), event);
        shown.happened(clock.now(), Event::Totals(end.totals));
        let written = shown.finish();
        match end.failed {
            Some(reason) => bail!("the peer could not go on: {reason}"),
            None => finished.and(written).map(|()| exit),
        }
    });
    // A name that is still being looked up must not keep the user waiting.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

pub(super) fn read_metainfo(path: &Path) -> anyhow::Result<Metainfo> {
    let bytes =
        std::fs::read(path).map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
    let metainfo = Metainfo::parse(&bytes);
    Ok(metainfo.map_err(|error| Usage(format!("{} is no torrent to use: {error}", path.display())))?)
}

/// Those of the torrent's trackers that can be asked, in their tiers.
fn trackers_of(metainfo: &Metainfo) -> anyhow::Result<Vec<Vec<TrackerUrl>>> {
    let usable = |url: &String| {
        let tracker = TrackerUrl::parse(url);
        tracker.inspect_err(|error| eprintln!("note: {error}")).ok()
    };
    let tiers = metainfo.announce.iter().map(|tier| tier.iter().filter_map(usable).collect());
    let tiers: Vec<Vec<TrackerUrl>> = tiers.filter(|tier: &Vec<_>| !tier.is_empty()).collect();
    if tiers.is_empty() {
        return Err(Usage(
            "the torrent names no tracker that can be asked; name one with --tracker URL".into(),
        )
        .into());
    }
    Ok(tiers)
}

fn arrived(metainfo: &Metainfo, have: &Bitfield) -> Event {
    let bytes = have.iter().map(|piece| u64::from(metainfo.layout.piece_length(piece))).sum();
    Event::Arrived { pieces: have.count(), bytes }
}

/// What a script waits for, where records do not take its place. A peer goes on where nobody hears it: its reader has
/// gone, or the disk is full that its words go to.
fn say(on_stdout: bool, line: &str) {
    let _ = if on_stdout { writeln!(io::stdout(), "{line}") } else { writeln!(io::stderr(), "{line}") };
}

fn say_complete(place: &Place, store: &Store, on_stdout: bool) -> anyhow::Result<()> {
    say(on_stdout, &format!("complete: {}", place.finish(store)?.display()));
    Ok(())
}

/// Now, since 1970.
fn unix_nanos() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the system's clock is before 1970")?;
    Ok(since.as_nanos() as u64)
}
