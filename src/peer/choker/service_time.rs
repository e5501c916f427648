//! The seed rule of mainline 4.0 as Legout et al. 2006 describe it ("Rarest First and Choke Algorithms Are Enough",
//! §II): every leecher gets the same service time, so that a fast free rider cannot monopolise a seed.
//!
//! The unchoked are ordered: first those unchoked within the last two rounds (the paper's 20 s) or with requests
//! waiting, latest unchoke first and then by what we sent them; behind them the others by what we sent them. In two
//! of three rounds the last of them make room for as many waiting peers as there are optimistic slots, drawn at random;
//! in the third all stay.

use std::cmp::Reverse;

use super::{Candidate, Group, Rule, Situation, lot};
use crate::id::ConnId;
use crate::peer::policy::Policy;
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
    fn draw<'a>(&mut self, mut kept: Group<'a>, waiting: Group<'a>, rng: &mut Stream) -> Group<'a> {
        self.drawn.retain(|drawn| kept.iter().any(|kept| kept.conn == *drawn));
        let drawn = lot::draw(waiting, self.slots.saturating_sub(kept.len()), |_| 1, rng);
        self.drawn.extend(drawn.iter().map(|winner| winner.conn));
        kept.extend(drawn);
        kept
    }
}

impl Rule for ServiceTime {
    fn round<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        self.round += 1;
        self.drawn.clear();
        let waiting = situation.waiting();
        let fresh = situation.interested.iter().filter(|other| situation.is_fresh(other)).count();
        let draws = if self.round.is_multiple_of(self.cycle) { 0 } else { self.draws.min(waiting.len()) };

        let in_service = |other: &Candidate| {
            other.pending || other.unchoked_at.is_some_and(|since| situation.now.since(since) < self.recent)
        };
        let order = |other: &Candidate| match in_service(other) {
            true => (false, Reverse(other.unchoked_at), Reverse(other.sent)),
            false => (true, Reverse(None), Reverse(other.sent)),
        };
        let mut kept = lot::rank(situation.unchoked(), order, rng);
        // The fresh ones are the latest unchoked and so the first.
        kept.truncate((self.slots - draws.min(self.slots)).max(fresh));
        self.draw(kept, waiting, rng)
    }

    fn fill<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        self.draw(situation.unchoked(), situation.waiting(), rng)
    }

    fn is_optimistic(&self, conn: ConnId) -> bool {
        self.drawn.contains(&conn)
    }

    fn closed(&mut self, conn: ConnId) {
        self.drawn.retain(|drawn| *drawn != conn);
    }
}
