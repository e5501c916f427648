//! Every slot is drawn anew in every round: the baseline that rewards nobody. Also a seed rule of `tit-for-tat`.

use super::{Candidates, Rule, Situation};
use crate::id::ConnId;
use crate::peer::policy::Policy;
use crate::peer::seam::ConnSet;
use crate::rng::Stream;

#[derive(Clone, Debug)]
pub(super) struct Random {
    slots: usize,
}

impl Random {
    /// Regular and optimistic slots are the same here.
    pub fn new(policy: &Policy) -> Random {
        Random { slots: policy.unchoke_slots as usize + policy.optimistic_slots as usize }
    }
}

impl Rule for Random {
    fn round(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        let mut chosen = situation.fresh();
        let open = situation.interested.without(&chosen);
        let free = self.slots.saturating_sub(chosen.count() as usize);
        chosen.insert_all(&situation.draw(&open, free, rng));
        chosen
    }

    fn fill(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        let free = self.slots.saturating_sub(situation.unchoked.count() as usize);
        situation.unchoked.union(&situation.draw(&situation.waiting, free, rng))
    }

    /// Never: chance is all there is.
    fn is_optimistic(&self, _: ConnId) -> bool {
        false
    }

    fn closed(&mut self, _: ConnId) {}
}
