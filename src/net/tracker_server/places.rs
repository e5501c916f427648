//! A limited number of places for connections. Where all are taken, the connection that has held its own longest gives it
//! up: who is slow or silent is the one that loses, and never who comes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    limit: usize,
    next: u64,
    /// The longest held first.
    held: BTreeMap<u64, CancellationToken>,
}

/// A place, held until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    given_up: CancellationToken,
    places: Places,
}

impl Places {
    pub fn new(limit: usize) -> Places {
        Places(Arc::new(Mutex::new(Taken { limit, next: 0, held: BTreeMap::new() })))
    }

    /// Takes a place, and says whether somebody had to give it up.
    pub fn take(&self) -> (Place, bool) {
        let mut taken = self.taken();
        let full = taken.held.len() >= taken.limit && taken.evict();
        let (number, given_up) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.held.insert(number, given_up.clone());
        (Place { number, given_up, places: self.clone() }, full)
    }

    /// Ends the connection that has been there longest; false where there is none.
    pub fn evict(&self) -> bool {
        self.taken().evict()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn evict(&mut self) -> bool {
        let longest = self.held.pop_first();
        longest.inspect(|(_, given_up)| given_up.cancel()).is_some()
    }
}

impl Place {
    /// Returns when the place is needed for somebody else.
    pub async fn given_up(&self) {
        self.given_up.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().held.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_held_place_is_given_up_for_the_next() {
        let places = Places::new(2);
        let (first, _) = places.take();
        let (second, _) = places.take();
        drop(first);
        let (third, full) = places.take();
        assert!(!full && !second.given_up.is_cancelled());
        let (_fourth, full) = places.take();
        assert!(full && second.given_up.is_cancelled() && !third.given_up.is_cancelled());
        drop(second);
        assert_eq!(places.taken().held.len(), 2, "a place that was given up is not given back twice");
    }
}
