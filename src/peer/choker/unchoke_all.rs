//! Everybody interested is unchoked: the baseline without a choker (rqbit, cratetorrent).

use super::{Group, Rule, Situation};
use crate::id::ConnId;
use crate::rng::Stream;

#[derive(Clone, Debug)]
pub(super) struct UnchokeAll;

impl Rule for UnchokeAll {
    fn round<'a>(&mut self, situation: &Situation<'a>, _: &mut Stream) -> Group<'a> {
        situation.interested.clone()
    }

    fn fill<'a>(&mut self, situation: &Situation<'a>, _: &mut Stream) -> Group<'a> {
        situation.interested.clone()
    }

    fn is_optimistic(&self, _: ConnId) -> bool {
        false
    }

    fn closed(&mut self, _: ConnId) {}
}
