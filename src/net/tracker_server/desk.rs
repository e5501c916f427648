//! Where every question is answered, whichever way it came: the one tracker, its clock and what is counted of it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::metrics::Counters;
use crate::id::{InfoHash, PeerId};
use crate::net::clock::Clock;
use crate::time::Span;
use crate::tracker::{Families, Load, Tracker};
use crate::wire::announce::reply::Answer;
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, AnnounceResponse, Refusal, ScrapeResponse};

/// However short the tracker's interval, expired entries are not looked for more often.
const SHORTEST_SWEEP: Span = Span::from_secs(1);

#[derive(Debug)]
pub(super) struct Desk {
    tracker: Mutex<Tracker>,
    clock: Clock,
    opened: Instant,
    watcher: Option<mpsc::Sender<Announced>>,
    pub counters: Counters,
}

/// What a peer said, and what it heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Where it says it listens.
    pub addr: SocketAddr,
    pub event: AnnounceEvent,
    /// Bytes it lacks, if it says so.
    pub left: Option<u64>,
    /// How many peers it was told of, or why it was refused.
    pub told: Result<usize, Refusal>,
}

impl Desk {
    pub fn open(tracker: Tracker, clock: Clock, watcher: Option<mpsc::Sender<Announced>>) -> Desk {
        let (tracker, counters) = (Mutex::new(tracker), Counters::default());
        Desk { tracker, clock, opened: Instant::now(), watcher, counters }
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
        let answer = self.tracker().announce(self.clock.now(), addr, request, families);
        if let Some(watcher) = &self.watcher {
            let told = answer.as_ref().map(|response| response.peers.len()).map_err(Clone::clone);
            let announced = Announced { addr, event: request.event, left: request.left, told };
            // A watcher that falls behind misses some; nobody is kept waiting for it.
            let _ = watcher.try_send(announced);
        }
        answer
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::Settings;

    #[test]
    fn a_watcher_hears_who_comes_and_goes_and_keeps_nobody_waiting() {
        let (watcher, mut announced) = mpsc::channel(2);
        let desk = Desk::open(Tracker::new(Settings::default(), 1), Clock::start(1.0), Some(watcher));
        let addr: SocketAddr = "127.0.0.1:7000".parse().unwrap();
        let announce = |event| {
            let request = AnnounceRequest {
                info_hash: InfoHash([1; 20]),
                peer_id: PeerId([2; 20]),
                port: addr.port(),
                uploaded: 0,
                downloaded: 0,
                left: Some(5),
                event,
                num_want: None,
            };
            desk.announce(addr, &request, Families::Both).unwrap();
        };
        use AnnounceEvent::{Completed, Started, Stopped};
        [Started, Completed, Stopped].into_iter().for_each(announce);
        let heard: Vec<Announced> = std::iter::from_fn(|| announced.try_recv().ok()).collect();
        let of = |event| Announced { addr, event, left: Some(5), told: Ok(0) };
        assert_eq!(heard, [of(Started), of(Completed)], "there was no room for the third");
    }
}
