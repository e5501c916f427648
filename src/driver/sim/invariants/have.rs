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
            let mut gathered = Vec::new();
            let told = connection.pieces(&mut gathered);
            ensure(told.is_subset_of(theirs), || {
                format!("believes that {remote} has {told:?}, but it verified {theirs:?}")
            })
        })
    }
}

/// A piece that we have too need not be told of, and whoever follows a schedule hides what it has.
fn told_of_all(world: &World, index: PeerIndex, conn: ConnId) -> Result<(), String> {
    let Some([own, other]) = world.ends(index, conn) else { return Ok(()) };
    if other.peer.hides_pieces() || !world.has_heard_all(own, other) {
        return Ok(());
    }
    let mut gathered = Vec::new();
    let (theirs, ours, told) = (other.peer.have(), own.peer.have(), own.view.pieces(&mut gathered));
    let words = theirs.words().iter().zip(ours.words()).zip(told.words());
    let untold = words.map(|((theirs, ours), told)| theirs & !ours & !told).any(|word| word != 0);
    ensure(!untold, || format!("{conn:?} has {theirs:?}, but we lack some and heard only of {told:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, find_at_rest, patient, pretend};
    use crate::id::PieceIndex;
    use crate::peer::Input;
    use crate::wire::message::Message;

    const PIECE: PieceIndex = PieceIndex(4);

    fn have(world: &World) -> Box<dyn Invariant> {
        Box::new(Have::new(world))
    }

    #[test]
    fn a_set_bit_without_a_verified_piece_is_seen() {
        let said = complaint(have, |world| {
            let Some((index, _)) = find(world, |own, _| !own.peer.have().contains(PIECE)) else {
                return false;
            };
            patient(world, index).doctored_have().insert(PIECE)
        });
        assert!(said.starts_with("have: has"), "{said}");
    }

    #[test]
    fn a_bit_that_is_lost_is_seen() {
        let said = complaint(have, |world| patient(world, PeerIndex(0)).doctored_have().remove(PIECE));
        assert!(said.starts_with("have: has"), "{said}");
    }

    #[test]
    fn a_piece_that_is_verified_twice_is_seen() {
        let said =
            complaint(have, |world| pretend(world, PeerIndex(0), Event::PieceVerified { piece: PIECE }));
        assert_eq!(said, "have: piece 4 verified twice");
    }

    #[test]
    fn the_announcement_of_a_piece_that_is_not_verified_is_seen() {
        let said = complaint(have, |world| {
            let Some((index, conn)) = find(world, |_, other| !other.peer.have().contains(PIECE)) else {
                return false;
            };
            let (now, message) = (world.now, Message::Have(PIECE));
            patient(world, index).handle(now, Input::Received { conn, message }, &mut Vec::new());
            true
        });
        assert!(said.starts_with("have: believes that"), "{said}");
    }

    #[test]
    fn a_piece_that_was_never_announced_is_missed_at_rest() {
        let said = complaint(have, |world| {
            let Some((index, conn)) = find_at_rest(world, |own, other| {
                !own.peer.have().contains(PIECE) && other.peer.have().contains(PIECE)
            }) else {
                return false;
            };
            patient(world, index).doctored_pieces(conn, |pieces| pieces.remove(PIECE))
        });
        assert!(said.contains("but we lack some and heard only of"), "{said}");
    }
}
