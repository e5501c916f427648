//! What is on its way to a host: every message waits for its path's latency, and blocks for the downlink after it.
//! Pure: a queue over scenario time.
//!
//! Control messages overtake blocks that wait for the downlink, as they do in the simulator. Two things must not
//! overtake the blocks of their own connection: a choke, after which the remote sends no more of them, and the
//! connection's end. What follows a choke follows it here too. And nothing comes before the connection itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::link::Downlink;
use crate::time::{Span, Time};
use crate::units::Rate;

/// How something passes the downlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Payload of so many bytes: waits its turn.
    Block(u32),
    /// Goes past waiting blocks.
    Control,
    /// Goes past the blocks of other connections only.
    Ordered,
}

/// The arrivals of one host; `T` is what arrives.
#[derive(Debug)]
pub struct Arrivals<T> {
    downlink: Downlink,
    queue: BinaryHeap<Reverse<Arrival<T>>>,
    /// By connection, from `begin` to `forget`.
    lanes: BTreeMap<u64, Lane>,
    pushed: u64,
}

#[derive(Debug)]
struct Arrival<T> {
    at: Time,
    /// Ties go in the order of pushing.
    order: u64,
    lane: u64,
    stage: Stage,
    item: T,
}

#[derive(Debug)]
enum Stage {
    /// On the path; the downlink is still to come.
    Travelling(Passage),
    Through,
}

/// What has to be kept in order within one connection.
#[derive(Debug, Default)]
struct Lane {
    last_block: Time,
    last_ordered: Time,
}

impl<T> Arrivals<T> {
    /// The way in of a host that is there `since` then; `None` is an unlimited downlink.
    pub fn new(download: Option<Rate>, since: Time) -> Arrivals<T> {
        Arrivals {
            downlink: Downlink::new(download, since),
            queue: BinaryHeap::new(),
            lanes: BTreeMap::new(),
            pushed: 0,
        }
    }

    /// Whether a message over a path of this latency needs no queue at all: it is there when it is received.
    pub fn is_immediate(&self, latency: Span) -> bool {
        latency.is_zero() && self.downlink.is_unlimited()
    }

    /// Nothing of this connection arrives before `at`, when its peer is told that it stands.
    pub fn begin(&mut self, lane: u64, at: Time) {
        self.lanes.entry(lane).or_default().last_ordered = at;
    }

    /// Something was received from a connection (`lane`) at `now` and has `latency` still before it.
    pub fn push(&mut self, now: Time, latency: Span, lane: u64, passage: Passage, item: T) {
        self.pushed += 1;
        let stage = Stage::Travelling(passage);
        self.queue.push(Reverse(Arrival { at: now + latency, order: self.pushed, lane, stage, item }));
    }

    /// When `pop` next has something to do; early by a step where blocks then wait for the downlink.
    pub fn next(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse(arrival)| arrival.at)
    }

    /// The next thing that is there at `now`, with the time at which it came.
    pub fn pop(&mut self, now: Time) -> Option<(Time, T)> {
        loop {
            let Reverse(head) = self.queue.peek()?;
            if head.at > now {
                return None;
            }
            let Reverse(mut arrival) = self.queue.pop()?;
            let Stage::Travelling(passage) = arrival.stage else {
                return Some((arrival.at, arrival.item));
            };
            // Once more through the queue, even at the same time: whatever was pushed before goes first.
            arrival.at = self.pass(arrival.at, arrival.lane, passage);
            arrival.stage = Stage::Through;
            self.queue.push(Reverse(arrival));
        }
    }

    /// Forgets a connection. What it still has on its way arrives all the same.
    pub fn forget(&mut self, lane: u64) {
        self.lanes.remove(&lane);
    }

    fn pass(&mut self, arrival: Time, lane: u64, passage: Passage) -> Time {
        let at = match passage {
            Passage::Block(bytes) => self.downlink.carry(arrival, bytes),
            Passage::Control | Passage::Ordered => arrival,
        };
        // A connection that was forgotten meanwhile keeps no order any more.
        let Some(lane) = self.lanes.get_mut(&lane) else { return at };
        match passage {
            Passage::Control => at.max(lane.last_ordered),
            Passage::Block(_) => {
                lane.last_block = at.max(lane.last_ordered);
                lane.last_block
            }
            Passage::Ordered => {
                lane.last_ordered = at.max(lane.last_block).max(lane.last_ordered);
                lane.last_ordered
            }
        }
    }
}

