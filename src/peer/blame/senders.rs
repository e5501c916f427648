//! Who sent which blocks of the pieces under way. A piece is a chain of runs in one slab, a run the blocks that one peer
//! sent without another in between: so a verdict costs what its own piece holds, and nothing is allocated once a peer has
//! reached its usual number of pieces.

use crate::id::{BlockId, PeerId, PieceIndex};

#[derive(Clone, Debug)]
pub(super) struct Senders {
    /// Every piece with its newest run, ascending.
    newest: Vec<(PieceIndex, u32)>,
    runs: Vec<Run>,
    /// The first of the runs that are of no piece.
    vacant: u32,
}

/// Half a cache line.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: PeerId,
    /// Which 32 blocks of the piece, and which of them.
    part: u32,
    blocks: u32,
    /// The one before it: of its piece, or without one.
    before: u32,
}

/// The end of a chain.
const NONE: u32 = u32::MAX;

impl Default for Senders {
    fn default() -> Senders {
        Senders { newest: Vec::new(), runs: Vec::new(), vacant: NONE }
    }
}

impl Senders {
    /// A block came, perhaps not for the first time.
    pub(super) fn insert(&mut self, block: BlockId, from: PeerId) {
        let (part, blocks) = (block.index / 32, 1 << (block.index % 32));
        match self.find(block.piece) {
            Ok(at) => {
                let newest = self.newest[at].1;
                let run = &mut self.runs[newest as usize];
                if run.part == part && run.from == from {
                    run.blocks |= blocks;
                } else {
                    self.newest[at].1 = self.add(Run { from, part, blocks, before: newest });
                }
            }
            Err(at) => {
                let run = self.add(Run { from, part, blocks, before: NONE });
                self.newest.insert(at, (block.piece, run));
            }
        }
    }

    pub(super) fn forget(&mut self, piece: PieceIndex) {
        if let Ok(at) = self.find(piece) {
            let (_, newest) = self.newest.remove(at);
            let mut oldest = newest;
            while self.runs[oldest as usize].before != NONE {
                oldest = self.runs[oldest as usize].before;
            }
            self.runs[oldest as usize].before = self.vacant;
            self.vacant = newest;
        }
    }

    /// The pieces of which `peer` has sent blocks, ascending.
    pub(super) fn pieces_from(&self, peer: PeerId) -> impl Iterator<Item = PieceIndex> + '_ {
        let pieces =
            self.newest.iter().filter(move |(_, newest)| self.chain(*newest).any(|run| run.from == peer));
        pieces.map(|(piece, _)| *piece)
    }

    /// The last sender of each of so many blocks of the piece.
    pub(super) fn last_of(&self, piece: PieceIndex, blocks: usize) -> Vec<Option<PeerId>> {
        let mut senders = vec![None; blocks];
        let newest = self.find(piece).map_or(NONE, |at| self.newest[at].1);
        for run in self.chain(newest) {
            for index in (0..32).filter(|index| run.blocks >> index & 1 == 1) {
                if let Some(sender) = senders.get_mut((run.part * 32 + index) as usize) {
                    sender.get_or_insert(run.from);
                }
            }
        }
        senders
    }

    fn find(&self, piece: PieceIndex) -> Result<usize, usize> {
        self.newest.binary_search_by_key(&piece, |(piece, _)| *piece)
    }

    fn add(&mut self, run: Run) -> u32 {
        let vacant = self.vacant;
        match self.runs.get_mut(vacant as usize) {
            Some(room) => {
                self.vacant = room.before;
                *room = run;
                vacant
            }
            None => {
                self.runs.push(run);
                self.runs.len() as u32 - 1
            }
        }
    }

    /// This run and those before it, newest first.
    fn chain(&self, newest: u32) -> impl Iterator<Item = &Run> {
        let run = |at: u32| self.runs.get(at as usize);
        std::iter::successors(run(newest), move |newer| run(newer.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block that came, or a verdict on its piece where the sender is 3.
    fn events() -> impl Strategy<Value = Vec<(u32, u32, u8)>> {
        prop::collection::vec((0u32..4, 0u32..70, 0u8..4), 0..200)
    }

    proptest! {
        #[test]
        fn runs_tell_what_a_list_of_all_blocks_tells(events in events()) {
            let (mut senders, mut list) = (Senders::default(), Vec::new());
            for (piece, index, from) in events {
                let (piece, from) = (PieceIndex(piece), PeerId([from; 20]));
                if from == PeerId([3; 20]) {
                    senders.forget(piece);
                    list.retain(|(block, _): &(BlockId, PeerId)| block.piece != piece);
                } else {
                    let block = BlockId { piece, index };
                    senders.insert(block, from);
                    list.push((block, from));
                }
                let mut expected = vec![None; 65];
                for (block, from) in list.iter().filter(|(block, _)| block.piece == piece && block.index < 65) {
                    expected[block.index as usize] = Some(*from);
                }
                prop_assert_eq!(senders.last_of(piece, 65), expected);
                let theirs = list.iter().filter(|(_, sender)| *sender == from).map(|(block, _)| block.piece);
                let pieces: std::collections::BTreeSet<_> = theirs.collect();
                prop_assert_eq!(senders.pieces_from(from).collect::<Vec<_>>(), Vec::from_iter(pieces));
                prop_assert!(senders.runs.len() <= 4 * 70 * 3, "runs are used again");
            }
        }
    }

    #[test]
    fn the_memory_of_a_piece_is_used_again() {
        let mut senders = Senders::default();
        for piece in (0..100).map(PieceIndex) {
            for index in 0..40 {
                senders.insert(BlockId { piece, index }, PeerId([(index / 20) as u8; 20]));
            }
            senders.forget(piece);
        }
        assert_eq!(senders.runs.len(), 3);
    }
}
