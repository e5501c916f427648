//! Tit-for-tat (Cohen 2003, BEP 3): slots for those who gave us most, and a few by lot to find better ones.
//!
//! **Regular slots** go to the interested peers that sent us most within the rate window; one that sent nothing, or
//! that snubs us, earns none. As a seed, to those we sent most (the seed rule of mainline 1.0 to 3.9; snubbing does
//! not count then). Among equals an unchoked one keeps its slot, then the lot decides.
//!
//! **All other slots go by lot**: the optimistic ones and, as in mainline, regular ones nobody earns. Such a slot is
//! held for `optimistic_rounds` rounds; after that it goes to somebody who waits, if anybody does. One that earns a
//! regular slot meanwhile moves there, and its slot is drawn at once. A peer never unchoked on its connection counts
//! as `newcomer_weight` tickets.
//!
//! Mainline keeps an ordered list instead, whose head is the optimistic unchoke, and puts newcomers near the head;
//! drawing gives the same odds without an order that depends on everybody who ever connected.

use std::cmp::Reverse;

use smallvec::SmallVec;

use super::{Candidate, Group, Rule, Situation, lot};
use crate::id::ConnId;
use crate::peer::policy::Policy;
use crate::rng::Stream;

#[derive(Clone, Debug)]
pub(super) struct TitForTat {
    regular: usize,
    slots: usize,
    optimistic_rounds: u64,
    newcomer_weight: u64,
    /// How many rounds there have been.
    round: u64,
    by_lot: SmallVec<[Lot; 8]>,
}

/// A slot held by lot.
#[derive(Clone, Copy, Debug)]
struct Lot {
    conn: ConnId,
    /// From this round on it goes to somebody who waits.
    until: u64,
}

impl TitForTat {
    pub fn new(policy: &Policy) -> TitForTat {
        TitForTat {
            regular: policy.unchoke_slots as usize,
            slots: policy.unchoke_slots as usize + policy.optimistic_slots as usize,
            optimistic_rounds: u64::from(policy.optimistic_rounds),
            newcomer_weight: u64::from(policy.newcomer_weight.max(1)),
            round: 0,
            by_lot: SmallVec::new(),
        }
    }

    /// The best, but for as many as must make room for those whose slot is too fresh to take.
    fn deserving<'a>(&self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        let mut best = self.ranking(situation, &situation.interested, rng);
        best.truncate(self.regular);
        let fresh = situation.interested.iter().filter(|other| situation.is_fresh(other));
        let fresh_outside = fresh.filter(|other| !lot::contains(&best, other)).count();
        while best.len() + fresh_outside > self.slots {
            match best.iter().rposition(|chosen| !situation.is_fresh(chosen)) {
                Some(weakest) => best.remove(weakest),
                None => break,
            };
        }
        best
    }

    /// Whoever earns a regular slot, best first.
    fn ranking<'a>(&self, situation: &Situation<'a>, among: &[&'a Candidate], rng: &mut Stream) -> Group<'a> {
        let merit = |candidate: &Candidate| match situation.seeding {
            true => candidate.sent,
            false if candidate.snubbed => 0,
            false => candidate.received,
        };
        let earning = among.iter().copied().filter(|candidate| merit(candidate) > 0).collect();
        lot::rank(earning, |candidate| (Reverse(merit(candidate)), !candidate.unchoked), rng)
    }

    /// The round in which its slot by lot becomes open; 0 where it holds none.
    fn tenure(&self, candidate: &Candidate) -> u64 {
        self.by_lot.iter().find(|lot| lot.conn == candidate.conn).map_or(0, |lot| lot.until)
    }

    fn tickets(&self, candidate: &Candidate) -> u64 {
        if candidate.unchoked_at.is_none() { self.newcomer_weight } else { 1 }
    }

    /// A slot that somebody keeps for want of another one stays open.
    fn remember(&mut self, by_lot: &[&Candidate]) {
        let fresh = self.round + self.optimistic_rounds;
        let until = |candidate: &Candidate| match self.tenure(candidate) {
            0 => fresh,
            running => running,
        };
        self.by_lot = by_lot.iter().map(|lot| Lot { conn: lot.conn, until: until(lot) }).collect();
    }
}

impl Rule for TitForTat {
    fn round<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        self.round += 1;
        let mut by_merit = self.deserving(situation, rng);
        let others = situation.interested.iter().copied().filter(|other| !lot::contains(&by_merit, other));
        let (settled, open): (Group<'a>, Group<'a>) =
            others.partition(|other| situation.is_fresh(other) || self.tenure(other) > self.round);
        let mut by_lot =
            lot::rank(settled, |other| (!situation.is_fresh(other), Reverse(self.tenure(other))), rng);
        by_lot.truncate(self.slots - by_merit.len());

        let (leaving, waiting): (Group<'a>, Group<'a>) = open.into_iter().partition(|other| other.unchoked);
        for pool in [waiting, leaving] {
            let free = self.slots - by_merit.len() - by_lot.len();
            by_lot.extend(lot::draw(pool, free, |other| self.tickets(other), rng));
        }
        self.remember(&by_lot);
        by_merit.extend(by_lot);
        by_merit
    }

    fn fill<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        let (mut by_lot, mut by_merit): (Group<'a>, Group<'a>) =
            situation.unchoked().into_iter().partition(|unchoked| self.is_optimistic(unchoked.conn));
        let mut waiting = situation.waiting();
        let free = self.slots.saturating_sub(by_merit.len() + by_lot.len());
        if free > 0 && !waiting.is_empty() {
            let mut earned = self.ranking(situation, &waiting, rng);
            earned.truncate(self.regular.saturating_sub(by_merit.len()).min(free));
            waiting.retain(|other| !lot::contains(&earned, other));
            let free = free - earned.len();
            by_merit.extend(earned);
            by_lot.extend(lot::draw(waiting, free, |other| self.tickets(other), rng));
        }
        self.remember(&by_lot);
        by_merit.extend(by_lot);
        by_merit
    }

    fn is_optimistic(&self, conn: ConnId) -> bool {
        self.by_lot.iter().any(|lot| lot.conn == conn)
    }

    fn closed(&mut self, conn: ConnId) {
        self.by_lot.retain(|lot| lot.conn != conn);
    }
}
