//! What the drivers on real sockets share: who is in the swarm, who comes and goes when, and whether a complete peer
//! has the content. What the peers run on is each driver's own, behind [`Hosting`].
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
// Processes are the program itself, so without the command line there are only tasks.
#![cfg_attr(not(feature = "cli"), allow(dead_code))]

pub(super) mod folder;
pub(super) mod member;
pub(super) mod original;
pub(super) mod setup;
pub(super) mod swarm;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::driver::real_time::member::Member;
use crate::driver::{DriverError, ForeignClient};
use crate::event::{Record, Totals};
use crate::net::clock::Clock;
use crate::net::host::HostHandle;
use crate::net::pace::Lateness;
use crate::net::store::Store;
use crate::peer::Neighbours;
use crate::scenario::Scenario;
use crate::torrent::bitfield::Bitfield;

/// Where the peers of a run keep their pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stores {
    /// Memory, or single files where the contents of all peers together exceed a gibibyte.
    #[default]
    Automatic,
    Memory,
    /// `peer_1/NAME`, written at its places.
    Files,
    /// `peer_1/blocks/block_0.bin` and so on, and `peer_1/NAME` rebuilt from them by every peer that completes.
    Blocks,
}

/// What the peers of a swarm and its tracker run on.
pub(super) trait Hosting {
    /// Gets ready what takes time: nobody's clock runs yet.
    fn prepare(&mut self, members: &[Member]) -> impl Future<Output = Result<(), DriverError>>;

    /// The tracker answers from now on.
    fn start_tracker(&mut self, clock: Clock) -> Result<(), DriverError>;

    /// The peer was there, and comes back in a while.
    fn expect(&mut self, member: &Member);

    /// The next stay of the member begins, now.
    fn begin(&mut self, member: &Member, stay: Stay) -> Result<Begun, DriverError>;

    /// Every stay is over.
    fn close(&mut self) -> impl Future<Output = ()>;

    /// What it knows of clients that are not MiniBit, once it is closed.
    fn foreign_clients(&self) -> Vec<ForeignClient>;
}

/// What a stay begins with, besides what the member knows of itself.
#[derive(Debug)]
pub(super) struct Stay {
    pub(super) neighbours: Neighbours,
    /// Holds what the member has.
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    /// When the clock read zero.
    pub(super) clock_start: SystemTime,
    /// Has to be read until the stay has ended.
    pub(super) records: mpsc::Sender<Vec<Record>>,
}

/// A stay that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) handle: HostHandle,
    pub(super) end: JoinHandle<StayEnd>,
}

/// What is left of a stay.
#[derive(Clone, Debug)]
pub(super) struct StayEnd {
    pub(super) have: Bitfield,
    /// `None` where nobody lived to tell.
    pub(super) totals: Option<Totals>,
    pub(super) lateness: Lateness,
    /// Where it listened, if it did.
    pub(super) addr: Option<SocketAddr>,
    pub(super) fate: Fate,
}

/// Why a stay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was told to.
    AsTold,
    /// It vanished, and nobody had told it to.
    Crashed,
    /// It could not go on.
    Failed(Box<str>),
}

pub(super) fn refuse_what_sockets_cannot(scenario: &Scenario) -> Result<(), DriverError> {
    let cannot = |what: String| Err(DriverError::Unsupported(format!("{}: {what}", scenario.name)));
    match scenario.cohorts.iter().find(|cohort| !cohort.jitter.is_zero()) {
        Some(cohort) => cannot(format!(
            "peers.{}.jitter is for virtual time only: run with --driver sim, or take it out",
            cohort.name
        )),
        None => Ok(()),
    }
}

pub(super) fn io_error(context: String) -> impl FnOnce(io::Error) -> DriverError {
    move |source| DriverError::Io { context, source }
}

/// A panic in a task goes on here.
pub(super) fn joined<T>(result: Result<T, tokio::task::JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
