//! What the next request and the next block will touch of the started pieces, asked for before they come
//! ([`crate::fetch`]).

use super::Progress;
use super::slot::NONE;
use crate::fetch;
use crate::id::{ConnId, PieceIndex};

/// So many open pieces are asked for ahead of a pick, which often looks at all of them. By then the processor sees where the
/// rest lies.
const SCANNED: usize = 128;

impl Progress {
    /// What a connection's next request is chosen from, and where the next piece that is started will keep its blocks.
    pub(in crate::peer::picker) fn fetch_state(&self, conn: Option<ConnId>) {
        fetch::all(&self.open[..self.open.len().min(SCANNED)]);
        if self.vacant != NONE {
            self.fetch_slot(self.vacant as usize);
        }
        if let Some(conn) = conn {
            fetch::at(&self.latest, conn.0 as usize);
        }
    }

    /// Where the piece that the connection was asked for last keeps its blocks; to be called some time after
    /// [`fetch_state`](Self::fetch_state).
    pub(in crate::peer::picker) fn fetch_latest(&self, conn: ConnId) {
        if let Some(&(piece, slot)) = self.latest.get(conn.0 as usize) {
            self.slot_of.fetch(piece);
            self.fetch_slot(slot as usize);
        }
    }

    fn fetch_slot(&self, slot: usize) {
        fetch::at(&self.slots, slot);
        self.blocks.fetch(slot * self.stride, self.stride);
    }

    /// Where this piece keeps its blocks; to be called some time after [`fetch_piece`](Self::fetch_piece).
    pub(in crate::peer::picker) fn fetch_blocks(&self, piece: PieceIndex) {
        if let Some(slot) = self.slot_of.get(piece) {
            self.fetch_slot(slot);
        }
    }

    pub(in crate::peer::picker) fn fetch_piece(&self, piece: PieceIndex) {
        self.slot_of.fetch(piece);
    }
}
