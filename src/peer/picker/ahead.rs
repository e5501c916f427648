//! What the next pick and the next block will touch, asked for before they come ([`crate::fetch`]).

use super::Picker;
use crate::fetch;
use crate::id::{ConnId, PieceIndex};

impl Picker {
    /// The picker itself, of which a pick looks at nearly everything.
    pub(crate) fn fetch(&self) {
        fetch::from(&self.verified, size_of::<Picker>());
    }

    /// What the next pick will look at, as far as that is known.
    pub(crate) fn fetch_for_pick(&self, conn: Option<ConnId>) {
        match &self.order {
            Some(order) => order.fetch(),
            None => {
                self.availability.fetch();
                fetch::all(self.free.words());
            }
        }
        self.progress.fetch_state(conn);
    }

    /// Where the blocks of the connection's next request very likely are.
    pub(crate) fn fetch_latest(&self, conn: ConnId) {
        self.progress.fetch_latest(conn);
    }

    /// How many have this piece will change.
    pub(crate) fn fetch_count(&self, piece: PieceIndex) {
        self.availability.fetch_count(piece);
    }

    pub(crate) fn fetch_blocks(&self, piece: PieceIndex) {
        self.progress.fetch_blocks(piece);
    }

    pub(crate) fn fetch_piece(&self, piece: PieceIndex) {
        self.progress.fetch_piece(piece);
    }
}
