//! The tracker's counts add up, nobody is told of himself, and `completed` counts once a peer.

use std::collections::BTreeSet;

use super::{Invariant, ensure};
use crate::driver::sim::world::Answer;
use crate::driver::sim::world::{INFO_HASH, World};
use crate::event::{Event, Record};
use crate::id::PeerIndex;

#[derive(Default)]
pub(super) struct Tracker {
    completed: BTreeSet<PeerIndex>,
    announced: BTreeSet<PeerIndex>,
}

impl Invariant for Tracker {
    fn name(&self) -> &'static str {
        "tracker"
    }

    fn record(&mut self, _world: &World, record: &Record) -> Result<(), String> {
        if record.event == Event::Completed {
            self.completed.insert(record.peer);
        }
        Ok(())
    }

    fn answer(&mut self, world: &World, answer: &Answer) -> Result<(), String> {
        self.announced.insert(answer.asker);
        let own = world.host(answer.asker).plan.virtual_addr;
        let peers = &answer.response.peers;
        ensure(!peers.contains(&own), || "was told of itself".into())?;
        let distinct: BTreeSet<_> = peers.iter().collect();
        ensure(distinct.len() == peers.len(), || "was told of a peer twice".into())?;
        let Some(counts) = world.tracker.counts(&INFO_HASH) else { return Ok(()) };
        let living = (counts.complete + counts.incomplete) as usize;
        ensure(living <= self.announced.len(), || {
            format!("{living} living entries, {} peers ever announced", self.announced.len())
        })?;
        ensure(counts.downloaded as usize <= self.completed.len(), || {
            format!("{} downloads counted, {} peers completed", counts.downloaded, self.completed.len())
        })
    }
}
