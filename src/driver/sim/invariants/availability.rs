//! The picker's counts are a recount over the connected peers' pieces.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::id::{PeerIndex, PieceIndex};
use crate::peer::Peer;

pub(super) struct Availability;

impl Invariant for Availability {
    fn name(&self) -> &'static str {
        "availability"
    }

    fn peer(&mut self, world: &World, _index: PeerIndex, peer: &Peer) -> Result<(), String> {
        let mut recount = vec![0; world.layout.pieces() as usize];
        let mut gathered = Vec::new();
        for (_, connection) in peer.connections() {
            for piece in connection.pieces(&mut gathered).iter() {
                recount[piece.0 as usize] += 1;
            }
        }
        (0u32..).zip(&recount).try_for_each(|(piece, holders)| {
            let counted = peer.availability(PieceIndex(piece));
            ensure(counted == *holders, || format!("piece {piece} counted {counted}, held by {holders}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, patient};

    #[test]
    fn a_count_that_nobody_holds_is_seen() {
        let said = complaint(
            |_| Box::new(Availability),
            |world| {
                let Some((index, _)) = find(world, |_, _| true) else { return false };
                patient(world, index).doctored_picker().gained(PieceIndex(3));
                true
            },
        );
        assert!(said.starts_with("availability: piece 3 counted"), "{said}");
    }
}
