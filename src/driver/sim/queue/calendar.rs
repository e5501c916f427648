//! A calendar queue (Brown 1988): a ring of buckets of equal width, the next few sorted, what lies beyond the ring
//! in a heap. Taking and putting cost the same however many events are pending.
//!
//! Buckets are lists through one slab, so that they hold no spare room; a bitmap finds the next one that is not empty.
//! The width follows the density of events. None of this shows in the order, which is the keys' alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Causes, Key};
use crate::fetch;
use crate::time::Time;

/// Buckets in the ring.
const RING: u64 = 1 << 15;
const WORDS: usize = RING as usize / 64;
/// A nanosecond logarithm: buckets begin at 2^20 ns, about a millisecond, and never become narrower than 2^10 ns.
const FIRST_WIDTH: u32 = 20;
const LEAST_WIDTH: u32 = 10;
/// Not more than the low half of a time: the rest of it is the same in all of a bucket.
const GREATEST_WIDTH: u32 = 32;
/// The width is looked at every so many buckets, or sooner when so many events have come: an instant at which much
/// happens, like the start of a run, says nothing about the width.
const BUCKETS_PER_LOOK: u32 = 4096;
const CROWDED_BUCKETS_PER_LOOK: u32 = 64;
const EVENTS_PER_LOOK: u32 = 1 << 16;
/// More events than this in the average bucket and it is made narrower.
const DENSE: u32 = 12;
/// More events than this share of all beyond the ring, and it is made wider: there an event costs many cold lines.
const BEYOND: u32 = 16;
/// So many more events in the average bucket and it is made narrower all the same.
const CROWDED: u32 = 256;
/// Fewer events than this that are in order already, and the next buckets are opened: whoever looks ahead sees them.
const IN_SIGHT: usize = 6;
/// So many are put in order at a time, unless a bucket has more.
const AT_ONCE: usize = 12;
/// The end of a list.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(super) struct Calendar<E> {
    /// A bucket is `2^width` ns.
    width: u32,
    /// With this width too much landed beyond the ring; only a crowd makes buckets so narrow again.
    too_narrow: u32,
    /// The number of the latest bucket that was opened: time divided by the width.
    present: u64,
    /// The latest buckets up to the present one, in order, and whatever was put before its end since.
    sorted: Vec<Entry<E>>,
    /// So many of these have been taken.
    taken: usize,
    /// First entry of each bucket's list, by bucket number modulo `RING`.
    heads: Box<[u32; RING as usize]>,
    /// A bit per bucket that is not empty.
    filled: Box<[u64; WORDS]>,
    slab: Vec<Entry<E>>,
    /// First of the cells that are free.
    vacant: u32,
    beyond: BinaryHeap<Reverse<Entry<E>>>,
    /// The cell that is to be asked for next before its bucket is opened, and that bucket.
    warm: u32,
    warm_bucket: u64,
    len: usize,
    /// Of them in the ring.
    in_ring: usize,
    load: Load,
}

/// Half a cache line, and never in two of them.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Entry<E> {
    low: u32,
    /// The high half of the time; but in the slab, where the bucket knows it, the next of the list.
    high: u32,
    causes: Causes,
    event: E,
}

impl<E> Entry<E> {
    fn new(key: Key, event: E) -> Entry<E> {
        let Key { at: [low, high], causes } = key;
        Entry { low, high, causes, event }
    }

    fn key(&self) -> Key {
        Key { at: [self.low, self.high], causes: self.causes }
    }
}

/// What the width is judged by.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    buckets: u32,
    events: u32,
    beyond: u32,
}

impl Load {
    /// Whether it says enough for a judgement.
    fn is_due(&self) -> bool {
        let crowded = self.events >= EVENTS_PER_LOOK && self.buckets >= CROWDED_BUCKETS_PER_LOOK;
        crowded || self.buckets >= BUCKETS_PER_LOOK
    }
}

