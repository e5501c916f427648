//! Hash and write, off the network path, and what a broken store means.

use crate::id::PieceIndex;
use crate::net::host::{Happening, Host, STORE_FAILURES};
use crate::net::store::StoreError;
use crate::peer::{Input, Verdict};
use crate::time::Time;

impl Host {
    pub(super) fn verify(&mut self, piece: PieceIndex, digests: bool) {
        let Some(blocks) = self.unverified.take(piece) else {
            self.store_failed(StoreError::NoRoom(piece));
            self.consequences.push_back(Input::Verified { piece, verdict: Verdict::StoreFailed });
            return;
        };
        let (store, inbox) = (self.store.clone(), self.inbox.clone());
        self.tasks.spawn_blocking(move || {
            let (verdict, error) = store.verify(piece, blocks, digests);
            // A host that has ended does not count it.
            let _ = inbox.blocking_send(Happening::Verified { piece, verdict, error });
        });
    }

    pub(super) fn verified(
        &mut self,
        now: Time,
        piece: PieceIndex,
        verdict: Verdict,
        error: Option<StoreError>,
    ) {
        match error {
            Some(error) => self.store_failed(error),
            None => self.store_failures = 0,
        }
        self.input(now, Input::Verified { piece, verdict });
    }

    /// The peer fetches the piece again. When that does not help either, the host gives up and says why.
    pub(super) fn store_failed(&mut self, error: StoreError) {
        self.store_failures += 1;
        if self.store_failures >= STORE_FAILURES {
            self.fail(error.to_string());
        }
    }
}
