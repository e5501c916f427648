//! Who holds which pieces at the start: a pure function of sizes, rule and random stream, so that `minibit split` and
//! a run of a scenario hand out the same sets. It knows nothing of files, peers or time.

use crate::id::PieceIndex;
use crate::rng::{Entity, Purpose, Stream};
use crate::torrent::bitfield::Bitfield;

/// Who holds which pieces at the start, among the peers that share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Every piece to one random peer, then each peer a random sample of 1…n−1 pieces besides (none when n ≤ 1):
    /// the rule of the assignment that MiniBit comes from.
    RandomSubset,
    /// Everything to the first.
    SingleSeed,
    /// Every piece to exactly one peer, dealt like cards: the counts differ by one at the most.
    Disjoint,
    /// So many pieces each, every piece held by somebody.
    Fixed { pieces_each: u32 },
}

impl Distribution {
    /// As scenarios and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::RandomSubset => "random-subset",
            Distribution::SingleSeed => "single-seed",
            Distribution::Disjoint => "disjoint",
            Distribution::Fixed { .. } => "fixed",
        }
    }

    /// The stream that a random seed distributes with, everywhere.
    pub fn stream(random_seed: u64) -> Stream {
        Stream::new(random_seed, Entity::Scenario, Purpose::Distribution)
    }

    /// Whether [`distribute`] can hand out so many pieces to so many peers.
    pub fn check(self, pieces: u32, peers: u32) -> Result<(), DistributionError> {
        match self {
            _ if peers == 0 => Err(DistributionError::NoPeers),
            Distribution::Fixed { pieces_each } if pieces_each > pieces => {
                Err(DistributionError::MoreThanThereAre { pieces_each, pieces })
            }
            Distribution::Fixed { pieces_each }
                if u64::from(pieces_each) * u64::from(peers) < u64::from(pieces) =>
            {
                Err(DistributionError::TooFew { pieces_each, peers, pieces })
            }
            _ => Ok(()),
        }
    }
}

/// Why pieces cannot be distributed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistributionError {
    #[error("nobody shares the content: at least 1 peer must take part in the distribution")]
    NoPeers,
    #[error(
        "{pieces_each} pieces for each peer, but the content has only {pieces}; ask for {pieces} or fewer"
    )]
    MoreThanThereAre { pieces_each: u32, pieces: u32 },
    #[error(
        "{peers} peers with {pieces_each} pieces each cannot hold all {pieces} pieces; \
         give each at least {least}, or take more peers",
        least = pieces.div_ceil(*peers)
    )]
    TooFew { pieces_each: u32, peers: u32, pieces: u32 },
}

/// Hands out `pieces` pieces to `peers` peers: one bitfield each, and every piece is in at least one of them.
pub fn distribute(
    pieces: u32,
    peers: u32,
    distribution: Distribution,
    stream: &mut Stream,
) -> Result<Vec<Bitfield>, DistributionError> {
    distribution.check(pieces, peers)?;
    let mut held = vec![Bitfield::empty(pieces); peers as usize];
    match distribution {
        Distribution::RandomSubset => random_subset(&mut held, pieces, stream),
        Distribution::SingleSeed => held[0] = Bitfield::full(pieces),
        Distribution::Disjoint => deal(&mut held, pieces, stream),
        Distribution::Fixed { pieces_each } => {
            deal(&mut held, pieces, stream);
            held.iter_mut().for_each(|mine| top_up(mine, pieces_each, stream));
        }
    }
    Ok(held)
}

fn random_subset(held: &mut [Bitfield], pieces: u32, stream: &mut Stream) {
    for piece in (0..pieces).map(PieceIndex) {
        held[stream.index(held.len())].insert(piece);
    }
    if pieces <= 1 {
        return;
    }
    let mut deck: Vec<u32> = (0..pieces).collect();
    for mine in held {
        let size = 1 + stream.below(u64::from(pieces) - 1) as usize;
        draw(&mut deck, size, stream).iter().for_each(|&piece| {
            mine.insert(PieceIndex(piece));
        });
    }
}

/// Every piece to exactly one peer, as evenly as it goes.
fn deal(held: &mut [Bitfield], pieces: u32, stream: &mut Stream) {
    let mut deck: Vec<u32> = (0..pieces).collect();
    stream.shuffle(&mut deck);
    let peers = held.len();
    for (at, piece) in deck.into_iter().enumerate() {
        held[at % peers].insert(PieceIndex(piece));
    }
}

/// Random pieces that are not yet there, until the set has `size` pieces.
fn top_up(mine: &mut Bitfield, size: u32, stream: &mut Stream) {
    let mut missing: Vec<u32> =
        (0..mine.pieces()).filter(|&piece| !mine.contains(PieceIndex(piece))).collect();
    let wanted = (size - mine.count()) as usize;
    for &piece in draw(&mut missing, wanted, stream) {
        mine.insert(PieceIndex(piece));
    }
}

