//! The swarm of one run: who arrives, leaves, crashes and comes back when, until the run is over. It sees what
//! happens only in the records that the hosts send.

mod arrival;
mod departure;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::driver::course::Course;
use crate::driver::tasks::folder::Folder;
use crate::driver::tasks::member::{Ending, Member};
use crate::driver::tasks::original::Original;
use crate::driver::tasks::{Options, Stores, io_error};
use crate::driver::{Control, DriverError, Ended, Outcome, Pace, Recorder};
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::net::alarm::Alarm;
use crate::net::clock::Clock;
use crate::net::host::{self, Contact, Contacts};
use crate::net::loopback::LoopbackRange;
use crate::net::pace::Lateness;
use crate::net::tracker_server::{Limits, Listen, TrackerServer};
use crate::scenario::Scenario;
use crate::scenario::overlay::Place;
use crate::scenario::population::Population;
use crate::time::{Span, Time};
use crate::tracker::Tracker;
use arrival::free_port;
use departure::{Departed, joined};

/// Batches of records that may wait for the recorder.
const RECORDS: usize = 1024;
/// How often to look whether somebody wants the run to end.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Swarm<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) random_seed: u64,
    pub(super) original: Original,
    pub(super) clock: Clock,
    pub(super) alarm: Alarm,
    pub(super) contacts: Arc<Contacts>,
    pub(super) tracker_addr: SocketAddr,
    tracker: Option<TrackerServer>,
    members: Vec<Member>,
    course: Course,
    /// What is to happen when; equal times in the order of scheduling.
    timeline: BinaryHeap<Reverse<(Time, u64, Due)>>,
    scheduled: u64,
    records: mpsc::Receiver<Vec<Record>>,
    to_records: mpsc::Sender<Vec<Record>>,
    ends: JoinSet<Departed>,
    lateness: Lateness,
    rebuild: bool,
    folder: Folder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    TrackerStarts,
    Arrive {
        peer: PeerIndex,
    },
    Leave {
        peer: PeerIndex,
        stay: u32,
    },
    /// Leave, if it still lacks something.
    Abort {
        peer: PeerIndex,
        stay: u32,
    },
    Crash {
        peer: PeerIndex,
        stay: u32,
    },
}

