//! Virtual time: a discrete-event simulator that runs the peers and the tracker without sockets or clock.
//!
//! The same scenario and random seed give the same records, on every machine: integers decide, one total order of
//! events, one stream of draws per (seed, peer, purpose). A path costs latency, an uplink serves one block at a time,
//! a downlink queues what arrives together; control messages cost latency only. Jitter is drawn by each end for every
//! delivery. A dial takes one path there and one back, as a handshake does on an open socket.

mod connection;
mod event;
mod fault;
mod host;
mod inboxes;
mod invariants;
pub mod large_pages;
mod path;
mod queue;
#[cfg(test)]
mod tests;
mod words;
mod world;

use crate::driver::{Control, DriverError, Ended, Outcome, Recorder, refuse_foreign_clients};
use crate::scenario::Scenario;
use crate::time::Time;

pub use fault::{Disturbance, Fault};
pub use world::World;

use invariants::Invariants;
use queue::Key;

/// So many events pass between two looks at whether somebody wants the run to end,
const EVENTS_PER_LOOK: u64 = 1024;
/// and so many before their records are passed on: one after the other costs more, for code and memory that are in no
/// cache by then.
const EVENTS_AT_ONCE: u64 = 32;

/// What a simulated run does besides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Check every invariant after every step; a broken one ends the run with an error.
    pub check: bool,
    /// What goes wrong on purpose.
    pub fault: Fault,
    /// Every message is encoded and decoded on its way, as on a socket.
    pub through_codec: bool,
    /// One event per HAVE and per word. Slower, and the same records.
    pub nothing_waits: bool,
}

/// Runs `scenario` with `random_seed` in virtual time. Records come in the order of their time.
pub fn run(
    scenario: &Scenario,
    random_seed: u64,
    options: &Options,
    recorder: &mut dyn Recorder,
    control: &Control,
) -> Result<Outcome, DriverError> {
    measured(scenario, random_seed, options, recorder, control).map(|(outcome, _)| outcome)
}

/// What a run took, in units that are the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Events taken from the queue.
    pub events: u64,
    /// HAVEs that waited in an inbox, and were no events.
    pub haves: u64,
    /// The most events that were pending at a time.
    pub pending: u64,
}

/// [`run`], and what it took.
pub fn measured(
    scenario: &Scenario,
    random_seed: u64,
    options: &Options,
    recorder: &mut dyn Recorder,
    control: &Control,
) -> Result<(Outcome, Effort), DriverError> {
    refuse_foreign_clients(scenario)?;
    let mut world = World::new(scenario, random_seed, options);
    let mut invariants = options.check.then(|| Invariants::new(&world));
    let limit = Time::ZERO + scenario.time_limit;
    let ended = world.run(limit, invariants.as_mut(), recorder, control)?;
    world.note_everything();
    if let Some(invariants) = &mut invariants {
        invariants.at_end(&world, &ended)?;
    }
    world.finish();
    world.hand_over(recorder, None)?;
    Ok((Outcome { ended, at: world.now(), pace: None, clients: Vec::new() }, world.effort))
}

impl World {
    /// Lets events happen until the run is over by itself, at `limit`, or when it is interrupted.
    fn run(
        &mut self,
        limit: Time,
        mut invariants: Option<&mut Invariants>,
        recorder: &mut dyn Recorder,
        control: &Control,
    ) -> Result<Ended, DriverError> {
        for looked in 0u64.. {
            if let Some(ended) = self.course.ended(self.now) {
                return Ok(ended);
            }
            if looked.is_multiple_of(EVENTS_PER_LOOK) && control.is_interrupted() {
                return Ok(Ended::Interrupted);
            }
            let next = self.queue.next_at().unwrap_or(Time::NEVER);
            let stuck = self.course.ask_again_at().filter(|at| *at <= next.min(limit));
            if let Some(at) = stuck.filter(|at| *at > self.now) {
                (self.now, self.position) = (at, Key::start_of(at));
                continue;
            }
            if next > limit || next == Time::NEVER {
                (self.now, self.position) = (limit, Key::end_of(limit));
                return Ok(Ended::TimeLimit);
            }
            self.advance();
            if invariants.is_some() || looked.is_multiple_of(EVENTS_AT_ONCE) {
                self.hand_over(recorder, invariants.as_deref_mut())?;
            }
        }
        unreachable!("2^64 events do not happen")
    }

    /// Passes new records on, and lets the invariants look at them and at the peers that were stepped.
    fn hand_over(
        &mut self,
        recorder: &mut dyn Recorder,
        invariants: Option<&mut Invariants>,
    ) -> Result<(), DriverError> {
        recorder.record_all(&self.records);
        if let Some(invariants) = invariants {
            let records = std::mem::take(&mut self.records);
            let touched = std::mem::take(&mut self.touched);
            let answers = std::mem::take(&mut self.answers);
            return invariants.look(self, &records, &touched, &answers);
        }
        self.records.clear();
        self.touched.clear();
        self.answers.clear();
        Ok(())
    }

    /// The time of what happened last.
    pub fn now(&self) -> Time {
        self.now
    }
}
