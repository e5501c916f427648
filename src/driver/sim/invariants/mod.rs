//! What must hold at every moment of a simulated run, one invariant per file. They look at records, at the peers that
//! were just stepped and at the tracker's answers; they change nothing.

mod availability;
mod bans;
mod blocks;
mod bytes;
mod choking;
#[cfg(test)]
mod doctored;
mod have;
mod interest;
mod liveness;
mod presence;
mod requests;
mod tracker;

use crate::driver::sim::world::Answer;
use crate::driver::sim::world::World;
use crate::driver::{DriverError, Ended};
use crate::event::Record;
use crate::id::PeerIndex;
use crate::peer::Peer;

/// One thing that must hold. An `Err` says what was seen instead.
trait Invariant {
    fn name(&self) -> &'static str;

    /// After a step that left this record.
    fn record(&mut self, _world: &World, _record: &Record) -> Result<(), String> {
        Ok(())
    }

    /// After a step of this peer.
    fn peer(&mut self, _world: &World, _index: PeerIndex, _peer: &Peer) -> Result<(), String> {
        Ok(())
    }

    fn answer(&mut self, _world: &World, _answer: &Answer) -> Result<(), String> {
        Ok(())
    }

    /// After every step.
    fn world(&mut self, _world: &World) -> Result<(), String> {
        Ok(())
    }

    fn at_end(&mut self, _world: &World, _ended: &Ended) -> Result<(), String> {
        Ok(())
    }
}

/// All of them.
pub(super) struct Invariants {
    all: Vec<Box<dyn Invariant>>,
}

impl Invariants {
    pub(super) fn new(world: &World) -> Invariants {
        Invariants {
            all: vec![
                Box::new(presence::Presence::new(world)),
                Box::new(bytes::Bytes::default()),
                Box::new(availability::Availability),
                Box::new(have::Have::new(world)),
                Box::new(blocks::Blocks::default()),
                Box::new(requests::Requests),
                Box::new(choking::Choking::default()),
                Box::new(interest::Interest),
                Box::new(bans::Bans::default()),
                Box::new(tracker::Tracker::default()),
                Box::new(liveness::Liveness::new(world)),
            ],
        }
    }

    pub(super) fn look(
        &mut self,
        world: &World,
        records: &[Record],
        touched: &[PeerIndex],
        answers: &[Answer],
    ) -> Result<(), DriverError> {
        for invariant in &mut self.all {
            let name = invariant.name();
            for record in records {
                invariant.record(world, record).map_err(|what| broken(world, name, record.peer, what))?;
            }
            for &index in touched {
                if let Some(peer) = &world.host(index).peer {
                    invariant.peer(world, index, peer).map_err(|what| broken(world, name, index, what))?;
                }
            }
            for answer in answers {
                invariant.answer(world, answer).map_err(|what| broken(world, name, answer.asker, what))?;
            }
            let peer = touched.first().copied().unwrap_or(PeerIndex(0));
            invariant.world(world).map_err(|what| broken(world, name, peer, what))?;
        }
        Ok(())
    }

    pub(super) fn at_end(&mut self, world: &World, ended: &Ended) -> Result<(), DriverError> {
        for invariant in &mut self.all {
            let name = invariant.name();
            invariant.at_end(world, ended).map_err(|what| broken(world, name, PeerIndex(0), what))?;
        }
        Ok(())
    }
}

fn broken(world: &World, invariant: &'static str, peer: PeerIndex, what: String) -> DriverError {
    DriverError::Invariant { invariant, at: world.now, peer, random_seed: world.random_seed, what }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::Options;
    use crate::time::Span;

    #[test]
    fn every_area_of_a_swarm_has_its_invariant() {
        let world = World::new(&doctored::scenario(), 1, &Options::default());
        let names: Vec<_> = Invariants::new(&world).all.iter().map(|invariant| invariant.name()).collect();
        let areas = [
            "presence",
            "bytes",
            "availability",
            "have",
            "blocks",
            "requests",
            "choking",
            "interest",
            "bans",
            "tracker",
            "liveness",
        ];
        assert_eq!(names, areas);
    }

    #[test]
    fn a_violation_says_what_when_where_and_with_which_random_seed() {
        let mut world = World::new(&doctored::scenario(), 17, &Options::default());
        world.now += Span::from_millis(2_500);
        let told = broken(&world, "have", PeerIndex(3), "has too much".to_owned()).to_string();
        assert_eq!(told, "have is broken at 2.5 s, peer 3, random seed 17: has too much");
    }
}
