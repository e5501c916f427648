//! A peer joins the swarm: its listening socket, its peer, its host.

use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;

use crate::driver::DriverError;
use crate::driver::tasks::io_error;
use crate::driver::tasks::member::Member;
use crate::event::Record;
use crate::net::announce::TrackerUrl;
use crate::net::host::{HostSetup, Links};
use crate::peer::Setup;

use super::Swarm;

/// Callers that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// At this address, and at this port if it is still free; 0 leaves it to the system.
pub(super) fn listen(addr: SocketAddr) -> Result<TcpListener, DriverError> {
    let bind = |port| {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(cfg!(unix))?;
        socket.bind(SocketAddr::new(addr.ip(), port))?;
        socket.listen(BACKLOG)
    };
    bind(addr.port()).or_else(|_| bind(0)).map_err(io_error(format!("cannot listen on {}", addr.ip())))
}

impl Swarm<'_> {
    /// What the member's host begins with, listening at once.
    pub(super) fn host_setup(
        &self,
        member: &Member,
        records: mpsc::Sender<Vec<Record>>,
    ) -> Result<Option<HostSetup>, DriverError> {
        let Some(store) = member.store.clone() else { return Ok(None) };
        let listener = listen(member.addr)?;
        let addr = listener.local_addr().map_err(io_error("a socket without an address".into()))?;
        let (plan, scenario) = (&member.plan, self.scenario);
        let peer = Setup {
            index: plan.index,
            random_seed: self.random_seed,
            peer_id: plan.peer_id,
            addr,
            info_hash: self.original.info_hash,
            layout: scenario.content.layout,
            have: member.have.clone(),
            policy: scenario.policy.clone(),
            uploads: plan.uploads,
            neighbours: plan.place.at_stay(member.stay, |peer| self.members[peer.0 as usize].addr),
            schedule: plan.schedule.clone(),
            trackers: vec![1],
        };
        Ok(Some(HostSetup {
            peer,
            listener,
            clock: self.clock,
            alarm: self.alarm.clone(),
            links: Links { upload: plan.upload, download: plan.download, latency: plan.latency },
            contacts: self.contacts.clone(),
            trackers: vec![TrackerUrl::http_at(self.tracker_addr)],
            store,
            records,
            loopback_only: true,
        }))
    }
}

/// A port of this address that is free now, and that nobody else will take: the address is ours alone.
pub(super) fn free_port(address: IpAddr) -> Result<SocketAddr, DriverError> {
    let context = || io_error(format!("cannot listen on {address}"));
    let listener = std::net::TcpListener::bind((address, 0)).map_err(context())?;
    listener.local_addr().map_err(context())
}