impl<E: Copy> Calendar<E> {
    pub(super) fn new() -> Calendar<E> {
        Calendar {
            width: FIRST_WIDTH,
            too_narrow: 0,
            present: 0,
            sorted: Vec::new(),
            taken: 0,
            heads: Box::new([NONE; RING as usize]),
            filled: Box::new([0; WORDS]),
            slab: Vec::new(),
            vacant: NONE,
            beyond: BinaryHeap::new(),
            warm: NONE,
            warm_bucket: 0,
            len: 0,
            in_ring: 0,
            load: Load::default(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, key: Key, event: E) {
        self.load.events += 1;
        self.len += 1;
        self.place(key, event);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Key, E)> {
        self.look_on();
        let entry = *self.sorted.get(self.taken)?;
        self.taken += 1;
        self.len -= 1;
        self.warm_up();
        Some((entry.key(), entry.event))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// When the next event comes.
    #[inline]
    pub(super) fn next_at(&mut self) -> Option<Time> {
        self.look_on();
        self.sorted.get(self.taken).map(|entry| entry.key().at())
    }

    /// What comes so many events after the next one, as far as that is known without a search.
    #[inline]
    pub(super) fn ahead(&self, steps: usize) -> Option<&E> {
        self.sorted.get(self.taken + steps).map(|entry| &entry.event)
    }

    fn in_sight(&self) -> usize {
        self.sorted.len() - self.taken
    }

    #[inline]
    fn look_on(&mut self) {
        if self.in_sight() < IN_SIGHT {
            self.advance();
        }
    }

    /// What is rare stays out of the way of what every event takes.
    #[inline]
    fn place(&mut self, key: Key, event: E) {
        let bucket = key.at().as_nanos() >> self.width;
        if bucket <= self.present {
            self.squeeze_in(key, event);
        } else if bucket - self.present < RING {
            self.link(bucket, key, event);
        } else {
            self.put_beyond(key, event);
        }
    }

    #[inline(never)]
    fn put_beyond(&mut self, key: Key, event: E) {
        self.load.beyond += 1;
        self.beyond.push(Reverse(Entry::new(key, event)));
    }

    /// Puts an entry among those that are in order: whatever is fewer, those before it or those after it, makes room.
    #[inline(never)]
    fn squeeze_in(&mut self, key: Key, event: E) {
        let (entry, order) = (Entry::new(key, event), key.order());
        let earlier = self.sorted[self.taken..].partition_point(|other| other.key().order() < order);
        let at = self.taken + earlier;
        if self.taken > 0 && earlier < self.sorted.len() - at {
            self.sorted.copy_within(self.taken..at, self.taken - 1);
            self.taken -= 1;
            self.sorted[at - 1] = entry;
        } else {
            self.sorted.insert(at, entry);
        }
    }

    #[inline]
    fn link(&mut self, bucket: u64, key: Key, event: E) {
        if self.vacant == NONE {
            self.make_room(key, event);
        }
        self.in_ring += 1;
        let place = (bucket % RING) as usize;
        self.filled[place / 64] |= 1 << (place % 64);
        let next = std::mem::replace(&mut self.heads[place], self.vacant);
        let cell = &mut self.slab[self.vacant as usize];
        self.vacant = cell.high;
        *cell = Entry { high: next, ..Entry::new(key, event) };
    }

    /// One more cell that is free, whatever lies in it.
    #[cold]
    fn make_room(&mut self, key: Key, event: E) {
        self.vacant = u32::try_from(self.slab.len()).expect("fewer than 2^32 events are pending");
        self.slab.push(Entry { high: NONE, ..Entry::new(key, event) });
    }

    /// Puts the next buckets that are not empty in order: as many as give enough events.
    #[inline(never)]
    fn advance(&mut self) {
        if self.in_sight() > 0 && (self.in_ring == 0 || self.load.is_due()) {
            return;
        }
        self.sorted.drain(..self.taken);
        self.taken = 0;
        if self.sorted.is_empty() {
            self.adapt();
        }
        let known = self.sorted.len();
        while self.sorted.len() < known + AT_ONCE && self.in_ring > 0 {
            let Some(bucket) = self.next_filled() else { break };
            self.present = bucket;
            self.open();
            self.load.buckets += 1;
        }
        if self.sorted.is_empty() {
            let Some(Reverse(first)) = self.beyond.peek() else { return };
            self.present = first.key().at().as_nanos() >> self.width;
        }
        // One bucket comes after another, so most of the order is there already.
        self.sorted[known..].sort_unstable_by_key(|entry| entry.key().order());
        self.bring_closer();
        self.warm_bucket = self.present;
        self.warm_next_bucket();
        fetch::at(&self.slab, self.warm as usize);
    }

    /// A list hangs together, and most of its cells lie in no cache: so with every event that is taken one more of the next
    /// buckets' is asked for.
    #[inline]
    fn warm_up(&mut self) {
        if let Some(cell) = self.slab.get(self.warm as usize) {
            self.warm = cell.high;
            if self.warm == NONE {
                self.warm_next_bucket();
            }
            fetch::at(&self.slab, self.warm as usize);
        }
    }

    /// Of the buckets in the same word of the bitmap: no search for a hint.
    fn warm_next_bucket(&mut self) {
        let next = self.warm_bucket + 1;
        let place = (next % RING) as usize;
        let bits = self.filled[place / 64] >> (place % 64);
        self.warm_bucket = next + u64::from(bits.trailing_zeros());
        self.warm = if bits == 0 { NONE } else { self.heads[(self.warm_bucket % RING) as usize] };
    }

    /// Puts what the ring has come up to into it.
    fn bring_closer(&mut self) {
        while let Some(Reverse(entry)) = self.beyond.peek() {
            if (entry.key().at().as_nanos() >> self.width).saturating_sub(self.present) >= RING {
                break;
            }
            let Some(Reverse(entry)) = self.beyond.pop() else { break };
            self.place(entry.key(), entry.event);
        }
    }

    /// Takes the present bucket's list out, in no order.
    fn open(&mut self) {
        let place = (self.present % RING) as usize;
        let first = std::mem::replace(&mut self.heads[place], NONE);
        self.filled[place / 64] &= !(1 << (place % 64));
        let high = ((self.present << self.width) >> 32) as u32;
        let (known, mut at, mut last) = (self.sorted.len(), first, NONE);
        while let Some(cell) = self.slab.get(at as usize) {
            (last, at) = (at, cell.high);
            self.sorted.push(*cell);
        }
        self.sorted[known..].iter_mut().for_each(|entry| entry.high = high);
        self.in_ring -= self.sorted.len() - known;
        if let Some(cell) = self.slab.get_mut(last as usize) {
            cell.high = self.vacant;
            self.vacant = first;
        }
    }

    /// The number of the first bucket after the present one whose list is not empty.
    fn next_filled(&self) -> Option<u64> {
        let start = ((self.present + 1) % RING) as usize;
        let (first, offset) = (start / 64, start % 64);
        let ahead = |word: usize, mask: u64| {
            let bits = self.filled[word] & mask;
            (bits != 0).then(|| word as u64 * 64 + u64::from(bits.trailing_zeros()))
        };
        let found = ahead(first, u64::MAX << offset)
            .or_else(|| (1..WORDS).find_map(|step| ahead((first + step) % WORDS, u64::MAX)))
            .or_else(|| ahead(first, !(u64::MAX << offset)))?;
        Some(self.present + 1 + (found + RING - start as u64) % RING)
    }

    /// Narrower buckets where they fill up, wider ones where most events miss the ring.
    fn adapt(&mut self) {
        if !self.load.is_due() {
            return;
        }
        let Load { buckets, events, beyond } = std::mem::take(&mut self.load);
        let density = events / buckets;
        let too_short = beyond > events / BEYOND;
        let narrower =
            density > CROWDED || (density > DENSE && !too_short && self.width > self.too_narrow + 1);
        if narrower && self.width > LEAST_WIDTH {
            self.resize(self.width - 1);
        } else if density < CROWDED && too_short && self.width < GREATEST_WIDTH {
            self.too_narrow = self.width;
            self.resize(self.width + 1);
        }
    }

    /// Only while `sorted` is empty: everything pending lies in the ring or beyond it.
    fn resize(&mut self, width: u32) {
        // Of the right size at once: made larger and larger among small things, it would leave holes that nothing fills.
        let mut pending: Vec<Entry<E>> = Vec::with_capacity(self.len);
        pending.extend(self.beyond.drain().map(|Reverse(entry)| entry));
        while let Some(bucket) = self.next_filled() {
            // Opened in place: the ring is emptied front to back.
            self.present = bucket;
            self.open();
            pending.append(&mut self.sorted);
        }
        let Some(first) = pending.iter().map(|entry| entry.key().at().as_nanos()).min() else { return };
        self.width = width;
        // The bucket before the first one: `advance` opens the first next.
        self.present = (first >> width).saturating_sub(1);
        for entry in pending {
            self.place(entry.key(), entry.event);
        }
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
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
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests;
