//! Who had a part in several failed pieces, and it is not known yet whose fault they were, is on parole: asked for nothing but
//! pieces that it sends alone, until one of them shows it guilty, or those that failed have come right. So a liar is found
//! before it spoils many pieces, and an honest peer beside it has lost nothing but time.

use std::collections::BTreeSet;

use crate::id::{BlockId, ConnId, PeerId, PieceIndex};
use crate::peer::Peer;
use crate::peer::seam::Action;
use crate::time::Time;

/// After so many failed pieces: with those whose hashes are under way, five at the most (Transmission's strikes).
const PAROLE_AFTER: usize = 3;

impl Peer {
    /// Whether the remote is to be asked only for pieces that it sends alone.
    pub(super) fn on_parole(&self, conn: ConnId) -> bool {
        self.blame.suspects_anybody()
            && self.connections.far_end(conn).is_some_and(|end| self.is_suspect(end.peer.peer_id))
    }

    fn is_suspect(&self, peer_id: PeerId) -> bool {
        // One that is fetched like any other again need not come to a verdict soon.
        let open = self.blame.unsettled(peer_id).filter(|piece| self.picker.is_exclusive(*piece));
        open.take(PAROLE_AFTER).count() == PAROLE_AFTER
    }

    /// A piece that several sent has failed: whatever those of them who are on parole now have begun with others starts over, to
    /// be sent by one.
    pub(super) fn put_on_parole(&mut self, now: Time, failed: PieceIndex, actions: &mut Vec<Action>) {
        let suspects = self.blame.suspects(failed);
        for peer_id in suspects.into_iter().filter(|peer_id| self.is_suspect(*peer_id)).collect::<Vec<_>>() {
            let mut begun = self.blame.unverified_from(peer_id);
            let connection = self.connections.to(peer_id).and_then(|conn| self.connections.get(conn));
            if let Some(connection) = connection {
                begun.extend(connection.outstanding.iter().map(|block| block.piece));
            }
            begun.retain(|piece| !self.picker.is_exclusive(*piece) && !self.picker.is_complete(*piece));
            begun.into_iter().for_each(|piece| self.start_over(now, piece, actions));
        }
    }

    /// What has come of the piece counts no more, and what was asked for is taken back.
    fn start_over(&mut self, now: Time, piece: PieceIndex, actions: &mut Vec<Action>) {
        let asked: BTreeSet<(ConnId, BlockId)> = self
            .connections
            .iter()
            .flat_map(|(conn, connection)| connection.outstanding.iter().map(move |block| (conn, *block)))
            .filter(|(_, block)| block.piece == piece)
            .collect();
        for (conn, block) in asked {
            self.picker.release(block, conn);
            self.cancel(now, conn, block, actions);
        }
        self.blame.forget(piece);
        self.picker.failed(piece, true);
    }
}
