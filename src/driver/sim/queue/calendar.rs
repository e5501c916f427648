//! A calendar queue (Brown 1988): a ring of buckets of equal width, the present one sorted, what lies beyond the ring
//! in a heap. Taking and putting cost the same however many events are pending.
//!
//! Buckets are lists through one slab, so that they hold no spare room; a bitmap finds the next one that is not empty.
//! The width follows the density of events. None of this shows in the order, which is the keys' alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Key;
use crate::fetch;

/// Buckets in the ring.
const RING: u64 = 1 << 15;
const WORDS: usize = RING as usize / 64;
/// A nanosecond logarithm: buckets begin at 2^20 ns, about a millisecond, and never become narrower than 2^10 ns.
const FIRST_WIDTH: u32 = 20;
const LEAST_WIDTH: u32 = 10;
const GREATEST_WIDTH: u32 = 40;
/// The width is looked at every so many buckets, or sooner when so many events have come: an instant at which much
/// happens, like the start of a run, says nothing about the width.
const BUCKETS_PER_LOOK: u32 = 4096;
const CROWDED_BUCKETS_PER_LOOK: u32 = 64;
const EVENTS_PER_LOOK: u32 = 1 << 16;
/// More events than this in the average bucket and it is made narrower.
const DENSE: u32 = 32;
/// More events than this share of all beyond the ring, and it is made wider: there an event costs many cold lines.
const BEYOND: u32 = 16;
/// So many more events in the average bucket and it is made narrower all the same.
const CROWDED: u32 = 8 * DENSE;
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
    /// What is left of the buckets up to the present one, latest first; and whatever was put before its end since.
    sorted: Vec<Entry<E>>,
    /// Empty but while buckets are opened.
    opened: Vec<Entry<E>>,
    /// First entry of each bucket's list, by bucket number modulo `RING`.
    heads: Box<[u32]>,
    /// A bit per bucket that is not empty.
    filled: Box<[u64; WORDS]>,
    slab: Vec<Cell<E>>,
    /// First of the cells that are free.
    vacant: u32,
    beyond: BinaryHeap<Reverse<Entry<E>>>,
    /// The cell of the bucket to be opened next that is to be asked for next.
    warm: u32,
    len: usize,
    /// Of them in the ring.
    in_ring: usize,
    load: Load,
}

#[derive(Clone, Copy, Debug)]
struct Entry<E> {
    key: Key,
    event: E,
}

