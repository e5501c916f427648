//! How many bytes crossed a connection lately: exact sums, no averages that decay, so that equal traffic compares
//! equal.

use crate::fetch;
use crate::peer::policy::Policy;
use crate::time::{Span, Time};

const BUCKETS: u64 = 8;

/// Bytes over a sliding window.
///
/// Time is cut into buckets of an eighth of the window, at multiples of that length since the start of the run, so
/// that the windows of all connections slide together. A sum takes in the running bucket and the seven before it: a
/// byte counts for at least 7/8 of the window and never longer than the whole. [`Window::reach`] says how much time
/// a sum spans at a moment.
#[derive(Clone, Debug)]
pub struct Window {
    /// Bucket length in nanoseconds.
    bucket: u64,
    /// The number of the latest bucket written to, counted from the start of the run.
    newest: u64,
    /// By bucket number modulo [`BUCKETS`]; a bucket holds at most 4 GiB.
    bytes: [u32; BUCKETS as usize],
}

impl Window {
    pub fn new(length: Span) -> Window {
        Window { bucket: (length.as_nanos() / BUCKETS).max(1), newest: 0, bytes: [0; BUCKETS as usize] }
    }

    pub fn add(&mut self, now: Time, bytes: u64) {
        let current = self.number(now);
        if current > self.newest {
            self.advance(current);
        }
        let bucket = &mut self.bytes[(current % BUCKETS) as usize];
        *bucket = bucket.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    #[inline(never)]
    fn advance(&mut self, current: u64) {
        for stale in self.stale(current) {
            self.bytes[stale] = 0;
        }
        self.newest = current;
    }

    /// The bytes added within [`Window::reach`] before `now`.
    pub fn sum(&self, now: Time) -> u64 {
        let sum = |bytes: u64, bucket: &u32| bytes + u64::from(*bucket);
        let stale = self.stale(self.number(now)).map(|stale| &self.bytes[stale]);
        self.bytes.iter().fold(0, sum) - stale.fold(0, sum)
    }

    /// The buckets that no longer count once `current` is the running one.
    fn stale(&self, current: u64) -> impl Iterator<Item = usize> + use<> {
        let next = self.newest + 1;
        (0..(current - self.newest).min(BUCKETS)).map(move |later| ((next + later) % BUCKETS) as usize)
    }

    /// Whether the sum is 0.
    fn is_idle(&self, now: Time) -> bool {
        self.number(now) - self.newest >= BUCKETS
            || (self.bytes[(self.newest % BUCKETS) as usize] == 0 && self.sum(now) == 0)
    }

    /// How far back a sum at `now` looks: 7/8 to 8/8 of the window, less where the run is younger.
    pub fn reach(&self, now: Time) -> Span {
        let oldest = self.number_of(now).saturating_sub(BUCKETS - 1);
        now.since(Time::from_nanos(oldest * self.bucket))
    }

    pub fn clear(&mut self) {
        self.bytes = [0; BUCKETS as usize];
    }

    /// The number of the running bucket.
    #[inline]
    fn number(&self, now: Time) -> u64 {
        // Mostly still the newest one, and that takes no division.
        let since = now.as_nanos().wrapping_sub(self.newest * self.bucket);
        if since < self.bucket { self.newest } else { self.number_of(now).max(self.newest) }
    }

    fn number_of(&self, at: Time) -> u64 {
        at.as_nanos() / self.bucket
    }
}

/// What flowed over one connection lately. Most connections of a peer carry nothing most of the time: then nothing is
/// kept.
#[derive(Clone, Debug, Default)]
pub struct Rates(Option<Box<Windows>>);

#[derive(Clone, Debug)]
struct Windows {
    /// Over the choker's window.
    received: Window,
    sent: Window,
    /// Received, over the pipeline's window.
    recent: Window,
}

impl Rates {
    pub fn receive(&mut self, now: Time, bytes: u64, policy: &Policy) {
        let windows = self.windows(policy);
        windows.received.add(now, bytes);
        windows.recent.add(now, bytes);
    }

    pub fn send(&mut self, now: Time, bytes: u64, policy: &Policy) {
        self.windows(policy).sent.add(now, bytes);
    }

