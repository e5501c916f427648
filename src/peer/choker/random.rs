//! Every slot is drawn anew in every round: the baseline that rewards nobody. Also a seed rule of `tit-for-tat`.

use super::{Group, Rule, Situation, lot};
use crate::id::ConnId;
use crate::peer::policy::Policy;
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
    fn round<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        let interested = situation.interested.iter().copied();
        let (mut chosen, open): (Group<'a>, Group<'a>) =
            interested.partition(|other| situation.is_fresh(other));
        chosen.extend(lot::draw(open, self.slots.saturating_sub(chosen.len()), |_| 1, rng));
        chosen
    }

    fn fill<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        let mut chosen = situation.unchoked();
        let free = self.slots.saturating_sub(chosen.len());
        chosen.extend(lot::draw(situation.waiting(), free, |_| 1, rng));
        chosen
    }

    /// Never: chance is all there is.
    fn is_optimistic(&self, _: ConnId) -> bool {
        false
    }

    fn closed(&mut self, _: ConnId) {}
}
