//! A look into a peer for invariants and traces: read-only, and never used by the peer itself.

use crate::id::{Block, BlockId, ConnId, PeerId, PieceIndex};
use crate::peer::Peer;
#[cfg(test)]
use crate::peer::blame::Blame;
use crate::peer::connection::Connection;
use crate::peer::connections::Connections;
use crate::peer::picker::Picker;
use crate::peer::policy::Policy;
use crate::peer::seam::RemotePeer;
#[cfg(test)]
use crate::rng::{Purpose, Stream};
use crate::time::Time;
#[cfg(test)]
use crate::torrent::bitfield::Bitfield;
use crate::torrent::bitfield::PieceSet;

/// One connection as its peer sees it.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionView<'a> {
    conn: ConnId,
    connections: &'a Connections,
    connection: &'a Connection,
}

impl<'a> ConnectionView<'a> {
    pub fn remote(&self) -> &'a RemotePeer {
        &self.connections.far_end(self.conn).expect("an open connection has a far end").peer
    }

    /// What the remote has announced; `gathered` may be used for it.
    pub fn pieces<'s>(&self, gathered: &'s mut Vec<u64>) -> PieceSet<'s>
    where
        'a: 's,
    {
        self.connections.pieces(self.conn, gathered)
    }

    /// Whether the remote has announced this piece.
    pub fn has(&self, piece: PieceIndex) -> bool {
        self.connections.has(self.conn, piece)
    }

    pub fn am_interested(&self) -> bool {
        self.connections.interesting.contains(self.conn)
    }

    pub fn remote_interested(&self) -> bool {
        self.connections.interested.contains(self.conn)
    }

    /// We let it download.
    pub fn unchoked(&self) -> bool {
        self.connections.unchoked.contains(self.conn)
    }

    /// It lets us download.
    pub fn unchokes_us(&self) -> bool {
        self.connections.unchoking.contains(self.conn)
    }

    pub fn snubbed(&self) -> bool {
        self.connections.snubbed.contains(self.conn)
    }

    /// Our requests without an answer.
    pub fn outstanding(&self) -> &'a [BlockId] {
        &self.connection.outstanding
    }

    /// Its requests that wait for our uplink.
    pub fn queued_uploads(&self) -> impl Iterator<Item = Block> + 'a {
        self.connection.uploads.iter().copied()
    }

    /// When we last sent it anything.
    pub fn last_sent_at(&self) -> Time {
        self.connections.last_sent_at(self.conn)
    }
}

impl Peer {
    /// The open connections, ascending by number.
    pub fn connections(&self) -> impl Iterator<Item = (ConnId, ConnectionView<'_>)> {
        let connections = &self.connections;
        connections
            .iter()
            .map(move |(conn, connection)| (conn, ConnectionView { conn, connections, connection }))
    }

    pub fn connection(&self, conn: ConnId) -> Option<ConnectionView<'_>> {
        let connections = &self.connections;
        let connection = connections.get(conn)?;
        Some(ConnectionView { conn, connections, connection })
    }

    pub fn picker(&self) -> &Picker {
        &self.picker
    }

    /// Whether it follows a schedule, and so announces a piece only to the one to whom it sends it next.
    pub fn hides_pieces(&self) -> bool {
        self.schedule.is_some()
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many connected peers hold the piece, as the picker counts it.
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        self.picker.availability(piece)
    }

    /// The remote holds its slot by lot and not by merit.
    pub fn is_optimistic(&self, conn: ConnId) -> bool {
        self.choker.is_optimistic(conn)
    }

    /// The most requests that may ever be outstanding on a connection.
    pub fn pipeline_cap(&self) -> usize {
        self.policy.pipeline.max as usize
    }

    /// Never to be connected to again, because it sent bad data.
    pub fn is_banned(&self, peer_id: PeerId) -> bool {
        self.blame.is_banned(peer_id)
    }
}

/// For tests that break something on purpose.
#[cfg(test)]
impl Peer {
    pub(crate) fn doctored_connection(&mut self, conn: ConnId) -> &mut Connection {
        self.connections.get_mut(conn).expect("an open connection")
    }

    pub(crate) fn doctored_interest(&mut self, conn: ConnId) {
        self.connections.interesting.insert(conn);
    }

    pub(crate) fn doctored_pieces(
        &mut self,
        conn: ConnId,
        change: impl FnOnce(&mut Bitfield) -> bool,
    ) -> bool {
        let mut pieces = Bitfield::empty(self.layout.pieces());
        for piece in self.connections.pieces(conn, &mut Vec::new()).iter() {
            pieces.insert(piece);
        }
        let changed = change(&mut pieces);
        let useful = self.connections.useful(conn);
        self.connections.set_pieces(conn, &pieces, useful);
        changed
    }

    pub(crate) fn doctored_connections(&mut self) -> &mut Connections {
        &mut self.connections
    }

    pub(crate) fn doctored_picker(&mut self) -> &mut Picker {
        &mut self.picker
    }

    pub(crate) fn doctored_have(&mut self) -> &mut Bitfield {
        &mut self.have
    }

    /// What picker, choker and announcer draw from.
    pub(crate) fn streams(&self) -> [(Purpose, &Stream); 3] {
        [
            (Purpose::Picker, &self.picker_draws),
            (Purpose::Choker, &self.choker_draws),
            (Purpose::Announcer, self.announcer.stream()),
        ]
    }

    pub(crate) fn doctored_blame(&mut self) -> &mut Blame {
        &mut self.blame
    }
}
