//! Overlays: who may be connected to whom. The tracker's random choice is left to the run; a fixed overlay is a graph
//! over the population, drawn before it from a stream of its own, so it is the same in every driver.

mod regular;

use std::net::SocketAddr;

use crate::id::PeerIndex;
use crate::peer::Neighbours;
use crate::rng::{Entity, Purpose, Stream};
use crate::time::Time;

/// Edges of a fixed overlay at the most: half a gigabyte of them.
const MAX_EDGES: u64 = 1 << 26;

/// Who is a neighbour of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The tracker names peers at random. A peer dials while it has fewer than `dial` connections (`None`: fewer than
    /// its policy's `max_connections`), accepts up to `max_connections`, and asks again when it has lost too many.
    Tracker { dial: Option<u32> },
    /// Everybody with everybody.
    FullMesh,
    /// Every peer whose cohort starts with `all` with every other peer, and nobody else with anybody: client and server.
    Star,
    /// A connected graph in which everybody has `degree` neighbours, drawn at random.
    RandomRegular { degree: u32 },
}

/// Why there is no such overlay over these peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    #[error("{degree} neighbours each are impossible among {peers} peers")]
    DegreeTooLarge { degree: u32, peers: u32 },
    #[error("{peers} peers with {degree} neighbours each are an odd number of ends")]
    OddEnds { degree: u32, peers: u32 },
    #[error("{degree} neighbours each do not join {peers} peers")]
    Disconnected { degree: u32, peers: u32 },
    #[error("no cohort starts with \"all\", so nobody is in the middle of the star")]
    NoCentre,
    #[error("{edges} connections are more than {MAX_EDGES}")]
    TooManyEdges { edges: u64 },
}

/// One peer's place in the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The tracker names its neighbours; see [`Overlay::Tracker`].
    FromTracker { dial: Option<u32> },
    Fixed {
        /// In the order of their arrival, equals by index.
        neighbours: Vec<PeerIndex>,
        /// So many of them come before the peer itself.
        earlier: usize,
    },
}

impl Place {
    /// What the peer is told at the beginning of its stay number `stay`. One end dials each connection of a fixed
    /// overlay: the one that arrives later. A peer that comes back after a crash dials everybody, for nobody else would.
    pub fn at_stay(&self, stay: u32, addr: impl Fn(PeerIndex) -> SocketAddr) -> Neighbours {
        match self {
            Place::FromTracker { dial } => Neighbours::FromTracker { dial: *dial },
            Place::Fixed { neighbours, earlier } => {
                let dialled = if stay == 0 { &neighbours[..*earlier] } else { &neighbours[..] };
                Neighbours::Fixed { dial: dialled.iter().map(|peer| addr(*peer)).collect() }
            }
        }
    }

    /// Whether whoever is here may ever be connected to `other`. Both of two peers say the same.
    pub fn may_lead_to(&self, other: PeerIndex) -> bool {
        match self {
            Place::FromTracker { .. } => true,
            Place::Fixed { neighbours, .. } => neighbours.contains(&other),
        }
    }
}

impl Overlay {
    /// Whether there is such an overlay over `peers`, of whom `complete` start with `all`.
    pub fn check(self, peers: u32, complete: u32) -> Result<(), OverlayError> {
        match self {
            Overlay::Star if complete == 0 => return Err(OverlayError::NoCentre),
            Overlay::RandomRegular { degree } if degree >= peers => {
                return Err(OverlayError::DegreeTooLarge { degree, peers });
            }
            Overlay::RandomRegular { degree } if u64::from(peers) * u64::from(degree) % 2 == 1 => {
                return Err(OverlayError::OddEnds { degree, peers });
            }
            Overlay::RandomRegular { degree } if degree < 2 && peers > degree + 1 => {
                return Err(OverlayError::Disconnected { degree, peers });
            }
            _ => {}
        }
        match self.edges(peers, complete) {
            Some(edges) if edges > MAX_EDGES => Err(OverlayError::TooManyEdges { edges }),
            _ => Ok(()),
        }
    }

    /// How many pairs of neighbours a fixed overlay has.
    pub fn edges(self, peers: u32, complete: u32) -> Option<u64> {
        let pairs = |a: u32, b: u32| u64::from(a) * u64::from(b);
        match self {
            Overlay::Tracker { .. } => None,
            Overlay::FullMesh => Some(pairs(peers, peers.saturating_sub(1)) / 2),
            Overlay::Star => Some(pairs(complete, peers.saturating_sub(complete))),
            Overlay::RandomRegular { degree } => Some(pairs(peers, degree) / 2),
        }
    }

