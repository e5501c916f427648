//! A set bit is a verified piece, a living peer's bitfield loses one only to its disk, and what a remote believes us to
//! have we have.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::peer::Peer;
use crate::torrent::bitfield::Bitfield;

pub(super) struct Have {
    verified: Vec<Bitfield>,
}

impl Have {
    pub(super) fn new(world: &World) -> Have {
        Have { verified: world.hosts.iter().map(|host| host.plan.initial.clone()).collect() }
    }
}

impl Invariant for Have {
    fn name(&self) -> &'static str {
        "have"
    }

    fn record(&mut self, _world: &World, record: &Record) -> Result<(), String> {
        let verified = &mut self.verified[record.peer.0 as usize];
        match record.event {
            Event::PieceVerified { piece } => {
                ensure(verified.insert(piece), || format!("piece {piece} verified twice"))
            }
            Event::StorageFailed { piece } => {
                verified.remove(piece);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn peer(&mut self, _world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        let verified = &self.verified[index.0 as usize];
        ensure(peer.have() == verified, || format!("has {:?}, verified {verified:?}", peer.have()))?;
        peer.connections().try_for_each(|(_, connection)| {
            let Some(remote) = connection.remote().index else { return Ok(()) };
            let theirs = &self.verified[remote.0 as usize];
            ensure(connection.pieces().is_subset_of(theirs), || {
                format!("believes that {remote} has {:?}, but it verified {theirs:?}", connection.pieces())
            })
        })
    }
}
