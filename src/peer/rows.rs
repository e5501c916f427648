//! What the remotes of a peer have: a bit for every remote and piece, in one block of memory.
//!
//! Two things are asked of it. A pick wants one remote's pieces, as words side by side; a piece that was verified wants
//! all who have it, which is one word of each. In a torrent of few blocks pieces are verified nearly as often as picked:
//! there the words of all remotes for the same pieces lie together, and a remote's pieces are gathered when they are
//! wanted. In any other torrent each remote's words lie together. Either is what the processor's caches like better.

use std::ops::Range;

use crate::fetch;
use crate::id::{ConnId, PieceIndex};
use crate::peer::seam::ConnSet;
use crate::torrent::layout::Layout;

/// A torrent of more blocks than this has the words of each remote together.
const FEW_BLOCKS: u32 = 4_096;
/// So many words of a remote lie side by side where the remotes' words lie together.
const NARROW: usize = 2;

/// A row of words for each number of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// Of a row.
    words: usize,
    shape: Shape,
    all: Vec<u64>,
}

/// What it takes to find a word.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// How many numbers there is room for.
    numbers: usize,
    /// So many words of a row lie side by side: all, or [`NARROW`].
    side_by_side: usize,
    /// Which bits of a word's number say its place among those side by side, and how many they are.
    place: usize,
    shift: u32,
}

impl Shape {
    #[inline]
    fn at(self, conn: ConnId, word: usize) -> usize {
        ((word >> self.shift) * self.numbers + conn.0 as usize) * self.side_by_side + (word & self.place)
    }
}

/// The bits of all rows.
pub(crate) struct Bits<'a> {
    shape: Shape,
    all: &'a mut [u64],
}

