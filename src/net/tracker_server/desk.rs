//! Where every question is answered, whichever way it came: the one tracker, its clock and what is counted of it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::metrics::Counters;
use crate::id::{InfoHash, PeerId};
use crate::net::clock::Clock;
use crate::time::Span;
use crate::tracker::{Families, Load, Tracker};
use crate::wire::announce::reply::Answer;
use crate::wire::announce::{AnnounceRequest, AnnounceResponse, ScrapeResponse};

/// However short the tracker's interval, expired entries are not looked for more often.
const SHORTEST_SWEEP: Span = Span::from_secs(1);

#[derive(Debug)]
pub(super) struct Desk {
    tracker: Mutex<Tracker>,
    clock: Clock,
    opened: Instant,
    pub counters: Counters,
}

impl Desk {
    pub fn open(tracker: Tracker, clock: Clock) -> Desk {
        let (tracker, counters) = (Mutex::new(tracker), Counters::default());
        Desk { tracker, clock, opened: Instant::now(), counters }
    }

    /// Wall time since the tracker started.
    pub fn uptime(&self) -> Duration {
        self.opened.elapsed()
    }

    pub fn load(&self) -> Load {
        self.tracker().load()
    }

    /// `addr` is where the request came from, with the port that it announces.
    pub fn announce(
        &self,
        addr: SocketAddr,
        request: &AnnounceRequest,
        families: Families,
    ) -> Answer<AnnounceResponse> {
        let mut tracker = self.tracker();
        tracker.announce(self.clock.now(), addr, request, families)
    }

    pub fn scrape(&self, info_hashes: &[InfoHash]) -> ScrapeResponse {
        let mut tracker = self.tracker();
        tracker.scrape(self.clock.now(), info_hashes)
    }

    /// What these peers of a swarm call themselves; nothing for those that have just gone.
    pub fn peer_ids(&self, info_hash: &InfoHash, peers: &[SocketAddr]) -> Vec<Option<PeerId>> {
        let tracker = self.tracker();
        peers.iter().map(|peer| tracker.peer_id(info_hash, *peer)).collect()
    }

    /// Forgets who has been silent for too long, even where nobody asks any more. Runs until `stop`.
    pub async fn sweep(&self, stop: CancellationToken) {
        loop {
            // An entry that comes while nobody is known expires later than an interval from now.
            let later = self.clock.now() + self.tracker().interval().max(SHORTEST_SWEEP);
            let due = self.tracker().deadline().unwrap_or(later);
            if stop.run_until_cancelled(self.clock.sleep_until(due)).await.is_none() {
                return;
            }
            let mut tracker = self.tracker();
            tracker.expire(self.clock.now());
        }
    }

    /// The tracker never panics halfway, so what another thread left is whole. The time is taken only then: it must not
    /// run backwards for the tracker.
    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
