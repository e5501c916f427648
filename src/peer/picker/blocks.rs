//! The lives of started pieces' blocks, four bytes each: those of a piece of sixteen are one cache line, and nearly every
//! block that is asked for or arrives finds its line in no near cache. Knows no pieces: a block is a place here.

use std::ops::Range;

use crate::fetch;
use crate::id::ConnId;

/// A block's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Free,
    Requested(ConnId),
    /// Endgame, or the first one is snubbed.
    Doubled(ConnId, ConnId),
    Received,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// A connection's number, also where that is the first of two, or one of the marks below.
    lives: Vec<u32>,
    /// The second connection of every doubled block, by its place: no more than there are connections, as a rule none.
    seconds: Vec<(u32, ConnId)>,
}

/// Set where there are two connections.
const DOUBLED: u32 = 1 << 31;
const FREE: u32 = u32::MAX;
const RECEIVED: u32 = u32::MAX - 1;

impl Blocks {
    /// So many more places, all free.
    pub(super) fn grow(&mut self, places: usize) {
        self.lives.resize(self.lives.len() + places, FREE);
    }

    /// Whatever they were, these are free.
    pub(super) fn free(&mut self, places: Range<usize>) {
        if !self.seconds.is_empty() {
            self.seconds.retain(|(at, _)| !places.contains(&(*at as usize)));
        }
        self.lives[places].fill(FREE);
    }

    /// The first of these places will be looked at soon, and perhaps the others.
    pub(super) fn fetch(&self, first: usize, places: usize) {
        let line = fetch::LINE / size_of::<u32>();
        fetch::at(&self.lives, first);
        fetch::at(&self.lives, first + (places - 1).min(line));
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Block {
        match self.lives[at] {
            FREE => Block::Free,
            RECEIVED => Block::Received,
            doubled if doubled >= DOUBLED => self.doubled(at, ConnId(doubled - DOUBLED)),
            only => Block::Requested(ConnId(only)),
        }
    }

    #[cold]
    fn doubled(&self, at: usize, first: ConnId) -> Block {
        let second = self.seconds.iter().find(|(place, _)| *place as usize == at);
        second.map_or(Block::Requested(first), |(_, second)| Block::Doubled(first, *second))
    }

    /// The only connection that the block is requested from.
    #[inline]
    pub(super) fn only_requester(&self, at: usize) -> Option<ConnId> {
        let life = self.lives[at];
        (life < DOUBLED).then_some(ConnId(life))
    }

    #[inline]
    pub(super) fn set(&mut self, at: usize, block: Block) {
        if (DOUBLED..RECEIVED).contains(&self.lives[at]) {
            self.forget_second(at);
        }
        self.lives[at] = match block {
            Block::Free => FREE,
            Block::Received => RECEIVED,
            Block::Requested(only) => only.0,
            Block::Doubled(first, second) => {
                self.seconds.push((at as u32, second));
                first.0 | DOUBLED
            }
        };
    }

    #[cold]
    fn forget_second(&mut self, at: usize) {
        self.seconds.retain(|(place, _)| *place as usize != at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block() -> impl Strategy<Value = Block> {
        let conn = || (0u32..5).prop_map(ConnId);
        prop_oneof![
            Just(Block::Free),
            Just(Block::Received),
            conn().prop_map(Block::Requested),
            (conn(), conn()).prop_map(|(first, second)| Block::Doubled(first, second)),
        ]
    }

    proptest! {
        #[test]
        fn a_block_is_what_it_was_made(changes in prop::collection::vec((0usize..20, block()), 0..100)) {
            let (mut blocks, mut expected) = (Blocks::default(), [Block::Free; 20]);
            blocks.grow(20);
            for (at, block) in changes {
                blocks.set(at, block);
                expected[at] = block;
                if at == 7 {
                    blocks.free(4..9);
                    expected[4..9].fill(Block::Free);
                }
                for (at, expected) in expected.iter().enumerate() {
                    prop_assert_eq!(blocks.get(at), *expected);
                    let only = if let Block::Requested(only) = expected { Some(*only) } else { None };
                    prop_assert_eq!(blocks.only_requester(at), only);
                }
                let doubled = expected.iter().filter(|block| matches!(block, Block::Doubled(..))).count();
                prop_assert_eq!(blocks.seconds.len(), doubled);
            }
        }
    }
}
