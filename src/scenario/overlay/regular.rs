//! Random regular graphs: the pairing model (Bollobás 1980), repaired by switching.
//!
//! Every peer has `degree` ends; the ends are paired at random, and a pair that joins a peer to itself or two peers
//! twice is broken up by an exchange with a random other pair. Of many peers with few neighbours each almost all pairs
//! are sound from the beginning, so this is O(peers × degree) and nearly uniform. A graph in several parts is thrown
//! away.

use crate::id::PeerIndex;
use crate::rng::Stream;

/// Draws until a graph is simple and connected. One is nearly always enough; of the graphs with three neighbours
/// each, the smallest allowed here, at least 99 in 100 are connected.
const MOST_DRAWS: u32 = 1_000;
/// Exchanges tried for one pair. At least a tenth of all partners will do, so this is never used up in practice.
const MOST_TRIES: u32 = 1_000;

type Rows = Vec<Vec<u32>>;

/// Everybody's neighbours in a connected graph. The degree must be possible for so many peers.
pub(super) fn draw(peers: u32, degree: u32, stream: &mut Stream) -> Vec<Vec<PeerIndex>> {
    let rows = if degree == 2 && peers > 3 {
        // Two neighbours each and in one part: a ring.
        ring(peers, stream)
    } else {
        let mut draws = (0..MOST_DRAWS).filter_map(|_| simple(peers, degree, stream));
        draws.find(is_connected).expect("a thousand draws of a possible regular graph do not all fail")
    };
    rows.into_iter().map(|row| row.into_iter().map(PeerIndex).collect()).collect()
}

fn ring(peers: u32, stream: &mut Stream) -> Rows {
    let mut order: Vec<u32> = (0..peers).collect();
    stream.shuffle(&mut order);
    let mut rows = vec![Vec::with_capacity(2); peers as usize];
    for (at, &peer) in order.iter().enumerate() {
        let next = order[(at + 1) % order.len()];
        rows[peer as usize].push(next);
        rows[next as usize].push(peer);
    }
    rows
}

/// Of a dense graph, what is missing is drawn: the pairs to repair stay few.
fn simple(peers: u32, degree: u32, stream: &mut Stream) -> Option<Rows> {
    let others = peers - 1;
    if degree <= others / 2 {
        return Pairing::draw(peers, degree, stream).repaired(stream);
    }
    let missing = Pairing::draw(peers, others - degree, stream).repaired(stream)?;
    let rest = |(own, missing): (u32, Vec<u32>)| {
        (0..peers).filter(|other| *other != own && !missing.contains(other)).collect()
    };
    Some((0..).zip(missing).map(rest).collect())
}

fn is_connected(rows: &Rows) -> bool {
    let mut reached = vec![false; rows.len()];
    let mut waiting = vec![0u32];
    reached[0] = true;
    let mut count = 1;
    while let Some(peer) = waiting.pop() {
        for &next in &rows[peer as usize] {
            if !reached[next as usize] {
                reached[next as usize] = true;
                count += 1;
                waiting.push(next);
            }
        }
    }
    count == rows.len()
}

/// A graph in the making: sound edges with everybody's neighbours by them, and pairs that cannot stand.
struct Pairing {
    rows: Rows,
    edges: Vec<(u32, u32)>,
    unsound: Vec<(u32, u32)>,
}

impl Pairing {
    fn draw(peers: u32, degree: u32, stream: &mut Stream) -> Pairing {
        let mut ends: Vec<u32> =
            (0..peers).flat_map(|peer| std::iter::repeat_n(peer, degree as usize)).collect();
        stream.shuffle(&mut ends);
        let rows = (0..peers).map(|_| Vec::with_capacity(degree as usize)).collect();
        let mut pairing = Pairing { rows, edges: Vec::with_capacity(ends.len() / 2), unsound: Vec::new() };
        for pair in ends.chunks_exact(2) {
            let (a, b) = (pair[0], pair[1]);
            if pairing.may_join(a, b) {
                pairing.edges.push((a, b));
                pairing.join(a, b);
            } else {
                pairing.unsound.push((a, b));
            }
        }
        pairing
    }

