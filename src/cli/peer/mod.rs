//! `minibit peer`: one peer in the foreground, among peers of any make.

mod place;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::signals::Signals;
use super::{Exit, Usage, unrepeatable_random_seed};
use crate::event::{Event, Record};
use crate::id::{PeerId, PeerIndex};
use crate::net::alarm::Alarm;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host::{self, Contacts, HostSetup, Links};
use crate::net::store::Store;
use crate::peer::policy::Policy;
use crate::peer::{Neighbours, Setup};
use crate::rng::{Entity, Purpose, Stream};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;
use place::Place;

/// Batches of records that may wait to be shown.
const UNSHOWN: usize = 64;
/// For what cannot be interrupted, when the peer has ended.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// The only peer of this process.
const ME: PeerIndex = PeerIndex(0);

/// Runs one peer until Ctrl-C.
///
/// Keeps its pieces in DIR: in the file that the torrent names, or in the block files of a folder `blocks`, as
/// `minibit split` writes them. What is there already is checked and counts. Says `listening on IP:PORT` on stdout
/// when it is ready, and `complete: FILE` when the file is whole.
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnComplete {
    /// Seed until Ctrl-C
    Stay,
    /// Tell the tracker and end
    Leave,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let metainfo = read_metainfo(&args.torrent)?;
    let trackers: Vec<Vec<TrackerUrl>> = match &args.trackers[..] {
        [] => trackers_of(&metainfo)?,
        named => named.iter().map(|url| vec![url.clone()]).collect(),
    };
    let place = Arc::new(Place::find(&args.dir, &metainfo)?);
    let store = Arc::new(place.open(&metainfo)?);
    let have = store.scan();
    let bar = progress_bar(&have);
    if have.is_full() {
        say_complete(&place, &store)?;
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
        let (records, mut happened) = mpsc::channel(UNSHOWN);
        let (handle, host) = host::start(HostSetup {
            peer: setup(&metainfo, addr, have, trackers.iter().map(Vec::len).collect()),
            listener,
            clock: Clock::start(1.0),
            alarm: Alarm::start().context("cannot start the thread that keeps time")?,
            links: Links::default(),
            contacts: Arc::new(Contacts::new()),
            trackers: trackers.into_iter().flatten().collect(),
            store: Arc::clone(&store),
            records,
            loopback_only: addr.ip().is_loopback(),
        });
        println!("listening on {addr}");

        let mut exit = Exit::Done;
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
                    if exit == Exit::Done { handle.leave() } else { handle.stop() }
                    exit = signal;
                    continue;
                }
            };
            // The host has ended.
            let Some(batch) = batch else { break };
            for record in &batch {
                show(record, &bar);
                if record.event == Event::Completed {
                    bar.finish_and_clear();
                    let (place, store) = (Arc::clone(&place), Arc::clone(&store));
                    finishing = Some(tokio::task::spawn_blocking(move || say_complete(&place, &store)));
                }
            }
        }
        if let Some(finishing) = finishing {
            finished = finishing.await?;
        }
        match host.await?.failed {
            Some(reason) => bail!("the peer could not go on: {reason}"),
            None => finished.map(|()| exit),
        }
    });
    // A name that is still being looked up must not keep the user waiting.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

fn read_metainfo(path: &Path) -> anyhow::Result<Metainfo> {
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

fn setup(metainfo: &Metainfo, addr: SocketAddr, have: Bitfield, trackers: Vec<usize>) -> Setup {
    let random_seed = unrepeatable_random_seed();
    let mut tail = [0; 12];
    Stream::new(random_seed, Entity::Peer(ME), Purpose::PeerId).fill(&mut tail);
    Setup {
        index: ME,
        random_seed,
        peer_id: PeerId::minibit(tail),
        addr,
        info_hash: metainfo.info_hash,
        layout: metainfo.layout,
        have,
        policy: Policy::default(),
        uploads: true,
        neighbours: Neighbours::FromTracker { dial: None },
        schedule: None,
        trackers,
    }
}

fn say_complete(place: &Place, store: &Store) -> anyhow::Result<()> {
    println!("complete: {}", place.finish(store)?.display());
    Ok(())
}

fn progress_bar(have: &Bitfield) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pieces  {eta} left");
    let bar = ProgressBar::new(u64::from(have.pieces())).with_position(u64::from(have.count()));
    bar.with_style(style.expect("the template is constant and well formed"))
}

/// What a user may want to act on goes to stderr as a line, pieces move the bar.
fn show(record: &Record, bar: &ProgressBar) {
    let line = match &record.event {
        Event::PieceVerified { .. } => return bar.inc(1),
        Event::Disconnected { reason, .. } => format!("a connection ended: {reason}"),
        Event::PieceFailed { piece, .. } => format!("piece {piece} was wrong and is fetched again"),
        Event::StorageFailed { piece } => format!("piece {piece} could not be stored"),
        Event::AnnounceFailed { reason } => format!("no answer from the tracker, asking again: {reason}"),
        Event::Banned { .. } => "a peer that sent wrong pieces is banned".to_owned(),
        _ => return,
    };
    bar.suspend(|| eprintln!("{line}"));
}