#[derive(Clone, Copy, Debug)]
struct Cell<E> {
    entry: Entry<E>,
    next: u32,
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
            opened: Vec::new(),
            heads: vec![NONE; RING as usize].into(),
            filled: Box::new([0; WORDS]),
            slab: Vec::new(),
            vacant: NONE,
            beyond: BinaryHeap::new(),
            warm: NONE,
            len: 0,
            in_ring: 0,
            load: Load::default(),
        }
    }

    pub(super) fn push(&mut self, key: Key, event: E) {
        self.load.events += 1;
        self.len += 1;
        self.place(Entry { key, event });
    }

    pub(super) fn pop(&mut self) -> Option<(Key, E)> {
        self.next()?;
        self.len -= 1;
        self.warm_up();
        self.sorted.pop().map(|entry| (entry.key, entry.event))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The key of what comes next.
    pub(super) fn next(&mut self) -> Option<Key> {
        if self.sorted.len() < IN_SIGHT {
            self.advance();
        }
        self.sorted.last().map(|entry| entry.key)
    }

    /// What comes so many events after the next one, as far as that is known without a search.
    #[inline]
    pub(super) fn ahead(&self, steps: usize) -> Option<&E> {
        let place = self.sorted.len().checked_sub(steps + 1)?;
        self.sorted.get(place).map(|entry| &entry.event)
    }

    fn place(&mut self, entry: Entry<E>) {
        let bucket = entry.key.at().as_nanos() >> self.width;
        if bucket <= self.present {
            let later = self.sorted.partition_point(|other| other.key > entry.key);
            self.sorted.insert(later, entry);
        } else if bucket - self.present < RING {
            self.link(bucket, entry);
        } else {
            self.load.beyond += 1;
            self.beyond.push(Reverse(entry));
        }
    }

    fn link(&mut self, bucket: u64, entry: Entry<E>) {
        self.in_ring += 1;
        let place = (bucket % RING) as usize;
        let cell = Cell { entry, next: self.heads[place] };
        let at = match self.slab.get_mut(self.vacant as usize) {
            Some(free) => {
                let at = std::mem::replace(&mut self.vacant, free.next);
                *free = cell;
                at
            }
            None => {
                self.slab.push(cell);
                u32::try_from(self.slab.len() - 1).expect("fewer than 2^32 events are pending")
            }
        };
        self.heads[place] = at;
        self.filled[place / 64] |= 1 << (place % 64);
    }

    /// Puts the next buckets that are not empty in order: as many as give enough events.
    fn advance(&mut self) {
        if self.sorted.is_empty() {
            self.adapt();
        } else if self.in_ring == 0 || self.load.is_due() {
            return;
        }
        while self.opened.len() < AT_ONCE && self.in_ring > 0 {
            let Some(bucket) = self.next_filled() else { break };
            self.present = bucket;
            self.open();
            self.load.buckets += 1;
        }
        if self.sorted.is_empty() && self.opened.is_empty() {
            let Some(Reverse(first)) = self.beyond.peek() else { return };
            self.present = first.key.at().as_nanos() >> self.width;
        }
        // One bucket comes after another, so most of the order is there already.
        self.opened.sort_unstable();
        self.opened.reverse();
        self.opened.append(&mut self.sorted);
        std::mem::swap(&mut self.opened, &mut self.sorted);
        self.bring_closer();
        self.warm = self.next_filled().map_or(NONE, |bucket| self.heads[(bucket % RING) as usize]);
        fetch::at(&self.slab, self.warm as usize);
    }

    /// A list hangs together, and most of its cells lie in no cache: so with every event that is taken one more of the next
    /// bucket's is asked for.
    #[inline]
    fn warm_up(&mut self) {
        if let Some(cell) = self.slab.get(self.warm as usize) {
            self.warm = cell.next;
            fetch::at(&self.slab, self.warm as usize);
        }
    }

    /// Puts what the ring has come up to into it.
    fn bring_closer(&mut self) {
        while let Some(Reverse(entry)) = self.beyond.peek() {
            if (entry.key.at().as_nanos() >> self.width).saturating_sub(self.present) >= RING {
                break;
            }
            let Some(Reverse(entry)) = self.beyond.pop() else { break };
            self.place(entry);
        }
    }

    /// Takes the present bucket's list out, in no order.
    fn open(&mut self) {
        let place = (self.present % RING) as usize;
        let mut at = std::mem::replace(&mut self.heads[place], NONE);
        self.filled[place / 64] &= !(1 << (place % 64));
        while let Some(cell) = self.slab.get_mut(at as usize) {
            self.opened.push(cell.entry);
            self.in_ring -= 1;
            let next = std::mem::replace(&mut cell.next, self.vacant);
            self.vacant = at;
            at = next;
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
        let mut pending: Vec<Entry<E>> = self.beyond.drain().map(|Reverse(entry)| entry).collect();
        while let Some(bucket) = self.next_filled() {
            // Opened in place: the ring is emptied front to back.
            self.present = bucket;
            self.open();
            pending.append(&mut self.opened);
        }
        let Some(first) = pending.iter().map(|entry| entry.key.at().as_nanos()).min() else { return };
        self.width = width;
        // The bucket before the first one: `advance` opens the first next.
        self.present = (first >> width).saturating_sub(1);
        for entry in pending {
            self.place(entry);
        }
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
mod tests;
