//! Whoever is banned sent bad data, and stays out.

use std::collections::BTreeSet;

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::peer::Peer;

#[derive(Default)]
pub(super) struct Bans {
    /// Who banned whom in its present stay.
    banned: BTreeSet<(PeerIndex, PeerIndex)>,
}

impl Invariant for Bans {
    fn name(&self) -> &'static str {
        "bans"
    }

    fn record(&mut self, world: &World, record: &Record) -> Result<(), String> {
        match record.event {
            Event::Arrived { .. } => self.banned.retain(|(by, _)| *by != record.peer),
            Event::Banned { remote } => {
                let Some(remote) = remote else { return Ok(()) };
                ensure(world.corrupts(remote), || format!("banned {remote}, which is honest"))?;
                self.banned.insert((record.peer, remote));
            }
            _ => {}
        }
        Ok(())
    }

    fn peer(&mut self, _world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        peer.connections().try_for_each(|(conn, connection)| {
            let Some(remote) = connection.remote().index else { return Ok(()) };
            ensure(!self.banned.contains(&(index, remote)), || {
                format!("{conn:?} leads to {remote}, which is banned")
            })
        })
    }
}
