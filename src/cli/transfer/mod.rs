//! A file's transfer in the foreground, as `minibit seed` and `minibit get` do it: how far it is on stderr, what became of
//! it as one line on stdout. Knows a peer's stay, and not whether it gives or takes.

mod meter;
mod progress;
mod summary;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::Exit;
use super::exit::in_time;
use super::peer::{Company, Conduct, Finishing, OneOf, Place, Reach, Stay};
use crate::cli::unrepeatable_random_seed;
use crate::event::{Event, Record};
use crate::id::PieceIndex;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host::HostEnd;
use crate::net::store::Store;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;
use meter::Meter;
use progress::{CHANGED_EVERY, Progress};

/// What is heard and seen of a transfer.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Output {
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// Print what became of it as one JSON object
    #[arg(long)]
    json: bool,
}

impl Output {
    pub(super) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Something that a script may wait for: on stdout, unless that is to hold JSON alone. The transfer goes on where
    /// nobody hears it.
    pub(super) fn say(self, line: &str) {
        let _ = if self.json { writeln!(io::stderr(), "{line}") } else { writeln!(io::stdout(), "{line}") };
    }
}

/// When it is over, if no signal comes before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Until {
    /// The content is whole.
    pub complete: bool,
    /// A piece is lost that was there, which is an error.
    pub lost: bool,
    /// So much of the content's length has been sent.
    pub ratio: Option<f64>,
    /// So long after the command's start, whatever has come by then.
    pub time: Option<Duration>,
    /// The same, as long as something is missing.
    pub complete_within: Option<Duration>,
}

/// What is transferred, and how.
pub(super) struct Transfer<'a> {
    /// When the command began: what the user waited for counts.
    pub began: Instant,
    pub torrent: &'a Path,
    pub metainfo: &'a Metainfo,
    pub place: Arc<Place>,
    pub store: Arc<Store>,
    pub have: Bitfield,
    pub reach: &'a Reach,
    /// None where nothing is left to do.
    pub listener: Option<TcpListener>,
    pub tiers: Vec<Vec<TrackerUrl>>,
    pub conduct: &'a Conduct,
    pub output: Output,
    pub until: Until,
    /// Say where it listens, on stdout, before it begins.
    pub tells_address: bool,
}

/// How a transfer ended.
pub(super) struct Transferred {
    pub exit: Exit,
    pub is_complete: bool,
    /// Verified pieces.
    pub pieces: u32,
    /// How many peers it was connected to at most.
    pub peers: u32,
}

impl Transfer<'_> {
    /// Takes part to the end, and prints the summary. Without a swarm where nothing is left to do.
    pub(super) fn run(self) -> anyhow::Result<Transferred> {
        let meter = Meter::new(self.metainfo, &self.have);
        let mut onlooker = Onlooker {
            progress: Progress::start(self.output.quiet).context("cannot start a thread")?,
            meter,
            began: self.began,
            until: self.until,
            address_to: self.tells_address.then_some(self.output),
            place: Arc::clone(&self.place),
            store: Arc::clone(&self.store),
            whole_at: None,
            lost: None,
        };
        let stayed = match self.listener {
            None => self.place.finish(&self.store).map(|_| Exit::Done),
            Some(listener) => {
                let stay = Stay {
                    metainfo: self.metainfo,
                    reach: self.reach,
                    listener,
                    tiers: self.tiers,
                    conduct: self.conduct,
                    store: self.store,
                    have: &self.have,
                    one_of: OneOf::ALONE,
                    random_seed: unrepeatable_random_seed(),
                    clock: Clock::start(1.0),
                };
                stay.run(&mut onlooker)
            }
        };
        let summary = summary::Summary {
            torrent: self.torrent,
            file: self.place.file(),
            metainfo: self.metainfo,
            meter: &onlooker.meter,
            took: self.began.elapsed(),
            whole_after: onlooker.whole_at.map(|at| at - self.began),
        };
        let line = if self.output.json { summary.json() } else { summary.text() };
        in_time(move || writeln!(io::stdout(), "{line}"))
            .context("cannot write to stdout what became of it")?;
        if let Some(reason) = onlooker.lost {
            bail!(
                "the seed has ended: {reason}: it is no longer what {} describes; put it back as it was, or share what \
                 is there now with another --torrent",
                self.torrent.display()
            );
        }
        Ok(Transferred {
            exit: stayed?,
            is_complete: onlooker.meter.is_complete(),
            pieces: onlooker.meter.pieces(),
            peers: onlooker.meter.most_peers(),
        })
    }
}

struct Onlooker {
    progress: Progress,
    meter: Meter,
    began: Instant,
    until: Until,
    address_to: Option<Output>,
    place: Arc<Place>,
    store: Arc<Store>,
    /// When the last piece was there.
    whole_at: Option<Instant>,
    /// Why a piece is gone without which there is nothing to stay for.
    lost: Option<String>,
}

/// Which file it was in, and what has become of that.
fn why_lost(store: &Store, piece: PieceIndex) -> String {
    match store.read_verified(piece) {
        Ok(_) => format!("piece {piece} could not be read for a while"),
        Err(error) => error.to_string(),
    }
}

impl Company for Onlooker {
    fn asked_every(&self) -> Duration {
        CHANGED_EVERY
    }

    fn begins(&mut self, addr: SocketAddr) {
        if let Some(output) = self.address_to {
            self.progress.let_say(move || output.say(&format!("listening on {addr}")));
        }
    }

    fn sees(&mut self, records: Vec<Record>) {
        for record in &records {
            self.meter.count(&record.event);
            match &record.event {
                Event::Completed => self.whole_at = Some(Instant::now()),
                Event::StorageFailed { piece } if self.until.lost => {
                    self.lost.get_or_insert_with(|| why_lost(&self.store, *piece));
                }
                // They come and go.
                Event::Disconnected { .. } => {}
                event => {
                    if let Some(line) = super::peer::printed(event) {
                        self.progress.say(line);
                    }
                }
            }
        }
    }

    fn finishing(&self) -> Finishing {
        let (place, store) = (Arc::clone(&self.place), Arc::clone(&self.store));
        Box::new(move || place.finish(&store).map(|_| ()))
    }

    fn is_finished(&mut self) {
        self.meter.finished();
        if !self.until.complete {
            let file: PathBuf = self.place.file().to_owned();
            self.progress.say(format!("complete: {}; seeding on", file.display()));
        }
    }

    fn is_over(&mut self) -> bool {
        let (now, until) = (self.began.elapsed(), self.until);
        self.progress.show(&mut self.meter, now);
        let whole = self.meter.is_complete();
        self.lost.is_some()
            || (whole && until.complete)
            || until.ratio.is_some_and(|ratio| self.meter.ratio() >= ratio)
            || until.time.is_some_and(|time| now >= time)
            || (!whole && until.complete_within.is_some_and(|time| now >= time))
    }

    fn ends(&mut self, _: Event, _: &HostEnd) {
        self.progress.end();
    }

    fn unsaid(&mut self) -> usize {
        self.progress.unsaid()
    }
}