impl<T> PartialEq for Arrival<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Arrival<T> {}

impl<T> PartialOrd for Arrival<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Arrival<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Passage::{Block, Control, Ordered};

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    /// A byte a millisecond; connections 1 and 2 stand.
    fn arrivals() -> Arrivals<&'static str> {
        let mut arrivals = Arrivals::new(Some(Rate::from_bits_per_second(8_000)), Time::ZERO);
        arrivals.begin(1, Time::ZERO);
        arrivals.begin(2, Time::ZERO);
        arrivals
    }

    fn drain(arrivals: &mut Arrivals<&'static str>) -> Vec<(Time, &'static str)> {
        std::iter::from_fn(|| arrivals.pop(at(1_000_000))).collect()
    }

    #[test]
    fn nothing_arrives_before_its_connection_stands() {
        let mut arrivals = Arrivals::new(None, Time::ZERO);
        arrivals.begin(1, at(100));
        arrivals.push(at(0), Span::from_millis(100), 1, Control, "connected");
        arrivals.push(at(1), Span::from_millis(50), 1, Control, "bitfield");
        arrivals.push(at(2), Span::from_millis(50), 1, Ordered, "end");
        arrivals.push(at(3), Span::from_millis(50), 2, Control, "another");
        let order = std::iter::from_fn(|| arrivals.pop(at(100))).map(|(_, item)| item);
        assert_eq!(order.collect::<Vec<_>>(), ["another", "connected", "bitfield", "end"]);
    }

    #[test]
    fn latency_comes_first_and_the_downlink_after_it() {
        let mut arrivals = arrivals();
        arrivals.push(at(0), Span::from_millis(400), 1, Block(100), "first");
        arrivals.push(at(10), Span::from_millis(400), 1, Block(100), "second");
        assert_eq!(arrivals.next(), Some(at(400)));
        assert_eq!(arrivals.pop(at(399)), None);
        assert_eq!(arrivals.pop(at(400)), Some((at(400), "first")));
        assert_eq!(arrivals.pop(at(410)), None, "the second waits for the downlink");
        assert_eq!(arrivals.next(), Some(at(500)));
        assert_eq!(
            arrivals.pop(at(777)),
            Some((at(500), "second")),
            "it came at its time, however late one asks"
        );
    }

    #[test]
    fn the_downlink_takes_blocks_in_the_order_of_their_arrival_not_of_their_sending() {
        let mut arrivals = arrivals();
        arrivals.push(at(0), Span::from_millis(900), 1, Block(100), "far");
        arrivals.push(at(1), Span::from_millis(150), 2, Block(100), "near");
        assert_eq!(drain(&mut arrivals), [(at(151), "near"), (at(900), "far")]);
    }

    #[test]
    fn control_overtakes_waiting_blocks_but_a_choke_stays_behind_those_of_its_connection() {
        let mut arrivals = arrivals();
        arrivals.push(at(100), Span::ZERO, 1, Block(100), "block 1");
        arrivals.push(at(100), Span::ZERO, 1, Block(100), "block 2");
        arrivals.push(at(101), Span::ZERO, 1, Control, "have");
        arrivals.push(at(102), Span::ZERO, 1, Ordered, "choke");
        arrivals.push(at(103), Span::ZERO, 1, Control, "unchoke");
        arrivals.push(at(103), Span::ZERO, 2, Ordered, "choke by another");
        assert_eq!(
            drain(&mut arrivals),
            [
                (at(100), "block 1"),
                (at(101), "have"),
                (at(103), "choke by another"),
                (at(200), "block 2"),
                (at(200), "choke"),
                (at(200), "unchoke"),
            ]
        );
    }

    #[test]
    fn a_choke_that_arrives_with_the_block_before_it_comes_second() {
        let mut arrivals = arrivals();
        arrivals.push(at(0), Span::from_millis(200), 1, Block(200), "block");
        arrivals.push(at(0), Span::from_millis(200), 1, Ordered, "choke");
        assert_eq!(drain(&mut arrivals), [(at(200), "block"), (at(200), "choke")]);
    }

    #[test]
    fn only_an_unlimited_downlink_without_latency_needs_no_queue() {
        let unlimited = Arrivals::<()>::new(None, Time::ZERO);
        assert!(unlimited.is_immediate(Span::ZERO));
        assert!(!unlimited.is_immediate(Span::from_nanos(1)));
        assert!(!arrivals().is_immediate(Span::ZERO));
    }
}
