//! In which order trackers are asked (BEP 12): tier after tier, within a tier in random order at first, later the one
//! that answered before the others. Knows neither when a tracker is asked nor why it failed.

use smallvec::SmallVec;

use crate::rng::Stream;

/// The trackers of one torrent by their positions, and which of them to ask next.
#[derive(Clone, Debug)]
pub(super) struct Tiers {
    /// Every tier's trackers, one tier after the other.
    order: SmallVec<[u16; 8]>,
    /// Where each tier ends in `order`.
    ends: SmallVec<[u16; 8]>,
    /// Whom to ask next, as an index into `order`.
    next: usize,
}

impl Tiers {
    /// `sizes` says how many trackers each tier has. What is beyond 65,535 trackers is never asked.
    pub fn new(sizes: &[usize], stream: &mut Stream) -> Tiers {
        let (mut order, mut ends) = (SmallVec::new(), SmallVec::new());
        let mut begin: u16 = 0;
        for &size in sizes {
            let end = u16::try_from(size).ok().and_then(|size| begin.checked_add(size));
            let end = end.unwrap_or(u16::MAX);
            let mut tier: SmallVec<[u16; 8]> = (begin..end).collect();
            stream.shuffle(&mut tier);
            order.extend(tier);
            ends.push(end);
            begin = end;
        }
        Tiers { order, ends, next: 0 }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whom to ask; `None` where there is no tracker at all.
    pub fn current(&self) -> Option<usize> {
        self.order.get(self.next).map(|position| usize::from(*position))
    }

    /// The one asked did not answer: the next one, or the first again after the last.
    pub fn failed(&mut self) {
        self.next = (self.next + 1) % self.len().max(1);
    }

    /// The one asked answered: it is the first of its tier from now on, and every announce begins at the first tier.
    pub fn answered(&mut self) {
        if self.next < self.len() {
            let before = self.ends.iter().map(|end| usize::from(*end)).filter(|end| *end <= self.next);
            let begin = before.max().unwrap_or(0);
            self.order[begin..=self.next].rotate_right(1);
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerIndex;
    use crate::rng::{Entity, Purpose};

    fn stream(random_seed: u64) -> Stream {
        Stream::new(random_seed, Entity::Peer(PeerIndex(0)), Purpose::Announcer)
    }

    /// Everybody in the order in which they are asked while all of them fail.
    fn cycle(tiers: &mut Tiers) -> Vec<usize> {
        let asked = (0..tiers.len()).map(|_| {
            let asked = tiers.current();
            tiers.failed();
            asked.unwrap()
        });
        asked.collect()
    }

    #[test]
    fn tiers_are_asked_in_order_and_shuffled_within() {
        let mut orders = std::collections::BTreeSet::new();
        for random_seed in 0..100 {
            let mut tiers = Tiers::new(&[3, 0, 1, 2], &mut stream(random_seed));
            let asked = cycle(&mut tiers);
            assert_eq!(tiers.current(), Some(asked[0]), "after the last one the first again");
            let mut sorted = asked.clone();
            sorted[..3].sort_unstable();
            sorted[4..].sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
            orders.insert(asked);
        }
        assert_eq!(orders.len(), 12, "3! times 2! orders");
    }

    #[test]
    fn who_answers_is_promoted_in_its_own_tier_and_the_first_tier_is_tried_again() {
        let mut tiers = Tiers::new(&[1, 3], &mut stream(1));
        let order = cycle(&mut tiers);
        (0..3).for_each(|_| tiers.failed());
        assert_eq!(tiers.current(), Some(order[3]));
        tiers.answered();
        assert_eq!(cycle(&mut tiers), [order[0], order[3], order[1], order[2]]);
    }

    #[test]
    fn a_tier_of_one_draws_nothing_and_no_tracker_is_nobody() {
        let mut untouched = stream(1);
        let mut tiers = Tiers::new(&[1, 1, 1], &mut untouched);
        assert_eq!(cycle(&mut tiers), [0, 1, 2]);
        assert!(!untouched.has_drawn());
        let mut none = Tiers::new(&[], &mut untouched);
        none.failed();
        none.answered();
        assert_eq!(none.current(), None);
    }

    #[test]
    fn absurdly_many_trackers_are_cut_off() {
        let tiers = Tiers::new(&[usize::MAX, 70_000, 3], &mut stream(1));
        assert_eq!(tiers.len(), usize::from(u16::MAX));
    }
}
