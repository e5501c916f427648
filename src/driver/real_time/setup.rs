//! How a peer's stay begins on this machine: its listening socket, and what its host is told.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;

use crate::driver::DriverError;
use crate::driver::real_time::io_error;
use crate::event::Record;
use crate::id::{InfoHash, PeerIndex};
use crate::net::alarm::Alarm;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host::{Contact, Contacts, HostSetup, Links};
use crate::net::store::Store;
use crate::peer::{Neighbours, Setup};
use crate::scenario::Scenario;
use crate::scenario::population::PeerPlan;
use crate::torrent::bitfield::Bitfield;

/// Callers that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What all peers of a process share.
#[derive(Debug)]
pub(in crate::driver) struct Surroundings<'a> {
    pub(in crate::driver) scenario: &'a Scenario,
    pub(in crate::driver) random_seed: u64,
    pub(in crate::driver) info_hash: InfoHash,
    pub(in crate::driver) alarm: Alarm,
    pub(in crate::driver) contacts: Arc<Contacts>,
}

/// What one stay begins with.
#[derive(Debug)]
pub(in crate::driver) struct Beginning {
    pub(in crate::driver) listener: TcpListener,
    pub(in crate::driver) tracker: TrackerUrl,
    pub(in crate::driver) have: Bitfield,
    pub(in crate::driver) store: Arc<Store>,
    pub(in crate::driver) neighbours: Neighbours,
    pub(in crate::driver) clock: Clock,
    pub(in crate::driver) records: mpsc::Sender<Vec<Record>>,
}

impl<'a> Surroundings<'a> {
    pub(in crate::driver) fn new(
        scenario: &'a Scenario,
        random_seed: u64,
        info_hash: InfoHash,
        peers: &[PeerPlan],
    ) -> Result<Surroundings<'a>, DriverError> {
        let contact = |plan: &PeerPlan| (plan.peer_id, Contact { index: plan.index, latency: plan.latency });
        Ok(Surroundings {
            scenario,
            random_seed,
            info_hash,
            alarm: Alarm::start().map_err(io_error("cannot start the thread that keeps time".into()))?,
            contacts: Arc::new(peers.iter().map(contact).collect()),
        })
    }

    /// There are other clients, which listen there.
    pub(in crate::driver) fn meet(&mut self, foreign: impl IntoIterator<Item = (SocketAddr, PeerIndex)>) {
        let contacts = Arc::make_mut(&mut self.contacts);
        foreign.into_iter().for_each(|(addr, index)| contacts.place(addr, index));
    }

    /// What the peer's host begins with. Within a runtime.
    pub(in crate::driver) fn host(
        &self,
        plan: &PeerPlan,
        beginning: Beginning,
    ) -> Result<HostSetup, DriverError> {
        let Beginning { listener, tracker, have, store, neighbours, clock, records } = beginning;
        let addr = address(&listener)?;
        let peer = Setup {
            index: plan.index,
            random_seed: self.random_seed,
            peer_id: plan.peer_id,
            addr,
            info_hash: self.info_hash,
            layout: self.scenario.content.layout,
            have,
            policy: self.scenario.policy.clone(),
            uploads: plan.uploads,
            neighbours,
            schedule: plan.schedule.clone(),
            trackers: vec![1],
        };
        Ok(HostSetup {
            peer,
            listener,
            clock,
            alarm: self.alarm.clone(),
            links: Links { upload: plan.upload, download: plan.download, latency: plan.latency },
            contacts: self.contacts.clone(),
            trackers: vec![tracker],
            store,
            records,
            // In a run's private network there is nothing else.
            loopback_only: addr.ip().is_loopback(),
        })
    }
}

/// At this address, and at this port if it is still free; 0 leaves it to the system.
pub(in crate::driver) fn listen(addr: SocketAddr) -> Result<TcpListener, DriverError> {
    let bind = |port| {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(cfg!(unix))?;
        socket.bind(SocketAddr::new(addr.ip(), port))?;
        socket.listen(BACKLOG)
    };
    bind(addr.port()).or_else(|_| bind(0)).map_err(io_error(format!("cannot listen on {}", addr.ip())))
}

/// Where it listens.
pub(in crate::driver) fn address(listener: &TcpListener) -> Result<SocketAddr, DriverError> {
    listener.local_addr().map_err(io_error("a socket without an address".into()))
}

/// A port of this address that is free now, and that nobody else will take: the address is ours alone.
pub(in crate::driver) fn free_port(address: IpAddr) -> Result<SocketAddr, DriverError> {
    let context = || io_error(format!("cannot listen on {address}"));
    let listener = std::net::TcpListener::bind((address, 0)).map_err(context())?;
    listener.local_addr().map_err(context())
}
