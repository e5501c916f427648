//! We are interested in a remote exactly when it has a piece we lack.

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::id::PeerIndex;
use crate::peer::Peer;

pub(super) struct Interest;

impl Invariant for Interest {
    fn name(&self) -> &'static str {
        "interest"
    }

    fn peer(&mut self, _world: &World, _index: PeerIndex, peer: &Peer) -> Result<(), String> {
        peer.connections().try_for_each(|(conn, connection)| {
            let useful = connection.pieces().count_missing_in(peer.have());
            ensure(connection.am_interested() == (useful > 0), || {
                format!("interested in {conn:?}: {}, useful pieces: {useful}", connection.am_interested())
            })
        })
    }
}
