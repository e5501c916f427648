//! The event queue: one total order over everything that will happen.

mod calendar;

use crate::time::Time;
use calendar::Calendar;

/// Orders events: by time, then by who caused them, then by how many that source had caused before. The order does
/// not depend on how the queue is built, and one more event of one source shifts none of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) at: Time,
    source: u32,
    sequence: u32,
}

/// Events still to come.
#[derive(Clone, Debug)]
pub(super) struct Queue<E> {
    calendar: Calendar<E>,
    /// How many events each source has caused.
    sequences: Vec<u32>,
}

impl<E: Copy> Queue<E> {
    pub(super) fn new(sources: usize) -> Queue<E> {
        Queue { calendar: Calendar::new(), sequences: vec![0; sources] }
    }

    /// The place of the next thing that `source` causes, to happen at `at`.
    pub(super) fn stamp(&mut self, at: Time, source: u32) -> Key {
        let sequence = &mut self.sequences[source as usize];
        let key = Key { at, source, sequence: *sequence };
        *sequence = sequence.checked_add(1).expect("nobody causes 2^32 events");
        key
    }

    /// `source` caused `event` to happen at `at`.
    pub(super) fn push(&mut self, at: Time, source: u32, event: E) {
        let key = self.stamp(at, source);
        self.insert(key, event);
    }

    /// Puts an event at a place that was stamped before and has not passed.
    pub(super) fn insert(&mut self, key: Key, event: E) {
        self.calendar.push(key, event);
    }

    pub(super) fn pop(&mut self) -> Option<(Key, E)> {
        self.calendar.pop()
    }

    pub(super) fn next_at(&mut self) -> Option<Time> {
        self.calendar.next().map(|key| key.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_source_then_sequence() {
        let mut queue = Queue::new(3);
        let (early, late) = (Time::from_nanos(1), Time::from_nanos(2));
        queue.push(late, 0, 'd');
        queue.push(early, 2, 'b');
        queue.push(early, 2, 'c');
        queue.push(early, 1, 'a');
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "abcd");
    }

    #[test]
    fn a_place_stamped_early_may_be_filled_later() {
        let mut queue = Queue::new(2);
        let at = Time::from_nanos(5);
        let first = queue.stamp(at, 0);
        queue.push(at, 0, 'b');
        queue.insert(first, 'a');
        assert_eq!(queue.pop(), Some((first, 'a')));
        assert!(queue.pop().is_some_and(|(key, _)| key > first));
    }
}
