//! Who sent which blocks of the pieces under way. A piece is a chain of runs, a run the blocks that one peer sent without
//! another in between: so a verdict costs what its own piece holds, and nothing is allocated once a peer has reached its
//! usual number of pieces. The newest run of each lies apart from the older ones, which hardly any block concerns.

use crate::fetch;
use crate::id::{BlockId, PeerId, PieceIndex};

#[derive(Clone, Debug)]
pub(super) struct Senders {
    /// The pieces in no order, so that one is found in a few cache lines that come together,
    pieces: Vec<PieceIndex>,
    /// and the newest run of each.
    newest: Vec<Run>,
    /// The older ones.
    older: Vec<Run>,
    /// The first of those that are of no piece.
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
/// Pieces that are compared together.
const TOGETHER: usize = fetch::LINE / size_of::<PieceIndex>();

impl Default for Senders {
    fn default() -> Senders {
        Senders { pieces: Vec::new(), newest: Vec::new(), older: Vec::new(), vacant: NONE }
    }
}

impl Senders {
    /// These will be needed soon.
    pub(super) fn fetch(&self) {
        fetch::one(&self.pieces);
        fetch::one(&self.vacant);
    }

    /// A piece will be looked for soon.
    pub(super) fn fetch_pieces(&self) {
        fetch::all(&self.pieces);
        fetch::at(&self.older, self.vacant as usize);
    }

    /// A block of this piece will come; to be called some time after [`fetch_pieces`](Self::fetch_pieces).
    pub(super) fn fetch_piece(&self, piece: PieceIndex) {
        fetch::at(&self.newest, self.find(piece).unwrap_or(self.newest.len()));
    }

    /// A block came, perhaps not for the first time.
    pub(super) fn insert(&mut self, block: BlockId, from: PeerId) {
        let (part, blocks) = (block.index / 32, 1 << (block.index % 32));
        let Some(at) = self.find(block.piece) else {
            self.pieces.push(block.piece);
            self.newest.push(Run { from, part, blocks, before: NONE });
            return;
        };
        let run = self.newest[at];
        if run.part == part && run.from == from {
            self.newest[at].blocks |= blocks;
        } else {
            self.newest[at] = Run { from, part, blocks, before: self.put_away(run) };
        }
    }

    pub(super) fn forget(&mut self, piece: PieceIndex) {
        let Some(at) = self.find(piece) else { return };
        self.pieces.swap_remove(at);
        let first = self.newest.swap_remove(at).before;
        if let Some(oldest) = self.chain(first).map(|(at, _)| at).last() {
            self.older[oldest].before = self.vacant;
            self.vacant = first;
        }
    }

    /// The pieces of which `peer` has sent blocks, in no order.
    pub(super) fn pieces_from(&self, peer: PeerId) -> impl Iterator<Item = PieceIndex> + '_ {
        let pieces = self.pieces.iter().zip(&self.newest);
        pieces
            .filter(move |(_, newest)| self.runs(newest).any(|run| run.from == peer))
            .map(|(piece, _)| *piece)
    }

    /// The last sender of each of so many blocks of the piece.
    pub(super) fn last_of(&self, piece: PieceIndex, blocks: usize) -> Vec<Option<PeerId>> {
        let mut senders = vec![None; blocks];
        let newest = self.find(piece).map(|at| &self.newest[at]);
        for run in newest.into_iter().flat_map(|newest| self.runs(newest)) {
            for index in (0..32).filter(|index| run.blocks >> index & 1 == 1) {
                if let Some(sender) = senders.get_mut((run.part * 32 + index) as usize) {
                    sender.get_or_insert(run.from);
                }
            }
        }
        senders
    }

    /// Where in `pieces` a piece is. A line is looked through without a branch.
    #[inline]
    fn find(&self, piece: PieceIndex) -> Option<usize> {
        let (lines, rest) = self.pieces.as_chunks::<TOGETHER>();
        let is_in =
            |line: &[PieceIndex; TOGETHER]| line.iter().fold(false, |is_in, other| is_in | (*other == piece));
        let (first, pieces) = match lines.iter().position(is_in) {
            Some(line) => (line * TOGETHER, &lines[line][..]),
            None => (lines.len() * TOGETHER, rest),
        };
        pieces.iter().position(|other| *other == piece).map(|at| first + at)
    }

    /// Keeps a run that is the newest no longer, and returns where.
    fn put_away(&mut self, run: Run) -> u32 {
        let vacant = self.vacant;
        match self.older.get_mut(vacant as usize) {
            Some(room) => {
                self.vacant = room.before;
                *room = run;
                vacant
            }
            None => {
                self.older.push(run);
                self.older.len() as u32 - 1
            }
        }
    }

    /// A piece's runs, newest first.
    fn runs<'a>(&'a self, newest: &'a Run) -> impl Iterator<Item = &'a Run> {
        std::iter::once(newest).chain(self.chain(newest.before).map(|(_, run)| run))
    }

    /// This older run and those before it, with their places.
    fn chain(&self, first: u32) -> impl Iterator<Item = (usize, &Run)> {
        let run = |at: u32| Some((at as usize, self.older.get(at as usize)?));
        std::iter::successors(run(first), move |(_, newer)| run(newer.before))
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
                let mut found: Vec<_> = senders.pieces_from(from).collect();
                found.sort_unstable();
                prop_assert_eq!(found, Vec::from_iter(pieces));
                prop_assert!(senders.older.len() <= 4 * 70 * 3, "runs are used again");
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
        assert_eq!((senders.newest.len(), senders.older.len()), (0, 2));
    }
}
