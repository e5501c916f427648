//! A set bit is a verified piece, a living peer's bitfield loses one only to its disk, what a remote believes us to have
//! we have, and when nothing is on its way it knows of all that it lacks.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::id::{ConnId, PeerIndex};
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

    fn peer(&mut self, world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        let verified = &self.verified[index.0 as usize];
        ensure(peer.have() == verified, || format!("has {:?}, verified {verified:?}", peer.have()))?;
        peer.connections().try_for_each(|(conn, connection)| {
            told_of_all(world, index, conn)?;
            let Some(remote) = connection.remote().index else { return Ok(()) };
            let theirs = &self.verified[remote.0 as usize];
            ensure(connection.pieces().is_subset_of(theirs), || {
                format!("believes that {remote} has {:?}, but it verified {theirs:?}", connection.pieces())
            })
        })
    }
}

/// A piece that we have too need not be told of.
fn told_of_all(world: &World, index: PeerIndex, conn: ConnId) -> Result<(), String> {
    let Some([own, other]) = world.ends(index, conn) else { return Ok(()) };
    if !world.has_heard_all(own, other) {
        return Ok(());
    }
    let (theirs, ours, told) = (other.peer.have(), own.peer.have(), own.view.pieces());
    let words = theirs.words().iter().zip(ours.words()).zip(told.words());
    let untold = words.map(|((theirs, ours), told)| theirs & !ours & !told).any(|word| word != 0);
    ensure(!untold, || format!("{conn:?} has {theirs:?}, but we lack some and heard only of {told:?}"))
}
