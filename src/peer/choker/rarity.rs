//! The assignment's "simplified tit-for-tat": slots for those who hold rare pieces, whatever they gave us.
//!
//! A peer's score is how many rare pieces it holds. Regular slots are fixed: kept from round to round. In every round
//! the optimistic peer takes the place of the fixed one with the lowest score, if its own is higher; then a new
//! optimistic peer is drawn among the others, one that waits if any does. A free fixed slot goes to the highest score.
//! `optimistic_rounds` does not count here: the optimistic slot moves on every round.

use std::cmp::Reverse;

use smallvec::SmallVec;

use super::{Candidates, Rule, Situation};
use crate::id::{ConnId, PieceIndex};
use crate::peer::policy::Policy;
use crate::peer::seam::ConnSet;
use crate::rng::Stream;
use crate::torrent::bitfield::{Bitfield, PieceSet};

/// The rare pieces: held by at least one of the known peers and by at most 30 % of them, or by one.
///
/// `holders` says for each piece in order how many of the `known_peers` hold it.
pub fn rare_pieces(holders: impl ExactSizeIterator<Item = u32>, known_peers: u32) -> Bitfield {
    let most = (u64::from(known_peers) * 3 / 10).max(1);
    let mut rare = Bitfield::empty(holders.len() as u32);
    for (piece, holders) in (0..).map(PieceIndex).zip(holders) {
        if holders >= 1 && u64::from(holders) <= most {
            rare.insert(piece);
        }
    }
    rare
}

/// A peer's score: how many of the rare pieces are among `pieces`.
pub fn score(rare: &Bitfield, pieces: PieceSet<'_>) -> u32 {
    rare.count() - rare.count_missing_in(&pieces)
}

#[derive(Clone, Debug)]
pub(super) struct Rarity {
    fixed_slots: usize,
    optimistic_slots: usize,
    optimistic: Vec<ConnId>,
}

impl Rarity {
    pub fn new(policy: &Policy) -> Rarity {
        Rarity {
            fixed_slots: policy.unchoke_slots as usize,
            optimistic_slots: policy.optimistic_slots as usize,
            optimistic: Vec::new(),
        }
    }

    /// Moves the highest scores from `among` to the free fixed slots.
    fn fill_fixed(
        &self,
        situation: &Situation<'_, impl Candidates>,
        fixed: &mut ConnSet,
        among: &mut ConnSet,
        rng: &mut Stream,
    ) {
        let free = self.fixed_slots.saturating_sub(fixed.count() as usize);
        if free > 0 && !among.is_empty() {
            let best = ranking(situation, among, Reverse, rng);
            for (_, best) in best.into_iter().take(free) {
                among.remove(best);
                fixed.insert(best);
            }
        }
    }

    /// Every optimistic peer among `others` that outscores the weakest fixed one changes places with it.
    fn promote(
        &self,
        situation: &Situation<'_, impl Candidates>,
        fixed: &mut ConnSet,
        others: &mut ConnSet,
        rng: &mut Stream,
    ) {
        let (fresh, optimistic) = (situation.fresh(), others.intersection(&situation.unchoked));
        for (Reverse(score), challenger) in ranking(situation, &optimistic, Reverse, rng) {
            let replaceable = ranking(situation, &fixed.without(&fresh), |score| score, rng);
            let Some((_, weakest)) = replaceable.first().filter(|(weakest, _)| *weakest < score) else {
                return;
            };
            fixed.remove(*weakest);
            others.insert(*weakest);
            others.remove(challenger);
            fixed.insert(challenger);
        }
    }

    fn optimistic(&self) -> ConnSet {
        self.optimistic.iter().copied().collect()
    }

    fn remember(&mut self, optimistic: &ConnSet) {
        self.optimistic.clear();
        self.optimistic.extend(optimistic.iter());
    }
}

/// Sorted by a key made of their scores.
fn ranking<K: Ord + Copy>(
    situation: &Situation<'_, impl Candidates>,
    among: &ConnSet,
    key: impl Fn(u32) -> K,
    rng: &mut Stream,
) -> SmallVec<[(K, ConnId); 16]> {
    let scores = among.iter().map(|conn| (key(situation.candidates.rare(conn)), conn));
    let mut ranked: SmallVec<[_; 16]> = scores.collect();
    situation.rank(&mut ranked, rng);
    ranked
}

impl Rule for Rarity {
    fn round(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        let mut fixed = situation.unchoked.without(&self.optimistic());
        let mut others = situation.interested.without(&fixed);
        self.fill_fixed(situation, &mut fixed, &mut others, rng);
        self.promote(situation, &mut fixed, &mut others, rng);

        let mut optimistic = others.intersection(&situation.fresh());
        let open = others.without(&optimistic);
        let (waiting, leaving) = (open.without(&situation.unchoked), open.intersection(&situation.unchoked));
        for pool in [waiting, leaving] {
            let free = self.optimistic_slots.saturating_sub(optimistic.count() as usize);
            optimistic.insert_all(&situation.draw(&pool, free, rng));
        }
        self.remember(&optimistic);
        fixed.union(&optimistic)
    }

    fn fill(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet {
        let held = self.optimistic();
        let mut fixed = situation.unchoked.without(&held);
        let mut optimistic = situation.unchoked.intersection(&held);
        let mut waiting = situation.waiting.clone();
        self.fill_fixed(situation, &mut fixed, &mut waiting, rng);
        let free = self.optimistic_slots.saturating_sub(optimistic.count() as usize);
        optimistic.insert_all(&situation.draw(&waiting, free, rng));
        self.remember(&optimistic);
        fixed.union(&optimistic)
    }

    fn is_optimistic(&self, conn: ConnId) -> bool {
        self.optimistic.contains(&conn)
    }

    fn closed(&mut self, conn: ConnId) {
        self.optimistic.retain(|optimistic| *optimistic != conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rare_of(holders: &[u32], known_peers: u32) -> Vec<u32> {
        rare_pieces(holders.iter().copied(), known_peers).iter().map(|piece| piece.0).collect()
    }

    #[test]
    fn rare_is_held_by_somebody_and_by_at_most_three_in_ten() {
        assert_eq!(rare_of(&[0, 1, 2, 3, 4, 10], 10), [1, 2, 3]);
        assert_eq!(rare_of(&[0, 1, 2, 3], 9), [1, 2], "2.7 peers are 2");
    }

    #[test]
    fn in_a_small_swarm_a_single_holder_makes_a_piece_rare() {
        assert_eq!(rare_of(&[0, 1, 2], 2), [1]);
        assert_eq!(rare_of(&[0, 1], 1), [1]);
        assert_eq!(rare_of(&[0, 0], 0), [] as [u32; 0]);
    }

    #[test]
    fn the_score_counts_rare_pieces_only() {
        let rare = rare_pieces([1, 5, 1, 1].into_iter(), 5);
        let mut pieces = Bitfield::empty(4);
        for piece in [0, 1, 3] {
            pieces.insert(PieceIndex(piece));
        }
        assert_eq!(score(&rare, pieces.as_set()), 2);
    }
}
