//! Nothing is asked of a peer that lacks the piece or chokes us (but for what the fast extension still answers), nothing we have, and never more than the cap; when
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
            let answers = connection.unchokes_us() || connection.remote().features.fast;
            ensure(outstanding.is_empty() || answers, || {
                format!("{} requests at {conn:?}, which chokes us", outstanding.len())
            })?;
            ensure(outstanding.len() <= peer.pipeline_cap(), || {
                format!("{} requests outstanding at {conn:?}", outstanding.len())
            })?;
            for block in outstanding {
                ensure(connection.has(block.piece), || {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, find_at_rest, patient};
    use crate::driver::sim::world::view::OpenEnd;
    use crate::id::PieceIndex;

    fn requests(_: &World) -> Box<dyn Invariant> {
        Box::new(Requests)
    }

    fn asks(end: OpenEnd<'_>) -> bool {
        !end.view.outstanding().is_empty()
    }

    /// The piece that is asked for first.
    fn asked(world: &World, index: PeerIndex, conn: ConnId) -> PieceIndex {
        let [own, _] = world.ends(index, conn).expect("an open connection");
        own.view.outstanding()[0].piece
    }

    #[test]
    fn a_request_to_a_peer_that_chokes_us_is_seen() {
        let said = complaint(requests, |world| {
            let Some((index, conn)) = find(world, |own, _| asks(own)) else { return false };
            patient(world, index).doctored_connections().unchoking.remove(conn);
            true
        });
        assert!(said.contains("which chokes us"), "{said}");
    }

    #[test]
    fn more_requests_than_the_cap_are_seen() {
        let said = complaint(requests, |world| {
            let Some((index, conn)) = find(world, |own, _| asks(own)) else { return false };
            let outstanding = &mut patient(world, index).doctored_connection(conn).outstanding;
            outstanding.resize(251, outstanding[0]);
            true
        });
        assert!(said.contains("251 requests outstanding"), "{said}");
    }

    #[test]
    fn a_request_for_a_piece_that_the_remote_lacks_is_seen() {
        let said = complaint(requests, |world| {
            let Some((index, conn)) = find(world, |own, _| asks(own)) else { return false };
            let piece = asked(world, index, conn);
            patient(world, index).doctored_pieces(conn, |pieces| pieces.remove(piece))
        });
        assert!(said.contains("which it lacks"), "{said}");
    }

    #[test]
    fn a_request_for_a_piece_that_we_have_is_seen() {
        let said = complaint(requests, |world| {
            let Some((index, conn)) = find(world, |own, _| asks(own)) else { return false };
            let piece = asked(world, index, conn);
            patient(world, index).doctored_have().insert(piece)
        });
        assert!(said.contains("which we have"), "{said}");
    }

    #[test]
    fn a_request_that_was_forgotten_is_missed_at_rest() {
        let said = complaint(requests, |world| {
            let found =
                find_at_rest(world, |own, other| asks(own) && other.view.queued_uploads().count() > 0);
            let Some((index, conn)) = found else { return false };
            let [own, other] = world.ends(index, conn).expect("an open connection");
            let (remote, theirs) = (own.view.remote().index.expect("a peer"), other.conn);
            patient(world, remote).doctored_connection(theirs).uploads.clear();
            world.touched = vec![index];
            true
        });
        assert!(said.contains("and has forgotten it"), "{said}");
    }

    #[test]
    fn a_timer_that_is_not_set_is_seen() {
        let said = complaint(requests, |world| {
            patient(world, PeerIndex(0));
            world.host_mut(PeerIndex(0)).timer_at = None;
            true
        });
        assert!(said.contains("but the timer is set for None"), "{said}");
    }
}
