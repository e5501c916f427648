//! The swarm of one run: who arrives, leaves, crashes and comes back when, until the run is over. It sees what
//! happens only in the records that the hosts send.

mod departure;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::driver::course::Course;
use crate::driver::real_time::folder::Folder;
use crate::driver::real_time::member::{Ending, Member};
use crate::driver::real_time::original::Original;
use crate::driver::real_time::setup::free_port;
use crate::driver::real_time::{Hosting, Stay, Stores, joined};
use crate::driver::{Control, DriverError, Ended, Outcome, Pace, Recorder};
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::net::clock::Clock;
use crate::net::loopback::LoopbackRange;
use crate::net::pace::Lateness;
use crate::scenario::Scenario;
use crate::scenario::overlay::Place;
use crate::scenario::population::Population;
use crate::time::{Span, Time};
use departure::Departed;

/// Batches of records that may wait for the recorder.
const RECORDS: usize = 1024;
/// How often to look whether somebody wants the run to end.
const LOOK: Duration = Duration::from_millis(50);

pub(in crate::driver) struct Swarm<'a, H> {
    scenario: &'a Scenario,
    original: Original,
    hosts: H,
    clock_start: SystemTime,
    clock: Clock,
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

/// What a swarm is gathered from.
pub(in crate::driver) struct Gathering<'a, H> {
    pub(in crate::driver) scenario: &'a Scenario,
    pub(in crate::driver) population: Population,
    pub(in crate::driver) original: Original,
    /// Where the peers keep their pieces: decided.
    pub(in crate::driver) stores: Stores,
    pub(in crate::driver) folder: Folder,
    /// One for every peer, and one for the tracker after them.
    pub(in crate::driver) addresses: LoopbackRange,
    /// The tracker starts so long after the run, in scenario time.
    pub(in crate::driver) tracker_after: Span,
    pub(in crate::driver) hosts: H,
}

impl<'a, H: Hosting> Swarm<'a, H> {
    /// Fills the stores of those who start with something. Nobody is there yet.
    pub(in crate::driver) fn gather(gathering: Gathering<'a, H>) -> Result<Swarm<'a, H>, DriverError> {
        let Gathering { scenario, population, original, stores, folder, addresses, tracker_after, hosts } =
            gathering;
        let layout = scenario.content.layout;
        let course = Course::new(&population.peers, layout, Span::ZERO);
        let mut members = Vec::with_capacity(population.peers.len());
        for plan in population.peers {
            let address = addresses.address(plan.index.0);
            let addr = match plan.place {
                Place::FromTracker { .. } => SocketAddr::new(address, 0),
                // Its neighbours have to know the port before it is there.
                Place::Fixed { .. } => free_port(address)?,
            };
            let own = folder.of_peer(plan.index);
            members.push(Member::new(plan, addr, layout, &original, stores, &own)?);
        }
        let (to_records, records) = mpsc::channel(RECORDS);
        let mut swarm = Swarm {
            scenario,
            original,
            hosts,
            clock_start: SystemTime::now(),
            clock: Clock::start(scenario.time_scale),
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
        swarm.schedule(Time::ZERO + tracker_after, Due::TrackerStarts);
        for at in 0..swarm.members.len() {
            let plan = &swarm.members[at].plan;
            let (arrival, peer) = (plan.arrival, plan.index);
            swarm.schedule(arrival, Due::Arrive { peer });
        }
        Ok(swarm)
    }

    pub(in crate::driver) async fn run(
        mut self,
        recorder: &mut dyn Recorder,
        control: &Control,
    ) -> Result<Outcome, DriverError> {
        let prepared = tokio::select! {
            prepared = self.hosts.prepare(&self.members) => prepared,
            () = interrupted(control) => Ok(()),
        };
        self.clock_start = SystemTime::now();
        self.clock = Clock::since(self.clock_start, self.scenario.time_scale);
        let carried = match prepared {
            Ok(()) if control.is_interrupted() => Ok(Ended::Interrupted),
            Ok(()) => self.carry(recorder, control).await,
            Err(error) => Err(error),
        };
        let at = self.clock.now().min(Time::ZERO + self.scenario.time_limit);
        let ended = self.dissolve(recorder).await;
        let took = Span::from_nanos(self.clock.to_wall(self.clock.now().since(Time::ZERO)).as_nanos() as u64);
        let clients = self.hosts.foreign_clients();
        let outcome = Outcome { ended: carried?, at, pace: Some(self.pace(took)), clients };
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
                Due::TrackerStarts => self.hosts.start_tracker(self.clock)?,
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

    fn arrive(&mut self, peer: PeerIndex, recorder: &mut dyn Recorder) -> Result<(), DriverError> {
        let member = &self.members[peer.0 as usize];
        let Some(store) = member.store.clone() else { return Ok(()) };
        let layout = self.scenario.content.layout;
        let bytes = member.have.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        let (pieces, stay) = (member.have.count(), member.stay);
        let (crash, abort) = (member.plan.crash_after(stay), member.plan.abort_after(stay));
        let now = self.clock.now();
        let begun = self.hosts.begin(
            member,
            Stay {
                neighbours: member.plan.place.at_stay(stay, |peer| self.members[peer.0 as usize].addr),
                store: store.clone(),
                clock: self.clock,
                clock_start: self.clock_start,
                records: self.to_records.clone(),
            },
        )?;
        self.members[peer.0 as usize].host = Some(begun.handle);
        self.record(now, peer, Event::Arrived { pieces, bytes }, recorder);
        self.watch(peer, begun.end, store);
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
        self.hosts.close().await;
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

/// Returns once somebody wants the run to end.
async fn interrupted(control: &Control) {
    let mut look = tokio::time::interval(LOOK);
    while !control.is_interrupted() {
        look.tick().await;
    }
}
