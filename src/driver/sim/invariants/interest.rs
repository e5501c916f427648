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
            let useful = connection.pieces().count_missing_in(peer.have());
            ensure(connection.am_interested() == (useful > 0), || {
                format!("interested in {conn:?}: {}, useful pieces: {useful}", connection.am_interested())
            })?;
            let Some([own, other]) = world.ends(index, conn) else { return Ok(()) };
            if !world.has_heard_all(own, other) {
                return Ok(());
            }
            let lacking = other.peer.have().count_missing_in(peer.have());
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
