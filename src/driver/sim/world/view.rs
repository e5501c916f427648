//! What the invariants look at besides the peers themselves: the other end of a connection, and whether anything is
//! still on its way between the two.

use crate::driver::sim::world::World;
use crate::id::{ConnId, PeerIndex};
use crate::peer::Peer;
use crate::peer::inspect::ConnectionView;

/// One end of a connection: a peer, and the connection as it sees it.
#[derive(Clone, Copy)]
pub(in crate::driver::sim) struct OpenEnd<'a> {
    pub(in crate::driver::sim) peer: &'a Peer,
    pub(in crate::driver::sim) view: ConnectionView<'a>,
    index: PeerIndex,
    pub(in crate::driver::sim) conn: ConnId,
}

impl World {
    /// The two ends of a connection of `peer`, its own first; `None` where it is not open at both, yet or any more.
    pub(in crate::driver::sim) fn ends(&self, peer: PeerIndex, conn: ConnId) -> Option<[OpenEnd<'_>; 2]> {
        let (link, side) = self.host(peer).link(conn)?;
        let other = self.connections[link].end(side.other());
        Some([self.open_end(peer, conn)?, self.open_end(other.host, other.conn?)?])
    }

    fn open_end(&self, index: PeerIndex, conn: ConnId) -> Option<OpenEnd<'_>> {
        let peer = self.host(index).peer.as_deref()?;
        Some(OpenEnd { peer, view: peer.connection(conn)?, index, conn })
    }

    /// Whether everything that was ever said at the end `from` has come to the end `to`.
    pub(in crate::driver::sim) fn has_heard_all(&self, to: OpenEnd<'_>, from: OpenEnd<'_>) -> bool {
        let Some((link, side)) = self.host(to.index).link(to.conn) else { return false };
        let connection = &self.connections[link];
        let arrives = match &self.paths {
            Some(paths) => paths.latest_arrival(link, side),
            None => from.view.last_sent_at() + connection.latency,
        };
        let index = to.index.0 as usize;
        let noted = !self.inboxes.holds(to.index, to.conn) && !self.words[index].holds(to.conn);
        arrives < self.now && noted && !connection.end(side).holds_back()
    }

    /// Whether a block for this end is in service, on its way, or in the downlink.
    pub(in crate::driver::sim) fn awaits_blocks(&self, end: OpenEnd<'_>) -> bool {
        let link = self.host(end.index).link(end.conn);
        link.is_some_and(|(link, side)| self.connections[link].end(side).awaits_blocks())
    }
}
