//! What the next pick and the next block will touch, asked for before they come ([`crate::fetch`]).

use super::Picker;
use crate::fetch;
use crate::id::PieceIndex;

impl Picker {
    pub(crate) fn fetch(&self) {
        fetch::one(&self.free);
        fetch::one(&self.verified);
        fetch::one(&self.retries);
        fetch::one(&self.order);
        self.progress.fetch();
    }

    /// What the next pick will look at, as far as that is known.
    pub(crate) fn fetch_for_pick(&self) {
        match &self.order {
            Some(order) => order.fetch(),
            None => {
                self.availability.fetch();
                fetch::all(self.free.words());
            }
        }
        self.progress.fetch_state();
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