    /// Everybody's place, for peers that first arrive at `arrivals` and of whom `complete` tells who starts with `all`.
    /// O(edges) for a random regular graph, O(peers²) for the others.
    ///
    /// # Panics
    ///
    /// Where [`Overlay::check`] finds the overlay impossible: no loaded scenario is like that.
    pub fn places(
        self,
        arrivals: &[Time],
        complete: impl Fn(PeerIndex) -> bool,
        random_seed: u64,
    ) -> Vec<Place> {
        let peers = arrivals.len() as u32;
        let rows: Vec<Vec<PeerIndex>> = match self {
            Overlay::Tracker { dial } => return vec![Place::FromTracker { dial }; arrivals.len()],
            Overlay::FullMesh => rows(peers, |one, other| one != other),
            Overlay::Star => {
                let centre: Vec<bool> = (0..peers).map(|peer| complete(PeerIndex(peer))).collect();
                rows(peers, |one, other| centre[one as usize] != centre[other as usize])
            }
            Overlay::RandomRegular { degree } => regular::draw(
                peers,
                degree,
                &mut Stream::new(random_seed, Entity::Scenario, Purpose::Overlay),
            ),
        };
        let order = |peer: &PeerIndex| (arrivals[peer.0 as usize], *peer);
        let place = |(own, mut neighbours): (u32, Vec<PeerIndex>)| {
            neighbours.sort_unstable_by_key(order);
            let earlier = neighbours.partition_point(|other| order(other) < order(&PeerIndex(own)));
            Place::Fixed { neighbours, earlier }
        };
        (0..).zip(rows).map(place).collect()
    }
}

/// For overlays in which most pairs are neighbours anyway.
fn rows(peers: u32, adjacent: impl Fn(u32, u32) -> bool) -> Vec<Vec<PeerIndex>> {
    (0..peers).map(|one| (0..peers).filter(|other| adjacent(one, *other)).map(PeerIndex).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn at(seconds: &[u64]) -> Vec<Time> {
        seconds.iter().map(|seconds| Time::ZERO + Span::from_secs(*seconds)).collect()
    }

    fn dialled(places: &[Place], stay: u32) -> Vec<Vec<u16>> {
        let ports = |place: &Place| match place.at_stay(stay, |peer| ([10, 0, 0, 1], peer.0 as u16).into()) {
            Neighbours::Fixed { dial } => dial.iter().map(SocketAddr::port).collect(),
            Neighbours::FromTracker { .. } => panic!("a fixed overlay"),
        };
        places.iter().map(ports).collect()
    }

    #[test]
    fn of_two_neighbours_the_later_one_dials_and_whoever_comes_back_dials_all() {
        let mesh = Overlay::FullMesh.places(&at(&[5, 0, 5, 2]), |_| false, 1);
        assert_eq!(dialled(&mesh, 0), [vec![1, 3], vec![], vec![1, 3, 0], vec![1]]);
        assert_eq!(dialled(&mesh, 1)[0], [1, 3, 2]);
    }

    #[test]
    fn in_a_star_only_the_complete_and_the_others_meet() {
        let star = Overlay::Star.places(&at(&[0; 4]), |peer| peer.0 < 2, 1);
        assert_eq!(dialled(&star, 1), [[2, 3], [2, 3], [0, 1], [0, 1]]);
    }

    #[test]
    fn a_fixed_overlay_says_who_may_ever_meet_and_a_tracker_anybody() {
        let leads = |overlay: Overlay, from: usize| {
            let places = overlay.places(&at(&[0; 4]), |peer| peer.0 < 2, 1);
            [0, 1, 2, 3].map(|to| places[from].may_lead_to(PeerIndex(to)))
        };
        assert_eq!(leads(Overlay::Star, 0), [false, false, true, true]);
        assert_eq!(leads(Overlay::Star, 3), [true, true, false, false]);
        assert_eq!(leads(Overlay::FullMesh, 1), [true, false, true, true]);
        assert_eq!(leads(Overlay::Tracker { dial: Some(1) }, 2), [true; 4]);
    }

    #[test]
    fn impossible_overlays_are_refused_with_the_reason() {
        let regular = |degree, peers| Overlay::RandomRegular { degree }.check(peers, 1);
        assert_eq!(regular(10, 10), Err(OverlayError::DegreeTooLarge { degree: 10, peers: 10 }));
        assert_eq!(regular(3, 9), Err(OverlayError::OddEnds { degree: 3, peers: 9 }));
        assert_eq!(regular(1, 4), Err(OverlayError::Disconnected { degree: 1, peers: 4 }));
        assert_eq!(regular(0, 4), Err(OverlayError::Disconnected { degree: 0, peers: 4 }));
        assert_eq!((regular(1, 2), regular(9, 10), regular(50, 100_000)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(Overlay::Star.check(4, 0), Err(OverlayError::NoCentre));
        let edges = 1_000_000 * 999_999 / 2;
        assert_eq!(Overlay::FullMesh.check(1_000_000, 1), Err(OverlayError::TooManyEdges { edges }));
    }
}