impl<'a> Swarm<'a> {
    /// Prepares everything that takes time, so that the clock starts with the run. Within a runtime.
    pub(super) fn gather(
        scenario: &'a Scenario,
        random_seed: u64,
        population: Population,
        original: Original,
        stores: Stores,
        options: &Options<'_>,
    ) -> Result<Swarm<'a>, DriverError> {
        let layout = scenario.content.layout;
        let peers = population.peers.len() as u32;
        let addresses = LoopbackRange::reserve(peers + 1);
        let course = Course::new(&population.peers, layout, Span::ZERO);
        let contact = |plan: &crate::scenario::population::PeerPlan| {
            (plan.peer_id, Contact { index: plan.index, latency: plan.latency })
        };
        let contacts = population.peers.iter().map(contact).collect();
        let folder = Folder::new(options.work)?;
        let mut members = Vec::with_capacity(population.peers.len());
        for plan in population.peers {
            let address = addresses.address(plan.index.0);
            let addr = match plan.place {
                Place::FromTracker { .. } => SocketAddr::new(address, 0),
                // Its neighbours have to know the port before it is there.
                Place::Fixed { .. } => free_port(address)?,
            };
            let own = folder.path.join("peers").join(format!("peer_{}", plan.index.0 + 1));
            members.push(Member::new(plan, addr, layout, &original, stores, &own)?);
        }
        let (to_records, records) = mpsc::channel(RECORDS);
        let mut swarm = Swarm {
            scenario,
            random_seed,
            original,
            clock: Clock::start(scenario.time_scale),
            alarm: Alarm::start().map_err(io_error("cannot start the thread that keeps time".into()))?,
            contacts: Arc::new(contacts),
            tracker_addr: free_port(addresses.address(peers))?,
            tracker: None,
            members,
            course,
            timeline: BinaryHeap::new(),
            scheduled: 0,
            records,
            to_records,
            ends: JoinSet::new(),
            lateness: Lateness::default(),
            rebuild: stores == Stores::Blocks,
            folder,
        };
        swarm.schedule(Time::ZERO + options.tracker_after, Due::TrackerStarts);
        for at in 0..swarm.members.len() {
            let plan = &swarm.members[at].plan;
            let (arrival, peer) = (plan.arrival, plan.index);
            swarm.schedule(arrival, Due::Arrive { peer });
        }
        Ok(swarm)
    }

    pub(super) async fn run(
        mut self,
        recorder: &mut dyn Recorder,
        control: &Control,
    ) -> Result<Outcome, DriverError> {
        self.clock = Clock::start(self.scenario.time_scale);
        let carried = self.carry(recorder, control).await;
        let at = self.clock.now().min(Time::ZERO + self.scenario.time_limit);
        let ended = self.dissolve(recorder).await;
        let took = Span::from_nanos(self.clock.to_wall(self.clock.now().since(Time::ZERO)).as_nanos() as u64);
        let outcome = Outcome { ended: carried?, at, pace: Some(self.pace(took)) };
        ended.map(|()| outcome)
    }

    /// Lets things happen until the run is over by itself, at its limit, or when it is interrupted.
    async fn carry(&mut self, recorder: &mut dyn Recorder, control: &Control) -> Result<Ended, DriverError> {
        let limit = Time::ZERO + self.scenario.time_limit;
        let mut look = tokio::time::interval(LOOK);
        loop {
            let now = self.clock.now();
            self.carry_out_due(now.min(limit), recorder)?;
            if let Some(ended) = self.course.ended(now) {
                return Ok(ended);
            }
            if now >= limit {
                return Ok(Ended::TimeLimit);
            }
            if control.is_interrupted() {
                return Ok(Ended::Interrupted);
            }
            let wake = self.wake_at(now).min(limit);
            tokio::select! {
                biased;
                Some(records) = self.records.recv() => self.take_in(records, recorder),
                Some(departed) = self.ends.join_next() => self.departed(joined(departed), recorder)?,
                () = self.clock.sleep_until(wake) => {}
                _ = look.tick() => {}
            }
        }
    }

    fn wake_at(&self, now: Time) -> Time {
        let due = self.timeline.peek().map(|Reverse((at, _, _))| *at);
        // A time that has passed was asked about just now.
        let stuck = self.course.ask_again_at().filter(|at| *at > now);
        due.into_iter().chain(stuck).min().unwrap_or(Time::NEVER)
    }

    fn schedule(&mut self, at: Time, due: Due) {
        self.scheduled += 1;
        self.timeline.push(Reverse((at, self.scheduled, due)));
    }

    fn carry_out_due(&mut self, now: Time, recorder: &mut dyn Recorder) -> Result<(), DriverError> {
        while let Some(Reverse((at, _, due))) = self.timeline.peek().copied()
            && at <= now
        {
            self.timeline.pop();
            match due {
                Due::TrackerStarts => self.start_tracker()?,
                Due::Arrive { peer } => self.arrive(peer, recorder)?,
                Due::Leave { peer, stay } => self.end_stay(peer, stay, Ending::Leave),
                Due::Abort { peer, stay } if !self.members[peer.0 as usize].complete => {
                    self.end_stay(peer, stay, Ending::Leave);
                }
                Due::Abort { .. } => {}
                Due::Crash { peer, stay } => self.end_stay(peer, stay, Ending::Crash),
            }
        }
        Ok(())
    }

    fn start_tracker(&mut self) -> Result<(), DriverError> {
        let tracker = Tracker::new(self.scenario.tracker, self.random_seed);
        let limits = Limits::default();
        // All peers may announce at once.
        let connections = limits.connections.max(2 * self.members.len());
        let limits = Limits { connections, ..limits };
        let server = TrackerServer::start(&Listen::http(self.tracker_addr), tracker, self.clock, limits)
            .map_err(io_error("cannot start the tracker".into()))?;
        self.tracker = Some(server);
        Ok(())
    }

    fn arrive(&mut self, peer: PeerIndex, recorder: &mut dyn Recorder) -> Result<(), DriverError> {
        let member = &self.members[peer.0 as usize];
        let Some(setup) = self.host_setup(member, self.to_records.clone())? else { return Ok(()) };
        let layout = self.scenario.content.layout;
        let bytes = member.have.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        let pieces = member.have.count();
        let stay = member.stay;
        let (crash, abort) = (member.plan.crash_after(stay), member.plan.abort_after(stay));
        let (addr, store) = (setup.peer.addr, setup.store.clone());
        let now = self.clock.now();
        self.record(now, peer, Event::Arrived { pieces, bytes }, recorder);
        let (handle, task) = host::start(setup);
        self.watch(peer, task, store);
        let member = &mut self.members[peer.0 as usize];
        (member.host, member.addr) = (Some(handle), addr);
        if let Some(after) = crash {
            self.schedule(now + after, Due::Crash { peer, stay });
        }
        if let Some(after) = abort {
            self.schedule(now + after, Due::Abort { peer, stay });
        }
        self.leave_if_done(now, peer);
        Ok(())
    }

    fn end_stay(&mut self, peer: PeerIndex, stay: u32, ending: Ending) {
        let member = &mut self.members[peer.0 as usize];
        if member.is_here(stay) {
            member.end(ending);
        }
    }

    fn take_in(&mut self, records: Vec<Record>, recorder: &mut dyn Recorder) {
        for record in records {
            self.course.record(&record);
            recorder.record(&record);
            let member = &mut self.members[record.peer.0 as usize];
            match record.event {
                Event::Completed => member.complete = true,
                Event::StorageFailed { .. } => member.complete = false,
                Event::Uploaded { block, .. } => member.uploaded += u64::from(block.length),
                _ => continue,
            }
            self.leave_if_done(record.at, record.peer);
        }
    }

    fn leave_if_done(&mut self, now: Time, peer: PeerIndex) {
        let member = &mut self.members[peer.0 as usize];
        if let Some(wait) = member.wants_to_leave(now, self.scenario.content.layout.total()) {
            member.leaving = true;
            let stay = member.stay;
            self.schedule(now + wait, Due::Leave { peer, stay });
        }
    }

    /// Ends everybody's stay and waits until the last socket is closed.
    async fn dissolve(&mut self, recorder: &mut dyn Recorder) -> Result<(), DriverError> {
        self.members.iter_mut().for_each(|member| member.end(Ending::EndOfRun));
        let mut first_error = Ok(());
        loop {
            tokio::select! {
                Some(records) = self.records.recv() => self.take_in(records, recorder),
                departed = self.ends.join_next() => match departed {
                    Some(departed) => first_error = first_error.and(self.departed(joined(departed), recorder)),
                    None => break,
                }
            }
        }
        if let Some(tracker) = self.tracker.take() {
            tracker.stop().await;
        }
        first_error
    }

    fn record(&mut self, at: Time, peer: PeerIndex, event: Event, recorder: &mut dyn Recorder) {
        self.take_in(vec![Record { at, peer, event }], recorder);
    }

    fn pace(&self, took: Span) -> Pace {
        let timer_lag_p99 = self.lateness.timers_at(0.99);
        let block = u64::from(self.scenario.content.layout.block_size());
        let cohorts = &self.scenario.cohorts;
        let rates = cohorts.iter().flat_map(|cohort| [cohort.upload, cohort.download]).flatten();
        let shortest = rates.filter(|rate| !rate.is_zero()).map(|rate| rate.time_for(block)).min();
        let tenth = |span: Span| self.clock.to_wall(span).as_nanos() / 10;
        Pace {
            took,
            timer_lag_p99,
            timer_lag_max: self.lateness.latest_timer(),
            block_latency_p50: self.lateness.blocks_at(0.5),
            block_latency_p99: self.lateness.blocks_at(0.99),
            degraded: shortest.is_some_and(|span| u128::from(timer_lag_p99.as_nanos()) > tenth(span)),
        }
    }
}
