//! Nothing is asked of a peer that chokes us or lacks the piece, nothing we have, and never more than the cap; when
//! nothing is on its way, whatever is asked for waits at the other end. Every timer is finite, and set.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::id::{ConnId, PeerIndex};
use crate::peer::Peer;
use crate::time::Time;

pub(super) struct Requests;

impl Invariant for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn peer(&mut self, world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
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
            none_forgotten(world, index, conn)?;
        }
        let Some(deadline) = peer.deadline() else { return Ok(()) };
        ensure(deadline.at < Time::NEVER, || format!("an endless timer: {deadline:?}"))?;
        let set = world.host(index).timer_at;
        ensure(set.is_some_and(|set| set <= deadline.at.max(world.now)), || {
            format!("due at {deadline:?}, but the timer is set for {set:?}")
        })
    }
}

/// A request that neither waits at the other end nor is on its way will never be answered.
fn none_forgotten(world: &World, index: PeerIndex, conn: ConnId) -> Result<(), String> {
    let Some([own, other]) = world.ends(index, conn) else { return Ok(()) };
    let nothing_asked = own.view.outstanding().is_empty();
    if nothing_asked
        || world.awaits_blocks(own)
        || !world.has_heard_all(own, other)
        || !world.has_heard_all(other, own)
    {
        return Ok(());
    }
    own.view.outstanding().iter().try_for_each(|id| {
        let block = world.layout.block(*id);
        ensure(other.view.queued_uploads().any(|queued| queued == block), || {
            format!("{conn:?} was asked for {block:?} and has forgotten it")
        })
    })
}
