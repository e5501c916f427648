//! What the metrics have to know of a peer before the run: its name, what it starts with, and its links.

use crate::id::PieceIndex;
use crate::scenario::Scenario;
use crate::scenario::population::Population;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;
use crate::units::Rate;

/// One row of the population, as results name and judge it.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    pub name: String,
    pub cohort: String,
    /// The pieces it starts with.
    pub initial: Bitfield,
    pub initial_bytes: u64,
    /// What it has to fetch. 0 makes it a seed for [`PeerRow::from_seeds_bytes`](super::PeerRow).
    pub lacking_bytes: u64,
    /// What it offers: nothing if it is a free-rider. `None` is unlimited.
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    /// A client that tells sums, and nothing of single blocks and messages.
    pub foreign: bool,
}

impl Participant {
    pub fn new(
        name: String,
        cohort: String,
        initial: Bitfield,
        (upload, download): (Option<Rate>, Option<Rate>),
        layout: &Layout,
    ) -> Participant {
        let initial_bytes = initial.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        let lacking_bytes = layout.total().saturating_sub(initial_bytes);
        Participant { name, cohort, initial, initial_bytes, lacking_bytes, upload, download, foreign: false }
    }

    /// Everybody of a run, in the order of the population.
    pub fn all(scenario: &Scenario, population: &Population) -> Vec<Participant> {
        let layout = &scenario.content.layout;
        population
            .peers
            .iter()
            .map(|plan| {
                let cohort = scenario.cohorts[plan.cohort].name.clone();
                let offered = if plan.uploads { plan.upload } else { Some(Rate::from_bits_per_second(0)) };
                let links = (offered, plan.download);
                let peer = Participant::new(plan.name.clone(), cohort, plan.initial.clone(), links, layout);
                Participant { foreign: plan.client.is_foreign(), ..peer }
            })
            .collect()
    }

    pub fn starts_complete(&self) -> bool {
        self.lacking_bytes == 0
    }
}

/// For each of `initials`, the bytes that only it holds; `None` stands for a peer that never arrived and counts for
/// nobody. O(peers × pieces).
pub fn sole_bytes(initials: &[Option<&Bitfield>], layout: &Layout) -> Vec<u64> {
    const NOBODY: u32 = u32::MAX;
    const SEVERAL: u32 = u32::MAX - 1;
    let mut holder = vec![NOBODY; layout.pieces() as usize];
    for (peer, initial) in initials.iter().enumerate() {
        for piece in initial.iter().flat_map(|initial| initial.iter()) {
            let holder = &mut holder[piece.0 as usize];
            *holder = if *holder == NOBODY { peer as u32 } else { SEVERAL };
        }
    }
    let mut sole = vec![0; initials.len()];
    for (piece, holder) in holder.iter().enumerate().filter(|(_, holder)| **holder < SEVERAL) {
        sole[*holder as usize] += u64::from(layout.piece_length(PieceIndex(piece as u32)));
    }
    sole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(pieces: &[u32]) -> Bitfield {
        let mut field = Bitfield::empty(4);
        for piece in pieces {
            field.insert(PieceIndex(*piece));
        }
        field
    }

    #[test]
    fn what_only_one_peer_holds_is_counted_in_bytes_with_the_short_last_piece() {
        let layout = Layout::new(35, 10, 10).unwrap();
        let (a, b, c) = (holding(&[0, 1]), holding(&[1, 3]), holding(&[2]));
        assert_eq!(sole_bytes(&[Some(&a), Some(&b), Some(&c)], &layout), [10, 5, 10]);
        assert_eq!(sole_bytes(&[Some(&a), None, Some(&c)], &layout), [20, 0, 10]);
    }

    #[test]
    fn what_a_peer_lacks_is_the_rest_of_the_content() {
        let layout = Layout::new(35, 10, 10).unwrap();
        let peer = Participant::new("a-1".into(), "a".into(), holding(&[0, 3]), (None, None), &layout);
        assert_eq!((peer.initial_bytes, peer.lacking_bytes, peer.starts_complete()), (15, 20, false));
        let seed = Participant::new("s-1".into(), "s".into(), Bitfield::full(4), (None, None), &layout);
        assert_eq!((seed.lacking_bytes, seed.starts_complete()), (0, true));
    }
}
