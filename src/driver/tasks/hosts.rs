//! Every peer a task of this process, and the tracker tasks too.

use std::net::SocketAddr;

use crate::driver::real_time::member::Member;
use crate::driver::real_time::setup::{Beginning, Surroundings, listen};
use crate::driver::real_time::{Begun, Fate, Hosting, Stay, StayEnd, io_error, joined};
use crate::driver::{DriverError, ForeignClient};
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host;
use crate::net::tracker_server::{Limits, Listen, TrackerServer};
use crate::tracker::Tracker;

pub(super) struct Hosts<'a> {
    around: Surroundings<'a>,
    tracker_addr: SocketAddr,
    tracker: Option<TrackerServer>,
}

impl<'a> Hosts<'a> {
    pub(super) fn new(around: Surroundings<'a>, tracker_addr: SocketAddr) -> Hosts<'a> {
        Hosts { around, tracker_addr, tracker: None }
    }
}

impl Hosting for Hosts<'_> {
    async fn prepare(&mut self, _: &[Member]) -> Result<(), DriverError> {
        Ok(())
    }

    fn start_tracker(&mut self, clock: Clock) -> Result<(), DriverError> {
        let scenario = self.around.scenario;
        let tracker = Tracker::new(scenario.tracker, self.around.random_seed);
        let limits = Limits::default();
        // All peers may announce at once.
        let connections = limits.connections.max(2 * scenario.peers() as usize);
        let limits = Limits { connections, ..limits };
        let listen = Listen::at(scenario.tracker_protocol, self.tracker_addr);
        let server = TrackerServer::start(&listen, tracker, clock, limits)
            .map_err(io_error("cannot start the tracker".into()))?;
        self.tracker = Some(server);
        Ok(())
    }

    fn expect(&mut self, _: &Member) {}

    fn begin(&mut self, member: &Member, stay: Stay) -> Result<Begun, DriverError> {
        let setup = self.around.host(
            &member.plan,
            Beginning {
                listener: listen(member.addr)?,
                tracker: TrackerUrl::at(self.around.scenario.tracker_protocol, self.tracker_addr),
                have: member.have.clone(),
                store: stay.store,
                neighbours: stay.neighbours,
                clock: stay.clock,
                records: stay.records,
            },
        )?;
        let addr = Some(setup.peer.addr);
        let (handle, task) = host::start(setup);
        let end = tokio::spawn(async move {
            let end = joined(task.await);
            StayEnd {
                have: end.have,
                totals: Some(end.totals),
                lateness: end.lateness,
                addr,
                fate: end.failed.map_or(Fate::AsTold, Fate::Failed),
            }
        });
        Ok(Begun { handle, end })
    }

    async fn close(&mut self) {
        if let Some(tracker) = self.tracker.take() {
            tracker.stop().await;
        }
    }

    fn foreign_clients(&self) -> Vec<ForeignClient> {
        Vec::new()
    }
}
