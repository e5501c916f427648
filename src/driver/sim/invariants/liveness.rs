//! Where somebody present has what somebody present lacks, something moves before long; and a run that ends by itself
//! has a reason to.

use super::{Invariant, ensure};
use crate::driver::Ended;
use crate::driver::sim::host::Host;
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::time::{Span, Time};

pub(super) struct Liveness {
    /// Longer than this nothing may stand still: ten minutes, many block times of the slowest link, or what it takes to
    /// meet everybody by turns.
    patience: Span,
    /// Starts when deliveries are no longer disturbed: no progress is promised before.
    last_change: Time,
}

impl Liveness {
    pub(super) fn new(world: &World) -> Liveness {
        let block = u64::from(world.layout.block_size());
        let rates = world.hosts.iter().flat_map(|host| [host.plan.upload, host.plan.download]).flatten();
        let slowest = rates.filter(|rate| !rate.is_zero()).map(|rate| rate.time_for(block)).max();
        let patience = Span::from_secs(600).max(slowest.unwrap_or_default() * 100);
        // A connection that lost something is given up after five minutes; what it asked for is free from then on.
        let given_up = if world.fault.disturbances.is_empty() { Span::ZERO } else { Span::from_secs(300) };
        // Who may have fewer connections than there are peers meets them few by few, at its announces.
        let (peers, most) = (world.hosts.len() as u64, u64::from(world.policy.max_connections.max(1)));
        let meeting = if peers > most { world.tracker.interval() * (4 * peers / most) } else { Span::ZERO };
        let patience = patience.max(meeting) + given_up + world.fault.longest_delay();
        Liveness { patience, last_change: world.fault.calm_from() }
    }
}

impl Invariant for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn record(&mut self, _world: &World, record: &Record) -> Result<(), String> {
        match record.event {
            Event::Arrived { .. }
            | Event::Left
            | Event::Crashed
            | Event::Downloaded { .. }
            | Event::Completed => {
                self.last_change = self.last_change.max(record.at);
            }
            _ => {}
        }
        Ok(())
    }

    fn world(&mut self, world: &World) -> Result<(), String> {
        let still = world.now.since(self.last_change);
        if still <= self.patience {
            return Ok(());
        }
        let stuck = could_get_something(world);
        ensure(stuck.is_none(), || {
            let name = stuck.map_or("", |host| host.plan.name.as_str());
            format!("nothing has moved for {still}, although {name} could still get something")
        })
    }

    fn at_end(&mut self, world: &World, ended: &Ended) -> Result<(), String> {
        let incomplete = here(world).find(|host| !host.have.is_full());
        let stuck = could_get_something(world);
        match ended {
            Ended::Complete => ensure(incomplete.is_none(), || {
                let name = incomplete.map_or("", |host| host.plan.name.as_str());
                format!("the run ended as complete, but {name} is not")
            }),
            Ended::Stranded(_) => ensure(stuck.is_none(), || {
                let name = stuck.map_or("", |host| host.plan.name.as_str());
                format!("the run ended as stranded, but {name} could still get something")
            }),
            Ended::TimeLimit | Ended::Interrupted => Ok(()),
        }
    }
}

fn here(world: &World) -> impl Iterator<Item = &Host> {
    world.hosts.iter().filter(|host| host.peer.is_some())
}

/// A peer that lacks a piece which somebody has and would give.
fn could_get_something(world: &World) -> Option<&Host> {
    let gives = |holder: &&Host| holder.plan.uploads;
    here(world)
        .find(|leecher| here(world).filter(gives).any(|holder| !holder.have.is_subset_of(&leecher.have)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Stranded;
    use crate::driver::sim::Options;
    use crate::driver::sim::invariants::doctored::{complaint, scenario};

    fn liveness(world: &World) -> Box<dyn Invariant> {
        Box::new(Liveness::new(world))
    }

    #[test]
    fn a_swarm_that_stands_still_is_seen() {
        let said = complaint(liveness, |world| {
            let busy = here(world).count() == 7;
            world.now += Span::from_secs(if busy { 3_600 } else { 0 });
            busy
        });
        assert!(said.contains("nothing has moved for 36"), "{said}");
    }

    #[test]
    fn an_end_without_a_reason_is_seen() {
        let mut world = World::new(&scenario(), 1, &Options::default());
        let mut liveness = Liveness::new(&world);
        for _ in 0..100 {
            world.advance();
        }
        let said = |liveness: &mut Liveness, ended| liveness.at_end(&world, &ended).unwrap_err();
        assert!(said(&mut liveness, Ended::Complete).contains("ended as complete, but leecher-1 is not"));
        let stranded = Ended::Stranded(Stranded::default());
        assert!(said(&mut liveness, stranded).contains("leecher-1 could still get something"));
        assert_eq!(liveness.at_end(&world, &Ended::TimeLimit), Ok(()));
    }
}
