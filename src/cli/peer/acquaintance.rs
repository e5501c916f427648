//! Peers of the command line that know each other by name: all draw their peer ids from one random seed, so each can tell
//! from an id who it is. Others, of whatever make, stay strangers.

use std::str::FromStr;

use crate::id::{PeerId, PeerIndex};
use crate::net::host::{Contact, Contacts};
use crate::rng::{Entity, Purpose, Stream};
use crate::time::Span;

/// `3/5`: the third of five. Peers are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct OneOf {
    number: u32,
    count: u32,
}

impl OneOf {
    /// A peer among strangers.
    pub(in crate::cli) const ALONE: OneOf = OneOf { number: 1, count: 1 };

    pub(super) fn index(self) -> PeerIndex {
        PeerIndex(self.number - 1)
    }

    /// Of all of them, in the order of their indices: `peer_1` and so on.
    pub(super) fn names(self, name: &str) -> Vec<String> {
        (1..=self.count).map(|number| format!("{name}_{number}")).collect()
    }

    pub(super) fn peer_id(self, random_seed: u64) -> PeerId {
        peer_id(random_seed, self.index())
    }

    pub(super) fn others(self, random_seed: u64) -> Contacts {
        let others = (0..self.count).map(PeerIndex).filter(|index| *index != self.index());
        others.map(|index| (peer_id(random_seed, index), Contact { index, latency: Span::ZERO })).collect()
    }
}

fn peer_id(random_seed: u64, index: PeerIndex) -> PeerId {
    let mut tail = [0; 12];
    Stream::new(random_seed, Entity::Peer(index), Purpose::PeerId).fill(&mut tail);
    PeerId::minibit(tail)
}

impl FromStr for OneOf {
    type Err = String;

    fn from_str(text: &str) -> Result<OneOf, String> {
        let read = || {
            let (number, count) = text.split_once('/')?;
            let one_of = OneOf { number: number.parse().ok()?, count: count.parse().ok()? };
            (1..=one_of.count).contains(&one_of.number).then_some(one_of)
        };
        read().ok_or_else(|| "expected which of how many, as 3/5".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_knows_all_others_by_the_ids_they_have() {
        let all: Vec<OneOf> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().unwrap()).collect();
        let addr = ([127, 0, 0, 1], 1).into();
        for one in &all {
            let others = one.others(7);
            assert_eq!(others.find(one.peer_id(7), addr), None);
            for other in all.iter().filter(|other| *other != one) {
                let found = others.find(other.peer_id(7), addr).unwrap();
                assert_eq!(found.index, other.index());
            }
        }
        assert_eq!(all[0].names("peer"), ["peer_1", "peer_2", "peer_3"]);
        assert_ne!(all[0].peer_id(7), all[0].peer_id(8));
        for broken in ["", "3", "0/3", "4/3", "1/0", "-1/3", "1/3/3"] {
            assert!(broken.parse::<OneOf>().is_err(), "{broken}");
        }
    }
}