/// A uniform sample of `size` different cards, whatever order the deck is in.
fn draw<'a>(deck: &'a mut [u32], size: usize, stream: &mut Stream) -> &'a [u32] {
    for at in 0..size {
        let other = at + stream.index(deck.len() - at);
        deck.swap(at, other);
    }
    &deck[..size]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(pieces: u32, peers: u32, distribution: Distribution, random_seed: u64) -> Vec<u32> {
        let held = distribute(pieces, peers, distribution, &mut Distribution::stream(random_seed)).unwrap();
        held.iter().map(Bitfield::count).collect()
    }

    fn any_distribution() -> impl Strategy<Value = Distribution> {
        prop_oneof![
            Just(Distribution::RandomSubset),
            Just(Distribution::SingleSeed),
            Just(Distribution::Disjoint),
            (0..60u32).prop_map(|pieces_each| Distribution::Fixed { pieces_each }),
        ]
    }

    proptest! {
        #[test]
        fn every_piece_is_held_and_equal_seeds_give_equal_sets(
            pieces in 0..200u32, peers in 1..30u32, distribution in any_distribution(), random_seed: u64,
        ) {
            let hand_out = || distribute(pieces, peers, distribution, &mut Distribution::stream(random_seed));
            prop_assert_eq!(hand_out(), hand_out());
            match (hand_out(), distribution) {
                (Ok(held), _) => {
                    prop_assert_eq!(held.len(), peers as usize);
                    for piece in (0..pieces).map(PieceIndex) {
                        prop_assert!(held.iter().any(|mine| mine.contains(piece)), "nobody holds {}", piece);
                    }
                    check_sizes(&held, pieces, peers, distribution)?;
                }
                (Err(_), Distribution::Fixed { pieces_each }) => {
                    prop_assert!(pieces_each > pieces || pieces_each * peers < pieces);
                }
                (Err(error), _) => prop_assert!(false, "{}", error),
            }
        }
    }

    fn check_sizes(
        held: &[Bitfield],
        pieces: u32,
        peers: u32,
        distribution: Distribution,
    ) -> Result<(), TestCaseError> {
        let counts: Vec<u32> = held.iter().map(Bitfield::count).collect();
        match distribution {
            Distribution::RandomSubset if pieces > 1 => prop_assert!(counts.iter().all(|count| *count >= 1)),
            Distribution::RandomSubset => prop_assert_eq!(counts.iter().sum::<u32>(), pieces),
            Distribution::SingleSeed => {
                prop_assert!(held[0].is_full() && held[1..].iter().all(Bitfield::is_empty));
            }
            Distribution::Disjoint => {
                prop_assert_eq!(counts.iter().sum::<u32>(), pieces);
                prop_assert!(counts.iter().all(|count| count.abs_diff(pieces / peers) <= 1));
            }
            Distribution::Fixed { pieces_each } => {
                prop_assert!(counts.iter().all(|count| *count == pieces_each));
            }
        }
        Ok(())
    }

    #[test]
    fn another_seed_gives_other_sets() {
        let sets = |seed| distribute(50, 5, Distribution::RandomSubset, &mut Distribution::stream(seed));
        assert_ne!(sets(1), sets(2));
    }

    #[test]
    fn the_sample_of_the_random_subset_has_every_size_from_one_to_all_but_one() {
        // Two pieces: a sample of exactly one besides what the first draw gave.
        let outcomes: std::collections::BTreeSet<Vec<u32>> =
            (0..200).map(|seed| counts(2, 2, Distribution::RandomSubset, seed)).collect();
        assert_eq!(outcomes, [vec![1, 1], vec![1, 2], vec![2, 1], vec![2, 2]].into());
        // So many peers that the first draw adds next to nothing: sizes 1…100, on average 50.
        let all = counts(101, 2000, Distribution::RandomSubset, 3);
        let mean = f64::from(all.iter().sum::<u32>()) / 2000.0;
        assert!((48.0..53.0).contains(&mean), "mean {mean}");
        assert!(all.iter().any(|count| *count <= 3) && all.iter().any(|count| *count >= 99));
        assert!(all.iter().all(|count| *count <= 101));
    }

    #[test]
    fn one_piece_goes_to_one_peer_only() {
        let mut held = counts(1, 5, Distribution::RandomSubset, 9);
        held.sort_unstable();
        assert_eq!(held, [0, 0, 0, 0, 1]);
    }

    #[test]
    fn sets_that_cannot_cover_or_cannot_exist_are_refused_with_advice() {
        let fixed = |pieces_each, pieces, peers| {
            distribute(pieces, peers, Distribution::Fixed { pieces_each }, &mut Distribution::stream(1))
        };
        assert_eq!(fixed(9, 8, 3), Err(DistributionError::MoreThanThereAre { pieces_each: 9, pieces: 8 }));
        let too_few = fixed(2, 8, 3).unwrap_err();
        assert_eq!(too_few, DistributionError::TooFew { pieces_each: 2, peers: 3, pieces: 8 });
        assert!(too_few.to_string().contains("at least 3"), "{too_few}");
        assert_eq!(fixed(1, 1, 0), Err(DistributionError::NoPeers));
        assert!(fixed(3, 8, 3).is_ok() && fixed(8, 8, 1).is_ok() && fixed(0, 0, 4).is_ok());
    }

    #[test]
    fn the_sets_of_a_seed_never_change() {
        // A regression here breaks `same seed, same sets` for everybody's stored results.
        assert_eq!(counts(50, 5, Distribution::RandomSubset, 1), [33, 16, 47, 14, 28]);
        assert_eq!(counts(50, 5, Distribution::Disjoint, 1), [10; 5]);
    }
}
