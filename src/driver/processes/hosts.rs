//! Every peer a process, and the tracker another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use crate::driver::processes::attend::{Attended, Names, Orders};
use crate::driver::processes::clients::Foreign;
use crate::driver::processes::opentracker::Opentracker;
use crate::driver::processes::tracker::TrackerProcess;
use crate::driver::processes::words::Begin;
use crate::driver::real_time::member::Member;
use crate::driver::real_time::{Begun, Hosting, Stay};
use crate::driver::{DriverError, ForeignClient};
use crate::id::PeerIndex;
use crate::net::clock::Clock;
use crate::peer::Neighbours;
use crate::scenario::overlay::Place;
use crate::scenario::{Protocol, Scenario};
use crate::time::Span;
use crate::units::format_span;

/// What every process of the run is started from.
#[derive(Clone, Debug)]
pub(super) struct Kit {
    /// `minibit` itself.
    pub(super) program: PathBuf,
    pub(super) torrent: PathBuf,
    pub(super) scenario: PathBuf,
    /// What processes said before they failed.
    pub(super) logs: PathBuf,
    pub(super) random_seed: u64,
}

pub(super) struct Hosts<'a> {
    scenario: &'a Scenario,
    kit: Kit,
    /// The folders of peers, by their indices.
    folders: Vec<PathBuf>,
    names: Names,
    tracker_addr: SocketAddr,
    tracker: Option<TrackerProcess>,
    /// Where there are other clients than MiniBit.
    foreign: Option<Foreign>,
    /// Where the tracker is not MiniBit's.
    opentracker: Option<Opentracker>,
    expected: BTreeMap<PeerIndex, Attended>,
    /// Where the other clients listen.
    foreign_at: Vec<(SocketAddr, u32)>,
}

impl<'a> Hosts<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        kit: Kit,
        folders: Vec<PathBuf>,
        names: Names,
        tracker_addr: SocketAddr,
        foreign: Option<Foreign>,
        opentracker: Option<Opentracker>,
    ) -> Hosts<'a> {
        Hosts {
            scenario,
            kit,
            folders,
            names,
            tracker_addr,
            tracker: None,
            foreign,
            opentracker,
            expected: BTreeMap::new(),
            foreign_at: Vec::new(),
        }
    }

    /// Starts the process of the member's next stay.
    fn start(&self, member: &Member) -> Attended {
        let (kit, plan) = (&self.kit, &member.plan);
        if let (true, Some(foreign)) = (plan.client.is_foreign(), &self.foreign) {
            return foreign.start(member, &self.folders[plan.index.0 as usize]);
        }
        let mut command = Command::new(&kit.program);
        command.arg("peer").arg(&kit.torrent);
        command.arg("--dir").arg(&self.folders[plan.index.0 as usize]);
        command.arg("--take-part-as").arg(&plan.name);
        command.arg("--scenario").arg(&kit.scenario);
        command.arg("--random-seed").arg(kit.random_seed.to_string());
        let stderr = log(&kit.logs, &format!("peer_{}", plan.index.0 + 1));
        // Nobody dials a neighbour before it comes; one that comes back dials everybody itself.
        let listen_early = match plan.place {
            Place::Fixed { .. } if member.stay == 0 => Some(member.addr),
            Place::Fixed { .. } | Place::FromTracker { .. } => None,
        };
        Attended::start(command, stderr, member.have.clone(), self.names.clone(), listen_early)
    }

    fn tracker_command(&self) -> impl Fn(SocketAddr) -> Command + Send + Sync + 'static {
        let (program, random_seed) = (self.kit.program.clone(), self.kit.random_seed.to_string());
        let time_scale = self.scenario.time_scale.to_string();
        // The wire counts in seconds, so less is not possible on it.
        let interval = format_span(self.scenario.tracker.interval.max(Span::from_secs(1)));
        let peers_returned = self.scenario.tracker.peers_returned.to_string();
        let listen = match self.scenario.tracker_protocol {
            Protocol::Http => "--http",
            Protocol::Udp => "--udp",
        };
        move |at| {
            let mut command = Command::new(&program);
            command.args(["tracker", "--until-stdin-ends", "--random-seed", &random_seed]);
            command.args(["--time-scale", &time_scale, "--interval", &interval]);
            command.args(["--peers-returned", &peers_returned, listen, &at.to_string()]);
            command
        }
    }
}

impl Hosting for Hosts<'_> {
    async fn prepare(&mut self, members: &[Member]) -> Result<(), DriverError> {
        let foreign = members.iter().filter(|member| member.plan.client.is_foreign());
        self.foreign_at = foreign.map(|member| (Foreign::listens_at(member), member.plan.index.0)).collect();
        for member in members {
            self.expect(member);
        }
        let stderr = log(&self.kit.logs, "tracker");
        let tracker = match &self.opentracker {
            Some(opentracker) => opentracker.start(stderr).await,
            None => TrackerProcess::start(self.tracker_addr, self.tracker_command(), stderr).await,
        };
        let failed =
            |reason| DriverError::Unsupported(format!("the tracker's process did not start: {reason}"));
        self.tracker = Some(tracker.map_err(failed)?);
        for ready in self.expected.values_mut().filter_map(|attended| attended.ready.take()) {
            // An error is its end without a word: the same.
            let _ = ready.await;
        }
        Ok(())
    }

    /// It does already.
    fn start_tracker(&mut self, _: Clock) -> Result<(), DriverError> {
        Ok(())
    }

    fn expect(&mut self, member: &Member) {
        self.expected.insert(member.plan.index, self.start(member));
    }

    fn begin(&mut self, member: &Member, stay: Stay) -> Result<Begun, DriverError> {
        let expected = self.expected.remove(&member.plan.index);
        let attended = expected.unwrap_or_else(|| self.start(member));
        let clock_start = stay.clock_start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let begin = Begin {
            clock_start_unix_ns: clock_start.as_nanos() as u64,
            tracker: self.tracker.as_ref().map_or(String::new(), |tracker| tracker.url.clone()),
            have: member.have.to_wire(),
            dial: match stay.neighbours {
                Neighbours::Fixed { dial } => Some(dial),
                Neighbours::FromTracker { .. } => None,
            },
            foreign: self.foreign_at.clone(),
        };
        let orders = Orders { listen: member.addr, begin, clock: stay.clock, records: stay.records };
        let (handle, end) = attended.begin(orders);
        Ok(Begun { handle, end })
    }

    async fn close(&mut self) {
        // All at once: each may take a while.
        let dismissed: Vec<_> =
            std::mem::take(&mut self.expected).into_values().map(|one| tokio::spawn(one.dismiss())).collect();
        for one in dismissed {
            // A panic in there has been printed, and the process is gone with its handle.
            let _ = one.await;
        }
        if let Some(tracker) = self.tracker.take() {
            tracker.end().await;
        }
    }

    fn foreign_clients(&self) -> Vec<ForeignClient> {
        let cohorts = self.foreign.as_ref().map(Foreign::reports).unwrap_or_default();
        cohorts.into_iter().chain(self.opentracker.as_ref().map(Opentracker::report)).collect()
    }
}

fn log(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}
