//! The seed rule of mainline 4.0 as Legout et al. 2006 describe it ("Rarest First and Choke Algorithms Are Enough",
//! §II): every leecher gets the same service time, so that a fast free rider cannot monopolise a seed.
//!
//! The unchoked are ordered: first those unchoked within the last two rounds (the paper's 20 s) or with requests
//! waiting, latest unchoke first and then by what we sent them; behind them the others by what we sent them. In two
//! of three rounds the last of them make room for as many waiting peers as there are optimistic slots, drawn at random;
//! in the third all stay.

use std::cmp::Reverse;

use smallvec::SmallVec;

use super::{Candidates, Rule, Situation};
use crate::id::ConnId;
use crate::peer::policy::Policy;
use crate::peer::seam::ConnSet;
use crate::rng::Stream;
use crate::time::Span;

#[derive(Clone, Debug)]
pub(super) struct ServiceTime {
    slots: usize,
    /// How many are drawn in a round that draws.
    draws: usize,
    /// Every so many rounds nobody is drawn.
    cycle: u64,
    recent: Span,
    round: u64,
    /// Drawn since the last round.
    drawn: Vec<ConnId>,
}

impl ServiceTime {
    pub fn new(policy: &Policy) -> ServiceTime {
        ServiceTime {
            slots: policy.unchoke_slots as usize + policy.optimistic_slots as usize,
            draws: policy.optimistic_slots as usize,
            cycle: u64::from(policy.optimistic_rounds.max(1)),
            recent: policy.round * 2,
            round: 0,
            drawn: Vec::new(),
        }
    }

    /// Keeps `kept` and fills the slots with waiting peers.
    fn draw(
        &mut self,
        kept: &ConnSet,
        situation: &Situation<'_, impl Candidates>,
        rng: &mut Stream,
    ) -> ConnSet {
        self.drawn.retain(|drawn| kept.contains(*drawn));
        let free = self.slots.saturating_sub(kept.count() as usize);
        let drawn = situation.draw(&situation.waiting, free, rng);
        self.drawn.extend(drawn.iter());
        kept.union(&drawn)
    }
}

impl Rule for ServiceTime {
    fn round(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        self.round += 1;
        self.drawn.clear();
        let waiting = situation.waiting.count() as usize;
        let fresh = situation.fresh().count() as usize;
        let draws = if self.round.is_multiple_of(self.cycle) { 0 } else { self.draws.min(waiting) };

        let candidates = situation.candidates;
        let order = |conn| {
            let (unchoked_at, sent) = (candidates.unchoked_at(conn), Reverse(candidates.sent(conn)));
            let recent = unchoked_at.is_some_and(|since| situation.now.since(since) < self.recent);
            match recent || candidates.pending().contains(conn) {
                true => (false, Reverse(unchoked_at), sent),
                false => (true, Reverse(None), sent),
            }
        };
        let mut kept = SmallVec::<[_; 8]>::new();
        kept.extend(situation.unchoked.iter().map(|conn| (order(conn), conn)));
        situation.rank(&mut kept, rng);
        // The fresh ones are the latest unchoked and so the first.
        kept.truncate((self.slots - draws.min(self.slots)).max(fresh));
        self.draw(&kept.iter().map(|(_, conn)| *conn).collect(), situation, rng)
    }

    fn fill(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        self.draw(&situation.unchoked, situation, rng)
    }

    fn is_optimistic(&self, conn: ConnId) -> bool {
        self.drawn.contains(&conn)
    }

    fn closed(&mut self, conn: ConnId) {
        self.drawn.retain(|drawn| *drawn != conn);
    }
}
