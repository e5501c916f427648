//! Time never goes back, and nothing happens to a peer that is not there.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::time::Time;

pub(super) struct Presence {
    latest: Time,
    here: Vec<bool>,
    totals_due: Vec<bool>,
}

impl Presence {
    pub(super) fn new(world: &World) -> Presence {
        let peers = world.everybody().count();
        Presence { latest: Time::ZERO, here: vec![false; peers], totals_due: vec![false; peers] }
    }
}

impl Invariant for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn record(&mut self, _world: &World, record: &Record) -> Result<(), String> {
        ensure(record.at >= self.latest, || format!("time went back from {} to {}", self.latest, record.at))?;
        self.latest = record.at;
        let peer = record.peer.0 as usize;
        match record.event {
            Event::Arrived { .. } => {
                ensure(!self.here[peer], || "arrived twice".into())?;
                self.here[peer] = true;
            }
            Event::Left | Event::Crashed | Event::Failed { .. } => {
                ensure(self.here[peer], || format!("{:?} while away", record.event))?;
                self.here[peer] = false;
                self.totals_due[peer] = true;
            }
            Event::Totals(_) => {
                ensure(self.totals_due[peer], || "totals without an end".into())?;
                self.totals_due[peer] = false;
            }
            _ => ensure(self.here[peer], || format!("{:?} while away", record.event))?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, pretend};
    use crate::event::Totals;
    use crate::id::PeerIndex;

    fn presence(world: &World) -> Box<dyn Invariant> {
        Box::new(Presence::new(world))
    }

    /// Who has not come yet.
    fn absent(world: &World) -> Option<PeerIndex> {
        world.everybody().find(|peer| world.host(*peer).peer.is_none())
    }

    #[test]
    fn time_that_goes_back_is_seen() {
        let said = complaint(presence, |world| {
            let late = world.now > Time::ZERO && !world.records.is_empty();
            if late {
                let record = Record { at: Time::ZERO, peer: PeerIndex(0), event: Event::Completed };
                world.records.push(record);
            }
            late
        });
        assert!(said.starts_with("presence: time went back from"), "{said}");
    }

    #[test]
    fn whoever_does_something_before_coming_is_seen() {
        let said = complaint(presence, |world| {
            let Some(peer) = absent(world) else { return false };
            pretend(world, peer, Event::Completed)
        });
        assert_eq!(said, "presence: Completed while away");
    }

    #[test]
    fn whoever_comes_twice_is_seen() {
        let arrived = Event::Arrived { pieces: 0, bytes: 0 };
        let said = complaint(presence, |world| {
            world.hosts[0].peer.is_some() && pretend(world, PeerIndex(0), arrived.clone())
        });
        assert_eq!(said, "presence: arrived twice");
    }

    #[test]
    fn totals_of_a_stay_that_goes_on_are_seen() {
        let said =
            complaint(presence, |world| pretend(world, PeerIndex(0), Event::Totals(Totals::default())));
        assert_eq!(said, "presence: totals without an end");
    }
}
