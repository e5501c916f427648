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
