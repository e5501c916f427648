//! We are interested in a remote exactly when it has a piece we lack: as far as we have heard, and when nothing is on
//! its way, in truth. The remote knows it.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::id::PeerIndex;
use crate::peer::Peer;

pub(super) struct Interest;

impl Invariant for Interest {
    fn name(&self) -> &'static str {
        "interest"
    }

    fn peer(&mut self, world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        peer.connections().try_for_each(|(conn, connection)| {
            let useful = connection.pieces(&mut Vec::new()).count_missing_in(peer.have());
            ensure(connection.am_interested() == (useful > 0), || {
                format!("interested in {conn:?}: {}, useful pieces: {useful}", connection.am_interested())
            })?;
            let Some([own, other]) = world.ends(index, conn) else { return Ok(()) };
            if !world.has_heard_all(own, other) {
                return Ok(());
            }
            let hidden = other.peer.hides_pieces();
            let lacking = if hidden { useful } else { other.peer.have().count_missing_in(peer.have()) };
            ensure(connection.am_interested() == (lacking > 0), || {
                let interested = connection.am_interested();
                format!("at rest interested in {conn:?}: {interested}, which has {lacking} pieces we lack")
            })?;
            ensure(connection.remote_interested() == other.view.am_interested(), || {
                let (believed, so) = (connection.remote_interested(), other.view.am_interested());
                format!("at rest we take {conn:?} to be interested: {believed}, which is: {so}")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, find_at_rest, patient};
    use crate::driver::sim::world::view::OpenEnd;
    use crate::id::PieceIndex;

    #[test]
    fn interest_without_a_reason_is_seen() {
        let said = complaint(
            |_| Box::new(Interest),
            |world| {
                let Some((index, conn)) = find(world, |own, _| !own.view.am_interested()) else {
                    return false;
                };
                patient(world, index).doctored_interest(conn);
                true
            },
        );
        assert!(said.contains("true, useful pieces: 0"), "{said}");
    }

    #[test]
    fn a_piece_that_nobody_was_told_of_is_missed_at_rest() {
        const PIECE: PieceIndex = PieceIndex(7);
        let said = complaint(
            |_| Box::new(Interest),
            |world| {
                let lacks = |end: OpenEnd<'_>| !end.peer.have().contains(PIECE) && !end.view.am_interested();
                let found = find_at_rest(world, |own, other| lacks(own) && lacks(other));
                let Some((index, conn)) = found else { return false };
                let other = world.ends(index, conn).and_then(|[own, _]| own.view.remote().index);
                patient(world, other.expect("a peer of the population")).doctored_have().insert(PIECE);
                world.touched = vec![index];
                true
            },
        );
        assert!(said.contains("at rest interested in") && said.contains("which has 1 pieces"), "{said}");
    }

    #[test]
    fn interest_that_was_forgotten_on_its_way_is_missed_at_rest() {
        let said = complaint(
            |_| Box::new(Interest),
            |world| {
                let found = find_at_rest(world, |_, other| other.view.am_interested());
                let Some((index, conn)) = found else { return false };
                patient(world, index).doctored_connections().interested.remove(conn);
                true
            },
        );
        assert!(said.contains("to be interested: false, which is: true"), "{said}");
    }
}
