//! The event queue: one total order over everything that will happen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Time;

/// Orders events: by time, then by who caused them, then by how many that source had caused before. The order does
/// not depend on how the queue is built, and one more event of one source shifts none of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Time,
    source: u32,
    sequence: u64,
}

/// Events still to come.
#[derive(Clone, Debug)]
pub(super) struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    sequences: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Entry<E> {
    key: Key,
    event: E,
}

impl<E> Queue<E> {
    pub(super) fn new(sources: usize) -> Queue<E> {
        Queue { heap: BinaryHeap::new(), sequences: vec![0; sources] }
    }

    /// `source` caused `event` to happen at `at`.
    pub(super) fn push(&mut self, at: Time, source: u32, event: E) {
        let sequence = &mut self.sequences[source as usize];
        let key = Key { at, source, sequence: *sequence };
        *sequence += 1;
        self.heap.push(Reverse(Entry { key, event }));
    }

    pub(super) fn pop(&mut self) -> Option<(Time, E)> {
        self.heap.pop().map(|Reverse(entry)| (entry.key.at, entry.event))
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.key.at)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
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
}