    pub(crate) fn fetch(&self) {
        if let Some(windows) = &self.0 {
            fetch::one(&windows.received);
            fetch::one(&windows.sent);
            fetch::one(&windows.recent);
        }
    }

    /// Bytes received within the choker's window.
    pub fn received(&self, now: Time) -> u64 {
        self.0.as_ref().map_or(0, |windows| windows.received.sum(now))
    }

    /// Bytes sent within the choker's window.
    pub fn sent(&self, now: Time) -> u64 {
        self.0.as_ref().map_or(0, |windows| windows.sent.sum(now))
    }

    /// Bytes received within the pipeline's window.
    pub fn recent(&self, now: Time) -> u64 {
        self.0.as_ref().map_or(0, |windows| windows.recent.sum(now))
    }

    /// What was received counts for the pipeline no longer.
    pub fn forget_recent(&mut self) {
        if let Some(windows) = &mut self.0 {
            windows.recent.clear();
        }
    }

    /// Keeps nothing where every sum is 0, and returns whether that is so.
    pub fn rest(&mut self, now: Time) -> bool {
        let idle = self.0.as_ref().is_none_or(|windows| {
            windows.received.is_idle(now) && windows.sent.is_idle(now) && windows.recent.is_idle(now)
        });
        if idle && self.0.is_some() {
            self.0 = None;
        }
        idle
    }

    fn windows(&mut self, policy: &Policy) -> &mut Windows {
        self.0.get_or_insert_with(|| {
            Box::new(Windows {
                received: Window::new(policy.rate_window),
                sent: Window::new(policy.rate_window),
                recent: Window::new(policy.pipeline.rate_window),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn a_byte_counts_for_seven_eighths_to_the_whole_of_the_window() {
        for added in [0, 1, 124, 125, 999, 1_000] {
            let mut window = Window::new(Span::from_millis(1_000));
            window.add(at(added), 7);
            assert_eq!(window.sum(at(added + 875)), 7, "added at {added} ms");
            assert_eq!(window.sum(at(added + 1_000)), 0, "added at {added} ms");
        }
    }

    #[test]
    fn a_bucket_stops_counting_at_4_gib_instead_of_wrapping() {
        let mut window = Window::new(Span::from_secs(8));
        window.add(at(0), u64::MAX);
        window.add(at(1), 1);
        assert_eq!(window.sum(at(2)), u64::from(u32::MAX));
    }

    #[test]
    fn rates_at_rest_are_kept_only_while_they_count() {
        let (mut rates, policy) = (Rates::default(), Policy::default());
        rates.receive(at(0), 10, &policy);
        rates.send(at(0), 20, &policy);
        assert!(!rates.rest(at(10_000)));
        assert_eq!(
            (rates.received(at(10_000)), rates.sent(at(10_000)), rates.recent(at(10_000))),
            (10, 20, 0)
        );
        assert!(rates.rest(at(20_000)) && rates.0.is_none());
        rates.receive(at(30_000), 5, &policy);
        assert_eq!((rates.received(at(30_000)), rates.recent(at(30_000))), (5, 5));
        rates.forget_recent();
        assert_eq!((rates.received(at(30_000)), rates.recent(at(30_000))), (5, 0));
    }

    #[test]
    fn a_window_of_no_length_is_harmless() {
        let mut window = Window::new(Span::ZERO);
        window.add(at(5), 3);
        assert_eq!((window.sum(at(5)), window.sum(at(6))), (3, 0));
    }

    proptest! {
        #[test]
        fn a_sum_is_what_was_added_within_its_reach(
            length in 1u64..5_000,
            steps in prop::collection::vec((0u64..3_000, 0u64..1_000_000), 1..60),
        ) {
            let mut window = Window::new(Span::from_millis(length));
            let mut now = Time::ZERO;
            let mut added = Vec::new();
            for (step, bytes) in steps {
                let before = window.sum(now);
                now += Span::from_millis(step);
                prop_assert!(window.sum(now) <= before, "time alone raised the sum");
                window.add(now, bytes);
                added.push((now, bytes));
                let since = now - window.reach(now);
                let expected: u64 =
                    added.iter().filter(|(when, _)| *when >= since).map(|(_, bytes)| bytes).sum();
                prop_assert_eq!(window.sum(now), expected);
                prop_assert!(window.reach(now) <= Span::from_millis(length));
            }
        }
    }
}
