//! The hypercube schedule: an oracle that spreads content as fast as is possible at all, to hold policies against.
//!
//! One server has M equal pieces, and it and 2ᵏ − 1 peers have equal uplinks and send one piece at a time. Then no policy
//! is done before M + k − 1 pieces' time (Mundinger, Weber, Weiss 2008: M + ⌊log₂ N⌋ for N peers), and this
//! schedule is done exactly then (the binomial pipeline of Ganesan, Seshadri 2005): with everybody at a corner of a
//! k-dimensional cube, all exchange along dimension t mod k in round t; the server sends piece t, or the last one when it
//! has sent all, and everybody else the highest piece it has.
//!
//! It only says who sends what to whom in which order. The peers follow it (`peer::schedule`) when they can.

use crate::id::{PeerIndex, PieceIndex};
use crate::scenario::{Arrival, Behaviour, Cohort, OnComplete, Overlay, StartWith};
use crate::torrent::bitfield::Bitfield;

/// What each peer sends, in order.
pub type Turns = Vec<(PeerIndex, PieceIndex)>;

/// Why peers cannot follow the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HypercubeError {
    #[error("the hypercube needs 2, 4, 8, … peers with the server, and there are {peers}")]
    NotAPowerOfTwo { peers: u32 },
    #[error("the hypercube needs one peer that starts with \"all\" and others that start with \"nothing\"")]
    NotOneServer,
    #[error("the hypercube needs overlay.kind = \"full-mesh\"")]
    NotAMesh,
    #[error("the hypercube needs everybody to upload and to be there from the start to the end")]
    Unsteady,
}

/// Whether these cohorts can follow the schedule.
pub fn check(cohorts: &[Cohort], overlay: Overlay) -> Result<(), HypercubeError> {
    let of = |start_with| {
        let cohorts = cohorts.iter().filter(move |cohort| cohort.start_with == start_with);
        cohorts.fold(0u32, |sum, cohort| sum.saturating_add(cohort.count))
    };
    let steady = |cohort: &Cohort| {
        cohort.arrival == Arrival::AtStart
            && cohort.on_complete == OnComplete::Stay
            && cohort.behaviour == Behaviour::Cooperative
            && cohort.uploads()
            && cohort.abort_every.or(cohort.crash_every).is_none()
    };
    let peers = of(StartWith::All).saturating_add(of(StartWith::Nothing));
    if of(StartWith::All) != 1 || of(StartWith::Share) > 0 {
        Err(HypercubeError::NotOneServer)
    } else if !peers.is_power_of_two() {
        Err(HypercubeError::NotAPowerOfTwo { peers })
    } else if overlay != Overlay::FullMesh {
        Err(HypercubeError::NotAMesh)
    } else if !cohorts.iter().all(steady) {
        Err(HypercubeError::Unsteady)
    } else {
        Ok(())
    }
}

/// Everybody's turns, by index. `peers` is a power of two and counts the server, who has the index `server`.
pub fn turns(peers: u32, server: PeerIndex, pieces: u32) -> Vec<Turns> {
    let dimensions = peers.trailing_zeros();
    // The server at corner 0; the peers before it move up by one.
    let at_corner = |corner: u32| match corner {
        0 => server,
        _ if corner <= server.0 => PeerIndex(corner - 1),
        _ => PeerIndex(corner),
    };
    let mut cube = Cube::new(peers, pieces);
    let mut turns = vec![Turns::new(); peers as usize];
    for round in 0..pieces + dimensions.saturating_sub(1) {
        for (from, to, piece) in cube.exchange(round, dimensions) {
            turns[at_corner(from).0 as usize].push((at_corner(to), piece));
        }
    }
    turns
}

/// Who has what, by corner.
struct Cube {
    pieces: u32,
    have: Vec<Bitfield>,
}

impl Cube {
    fn new(corners: u32, pieces: u32) -> Cube {
        let mut have = vec![Bitfield::empty(pieces); corners as usize];
        have[0] = Bitfield::full(pieces);
        Cube { pieces, have }
    }

    /// One round: who sends which piece to whom. Whoever would send what the other has rests.
    fn exchange(&mut self, round: u32, dimensions: u32) -> Vec<(u32, u32, PieceIndex)> {
        let across = 1 << (round % dimensions.max(1));
        let mut sent = Vec::new();
        for from in 0..self.have.len() as u32 {
            let to = from ^ across;
            let Some(piece) = self.chosen(from, round) else { continue };
            if !self.have[to as usize].contains(piece) {
                sent.push((from, to, piece));
            }
        }
        for (_, to, piece) in &sent {
            self.have[*to as usize].insert(*piece);
        }
        sent
    }

    fn chosen(&self, from: u32, round: u32) -> Option<PieceIndex> {
        if from == 0 {
            return Some(PieceIndex(round.min(self.pieces - 1)));
        }
        self.have[from as usize].iter().last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_everything_after_as_many_rounds_as_the_theorem_says_and_not_before() {
        for dimensions in 1..=7 {
            for pieces in [1, 2, 3, 4, 16, 32, 64, 100] {
                let mut cube = Cube::new(1 << dimensions, pieces);
                let rounds = pieces + dimensions - 1;
                for round in 0..rounds {
                    assert!(
                        !cube.have.iter().all(Bitfield::is_full),
                        "{dimensions}, {pieces}: round {round}"
                    );
                    let sent = cube.exchange(round, dimensions);
                    let mut takers: Vec<u32> = sent.iter().map(|(_, to, _)| *to).collect();
                    takers.dedup();
                    assert_eq!(takers.len(), sent.len(), "one piece each at a time");
                }
                assert!(cube.have.iter().all(Bitfield::is_full), "{dimensions}, {pieces}");
            }
        }
    }

    #[test]
    fn every_piece_is_sent_to_every_peer_once_and_never_to_the_server() {
        let turns = turns(8, PeerIndex(2), 5);
        let mut sent: Vec<(PeerIndex, PieceIndex)> = turns.into_iter().flatten().collect();
        sent.sort_unstable();
        let others = (0..8).filter(|peer| *peer != 2);
        let expected: Vec<_> =
            others.flat_map(|peer| (0..5).map(move |piece| (PeerIndex(peer), PieceIndex(piece)))).collect();
        assert_eq!(sent, expected);
    }
}
