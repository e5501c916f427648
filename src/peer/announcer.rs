//! When to announce, to which tracker, and as what (BEP 3, 12). Knows no sockets and no peers, only how the last
//! attempts went.
//!
//! - `started` is repeated until a tracker takes it, so that a peer may be there before its tracker; another tracker
//!   hears it again.
//! - Afterwards at the tracker's interval; `completed` at once and until it is taken; `stopped` on leaving.
//! - A failed announce goes on to the next tracker at once; when all have failed, there is a pause that doubles from
//!   cycle to cycle, with jitter so that peers that failed together do not return together.
//! - A peer that lost a connection and has less than half of those it may have announces early, half an interval
//!   after its last announce.
//! - Never two announces in flight (but for `stopped`, after which no answer matters).

use super::tiers::Tiers;
use crate::rng::Stream;
use crate::time::{Span, Time};
use crate::wire::announce::{AnnounceEvent, AnnounceResponse};

/// A tracker that asks for a shorter interval is not to be trusted with it.
const SHORTEST_INTERVAL: Span = Span::from_secs(1);
/// Nor with one that amounts to "never".
const LONGEST_INTERVAL: Span = Span::from_secs(24 * 60 * 60);
/// The mean pause after the first round of failures; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Span = Span::from_secs(1);
const LONGEST_PAUSE: Span = Span::from_secs(128);

/// A peer's announces.
#[derive(Clone, Debug)]
pub struct Announcer {
    trackers: Tiers,
    /// The tracker that has taken our `started`.
    registered: Option<usize>,
    stopped: bool,
    in_flight: Option<AnnounceEvent>,
    completed: Completed,
    /// When the next announce is due.
    due: Time,
    /// When a tracker last answered, and what it asked for.
    answered: Time,
    interval: Span,
    min_interval: Span,
    /// Failures since the last answer.
    failures: u32,
    stream: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completed {
    No,
    Untold,
    Told,
}

impl Announcer {
    /// `tiers` says how many trackers each tier has; the first announce is due at once. `stream` is the peer's own
    /// for [`Purpose::Announcer`](crate::rng::Purpose::Announcer).
    pub fn new(tiers: &[usize], mut stream: Stream) -> Announcer {
        Announcer {
            trackers: Tiers::new(tiers, &mut stream),
            registered: None,
            stopped: false,
            in_flight: None,
            completed: Completed::No,
            due: Time::ZERO,
            answered: Time::ZERO,
            interval: SHORTEST_INTERVAL,
            min_interval: Span::ZERO,
            failures: 0,
            stream,
        }
    }

    /// When [`Announcer::next`] will have something; `None` while an answer is awaited, after
    /// [`Announcer::stop`], or without trackers.
    pub fn due(&self) -> Option<Time> {
        let idle = self.in_flight.is_none() && !self.stopped && self.trackers.len() > 0;
        idle.then_some(self.due)
    }

    /// The announce that is due now, if one is: which tracker, what event. It counts as in flight until
    /// [`Announcer::succeeded`] or [`Announcer::failed`].
    pub fn next(&mut self, now: Time) -> Option<(usize, AnnounceEvent)> {
        self.due().filter(|due| *due <= now)?;
        let current = self.trackers.current()?;
        let event = if self.registered != Some(current) {
            AnnounceEvent::Started
        } else if self.completed == Completed::Untold {
            AnnounceEvent::Completed
        } else {
            AnnounceEvent::None
        };
        self.in_flight = Some(event);
        Some((current, event))
    }

    pub fn succeeded(&mut self, now: Time, response: &AnnounceResponse) {
        let Some(event) = self.in_flight.take() else { return };
        match event {
            AnnounceEvent::Started => self.registered = self.trackers.current(),
            AnnounceEvent::Completed => self.completed = Completed::Told,
            AnnounceEvent::None | AnnounceEvent::Stopped => {}
        }
        self.trackers.answered();
        self.failures = 0;
        self.answered = now;
        self.min_interval = response.min_interval.unwrap_or(Span::ZERO).min(LONGEST_INTERVAL);
        self.interval = response.interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL).max(self.min_interval);
        let untold = self.completed == Completed::Untold;
        self.due = if untold { now } else { now + self.interval };
    }

