//! Where somebody present has what somebody lacks to whom it can give it, something moves before long; and a run that
//! ends by itself has a reason to.

use super::{Invariant, ensure};
use crate::driver::Ended;
use crate::driver::sim::host::Host;
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::peer::policy::{ChokerPolicy, Policy};
use crate::peer::{STUCK_AFTER, TRIED_AFTER};
use crate::scenario::overlay::Place;
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
        let patience = patience.max(meeting_everybody(world)) + given_up + world.fault.longest_delay();
        Liveness { patience, last_change: world.fault.calm_from() }
    }
}

/// How long it may take until everybody has met everybody. Whoever is named, or seeks, fewer others than there are meets
/// them few by few, at its announces, once it starves and those it has had their time. Neighbours in a fixed overlay know
/// each other from the start.
fn meeting_everybody(world: &World) -> Span {
    let place = world.hosts.first().map(|host| &host.plan.place);
    let Some(Place::FromTracker { dial }) = place else { return Span::ZERO };
    let peers = world.hosts.len();
    let sought = world.policy.max_connections.min(dial.unwrap_or(u32::MAX));
    let few = world.tracker.named_at_once(peers).min(sought as usize).max(1);
    if peers <= few {
        return Span::ZERO;
    }
    let turn = world.tracker.interval().max(TRIED_AFTER);
    world.policy.snub_after * STUCK_AFTER + turn * (4 * peers / few) as u64
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
        let stuck = could_get_from(world, |leecher, holder| slots_last(&world.policy, leecher, holder));
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

/// A peer that lacks a piece which somebody gives whom it may be connected to. One step is enough: where nobody can take
/// it, nothing reaches anybody over others either.
fn could_get_something(world: &World) -> Option<&Host> {
    could_get_from(world, |_, _| true)
}

/// The same, from somebody of whom `and` is true too.
fn could_get_from(world: &World, and: impl Fn(&Host, &Host) -> bool) -> Option<&Host> {
    let takes = |leecher: &&Host| leecher.plan.download.is_none_or(|rate| !rate.is_zero());
    here(world).filter(takes).find(|leecher| {
        let may_meet = |holder: &Host| leecher.plan.place.may_lead_to(holder.plan.index);
        let gives = |holder: &Host| holder.plan.uploads && may_meet(holder) && and(leecher, holder);
        here(world).any(|holder| gives(holder) && !holder.have.is_subset_of(&leecher.have))
    })
}

/// Whether a request comes back while the slot for which it was made is held: a choker may take it away after a round.
fn slots_last(policy: &Policy, leecher: &Host, holder: &Host) -> bool {
    let ends = [&leecher.plan, &holder.plan];
    let path = ends.iter().fold(Span::ZERO, |path, end| path + end.latency + end.jitter);
    policy.choker == ChokerPolicy::UnchokeAll || path * 2 < policy.round
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Stranded;
    use crate::driver::sim::Options;
    use crate::driver::sim::invariants::doctored::{complaint, scenario};
    use crate::id::PeerIndex;
    use crate::scenario::Overlay;

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
    fn what_nobody_can_reach_is_not_waited_for_and_what_somebody_can_is() {
        let mut star = scenario();
        star.overlay = Overlay::Star;
        let mut world = World::new(&star, 1, &Options::default());
        while here(&world).filter(|host| !host.have.is_empty()).count() < 7 {
            world.advance();
        }
        let stuck = |world: &World| could_get_something(world).map(|host| host.plan.name.clone());
        assert_eq!(stuck(&world).as_deref(), Some("leecher-1"));
        let seed = world.host_mut(PeerIndex(0)).peer.take();
        assert_eq!(stuck(&world), None, "leechers of a star never meet");
        world.host_mut(PeerIndex(6)).plan.place = Place::FromTracker { dial: None };
        assert_eq!(stuck(&world).as_deref(), Some("leecher-6"), "whom a tracker names, anybody may meet");
        world.host_mut(PeerIndex(0)).peer = seed;
        world.host_mut(PeerIndex(6)).plan.place = world.host(PeerIndex(5)).plan.place.clone();
        world.host_mut(PeerIndex(0)).plan.uploads = false;
        assert_eq!(stuck(&world), None, "the centre gives nothing");
    }

    #[test]
    fn a_slot_is_waited_for_if_it_lasts_until_a_request_comes_back() {
        let world = World::new(&scenario(), 1, &Options::default());
        let lasts = |choker, millis| {
            let policy = Policy { choker, round: Span::from_millis(millis), ..world.policy.clone() };
            slots_last(&policy, world.host(PeerIndex(1)), world.host(PeerIndex(0)))
        };
        // 80 ms there and back.
        let asked = [(ChokerPolicy::TitForTat, 160), (ChokerPolicy::TitForTat, 161)];
        assert_eq!(asked.map(|(choker, millis)| lasts(choker, millis)), [false, true]);
        assert!(lasts(ChokerPolicy::UnchokeAll, 1));
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
