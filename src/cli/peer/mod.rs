//! `minibit peer`: one peer in the foreground, among peers of any make.

mod acquaintance;
mod conduct;
mod part;
mod place;
mod reach;
mod records;
mod shown;
mod stay;
mod voice;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::ValueEnum;

use super::{Exit, Usage, parent, unrepeatable_random_seed};
use crate::event::{Event, Record};
use crate::net::clock::Clock;
use crate::net::host::HostEnd;
use crate::net::store::Store;
use crate::scenario::file::choker_name;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;
pub(super) use acquaintance::OneOf;
pub(super) use conduct::Conduct;
use part::PartArgs;
pub(super) use place::Place;
pub(super) use reach::Reach;
use records::{Beginning, RecordLines};
use shown::Shown;
pub(super) use shown::printed;
pub(super) use stay::{Company, Finishing, Stay};
pub(super) use voice::Voice;

/// It is over when something has happened, and not before.
const UNASKED: Duration = Duration::from_secs(3_600);

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
    reach: Reach,
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
    let tiers = args.reach.some_tiers(&metainfo)?;
    let place = Arc::new(Place::with_blocks(&args.dir, &metainfo)?);
    let listener = args.reach.bind()?;
    let store = Arc::new(place.open(&metainfo)?);
    let have = place.scan(&store);
    let clock_start = args.clock_start.map_or_else(unix_nanos, Ok)?;
    let one_of = args.one_of.unwrap_or(OneOf::ALONE);
    let random_seed = args.random_seed.unwrap_or_else(unrepeatable_random_seed);
    let names = args.one_of.map_or_else(|| vec![args.name.clone()], |one_of| one_of.names(&args.name));
    let name = names[one_of.index().0 as usize].clone();
    let open = |path: &PathBuf| RecordLines::open(path, names);
    let stdout = !args.records.as_deref().is_some_and(records::is_stdout);
    let lines = args.records.as_ref().map(open).transpose()?;
    let choker = choker_name(args.conduct.policy()?.choker);
    if have.is_full() {
        say(stdout, &complete(place.finish(&store)?));
        if args.on_complete == OnComplete::Leave {
            return Ok(Exit::Done);
        }
    }
    let clock = Clock::since(UNIX_EPOCH + Duration::from_nanos(clock_start), 1.0);
    let mut onlooker = Onlooker {
        shown: Shown::new(one_of.index(), &have, lines).context("cannot start the threads of a peer")?,
        name,
        metainfo: &metainfo,
        have: &have,
        place: &place,
        store: &store,
        stdout,
        clock,
        clock_start,
        choker,
        leaves: args.on_complete == OnComplete::Leave,
        finished: false,
    };
    let (reach, conduct) = (&args.reach, &args.conduct);
    let stay = Stay {
        metainfo: &metainfo,
        reach,
        listener,
        tiers,
        conduct,
        store: Arc::clone(&store),
        have: &have,
        one_of,
        random_seed,
        clock,
    };
    let stayed = stay.run(&mut onlooker);
    let written = onlooker.shown.finish();
    stayed.and_then(|exit| written.map(|()| exit))
}

/// Shows what the peer does, and lets it leave when its file is whole if that is wanted.
struct Onlooker<'a> {
    shown: Shown,
    name: String,
    metainfo: &'a Metainfo,
    have: &'a Bitfield,
    place: &'a Arc<Place>,
    store: &'a Arc<Store>,
    /// Where words go; otherwise to stderr.
    stdout: bool,
    clock: Clock,
    clock_start: u64,
    choker: &'static str,
    leaves: bool,
    finished: bool,
}

impl Onlooker<'_> {
    fn say(&mut self, line: String) {
        let stdout = self.stdout;
        self.shown.say(move || say(stdout, &line));
    }
}

impl Company for Onlooker<'_> {
    fn asked_every(&self) -> Duration {
        UNASKED
    }

    fn begins(&mut self, addr: SocketAddr) {
        self.shown.begin(&Beginning {
            peer: &self.name,
            addr,
            metainfo: self.metainfo,
            clock_start: self.clock_start,
            have: self.have,
            file: self.place.file(),
            choker: self.choker,
        });
        self.say(format!("listening on {addr}"));
        self.shown.happened(self.clock.now(), arrived(self.metainfo, self.have));
    }

    fn sees(&mut self, records: Vec<Record>) {
        self.shown.show(records);
    }

    fn finishing(&self) -> Finishing {
        let (place, store) = (Arc::clone(self.place), Arc::clone(self.store));
        // Rebuilding a large file takes a while.
        Box::new(move || place.finish(&store).map(|_| ()))
    }

    fn is_finished(&mut self) {
        self.finished = true;
        self.say(complete(self.place.file()));
    }

    fn is_over(&mut self) -> bool {
        self.leaves && self.finished
    }

    fn ends(&mut self, event: Event, end: &HostEnd) {
        self.shown.happened(self.clock.now(), event);
        self.shown.happened(self.clock.now(), Event::Totals(end.totals));
        self.shown.end();
    }

    fn unsaid(&mut self) -> usize {
        self.shown.unsaid()
    }
}

pub(super) fn read_metainfo(path: &Path) -> anyhow::Result<Metainfo> {
    let bytes =
        std::fs::read(path).map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
    let metainfo = Metainfo::parse(&bytes);
    Ok(metainfo.map_err(|error| Usage(format!("{} is no torrent to use: {error}", path.display())))?)
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

fn complete(file: &Path) -> String {
    format!("complete: {}", file.display())
}

/// Now, since 1970.
fn unix_nanos() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the system's clock is before 1970")?;
    Ok(since.as_nanos() as u64)
}
