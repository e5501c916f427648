//! The assignment's "simplified tit-for-tat": slots for those who hold rare pieces, whatever they gave us.
//!
//! A peer's score is how many rare pieces it holds. Regular slots are fixed: kept from round to round. In every round
//! the optimistic peer takes the place of the fixed one with the lowest score, if its own is higher; then a new
//! optimistic peer is drawn among the others, one that waits if any does. A free fixed slot goes to the highest score.
//! `optimistic_rounds` does not count here: the optimistic slot moves on every round.

use std::cmp::Reverse;

use super::{Candidate, Group, Rule, Situation, lot};
use crate::id::{ConnId, PieceIndex};
use crate::peer::policy::Policy;
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
    fn fill_fixed<'a>(&self, fixed: &mut Group<'a>, among: &mut Group<'a>, rng: &mut Stream) {
        let free = self.fixed_slots.saturating_sub(fixed.len());
        if free > 0 && !among.is_empty() {
            let mut best = lot::rank(among.clone(), |other| Reverse(other.rare), rng);
            best.truncate(free);
            among.retain(|other| !lot::contains(&best, other));
            fixed.extend(best);
        }
    }

    /// Every optimistic peer among `others` that outscores the weakest fixed one changes places with it.
    fn promote<'a>(
        &self,
        situation: &Situation<'a>,
        fixed: &mut [&'a Candidate],
        others: &mut [&'a Candidate],
        rng: &mut Stream,
    ) {
        let optimistic = others.iter().copied().filter(|other| other.unchoked).collect();
        for challenger in lot::rank(optimistic, |other| Reverse(other.rare), rng) {
            let replaceable = fixed.iter().copied().filter(|other| !situation.is_fresh(other)).collect();
            let weakest = lot::rank(replaceable, |other| other.rare, rng).first().copied();
            let Some(weakest) = weakest.filter(|weakest| weakest.rare < challenger.rare) else { return };
            let place = fixed.iter_mut().find(|fixed| fixed.conn == weakest.conn);
            let outside = others.iter_mut().find(|other| other.conn == challenger.conn);
            if let (Some(place), Some(outside)) = (place, outside) {
                std::mem::swap(place, outside);
            }
        }
    }

    fn remember(&mut self, optimistic: &[&Candidate]) {
        self.optimistic = optimistic.iter().map(|chosen| chosen.conn).collect();
    }
}

impl Rule for Rarity {
    fn round<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        let (mut others, mut fixed): (Group<'a>, Group<'a>) =
            situation.unchoked().into_iter().partition(|unchoked| self.is_optimistic(unchoked.conn));
        others.extend(situation.waiting());
        self.fill_fixed(&mut fixed, &mut others, rng);
        self.promote(situation, &mut fixed, &mut others, rng);

        let (mut optimistic, open): (Group<'a>, Group<'a>) =
            others.into_iter().partition(|other| situation.is_fresh(other));
        let (leaving, waiting): (Group<'a>, Group<'a>) = open.into_iter().partition(|other| other.unchoked);
        for pool in [waiting, leaving] {
            let free = self.optimistic_slots.saturating_sub(optimistic.len());
            optimistic.extend(lot::draw(pool, free, |_| 1, rng));
        }
        self.remember(&optimistic);
        fixed.extend(optimistic);
        fixed
    }

    fn fill<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a> {
        let (mut optimistic, mut fixed): (Group<'a>, Group<'a>) =
            situation.unchoked().into_iter().partition(|unchoked| self.is_optimistic(unchoked.conn));
        let mut waiting = situation.waiting();
        self.fill_fixed(&mut fixed, &mut waiting, rng);
        let free = self.optimistic_slots.saturating_sub(optimistic.len());
        optimistic.extend(lot::draw(waiting, free, |_| 1, rng));
        self.remember(&optimistic);
        fixed.extend(optimistic);
        fixed
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
