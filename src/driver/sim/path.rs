//! What is uneven about the paths between hosts: jitter and disturbances, and the order that a connection keeps all
//! the same. A world with neither has no such thing, and pays nothing for it.

use crate::driver::sim::connection::{LinkId, Side};
use crate::driver::sim::fault::{Fate, Fault};
use crate::id::PeerIndex;
use crate::rng::{Entity, Purpose, Stream};
use crate::time::Time;

/// The streams that decide about deliveries, and how far each direction of each connection has come.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    fault: Fault,
    /// By sender; the tracker last.
    draws: Vec<Stream>,
    /// When what set out last over each connection arrives, by the side it goes to. `Time::NEVER`: something was lost
    /// there, and nothing comes through any more.
    arrivals: Vec<[Time; 2]>,
    /// The same of every peer's announces and of their answers.
    announces: Vec<[Time; 2]>,
}

impl Paths {
    /// `None` where every path takes exactly its latency.
    pub(super) fn new(fault: &Fault, peers: usize, random_seed: u64) -> Option<Box<Paths>> {
        if fault.disturbances.is_empty() {
            return None;
        }
        let senders = (0..peers as u32).map(|peer| Entity::Peer(PeerIndex(peer))).chain([Entity::Tracker]);
        Some(Box::new(Paths {
            fault: fault.clone(),
            draws: senders.map(|sender| Stream::new(random_seed, sender, Purpose::Fault)).collect(),
            arrivals: Vec::new(),
            announces: vec![[Time::ZERO; 2]; peers],
        }))
    }

    /// A connection begins.
    pub(super) fn begin(&mut self, link: LinkId) {
        let at = link.0 as usize;
        if self.arrivals.len() <= at {
            self.arrivals.resize(at + 1, [Time::ZERO; 2]);
        }
        self.arrivals[at] = [Time::ZERO; 2];
    }

    /// When what sets out now over a connection comes to the side it is sent `to`, where the latency alone would have
    /// it there at `even`; `None` if it never does.
    pub(super) fn crossing(
        &mut self,
        (link, to): (LinkId, Side),
        (from, target): (PeerIndex, PeerIndex),
        now: Time,
        even: Time,
    ) -> Option<Time> {
        let latest = &mut self.arrivals[link.0 as usize][to as usize];
        if *latest == Time::NEVER {
            return None;
        }
        let fate = self.fault.fate(now, [Some(from), Some(target)], &mut self.draws[from.0 as usize]);
        follow(latest, fate, even)
    }

    /// When an announce that sets out now comes to the tracker.
    pub(super) fn announce(&mut self, from: PeerIndex, now: Time, even: Time) -> Option<Time> {
        let fate = self.fault.fate(now, [Some(from), None], &mut self.draws[from.0 as usize]);
        announced(&mut self.announces[from.0 as usize][0], fate, even)
    }

    /// When the tracker's answer that sets out now comes to the peer.
    pub(super) fn announce_answer(&mut self, to: PeerIndex, now: Time, even: Time) -> Option<Time> {
        let tracker = self.draws.len() - 1;
        let fate = self.fault.fate(now, [Some(to), None], &mut self.draws[tracker]);
        announced(&mut self.announces[to.0 as usize][1], fate, even)
    }
}

/// Nothing overtakes what set out before it, and nothing comes through behind what was lost.
fn follow(latest: &mut Time, fate: Fate, even: Time) -> Option<Time> {
    *latest = match fate {
        Fate::Pass => even.max(*latest),
        Fate::Delay(late) => (even + late).max(*latest),
        Fate::Drop => Time::NEVER,
    };
    (*latest < Time::NEVER).then_some(*latest)
}

/// Every announce is a connection of its own: a lost one takes no other with it. Their order is kept, so that no
/// `started` comes after the `stopped` that followed it.
fn announced(latest: &mut Time, fate: Fate, even: Time) -> Option<Time> {
    if fate == Fate::Drop { None } else { follow(latest, fate, even) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn what_follows_a_late_delivery_is_late_too() {
        let mut latest = Time::ZERO;
        assert_eq!(follow(&mut latest, Fate::Pass, at(10)), Some(at(10)));
        assert_eq!(follow(&mut latest, Fate::Delay(Span::from_millis(50)), at(20)), Some(at(70)));
        assert_eq!(follow(&mut latest, Fate::Pass, at(30)), Some(at(70)));
        assert_eq!(follow(&mut latest, Fate::Pass, at(80)), Some(at(80)));
    }

    #[test]
    fn nothing_comes_through_behind_what_was_lost_but_the_next_announce_does() {
        let (mut latest, mut announces) = (Time::ZERO, Time::ZERO);
        assert_eq!(follow(&mut latest, Fate::Drop, at(10)), None);
        assert_eq!(latest, Time::NEVER);
        assert_eq!(announced(&mut announces, Fate::Drop, at(10)), None);
        assert_eq!(announced(&mut announces, Fate::Pass, at(20)), Some(at(20)));
    }
}
