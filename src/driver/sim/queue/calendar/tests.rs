//! Against the obvious queue: a binary heap over the same keys.

use super::*;
use crate::rng::{Entity, Purpose, Stream};

/// Both queues side by side, fed from one stream.
struct Pair {
    calendar: Calendar<u32>,
    oracle: BinaryHeap<Reverse<(Key, u32)>>,
    draws: Stream,
    now: u64,
    pushed: u32,
}

impl Pair {
    fn new(random_seed: u64) -> Pair {
        let draws = Stream::new(random_seed, Entity::Scenario, Purpose::Content);
        Pair { calendar: Calendar::new(), oracle: BinaryHeap::new(), draws, now: 0, pushed: 0 }
    }

    /// An event up to `reach` ns from now.
    fn push(&mut self, reach: u64) {
        let at = Time::from_nanos(self.now + self.draws.below(reach));
        let key = Key::new(at, 0, self.draws.below(4) as u32, self.pushed);
        self.calendar.push(key, self.pushed);
        self.oracle.push(Reverse((key, self.pushed)));
        self.pushed += 1;
    }

    /// Takes the next event from both; false when there is none.
    fn pop(&mut self) -> bool {
        let expected = self.oracle.pop().map(|Reverse(entry)| entry);
        assert_eq!(self.calendar.next_at(), expected.map(|(key, _)| key.at()));
        assert_eq!(self.calendar.pop(), expected);
        self.now = expected.map_or(self.now, |(key, _)| key.at().as_nanos());
        expected.is_some()
    }

    fn drain(mut self) {
        while self.pop() {}
    }
}

#[test]
fn it_gives_what_a_heap_gives_whatever_the_distances() {
    for random_seed in 0..40 {
        let mut pair = Pair::new(random_seed);
        for _ in 0..2_000 {
            // From the same instant to far beyond the ring.
            let reach = 1 << pair.draws.below(45);
            match pair.draws.below(3) {
                0 => drop(pair.pop()),
                1 => pair.push(reach),
                _ => (0..pair.draws.below(4)).for_each(|_| pair.push(1 + reach / 1000)),
            }
        }
        pair.drain();
    }
}

#[test]
fn crowded_buckets_become_narrower_and_the_order_stays() {
    let mut pair = Pair::new(1);
    for _ in 0..1_000 {
        pair.push(1 << 28);
    }
    for _ in 0..1_000_000 {
        pair.pop();
        pair.push(1 << 21);
    }
    assert!(pair.calendar.width < FIRST_WIDTH, "width is still 2^{}", pair.calendar.width);
    pair.drain();
}

#[test]
fn buckets_become_wider_where_everything_lies_beyond_the_ring() {
    let mut pair = Pair::new(2);
    for _ in 0..100 {
        pair.push(1 << 42);
    }
    for _ in 0..30_000 {
        pair.pop();
        pair.push(1 << 42);
    }
    assert!(pair.calendar.width > FIRST_WIDTH, "width is still 2^{}", pair.calendar.width);
    pair.drain();
}

#[test]
fn cells_are_used_again() {
    let mut pair = Pair::new(3);
    for _ in 0..10_000 {
        pair.push(1 << 24);
        pair.push(1 << 24);
        pair.pop();
        pair.pop();
    }
    assert!(pair.calendar.slab.len() <= 8, "{} cells for two events", pair.calendar.slab.len());
}

#[test]
fn the_end_of_time_comes_last() {
    let mut calendar = Calendar::new();
    let key = |nanos, sequence| Key::new(Time::from_nanos(nanos), 0, 0, sequence);
    calendar.push(key(u64::MAX, 0), 'c');
    calendar.push(key(0, 1), 'a');
    calendar.push(key(1 << 50, 2), 'b');
    let order: String = std::iter::from_fn(|| calendar.pop()).map(|(_, event)| event).collect();
    assert_eq!(order, "abc");
    calendar.push(key(u64::MAX, 3), 'd');
    assert_eq!(calendar.pop().map(|(_, event)| event), Some('d'));
}
