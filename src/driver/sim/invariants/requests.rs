//! Nothing is asked of a peer that chokes us or lacks the piece, nothing we have, and never more than the cap.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::id::PeerIndex;
use crate::peer::Peer;
use crate::time::Time;

pub(super) struct Requests;

impl Invariant for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn peer(&mut self, _world: &World, _index: PeerIndex, peer: &Peer) -> Result<(), String> {
        for (conn, connection) in peer.connections() {
            let outstanding = connection.outstanding();
            ensure(outstanding.is_empty() || connection.unchokes_us(), || {
                format!("{} requests at {conn:?}, which chokes us", outstanding.len())
            })?;
            ensure(outstanding.len() <= peer.pipeline_cap(), || {
                format!("{} requests outstanding at {conn:?}", outstanding.len())
            })?;
            for block in outstanding {
                ensure(connection.pieces().contains(block.piece), || {
                    format!("asked {conn:?} for piece {}, which it lacks", block.piece)
                })?;
                ensure(!peer.have().contains(block.piece), || {
                    format!("asked {conn:?} for piece {}, which we have", block.piece)
                })?;
            }
        }
        let finite = peer.deadline().is_none_or(|deadline| deadline.at < Time::NEVER);
        ensure(finite, || format!("an endless timer: {:?}", peer.deadline()))
    }
}
