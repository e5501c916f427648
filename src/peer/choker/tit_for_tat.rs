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

use super::{Candidates, Rule, Situation, lot};
use crate::id::ConnId;
use crate::peer::policy::Policy;
use crate::peer::seam::ConnSet;
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
    fn deserving(
        &self,
        situation: &Situation<'_, impl Candidates>,
        fresh: &ConnSet,
        rng: &mut Stream,
    ) -> ConnSet {
        let mut best = self.best(situation, situation.interested, self.regular, rng);
        let fresh_outside = fresh.without(&best.iter().copied().collect()).count() as usize;
        while best.len() + fresh_outside > self.slots {
            match best.iter().rposition(|chosen| !fresh.contains(*chosen)) {
                Some(weakest) => best.remove(weakest),
                None => break,
            };
        }
        best.into_iter().collect()
    }

    /// Up to `count` of those that earn a regular slot, best first.
    fn best(
        &self,
        situation: &Situation<'_, impl Candidates>,
        among: &ConnSet,
        count: usize,
        rng: &mut Stream,
    ) -> SmallVec<[ConnId; 8]> {
        let candidates = situation.candidates;
        let moving = among.intersection(candidates.moving());
        let earning = if situation.seeding { moving } else { moving.without(candidates.snubbed()) };
        let mut ranked = SmallVec::<[_; 32]>::new();
        for conn in earning.iter() {
            let merit = if situation.seeding { candidates.sent(conn) } else { candidates.received(conn) };
            if merit > 0 {
                ranked.push(((Reverse(merit), !situation.unchoked.contains(conn)), conn));
            }
        }
        situation.rank(&mut ranked, rng);
        ranked.iter().take(count).map(|(_, conn)| *conn).collect()
    }

    /// Draws up to `count` of `from` for slots by lot.
    fn draw(
        &self,
        situation: &Situation<'_, impl Candidates>,
        from: &ConnSet,
        count: usize,
        rng: &mut Stream,
    ) -> ConnSet {
        if self.newcomer_weight == 1 {
            return situation.draw(from, count, rng);
        }
        let candidates = situation.candidates;
        let tickets = |conn| if candidates.unchoked_at(conn).is_none() { self.newcomer_weight } else { 1 };
        lot::draw_weighted(from, count, |conn| candidates.place(conn), tickets, rng)
    }

    /// The round in which its slot by lot becomes open; 0 where it holds none.
    fn tenure(&self, conn: ConnId) -> u64 {
        self.by_lot.iter().find(|lot| lot.conn == conn).map_or(0, |lot| lot.until)
    }

    /// Those that hold a slot by lot that does not become open before a round.
    fn lots(&self, round: u64) -> ConnSet {
        self.by_lot.iter().filter(|lot| lot.until >= round).map(|lot| lot.conn).collect()
    }

    /// A slot that somebody keeps for want of another one stays open.
    fn remember(&mut self, by_lot: &ConnSet) {
        let fresh = self.round + self.optimistic_rounds;
        let until = |conn| match self.tenure(conn) {
            0 => fresh,
            running => running,
        };
        self.by_lot = by_lot.iter().map(|conn| Lot { conn, until: until(conn) }).collect();
    }
}

impl Rule for TitForTat {
    fn round(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        self.round += 1;
        let fresh = situation.fresh();
        let by_merit = self.deserving(situation, &fresh, rng);
        let others = situation.interested.without(&by_merit);
        let settled = others.intersection(&fresh.union(&self.lots(self.round + 1)));
        let mut ranked = SmallVec::<[_; 8]>::new();
        let order = |conn| (!fresh.contains(conn), Reverse(self.tenure(conn)));
        ranked.extend(settled.iter().map(|conn| (order(conn), conn)));
        situation.rank(&mut ranked, rng);
        ranked.truncate(self.slots - by_merit.count() as usize);
        let mut by_lot: ConnSet = ranked.iter().map(|(_, conn)| *conn).collect();

        let open = others.without(&settled);
        let (waiting, leaving) = (open.without(&situation.unchoked), open.intersection(&situation.unchoked));
        for pool in [waiting, leaving] {
            let free = self.slots - by_merit.count() as usize - by_lot.count() as usize;
            by_lot.insert_all(&self.draw(situation, &pool, free, rng));
        }
        self.remember(&by_lot);
        by_merit.union(&by_lot)
    }

    fn fill(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        let held = self.lots(0);
        let mut by_lot = situation.unchoked.intersection(&held);
        let mut by_merit = situation.unchoked.without(&held);
        let free = self.slots.saturating_sub(situation.unchoked.count() as usize);
        if free > 0 && !situation.waiting.is_empty() {
            let regular = self.regular.saturating_sub(by_merit.count() as usize).min(free);
            let earned: ConnSet =
                self.best(situation, &situation.waiting, regular, rng).into_iter().collect();
            let (others, left) = (situation.waiting.without(&earned), free - earned.count() as usize);
            by_merit.insert_all(&earned);
            by_lot.insert_all(&self.draw(situation, &others, left, rng));
        }
        self.remember(&by_lot);
        by_merit.union(&by_lot)
    }

    fn is_optimistic(&self, conn: ConnId) -> bool {
        self.by_lot.iter().any(|lot| lot.conn == conn)
    }

    fn closed(&mut self, conn: ConnId) {
        self.by_lot.retain(|lot| lot.conn != conn);
    }
}
