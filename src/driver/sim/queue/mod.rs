//! The event queue: one total order over everything that will happen.

mod calendar;

use std::cmp::Ordering;

use crate::time::Time;
use calendar::Calendar;

/// The depth of HAVEs, beyond any chain of causes: what a peer has heard at an instant it knows after everything else
/// that happens to it then.
const HAVES: u32 = u32::MAX / 2;

/// Orders events: by time, then by how long a chain of causes within this instant led to them, then by who caused them
/// and by how many that source had caused before. So nothing comes before its cause, the order does not depend on how
/// the queue is built, and one more event of one source shifts none of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    // Two halves, the low one first, so that a key and an event fill half a cache line.
    at: [u32; 2],
    causes: Causes,
}

/// What decides among events of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Causes {
    source: u32,
    depth: u32,
    sequence: u32,
}

impl Key {
    fn new(at: Time, depth: u32, source: u32, sequence: u32) -> Key {
        let nanos = at.as_nanos();
        Key { at: [nanos as u32, (nanos >> 32) as u32], causes: Causes { source, depth, sequence } }
    }

    /// Before everything that happens at `at`.
    pub(super) fn start_of(at: Time) -> Key {
        Key::new(at, 0, 0, 0)
    }

    /// After everything that happens until `at`, this moment included.
    pub(super) fn end_of(at: Time) -> Key {
        Key::new(at, u32::MAX, u32::MAX, u32::MAX)
    }

    #[inline]
    pub(super) fn at(self) -> Time {
        Time::from_nanos(u64::from(self.at[1]) << 32 | u64::from(self.at[0]))
    }

    /// Two words that decide nearly always, and the rest.
    #[inline]
    fn order(self) -> (Time, u64, u32) {
        let Causes { source, depth, sequence } = self.causes;
        (self.at(), u64::from(depth) << 32 | u64::from(source), sequence)
    }
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Events still to come.
#[derive(Clone, Debug)]
pub(super) struct Queue<E> {
    calendar: Calendar<E>,
    sources: Vec<Source>,
    /// What was taken last: the cause of what comes in now.
    present: Key,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    /// Its place among all sources where several cause something for the same moment.
    rank: u32,
    /// How many events it has caused.
    sequence: u32,
}

impl<E: Copy> Queue<E> {
    /// One source for each rank.
    pub(super) fn new(ranks: impl IntoIterator<Item = u32>) -> Queue<E> {
        Queue {
            calendar: Calendar::new(),
            sources: ranks.into_iter().map(|rank| Source { rank, sequence: 0 }).collect(),
            present: Key::start_of(Time::ZERO),
        }
    }

    /// The place of a HAVE that comes from one source to another at `at`. It does not count as caused by either: whether
    /// anybody looks at it shifts nothing.
    pub(super) fn have(&self, at: Time, from: u32, to: u32) -> Key {
        let rank = |source: u32| self.sources[source as usize].rank;
        Key::new(at, HAVES, rank(from), rank(to))
    }

    /// The place of the next thing that `source` causes, to happen at `at`.
    #[inline]
    pub(super) fn stamp(&mut self, at: Time, source: u32) -> Key {
        let Source { rank, sequence } = &mut self.sources[source as usize];
        let depth = if at == self.present.at() { self.present.causes.depth.saturating_add(1) } else { 0 };
        let key = Key::new(at, depth, *rank, *sequence);
        *sequence = sequence.checked_add(1).expect("nobody causes 2^32 events");
        key
    }

    /// `source` caused `event` to happen at `at`.
    #[inline]
    pub(super) fn push(&mut self, at: Time, source: u32, event: E) {
        let key = self.stamp(at, source);
        self.insert(key, event);
    }

    /// Puts an event at a place that was stamped before and has not passed.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, event: E) {
        self.calendar.push(key, event);
    }

    pub(super) fn pop(&mut self) -> Option<(Key, E)> {
        let (key, event) = self.calendar.pop()?;
        // A HAVE without latency may come at a place that has passed: what it causes still comes behind everything else.
        if self.present.order() < key.order() {
            self.present = key;
        }
        Some((key, event))
    }

    /// What comes so many events after the next one, as far as that is known already and nothing else comes between.
    #[inline]
    pub(super) fn ahead(&self, steps: usize) -> Option<&E> {
        self.calendar.ahead(steps)
    }

    /// How many events are pending.
    pub(super) fn len(&self) -> usize {
        self.calendar.len()
    }

    /// When the next event comes.
    pub(super) fn next_at(&mut self) -> Option<Time> {
        self.calendar.next_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_source_then_sequence() {
        let mut queue = Queue::new(0..3);
        let (early, late) = (Time::from_nanos(1), Time::from_nanos(2));
        queue.push(late, 0, 'd');
        queue.push(early, 2, 'b');
        queue.push(early, 2, 'c');
        queue.push(early, 1, 'a');
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "abcd");
    }

    #[test]
    fn what_is_caused_within_an_instant_comes_behind_everything_that_caused_it() {
        let mut queue = Queue::new(0..3);
        let now = Time::from_nanos(7);
        queue.push(now, 1, 'a');
        queue.push(now, 2, 'b');
        assert_eq!(queue.pop().map(|(_, event)| event), Some('a'));
        queue.push(now, 0, 'c');
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "bc");
    }

    #[test]
    fn what_a_late_have_causes_overtakes_nothing() {
        let mut queue = Queue::new(0..2);
        let now = Time::from_nanos(5);
        queue.insert(queue.have(now, 0, 1), 'a');
        assert_eq!(queue.pop().map(|(_, event)| event), Some('a'));
        queue.push(now, 1, 'b');
        assert_eq!(queue.pop().map(|(_, event)| event), Some('b'));
        queue.push(now, 1, 'd');
        queue.insert(queue.have(now, 0, 1), 'c');
        assert_eq!(queue.pop().map(|(_, event)| event), Some('c'));
        queue.push(now, 1, 'e');
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "de");
    }

    #[test]
    fn a_place_stamped_early_may_be_filled_later() {
        let mut queue = Queue::new(0..2);
        let at = Time::from_nanos(5);
        let first = queue.stamp(at, 0);
        queue.push(at, 0, 'b');
        queue.insert(first, 'a');
        assert_eq!(queue.pop(), Some((first, 'a')));
        assert!(first < Key::end_of(at) && queue.pop().is_some_and(|(key, _)| key > first));
    }
}
