//! Real sockets in one process: every peer a task with its own loopback address, and a real HTTP tracker.
//!
//! It owns a tokio runtime for the length of one run; several runs may go on side by side on threads of their own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod hosts;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::thread::available_parallelism;

use crate::driver::real_time::folder::Folder;
use crate::driver::real_time::original::Original;
use crate::driver::real_time::refuse_what_sockets_cannot;
use crate::driver::real_time::setup::{Surroundings, free_port};
use crate::driver::real_time::swarm::{Gathering, Swarm};
use crate::driver::tasks::hosts::Hosts;
use crate::driver::{Control, DriverError, Outcome, Recorder, refuse_foreign_clients};
use crate::net;
use crate::net::loopback::LoopbackRange;
use crate::net::open_files::OpenFiles;
use crate::scenario::Scenario;
use crate::scenario::population::Population;
use crate::time::Span;

pub use crate::driver::real_time::Stores;

/// Contents of all peers together up to this many bytes are kept in memory.
const IN_MEMORY: u64 = 1 << 30;

/// How a run is carried out. None of it may change what happens, but for the time it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    pub stores: Stores,
    /// Where peers keep their files, in `peers/peer_1` and so on. `None`: a temporary folder, gone after the run.
    pub work: Option<&'a Path>,
    /// The tracker starts so long after the run, in scenario time.
    pub tracker_after: Span,
}

impl Stores {
    fn resolve(self, scenario: &Scenario) -> Stores {
        let all = scenario.content.layout.total().saturating_mul(u64::from(scenario.peers()));
        match self {
            Stores::Automatic if all <= IN_MEMORY => Stores::Memory,
            Stores::Automatic => Stores::Files,
            chosen => chosen,
        }
    }
}

/// Runs `scenario` with `random_seed` on sockets and blocks until it is over. Every peer that ends complete is
/// checked to have exactly the original content.
pub fn run(
    scenario: &Scenario,
    random_seed: u64,
    options: &Options<'_>,
    recorder: &mut dyn Recorder,
    control: &Control,
) -> Result<Outcome, DriverError> {
    refuse_what_sockets_cannot(scenario)?;
    refuse_foreign_clients(scenario)?;
    let stores = options.stores.resolve(scenario);
    let population = Population::draw(scenario, random_seed);
    // Held until the last socket is closed.
    let _files = OpenFiles::reserve(open_files(scenario))
        .map_err(|error| DriverError::Unsupported(format!("{}: {error}", scenario.name)))?;
    let original = Original::read(scenario, random_seed, stores == Stores::Memory)?;
    let threads = available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(net::WORKERS)
        .enable_all()
        .build()
        .map_err(|source| DriverError::Io { context: "cannot start the threads of a run".into(), source })?;
    runtime.block_on(async {
        let addresses = LoopbackRange::reserve(scenario.peers() + 1);
        let tracker = free_port(addresses.address(scenario.peers()))?;
        let around = Surroundings::new(scenario, random_seed, original.info_hash, &population.peers)?;
        let swarm = Swarm::gather(Gathering {
            scenario,
            population,
            original,
            stores,
            folder: Folder::new(options.work)?,
            addresses,
            tracker_after: options.tracker_after,
            hosts: Hosts::new(around, tracker),
        })?;
        swarm.run(recorder, control).await
    })
}

/// About how many files and sockets are open at the same time: both ends of every connection are ours.
fn open_files(scenario: &Scenario) -> u64 {
    let peers = u64::from(scenario.peers());
    let ends = match scenario.overlay.edges(scenario.peers(), scenario.complete_peers()) {
        Some(edges) => 2 * edges,
        None => peers * u64::from(scenario.most_connections()),
    };
    // Besides its connections and as many again in the making as a quarter, a peer has a listening socket, a file,
    // and both ends of an announce.
    ends + ends.div_ceil(4) + 4 * peers
}