impl Bits<'_> {
    /// Returns whether the piece is new.
    #[inline]
    pub(crate) fn insert(&mut self, conn: ConnId, piece: PieceIndex) -> bool {
        let word = &mut self.all[self.shape.at(conn, piece.0 as usize / 64)];
        let bit = 1 << (piece.0 % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

impl Rows {
    pub(crate) fn new(layout: &Layout) -> Rows {
        let words = layout.pieces().div_ceil(64) as usize;
        let few = u64::from(layout.pieces()) * u64::from(layout.blocks_per_piece()) <= u64::from(FEW_BLOCKS);
        let (side_by_side, place, shift) = if few && words > NARROW {
            (NARROW, NARROW - 1, NARROW.ilog2())
        } else {
            (words, usize::MAX, 31)
        };
        Rows { words, shape: Shape { numbers: 0, side_by_side, place, shift }, all: Vec::new() }
    }

    /// Numbers below this have room.
    pub(crate) fn room(&self) -> usize {
        self.shape.numbers
    }

    /// Makes room for numbers below this. Nobody has anything there.
    pub(crate) fn make_room(&mut self, numbers: usize) {
        let tiles = self.words.div_ceil(self.shape.side_by_side.max(1));
        let (before, after) =
            (self.shape.numbers * self.shape.side_by_side, numbers * self.shape.side_by_side);
        let mut all = Vec::with_capacity(tiles * after);
        for tile in 0..tiles {
            all.extend_from_slice(&self.all[tile * before..][..before]);
            all.resize((tile + 1) * after, 0);
        }
        (self.shape.numbers, self.all) = (numbers, all);
    }

    #[inline]
    fn at(&self, conn: ConnId, word: usize) -> usize {
        self.shape.at(conn, word)
    }

    /// All bits, for many to be put in.
    #[inline]
    pub(crate) fn bits(&mut self) -> Bits<'_> {
        Bits { shape: self.shape, all: &mut self.all }
    }

    /// Returns whether the piece is new.
    pub(crate) fn insert(&mut self, conn: ConnId, piece: PieceIndex) -> bool {
        self.bits().insert(conn, piece)
    }

    pub(crate) fn contains(&self, conn: ConnId, piece: PieceIndex) -> bool {
        self.all[self.at(conn, piece.0 as usize / 64)] >> (piece.0 % 64) & 1 == 1
    }

    /// A remote's words; `gathered` is where they are put together if they do not lie so.
    #[inline]
    pub(crate) fn row<'a>(&'a self, conn: ConnId, gathered: &'a mut Vec<u64>) -> &'a [u64] {
        if self.shape.side_by_side >= self.words {
            return &self.all[conn.0 as usize * self.words..][..self.words];
        }
        gathered.clear();
        for tile in self.all.chunks_exact(self.shape.numbers * NARROW) {
            gathered.extend_from_slice(&tile[conn.0 as usize * NARROW..][..NARROW]);
        }
        &gathered[..self.words]
    }

    /// A remote has exactly this now.
    pub(crate) fn set(&mut self, conn: ConnId, words: impl Iterator<Item = u64>) {
        for (word, value) in words.enumerate() {
            let at = self.at(conn, word);
            self.all[at] = value;
        }
    }

    /// A remote has nothing.
    pub(crate) fn clear(&mut self, conn: ConnId) {
        self.set(conn, std::iter::repeat_n(0, self.words));
    }

    /// The words for these pieces of all numbers, so many words apart, and which of them it is.
    fn column(&self, piece: PieceIndex) -> (Range<usize>, usize) {
        let word = piece.0 as usize / 64;
        let length = self.shape.numbers * self.shape.side_by_side;
        let first = (word >> self.shape.shift) * length;
        (first..first + length, word & self.shape.place)
    }

    /// Whose rows have the piece. Without a branch on what each has: nothing predicts that.
    pub(crate) fn having(&self, piece: PieceIndex) -> ConnSet {
        let (column, place) = self.column(piece);
        let (apart, bit) = (self.shape.side_by_side, piece.0 % 64);
        // Said once, so that it need not be looked at for each.
        assert!(place < apart, "word {place} of {apart} side by side");
        let of_each = |rows: &[u64]| {
            rows.chunks_exact(apart).rev().fold(0, |set, row| set << 1 | row[place] >> bit & 1)
        };
        ConnSet::from_words(self.all[column].chunks(64 * apart).map(of_each))
    }

    /// What [`row`](Self::row) looks at will be looked at soon.
    pub(crate) fn fetch_row(&self, conn: ConnId) {
        let step = self.shape.side_by_side.min(fetch::LINE / size_of::<u64>());
        for word in (0..self.words).step_by(step.max(1)) {
            fetch::at(&self.all, self.at(conn, word));
        }
    }

    /// The same of [`having`](Self::having).
    pub(crate) fn fetch_column(&self, piece: PieceIndex) {
        let (column, place) = self.column(piece);
        let step = self.shape.side_by_side.max(fetch::LINE / size_of::<u64>());
        for at in (column.start + place..column.end).step_by(step) {
            fetch::at(&self.all, at);
        }
    }

    /// The same of [`insert`](Self::insert).
    #[inline]
    pub(crate) fn fetch_bit(&self, conn: ConnId, piece: PieceIndex) {
        fetch::at(&self.all, self.at(conn, piece.0 as usize / 64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torrent::bitfield::Bitfield;

    /// Pieces of 2 bytes: one block each, or two.
    fn layout(pieces: u32, block: u32) -> Layout {
        Layout::new(u64::from(pieces) * 2, 2, block).expect("a torrent")
    }

    #[test]
    fn rows_are_the_same_however_they_lie() {
        let pieces = 300;
        let mut both = [layout(pieces, 2), layout(pieces, 1)].map(|layout| Rows::new(&layout));
        both[1].shape = Shape { numbers: 0, side_by_side: both[1].words, place: usize::MAX, shift: 31 };
        assert!(both[0].shape.side_by_side < both[0].words);
        for rows in &mut both {
            for numbers in [8, 16, 80] {
                rows.make_room(numbers);
                for conn in 0..numbers as u32 {
                    let has = (0..pieces).filter(|piece| (piece * 7 + conn) % 5 == 0);
                    rows.clear(ConnId(conn));
                    assert!(has.clone().all(|piece| rows.insert(ConnId(conn), PieceIndex(piece))));
                    assert!(has.clone().all(|piece| !rows.insert(ConnId(conn), PieceIndex(piece))));
                    let mut expected = Bitfield::empty(pieces);
                    has.for_each(|piece| assert!(expected.insert(PieceIndex(piece))));
                    assert_eq!(rows.row(ConnId(conn), &mut Vec::new()), expected.words());
                }
                for piece in (0..pieces).map(PieceIndex) {
                    let having: Vec<ConnId> = rows.having(piece).iter().collect();
                    let expected = (0..numbers as u32).map(ConnId).filter(|conn| rows.contains(*conn, piece));
                    assert_eq!(having, expected.collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn room_for_more_changes_nobody() {
        let mut rows = Rows::new(&layout(300, 2));
        rows.make_room(3);
        rows.insert(ConnId(2), PieceIndex(299));
        rows.make_room(9);
        assert!(rows.contains(ConnId(2), PieceIndex(299)) && rows.having(PieceIndex(299)).count() == 1);
    }
}
