//! Hash and write, off the network path, and what a broken store means.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::PieceIndex;
use crate::net::WORKERS;
use crate::net::host::{Happening, Host, STORE_FAILURES};
use crate::net::store::{StoreError, Unhashed};
use crate::peer::{Input, Verdict};
use crate::time::Time;
use crate::torrent::every_piece::all_cores;
use crate::torrent::hash::ABREAST;

/// The pieces of one host that wait for their hash. A worker takes several at a time, because it hashes them faster together,
/// and goes on until none waits.
#[derive(Clone, Debug)]
pub(super) struct Unjudged {
    queue: Arc<Mutex<Queue>>,
    /// As many as can run at a time, and leave threads to others: asked once, because the system reads files to tell.
    most_workers: u32,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Unhashed>,
    workers: u32,
}

impl Unjudged {
    pub(super) fn none() -> Unjudged {
        Unjudged::on(all_cores())
    }

    fn on(cores: NonZero<u32>) -> Unjudged {
        Unjudged { queue: Arc::default(), most_workers: cores.get().min(WORKERS as u32 / 2) }
    }

    /// Returns whether one more worker is wanted, which the caller is to start.
    fn push(&self, piece: Unhashed) -> bool {
        let mut queue = self.lock();
        queue.waiting.push_back(piece);
        let wanted = queue.workers < self.most_workers;
        if wanted {
            queue.workers += 1;
        }
        wanted
    }

    /// The next pieces of a worker; `None` where it is not wanted any more.
    fn take(&self) -> Option<Vec<Unhashed>> {
        let mut queue = self.lock();
        if queue.waiting.is_empty() {
            queue.workers -= 1;
            return None;
        }
        let together = queue.waiting.len().min(ABREAST);
        Some(queue.waiting.drain(..together).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here can panic half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    pub(super) fn verify(&mut self, piece: PieceIndex, digests: bool) {
        let Some(blocks) = self.unverified.take(piece) else {
            self.store_failed(StoreError::NoRoom(piece));
            self.consequences.push_back(Input::Verified { piece, verdict: Verdict::StoreFailed });
            return;
        };
        if !self.unjudged.push(Unhashed { piece, blocks, digests }) {
            return;
        }
        let (unjudged, store, inbox) = (self.unjudged.clone(), self.store.clone(), self.inbox.clone());
        self.tasks.spawn_blocking(move || {
            while let Some(pieces) = unjudged.take() {
                for (piece, verdict, error) in store.verify(pieces) {
                    // A host that has ended does not count it.
                    let _ = inbox.blocking_send(Happening::Verified { piece, verdict, error });
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers that are started while many pieces wait.
    fn workers(cores: u32) -> usize {
        let unjudged = Unjudged::on(NonZero::new(cores).unwrap());
        let piece = |number| Unhashed { piece: PieceIndex(number), blocks: Vec::new(), digests: false };
        (0..1_000).filter(|number| unjudged.push(piece(*number))).count()
    }

    #[test]
    fn hashing_leaves_threads_to_reads_and_names_however_many_cores_there_are() {
        assert_eq!((workers(1), workers(2)), (1, 2));
        assert_eq!((workers(8), workers(128)), (WORKERS / 2, WORKERS / 2));
    }
}