    /// Every unsound pair exchanges partners with a random edge so that both become sound. `None` where no partner
    /// was found.
    fn repaired(mut self, stream: &mut Stream) -> Option<Rows> {
        while let Some((a, b)) = self.unsound.pop() {
            if self.edges.is_empty() {
                return None;
            }
            let mut tries = (0..MOST_TRIES).map(|_| {
                let at = stream.index(self.edges.len());
                let (x, y) = self.edges[at];
                if stream.below(2) == 0 { (at, x, y) } else { (at, y, x) }
            });
            let fits = |&(_, x, y): &(usize, u32, u32)| {
                self.may_join(a, x) && self.may_join(b, y) && (x, y) != (b, a)
            };
            let (at, x, y) = tries.find(fits)?;
            self.part(x, y);
            self.join(a, x);
            self.join(b, y);
            self.edges[at] = (a, x);
            self.edges.push((b, y));
        }
        Some(self.rows)
    }

    fn may_join(&self, a: u32, b: u32) -> bool {
        a != b && !self.rows[a as usize].contains(&b)
    }

    fn join(&mut self, a: u32, b: u32) {
        self.rows[a as usize].push(b);
        self.rows[b as usize].push(a);
    }

    fn part(&mut self, a: u32, b: u32) {
        self.rows[a as usize].retain(|other| *other != b);
        self.rows[b as usize].retain(|other| *other != a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Entity, Purpose};
    use crate::scenario::overlay::Overlay;
    use std::collections::{BTreeMap, BTreeSet};

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, Entity::Scenario, Purpose::Overlay)
    }

    fn is_regular(rows: &[Vec<PeerIndex>], degree: u32) -> bool {
        (0u32..).zip(rows).all(|(own, row)| {
            let different: BTreeSet<&PeerIndex> = row.iter().collect();
            let mutual = row.iter().all(|other| rows[other.0 as usize].contains(&PeerIndex(own)));
            different.len() == degree as usize
                && row.len() == degree as usize
                && mutual
                && !row.contains(&PeerIndex(own))
        })
    }

    #[test]
    fn every_possible_degree_of_a_small_swarm_is_drawn_simple_and_connected() {
        for peers in 2..=20 {
            for degree in
                (1..peers).filter(|&degree| Overlay::RandomRegular { degree }.check(peers, 1).is_ok())
            {
                for seed in 0..5 {
                    let rows = draw(peers, degree, &mut stream(seed));
                    let plain: Rows =
                        rows.iter().map(|row| row.iter().map(|peer| peer.0).collect()).collect();
                    assert!(
                        is_regular(&rows, degree) && is_connected(&plain),
                        "{degree} of {peers}, seed {seed}: {rows:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_seed_repeats_its_graph_and_another_draws_another() {
        assert_eq!(draw(100, 10, &mut stream(1)), draw(100, 10, &mut stream(1)));
        assert_ne!(draw(100, 10, &mut stream(1)), draw(100, 10, &mut stream(2)));
    }

    #[test]
    fn ten_thousand_peers_with_fifty_neighbours_are_drawn() {
        assert!(is_regular(&draw(10_000, 50, &mut stream(7)), 50));
    }

    /// Among six peers there are 70 graphs with three neighbours each, all connected: 60 prisms and 10 of the kind in
    /// which two sides of three meet. In a swarm this small the repair shows: the 10 come up less often.
    #[test]
    fn all_seventy_cubic_graphs_of_six_peers_come_up() {
        let mut counts: BTreeMap<Vec<Vec<PeerIndex>>, u32> = BTreeMap::new();
        let mut stream = stream(3);
        for _ in 0..7_000 {
            let mut rows = draw(6, 3, &mut stream);
            rows.iter_mut().for_each(|row| row.sort_unstable());
            *counts.entry(rows).or_default() += 1;
        }
        assert_eq!(counts.len(), 70);
        assert!(counts.values().all(|count| (20..200).contains(count)), "{:?}", counts.values());
    }
}
