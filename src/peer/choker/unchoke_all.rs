//! Everybody interested is unchoked: the baseline without a choker (rqbit, cratetorrent).

use super::{Candidates, Rule, Situation};
use crate::id::ConnId;
use crate::peer::seam::ConnSet;
use crate::rng::Stream;

#[derive(Clone, Debug)]
pub(super) struct UnchokeAll;

impl Rule for UnchokeAll {
    fn round(&mut self, situation: &Situation<'_, impl Candidates>, _: &mut Stream) -> ConnSet {
        situation.interested.clone()
    }

    fn fill(&mut self, situation: &Situation<'_, impl Candidates>, _: &mut Stream) -> ConnSet {
        situation.interested.clone()
    }

    fn is_optimistic(&self, _: ConnId) -> bool {
        false
    }

    fn closed(&mut self, _: ConnId) {}
}