    pub fn failed(&mut self, now: Time) {
        if self.in_flight.take().is_none() {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.trackers.failed();
        let trackers = self.trackers.len().max(1);
        let cycles = self.failures as usize / trackers;
        let others_left = !(self.failures as usize).is_multiple_of(trackers);
        self.due = if others_left { now } else { now + self.pause(cycles) };
    }

    /// Every piece is there. Not for a peer that starts complete.
    pub fn completed(&mut self, now: Time) {
        if self.completed == Completed::No {
            self.completed = Completed::Untold;
            if self.failures == 0 {
                self.due = self.due.min(now);
            }
        }
    }

    /// A connection is gone and `connections` of the `enough` that the peer would like are left: ask for more peers
    /// early if that is less than half, at most once per half interval.
    pub fn lost_connection(&mut self, connections: usize, enough: usize) {
        if connections * 2 < enough && self.registered.is_some() && self.failures == 0 {
            let early = self.answered + self.interval.div(2).max(self.min_interval);
            self.due = self.due.min(early);
        }
    }

    /// Leaves: the tracker that should hear `stopped`, if one may know us. Nothing is due any more.
    pub fn stop(&mut self) -> Option<usize> {
        let in_flight = self.in_flight.take().and_then(|_| self.trackers.current());
        self.stopped = true;
        self.registered.or(in_flight)
    }

    /// Uniform over half to one and a half of its mean.
    fn pause(&mut self, cycles: usize) -> Span {
        let doublings = u32::try_from(cycles.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let mean = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
        mean.div(2) + self.stream.span_below(mean)
    }
}

#[cfg(test)]
impl Announcer {
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerIndex;
    use crate::rng::{Entity, Purpose};
    use proptest::prelude::*;

    const SECOND: Span = Span::from_secs(1);

    /// With so many tiers of one tracker each.
    fn announcer(trackers: usize) -> Announcer {
        Announcer::new(&vec![1; trackers], Stream::new(1, Entity::Peer(PeerIndex(0)), Purpose::Announcer))
    }

    fn every(interval: Span) -> AnnounceResponse {
        AnnounceResponse { interval, min_interval: None, complete: None, incomplete: None, peers: Vec::new() }
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + SECOND * seconds
    }

    /// Announced `started` at 0 s; the next announce is due after half a minute.
    fn registered() -> Announcer {
        let mut announcer = announcer(1);
        assert_eq!(announcer.next(at(0)), Some((0, AnnounceEvent::Started)));
        announcer.succeeded(at(0), &every(SECOND * 30));
        announcer
    }

    #[test]
    fn after_started_it_announces_at_the_interval() {
        let mut announcer = registered();
        assert_eq!(announcer.due(), Some(at(30)));
        assert_eq!(announcer.next(at(29)), None);
        assert_eq!(announcer.next(at(30)), Some((0, AnnounceEvent::None)));
        assert_eq!((announcer.due(), announcer.next(at(90))), (None, None), "one is in flight");
    }

    #[test]
    fn completed_is_announced_at_once_and_once() {
        let mut announcer = registered();
        announcer.completed(at(7));
        assert_eq!(announcer.next(at(7)), Some((0, AnnounceEvent::Completed)));
        announcer.succeeded(at(7), &every(SECOND * 30));
        announcer.completed(at(8));
        assert_eq!(announcer.next(at(36)), None);
        assert_eq!(announcer.next(at(37)), Some((0, AnnounceEvent::None)));
    }

    #[test]
    fn completed_while_an_announce_is_in_flight_follows_its_answer() {
        let mut announcer = announcer(1);
        announcer.next(at(0));
        announcer.completed(at(1));
        assert_eq!(announcer.next(at(1)), None);
        announcer.succeeded(at(2), &every(SECOND * 30));
        assert_eq!(announcer.next(at(2)), Some((0, AnnounceEvent::Completed)));
        announcer.failed(at(3));
        let retry = announcer.due().unwrap();
        assert_eq!(announcer.next(retry), Some((0, AnnounceEvent::Completed)), "until it is taken");
    }

    #[test]
    fn a_peer_that_is_there_before_its_tracker_retries_with_growing_pauses() {
        let mut announcer = announcer(1);
        let mut now = at(0);
        for mean in [1, 2, 4, 8, 16, 32, 64, 128, 128, 128] {
            assert_eq!(announcer.next(now), Some((0, AnnounceEvent::Started)));
            announcer.failed(now);
            let pause = announcer.due().unwrap().since(now);
            assert!(
                pause >= SECOND.div(2) * mean && pause < SECOND.div(2) * (3 * mean),
                "{pause} for {mean}"
            );
            now += pause;
        }
        announcer.next(now);
        announcer.succeeded(now, &every(SECOND * 30));
        assert_eq!(announcer.due(), Some(now + SECOND * 30));
    }

    #[test]
    fn the_next_tier_is_asked_at_once_and_every_announce_begins_at_the_first() {
        let mut announcer = announcer(3);
        announcer.next(at(0));
        announcer.failed(at(1));
        assert_eq!(announcer.next(at(1)), Some((1, AnnounceEvent::Started)));
        announcer.succeeded(at(1), &every(SECOND * 30));
        assert_eq!(announcer.next(at(31)), Some((0, AnnounceEvent::Started)), "it does not know us yet");
        announcer.failed(at(31));
        assert_eq!(announcer.next(at(31)), Some((1, AnnounceEvent::None)), "this one does");
        announcer.failed(at(31));
        assert_eq!(announcer.next(at(31)), Some((2, AnnounceEvent::Started)));
        assert_eq!(announcer.stop(), Some(1));
    }

    #[test]
    fn within_a_tier_the_tracker_that_answers_is_kept() {
        let mut announcer =
            Announcer::new(&[3], Stream::new(1, Entity::Peer(PeerIndex(0)), Purpose::Announcer));
        let (first, _) = announcer.next(at(0)).unwrap();
        announcer.failed(at(0));
        let (second, _) = announcer.next(at(0)).unwrap();
        assert_ne!(first, second);
        announcer.succeeded(at(0), &every(SECOND * 30));
        assert_eq!(announcer.next(at(30)), Some((second, AnnounceEvent::None)));
        announcer.failed(at(30));
        assert_eq!(announcer.next(at(30)), Some((first, AnnounceEvent::Started)));
    }

    #[test]
    fn losing_connections_below_half_brings_one_early_announce_per_half_interval() {
        let mut announcer = registered();
        announcer.lost_connection(20, 40);
        assert_eq!(announcer.due(), Some(at(30)), "half is enough");
        announcer.lost_connection(19, 40);
        announcer.lost_connection(18, 40);
        assert_eq!(announcer.due(), Some(at(15)));
        assert_eq!(announcer.next(at(15)), Some((0, AnnounceEvent::None)));
        announcer.succeeded(at(15), &every(SECOND * 30));
        assert_eq!(announcer.due(), Some(at(45)), "nothing was lost since");
        announcer.lost_connection(17, 40);
        assert_eq!(announcer.due(), Some(at(30)));
    }

    #[test]
    fn an_early_announce_respects_the_minimum_interval() {
        let mut announcer = announcer(1);
        announcer.next(at(0));
        announcer
            .succeeded(at(0), &AnnounceResponse { min_interval: Some(SECOND * 20), ..every(SECOND * 30) });
        announcer.lost_connection(0, 40);
        assert_eq!(announcer.due(), Some(at(20)));
    }

    #[test]
    fn hostile_intervals_are_clamped() {
        for (asked, kept) in [(Span::ZERO, SECOND), (Span::MAX, SECOND * 86_400)] {
            let mut announcer = announcer(1);
            announcer.next(at(5));
            announcer.succeeded(at(5), &AnnounceResponse { min_interval: Some(asked), ..every(asked) });
            assert_eq!(announcer.due(), Some(at(5) + kept));
        }
    }

    #[test]
    fn leaving_tells_only_a_tracker_that_may_know_us_and_ends_everything() {
        assert_eq!(announcer(1).stop(), None);
        let mut asking = announcer(1);
        asking.next(at(0));
        assert_eq!(asking.stop(), Some(0));
        let mut announcer = registered();
        assert_eq!(announcer.stop(), Some(0));
        announcer.succeeded(at(1), &every(SECOND));
        announcer.completed(at(1));
        announcer.lost_connection(0, 40);
        assert_eq!((announcer.due(), announcer.next(at(99))), (None, None));
    }

    #[test]
    fn without_a_tracker_nothing_is_ever_due() {
        let mut announcer = announcer(0);
        announcer.completed(at(1));
        assert_eq!((announcer.due(), announcer.next(at(9)), announcer.stop()), (None, None, None));
    }

    proptest! {
        /// Whatever happens between: an announce is due within an interval, or the longest pause, of the last answer.
        #[test]
        fn it_never_falls_silent_and_never_hurries(
            trackers in 1usize..4,
            happenings in prop::collection::vec((0u8..5, 0u64..40), 1..200),
        ) {
            let mut announcer = announcer(trackers);
            let mut now = at(0);
            let mut regular = None;
            for (what, later) in happenings {
                now += SECOND * later;
                match what {
                    0 => announcer.completed(now),
                    1 => announcer.lost_connection(3, 40),
                    _ => {}
                }
                let Some((_, event)) = announcer.next(now) else {
                    prop_assert!(announcer.due().unwrap().since(now) <= LONGEST_PAUSE.div(2) * 3);
                    continue;
                };
                prop_assert_eq!(announcer.due(), None);
                if what == 4 {
                    announcer.failed(now);
                    regular = None;
                } else {
                    if event == AnnounceEvent::None && let Some(last) = regular {
                        prop_assert!(now.since(last) >= SECOND * 15, "two within half an interval");
                    }
                    announcer.succeeded(now, &every(SECOND * 30));
                    regular = Some(now);
                }
            }
        }
    }
}
