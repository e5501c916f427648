//! What goes wrong on purpose, as data: who sends bad blocks, and which deliveries come late or never. Knows nothing of
//! the world it disturbs.
//!
//! A delivery is whatever crosses from one host to another: a dial and its answer, a control message, a block, an
//! announce and its answer. What crosses a connection keeps its order, as over TCP: what is late delays what follows
//! it, and what is lost takes everything with it that follows in that direction, until one end gives up.

use std::collections::BTreeSet;

use crate::id::{Block, PeerIndex};
use crate::rng::Stream;
use crate::time::{Span, Time};

const MILLE: u64 = 1_000;

/// Everything that goes wrong in a run; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// Peers that send bad data.
    pub corrupters: BTreeSet<PeerIndex>,
    /// They spoil every so manieth piece; 0 means none.
    pub every: u32,
    /// Late and lost deliveries. Where several disturb the same one, delays add up and one loss is enough.
    pub disturbances: Vec<Disturbance>,
}

/// Some deliveries come late, some never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disturbance {
    /// Whatever they send and whatever is sent to them is disturbed; where empty, everybody's.
    pub peers: BTreeSet<PeerIndex>,
    /// What sets out at `from` or later, and before `until`.
    pub from: Time,
    pub until: Time,
    /// So many of a thousand are late, by up to `longest_delay`.
    pub late_per_mille: u32,
    pub longest_delay: Span,
    /// So many of a thousand are lost; together with the late ones at most 1,000.
    pub lost_per_mille: u32,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    Delay(Span),
    Drop,
}

impl Fault {
    pub(super) fn corrupts(&self, peer: PeerIndex, block: Block) -> bool {
        self.every > 0 && block.piece.0.is_multiple_of(self.every) && self.corrupters.contains(&peer)
    }

    /// When the last disturbance is over.
    pub(super) fn calm_from(&self) -> Time {
        self.disturbances.iter().map(|disturbance| disturbance.until).max().unwrap_or_default()
    }

    /// The longest that a single delivery can be late.
    pub(super) fn longest_delay(&self) -> Span {
        self.disturbances.iter().map(|disturbance| disturbance.longest_delay).sum()
    }

    /// Decides about a delivery between these ends (the tracker is no peer) that sets out now. Draws only where a
    /// disturbance concerns it.
    pub(super) fn fate(&self, now: Time, ends: [Option<PeerIndex>; 2], draws: &mut Stream) -> Fate {
        let mut late = Span::ZERO;
        for disturbance in self.disturbances.iter().filter(|it| it.concerns(now, ends)) {
            match disturbance.draw(draws) {
                Fate::Pass => {}
                Fate::Delay(span) => late += span,
                Fate::Drop => return Fate::Drop,
            }
        }
        if late.is_zero() { Fate::Pass } else { Fate::Delay(late) }
    }
}

impl Disturbance {
    fn concerns(&self, now: Time, ends: [Option<PeerIndex>; 2]) -> bool {
        let one_of = || ends.iter().flatten().any(|peer| self.peers.contains(peer));
        self.from <= now && now < self.until && (self.peers.is_empty() || one_of())
    }

    fn draw(&self, draws: &mut Stream) -> Fate {
        let drawn = draws.below(MILLE);
        if drawn < u64::from(self.lost_per_mille) {
            Fate::Drop
        } else if drawn < u64::from(self.lost_per_mille) + u64::from(self.late_per_mille) {
            Fate::Delay(draws.span_below(self.longest_delay))
        } else {
            Fate::Pass
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Entity, Purpose};

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    fn disturbance(late_per_mille: u32, lost_per_mille: u32) -> Disturbance {
        let longest_delay = Span::from_secs(2);
        let peers = BTreeSet::from([PeerIndex(3)]);
        Disturbance { peers, from: at(10), until: at(20), late_per_mille, longest_delay, lost_per_mille }
    }

    fn draws() -> Stream {
        Stream::new(1, Entity::Peer(PeerIndex(3)), Purpose::Fault)
    }

    #[test]
    fn only_what_concerns_its_peers_within_its_time_is_disturbed() {
        let fault = Fault { disturbances: vec![disturbance(0, 1_000)], ..Fault::default() };
        let fate =
            |secs, ends: [u32; 2]| fault.fate(at(secs), ends.map(|end| Some(PeerIndex(end))), &mut draws());
        assert_eq!((fate(10, [3, 4]), fate(19, [4, 3])), (Fate::Drop, Fate::Drop));
        assert_eq!(
            (fate(9, [3, 4]), fate(20, [3, 4]), fate(15, [4, 5])),
            (Fate::Pass, Fate::Pass, Fate::Pass)
        );
    }

    #[test]
    fn as_many_are_late_and_lost_as_the_rates_say_and_none_by_more_than_the_longest_delay() {
        let fault = Fault { disturbances: vec![disturbance(300, 100)], ..Fault::default() };
        let (mut draws, mut late, mut lost) = (draws(), 0, 0);
        for _ in 0..10_000 {
            match fault.fate(at(15), [Some(PeerIndex(3)), None], &mut draws) {
                Fate::Pass => {}
                Fate::Delay(by) => {
                    assert!(by < Span::from_secs(2), "late by {by}");
                    late += 1;
                }
                Fate::Drop => lost += 1,
            }
        }
        assert!((2_800..3_200).contains(&late) && (900..1_100).contains(&lost), "{late} late, {lost} lost");
    }

    #[test]
    fn two_disturbances_add_their_delays() {
        let both = Fault { disturbances: vec![disturbance(1_000, 0); 2], ..Fault::default() };
        assert_eq!(both.longest_delay(), Span::from_secs(4));
        let mut draws = draws();
        let ends = [Some(PeerIndex(3)), None];
        let longest = (0..100).map(|_| both.fate(at(15), ends, &mut draws)).map(|fate| match fate {
            Fate::Delay(by) => by,
            fate => panic!("{fate:?}"),
        });
        assert!(longest.max() > Some(Span::from_secs(2)), "one delay alone is shorter");
    }
}
