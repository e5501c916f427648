//! The inside of a peer's process: one peer of a run, ordered about by the run's own process. Scenario and random seed
//! say who it is, orders when it comes and goes.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::mpsc;

use crate::driver::DriverError;
use crate::driver::processes::words::{Order, Over, Word, line};
use crate::driver::real_time::original::store_error;
use crate::driver::real_time::setup::{Beginning, Surroundings, address, listen};
use crate::driver::real_time::{io_error, joined};
use crate::event::{Record, json};
use crate::id::PeerIndex;
use crate::net;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host;
use crate::net::open_files::OpenFiles;
use crate::net::pace::LatenessCounts;
use crate::net::store::Store;
use crate::peer::Neighbours;
use crate::scenario::Scenario;
use crate::scenario::overlay::Place;
use crate::scenario::population::{PeerPlan, Population};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;

/// Batches of records that may wait to be written.
const RECORDS: usize = 1024;

/// One peer of a run.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub scenario: &'a Scenario,
    pub random_seed: u64,
    /// Of the scenario's content.
    pub torrent: &'a Metainfo,
    /// In the population.
    pub name: &'a str,
    /// Where its store is.
    pub dir: &'a Path,
}

/// Takes part in the run as it is ordered to, and tells `out` what happens. Returns when the stay is over.
pub fn take_part<W: Write + Send + 'static>(
    part: Part<'_>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    mut out: W,
) -> Result<(), DriverError> {
    let Part { scenario, random_seed, torrent, name, dir } = part;
    let population = Population::draw(scenario, random_seed).peers;
    let plan = population.iter().find(|plan| plan.name == name).ok_or_else(|| {
        DriverError::Unsupported(format!("{}: nobody in it is called {name}", scenario.name))
    })?;
    let mut around = Surroundings::new(scenario, random_seed, torrent.info_hash, &population)?;
    let layout = scenario.content.layout;
    let store = Store::in_file(layout, torrent.piece_hashes.clone().into(), &dir.join(&torrent.name));
    let store = Arc::new(store.map_err(|error| store_error(error.to_string()))?);
    let connections = u64::from(scenario.most_connections());
    let _files = OpenFiles::reserve(connections + connections.div_ceil(4) + 4)
        .map_err(|error| DriverError::Unsupported(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(net::WORKERS)
        .enable_all()
        .build()
        .map_err(io_error("cannot start the threads of a peer".into()))?;

    tell(&mut out, &Word::Ready)?;
    runtime.block_on(async {
        let mut listener = None;
        let (begin, listener) = loop {
            match orders.recv().await {
                Some(Order::Listen(addr)) => {
                    let listening = listener.insert(listen(addr)?);
                    tell(&mut out, &Word::Listening(address(listening)?))?;
                }
                Some(Order::Begin(begin)) => {
                    break (begin, listener.ok_or_else(|| misled("it listens nowhere"))?);
                }
                // Told to go before it came: there is nothing to end.
                Some(Order::Leave | Order::Stop) | None => return Ok(()),
            }
        };
        around.meet(begin.foreign.iter().map(|(addr, index)| (*addr, PeerIndex(*index))));
        let (records, happened) = mpsc::channel(RECORDS);
        let clock_start = UNIX_EPOCH + Duration::from_nanos(begin.clock_start_unix_ns);
        let layout = scenario.content.layout;
        let beginning = Beginning {
            listener,
            tracker: TrackerUrl::parse(&begin.tracker).map_err(misled)?,
            have: Bitfield::from_wire(&begin.have, layout.pieces()).map_err(misled)?,
            store,
            neighbours: neighbours(begin.dial, plan)?,
            clock: Clock::since(clock_start, scenario.time_scale),
            records,
        };
        let setup = around.host(plan, beginning)?;
        let names = population.iter().map(|plan| plan.name.clone()).collect();
        let writing = write_down(happened, names, out)?;
        let (handle, mut host) = host::start(setup);
        let end = loop {
            tokio::select! {
                end = &mut host => break joined(end),
                Some(order) = orders.recv() => match order {
                    Order::Leave => handle.leave(),
                    Order::Stop => handle.stop(),
                    // It has begun.
                    Order::Listen(_) | Order::Begin(_) => {}
                },
            }
        };
        // The host has dropped its sender: this ends with its last record.
        let mut out = match writing.join() {
            Ok(written) => written.map_err(cannot_tell)?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let lateness = LatenessCounts::from(&end.lateness);
        tell(&mut out, &Word::Over(Over { totals: end.totals, lateness, failed: end.failed }))
    })
}

fn neighbours(dial: Option<Vec<SocketAddr>>, plan: &PeerPlan) -> Result<Neighbours, DriverError> {
    match (dial, &plan.place) {
        (Some(dial), _) => Ok(Neighbours::Fixed { dial }),
        (None, Place::FromTracker { dial }) => Ok(Neighbours::FromTracker { dial: *dial }),
        (None, Place::Fixed { .. }) => Err(misled("it names no neighbours")),
    }
}

fn misled(what: impl Display) -> DriverError {
    DriverError::Unsupported(format!("the order to begin cannot be followed: {what}"))
}

/// Writes on a thread of its own, so that a reader who is slow does not hold up the peer.
fn write_down<W: Write + Send + 'static>(
    mut happened: mpsc::Receiver<Vec<Record>>,
    names: Vec<String>,
    mut out: W,
) -> Result<JoinHandle<io::Result<W>>, DriverError> {
    let write = move || {
        let mut lines = String::new();
        while let Some(records) = happened.blocking_recv() {
            lines.clear();
            records.iter().for_each(|record| json::write(record, &names, &mut lines));
            out.write_all(lines.as_bytes())?;
            out.flush()?;
        }
        Ok(out)
    };
    let thread = std::thread::Builder::new().name("records".to_owned());
    thread.spawn(write).map_err(io_error("cannot start the thread that writes records".into()))
}

fn tell(out: &mut impl Write, word: &Word) -> Result<(), DriverError> {
    out.write_all(line(word).as_bytes()).and_then(|()| out.flush()).map_err(cannot_tell)
}

fn cannot_tell(source: io::Error) -> DriverError {
    io_error("cannot tell the run what happens".into())(source)
}
