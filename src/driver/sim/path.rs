//! What is uneven about the paths between hosts: jitter and disturbances, and the order that a connection keeps all
//! the same. A world with neither has no such thing, and pays nothing for it.

use crate::driver::sim::connection::{LinkId, Side};
use crate::driver::sim::fault::{Fate, Fault};
use crate::id::PeerIndex;
use crate::rng::{Entity, Purpose, Stream};
use crate::scenario::population::PeerPlan;
use crate::time::{Span, Time};

/// How much longer than its latency an end may take.
#[derive(Clone, Debug)]
struct Jitter {
    most: Span,
    draws: Stream,
}

/// The streams that decide about deliveries, and how far each direction of each connection has come.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    jitters: Vec<Option<Box<Jitter>>>,
    fault: Fault,
    /// What the fault draws from, by sender, the tracker last; none where nothing is disturbed.
    draws: Vec<Stream>,
    /// When what set out last over each connection arrives, by the side it goes to. `Time::NEVER`: something was lost
    /// there, and nothing comes through any more.
    arrivals: Vec<[Time; 2]>,
    /// The same of every peer's announces and of their answers.
    announces: Vec<[Time; 2]>,
}

impl Paths {
    /// `None` where every path takes exactly its latency.
    pub(super) fn new(fault: &Fault, plans: &[PeerPlan], random_seed: u64) -> Option<Box<Paths>> {
        let disturbed = !fault.disturbances.is_empty();
        if !disturbed && plans.iter().all(|plan| plan.jitter.is_zero()) {
            return None;
        }
        let peers = || plans.iter().map(|plan| Entity::Peer(plan.index));
        let draws = |sender| Stream::new(random_seed, sender, Purpose::Fault);
        let senders = peers().chain([Entity::Tracker]).filter(|_| disturbed);
        Some(Box::new(Paths {
            jitters: plans.iter().map(|plan| Jitter::new(plan, random_seed)).collect(),
            fault: fault.clone(),
            draws: senders.map(draws).collect(),
            arrivals: Vec::new(),
            announces: vec![[Time::ZERO; 2]; plans.len()],
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

    /// When what set out last comes to this side of a connection; `Time::NEVER` where something was lost.
    pub(super) fn latest_arrival(&self, link: LinkId, to: Side) -> Time {
        self.arrivals[link.0 as usize][to as usize]
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
        let fate = fate(&self.fault, &mut self.draws, from.0 as usize, now, [Some(from), Some(target)]);
        let even = even + jitter(&mut self.jitters, from) + jitter(&mut self.jitters, target);
        follow(latest, fate, even)
    }

    /// When an announce that sets out now comes to the tracker.
    pub(super) fn announce(&mut self, from: PeerIndex, now: Time, even: Time) -> Option<Time> {
        let fate = fate(&self.fault, &mut self.draws, from.0 as usize, now, [Some(from), None]);
        let even = even + jitter(&mut self.jitters, from);
        announced(&mut self.announces[from.0 as usize][0], fate, even)
    }

    /// When the tracker's answer that sets out now comes to the peer.
    pub(super) fn announce_answer(&mut self, to: PeerIndex, now: Time, even: Time) -> Option<Time> {
        let tracker = self.jitters.len();
        let fate = fate(&self.fault, &mut self.draws, tracker, now, [Some(to), None]);
        let even = even + jitter(&mut self.jitters, to);
        announced(&mut self.announces[to.0 as usize][1], fate, even)
    }
}

impl Jitter {
    fn new(plan: &PeerPlan, random_seed: u64) -> Option<Box<Jitter>> {
        let draws = || Stream::new(random_seed, Entity::Peer(plan.index), Purpose::Jitter);
        (!plan.jitter.is_zero()).then(|| Box::new(Jitter { most: plan.jitter, draws: draws() }))
    }
}

/// The end's part in the jitter of one delivery.
fn jitter(jitters: &mut [Option<Box<Jitter>>], end: PeerIndex) -> Span {
    let jitter = jitters[end.0 as usize].as_mut();
    jitter.map_or(Span::ZERO, |jitter| jitter.draws.span_below(jitter.most))
}

fn fate(fault: &Fault, draws: &mut [Stream], sender: usize, now: Time, ends: [Option<PeerIndex>; 2]) -> Fate {
    draws.get_mut(sender).map_or(Fate::Pass, |draws| fault.fate(now, ends, draws))
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
    use crate::scenario::population::Population;
    use crate::scenario::testing;

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

    const DIALLED: (LinkId, Side) = (LinkId(0), Side::Answering);

    /// Two peers of 10 ms jitter and one of 20 ms.
    fn jittery() -> Box<Paths> {
        let cohort = |name, count, jitter| {
            let jitter = Span::from_millis(jitter);
            crate::scenario::Cohort { jitter, ..testing::cohort(name, count) }
        };
        let scenario = testing::scenario(vec![cohort("near", 2, 10), cohort("far", 1, 20)]);
        let population = Population::draw(&scenario, 1);
        let mut paths = Paths::new(&Fault::default(), &population.peers, 1).expect("jitter");
        paths.begin(LinkId(0));
        paths
    }

    #[test]
    fn both_ends_jitter_is_uniform_and_added() {
        let (mut paths, mut sum) = (jittery(), Span::ZERO);
        for second in 0..2_000 {
            let even = at(1_000 * second);
            let ends = (PeerIndex(0), PeerIndex(2));
            let late = paths.crossing(DIALLED, ends, even, even).expect("nothing is lost").since(even);
            assert!(late <= Span::from_millis(30), "{late}");
            sum += late;
        }
        let mean = sum.as_secs_f64() / 2_000.0;
        assert!((0.0145..0.0155).contains(&mean), "mean {mean} s");
    }

    #[test]
    fn jitter_never_changes_the_order_on_a_connection() {
        let (mut paths, mut before) = (jittery(), Time::ZERO);
        for milli in 0..2_000 {
            let ends = (PeerIndex(0), PeerIndex(2));
            let arrives = paths.crossing(DIALLED, ends, at(milli), at(milli)).expect("nothing is lost");
            assert!(arrives >= before, "{arrives} after {before}");
            before = arrives;
        }
    }

    #[test]
    fn what_one_peer_sends_leaves_the_jitter_of_others_alone() {
        let (mut quiet, mut busy) = (jittery(), jittery());
        for milli in 0..10 {
            busy.announce(PeerIndex(1), at(milli), at(milli));
        }
        let ends = (PeerIndex(0), PeerIndex(2));
        for second in 0..10 {
            let even = at(1_000 * second);
            let crossing = |paths: &mut Paths| paths.crossing(DIALLED, ends, even, even);
            assert_eq!(crossing(&mut quiet), crossing(&mut busy));
        }
    }
}
