//! Real processes: every peer and the tracker a MiniBit of its own, on loopback sockets. This process knows what
//! happens only from what its children say, ends them by their handles, and cannot be outlived by them: each ends
//! when its stdin does.
//!
//! Who comes and goes when is decided as it is for tasks; [`inside`] is what runs in a child.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod attend;
mod child;
pub mod clients;
mod hosts;
pub mod inside;
pub mod namespace;
mod opentracker;
mod tracker;
pub mod words;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::driver::processes::clients::Foreign;
use crate::driver::processes::hosts::{Hosts, Kit};
use crate::driver::processes::opentracker::Opentracker;
use crate::driver::real_time::folder::Folder;
use crate::driver::real_time::original::Original;
use crate::driver::real_time::swarm::{Gathering, Swarm};
use crate::driver::real_time::{Stores, io_error, refuse_what_sockets_cannot};
use crate::driver::{Control, DriverError, Outcome, Recorder};
use crate::net;
use crate::net::loopback::LoopbackRange;
use crate::net::open_files::OpenFiles;
use crate::scenario::content::ContentSource;
use crate::scenario::population::Population;
use crate::scenario::{Content, Scenario, TrackerProgram};
use crate::time::Span;

/// Both ends of what a child is spoken to with, its store, and what it says when it fails.
const FILES_PER_CHILD: u64 = 5;

/// The one that trackers have by custom.
const TRACKER_PORT: u16 = 6969;

/// How a run is carried out. None of it may change what happens, but for the time it takes.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// `minibit` itself.
    pub program: &'a Path,
    /// Where the run's files are, the peers' in `peers/peer_1` and so on. `None`: a temporary folder, gone afterwards.
    pub work: Option<&'a Path>,
}

/// Runs `scenario` with `random_seed` in processes and blocks until it is over and all of them are gone. Every peer
/// that ends complete is checked to have exactly the original content.
pub fn run(
    scenario: &Scenario,
    random_seed: u64,
    options: &Options<'_>,
    recorder: &mut dyn Recorder,
    control: &Control,
) -> Result<Outcome, DriverError> {
    refuse_what_sockets_cannot(scenario)?;
    let population = Population::draw(scenario, random_seed);
    let _files = OpenFiles::reserve(FILES_PER_CHILD * (u64::from(scenario.peers()) + 1))
        .map_err(|error| DriverError::Unsupported(format!("{}: {error}", scenario.name)))?;
    let original = Original::read(scenario, random_seed, false)?;
    let folder = Folder::new(options.work)?;
    let kit = pack(&folder.path, scenario, random_seed, &original, options.program)
        .map_err(io_error(format!("cannot write to {}", folder.path.display())))?;
    let folders: Vec<PathBuf> = population.peers.iter().map(|plan| folder.of_peer(plan.index)).collect();
    let names = population.peers.iter().map(|plan| (plan.name.clone(), plan.index)).collect();
    let everybody = scenario.peers() + 1;
    // MiniBit's own too, where it is compared with others: they are to have the same network.
    let private = namespace::is_private();
    if scenario.is_mixed() && !private {
        let what = "other clients need a private network (`minibit run` makes one)";
        return Err(DriverError::Unsupported(format!("{}: {what}", scenario.name)));
    }
    // In a network of our own every port is free, and foreign clients have to know the tracker's beforehand.
    let (addresses, port) = match private {
        true => (LoopbackRange::reserve_private(everybody), TRACKER_PORT),
        false => (LoopbackRange::reserve(everybody), 0),
    };
    let tracker = SocketAddr::new(addresses.address(scenario.peers()), port);
    let mixed = scenario.is_mixed();
    let foreign = mixed.then(|| Foreign::pack(scenario, &folder.path, &original, tracker)).transpose()?;
    let opentracker = (scenario.tracker_program == TrackerProgram::Opentracker)
        .then(|| Opentracker::set_up(scenario, &folder.path, original.info_hash, tracker))
        .transpose()
        .map_err(io_error(format!("cannot write to {}", folder.path.display())))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(net::WORKERS)
        .enable_all()
        .build()
        .map_err(io_error("cannot start the threads of a run".into()))?;
    runtime.block_on(async {
        let swarm = Swarm::gather(Gathering {
            scenario,
            population,
            original,
            // A store that another process can open.
            stores: Stores::Files,
            folder,
            addresses,
            tracker_after: Span::ZERO,
            hosts: Hosts::new(scenario, kit, folders, Arc::new(names), tracker, foreign, opentracker),
        })?;
        swarm.run(recorder, control).await
    })
}

/// Puts what the processes read into the run's folder.
fn pack(
    folder: &Path,
    scenario: &Scenario,
    random_seed: u64,
    original: &Original,
    program: &Path,
) -> io::Result<Kit> {
    let kit = Kit {
        program: program.to_owned(),
        torrent: folder.join("content.torrent"),
        scenario: folder.join("scenario.toml"),
        logs: folder.join("logs"),
        random_seed,
    };
    fs::create_dir_all(&kit.logs)?;
    fs::write(&kit.torrent, &original.torrent)?;
    // The content is in the stores; its file is not read again by every process.
    let content = Content { source: ContentSource::Synthetic, ..scenario.content.clone() };
    fs::write(&kit.scenario, Scenario { content, ..scenario.clone() }.to_toml())?;
    Ok(kit)
}
