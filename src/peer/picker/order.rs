//! The rare pieces in order: those with a free block by availability, for torrents too large to look at every count per pick.
//!
//! Only the rarest are in it, as far up as picks have reached: a HAVE for a commoner piece costs its counter alone, and when
//! a connection comes or goes the order is forgotten and its beginning collected again, instead of sorting all pieces.
//!
//! All lie side by side in one row, so that a search reads what it needs from a line or two. Pieces of equal rank are
//! neighbours; the rank is the number of holders and, among equals, started before unopened. Pieces without a free block
//! have no rank. A change of rank swaps a piece over the borders between; who comes or goes does so at the nearer end.

use super::availability::Counts;
use super::rarest::fewest_holders;
use super::rows::{Count, Row};
use crate::fetch;
use crate::id::PieceIndex;

#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// From `first` on exactly the pieces with a rank below that of `ends`' length, by rank.
    row: Vec<PieceIndex>,
    first: usize,
    /// The rank of every place in `row`.
    ranks: Vec<u16>,
    /// Where each rank ends in `row`, and the next one begins; not said below `lowest`.
    ends: Vec<u32>,
    /// No piece has a lower rank.
    lowest: usize,
    /// Position in `row`, for a piece that is in it.
    places: Box<[u32]>,
    /// Up to how many holders a forgotten order is collected again at first.
    begin_to: u16,
}

/// Where fewer pieces than this were collected, the next counts have few, too.
const FEW: usize = 16;

/// Twice the holders, and one more for an unopened piece.
pub(super) fn rank(holders: u16, started: bool) -> usize {
    2 * usize::from(holders) + if started { 0 } else { 1 }
}

impl Order {
    /// Its beginning will be looked at soon.
    pub(super) fn fetch(&self) {
        fetch::at(&self.row, self.first);
        fetch::at(&self.row, self.first + fetch::LINE / size_of::<PieceIndex>());
        fetch::at(&self.ranks, self.first);
        fetch::at(&self.ends, self.lowest);
    }

    pub(super) fn new(pieces: u32) -> Order {
        Order { places: vec![0; pieces as usize].into(), ..Order::default() }
    }

    /// The counts have changed all over.
    pub(super) fn forget(&mut self) {
        if let Some(rank) = self.ranks().first() {
            self.begin_to = rank / 2 + self.slack();
        }
        self.row.clear();
        self.ranks.clear();
        self.ends.clear();
        (self.first, self.lowest) = (0, 0);
    }

    /// The pieces collected so far, rarest first.
    #[inline]
    pub(super) fn pieces(&self) -> &[PieceIndex] {
        &self.row[self.first..]
    }

    /// Their ranks.
    #[inline]
    pub(super) fn ranks(&self) -> &[u16] {
        &self.ranks[self.first..]
    }

    /// Where in [`pieces`](Self::pieces) the rank of one of them ends.
    #[inline]
    pub(super) fn end(&self, rank: u16) -> usize {
        self.ends[usize::from(rank)] as usize - self.first
    }

    /// How many of the [pieces](Self::pieces) have fewer holders than `holders`.
    #[inline]
    pub(super) fn count_below(&self, holders: u16) -> usize {
        let ranks = self.ends.len().min(2 * usize::from(holders));
        if ranks > self.lowest { self.ends[ranks - 1] as usize - self.first } else { 0 }
    }

    /// Whether pieces with so many holders are in the order, if they have a free block.
    #[inline]
    pub(super) fn reaches(&self, holders: u16) -> bool {
        2 * usize::from(holders) < self.ends.len()
    }

    /// Gives a piece another rank; `None` is that of a piece without a free block.
    pub(super) fn change(&mut self, piece: PieceIndex, from: Option<usize>, to: Option<usize>) {
        let collected = |rank: &usize| *rank < self.ends.len();
        match (from.filter(collected), to.filter(collected)) {
            (Some(from), Some(to)) => self.shift(piece, from, to),
            (Some(from), None) => self.remove(piece, from),
            (None, Some(to)) => self.insert(piece, to),
            (None, None) => {}
        }
    }

    /// Moves a piece over the borders between two ranks.
    fn shift(&mut self, piece: PieceIndex, from: usize, to: usize) {
        self.lower_to(to);
        let mut place = self.places[piece.0 as usize] as usize;
        for rank in from..to {
            self.ends[rank] -= 1;
            place = self.swap(place, self.ends[rank] as usize);
            self.ranks[place] = rank as u16 + 1;
        }
        for rank in (to..from).rev() {
            place = self.swap(place, self.ends[rank] as usize);
            self.ranks[place] = rank as u16;
            self.ends[rank] += 1;
        }
    }

    fn insert(&mut self, piece: PieceIndex, rank: usize) {
        self.lower_to(rank);
        let last = self.ends.len() - 1;
        if self.first > 0 && rank - self.lowest <= last - rank {
            self.first -= 1;
            self.ranks[self.first] = self.lowest as u16;
            self.put(piece, self.first);
            self.shift(piece, self.lowest, rank);
        } else {
            if self.row.len() > 2 * self.places.len() {
                self.compact();
            }
            self.row.push(piece);
            self.ranks.push(last as u16);
            self.ends[last] += 1;
            self.put(piece, self.row.len() - 1);
            self.shift(piece, last, rank);
        }
    }

    fn remove(&mut self, piece: PieceIndex, rank: usize) {
        let last = self.ends.len() - 1;
        if rank - self.lowest <= last - rank {
            self.shift(piece, rank, self.lowest);
            self.swap(self.places[piece.0 as usize] as usize, self.first);
            self.first += 1;
        } else {
            self.shift(piece, rank, last);
            self.swap(self.places[piece.0 as usize] as usize, self.row.len() - 1);
            self.row.pop();
            self.ranks.pop();
            self.ends[last] -= 1;
        }
        self.raise_lowest();
    }

    /// The border of every rank from `rank` on is said from now on.
    fn lower_to(&mut self, rank: usize) {
        if rank < self.lowest {
            self.ends[rank..self.lowest].fill(self.first as u32);
            self.lowest = rank;
        }
    }

    /// Passes over ranks that nobody has, so that few borders lie between a rare piece and the row's beginning.
    fn raise_lowest(&mut self) {
        while self.lowest + 1 < self.ends.len() && self.ends[self.lowest] as usize == self.first {
            self.lowest += 1;
        }
    }

    /// Begins the row at 0 again.
    fn compact(&mut self) {
        self.row.drain(..self.first);
        self.ranks.drain(..self.first);
        for (place, piece) in self.row.iter().enumerate() {
            self.places[piece.0 as usize] = place as u32;
        }
        self.ends[self.lowest..].iter_mut().for_each(|end| *end -= self.first as u32);
        self.first = 0;
    }

    fn put(&mut self, piece: PieceIndex, place: usize) {
        self.row[place] = piece;
        self.places[piece.0 as usize] = place as u32;
    }

    /// Swaps two places of the row and returns the other.
    fn swap(&mut self, one: usize, other: usize) -> usize {
        let (moved, back) = (self.row[one], self.row[other]);
        self.put(back, one);
        self.put(moved, other);
        other
    }

    /// Collects the next rarest pieces and returns whether there are any.
    pub(super) fn collect(&mut self, wanted: Wanted<'_>) -> bool {
        self.compact();
        let floor = (self.ends.len() / 2) as u16;
        // Very likely the next count up has pieces, or after a forgotten order the count it began with: that saves the walk
        // that would tell.
        let limit = if self.ends.is_empty() { self.begin_to } else { floor };
        if self.gather(floor, limit, wanted) {
            return true;
        }
        let above = (self.ends.len() / 2) as u16;
        match wanted.fewest(above) {
            Some(holders) => self.gather(above, holders, wanted),
            None => false,
        }
    }

    /// Counts with few pieces are collected two at a time.
    fn slack(&self) -> u16 {
        if self.pieces().len() < FEW { 1 } else { 0 }
    }

    /// Appends the pieces with `floor` to `limit` holders and returns whether there are any.
    fn gather(&mut self, floor: u16, limit: u16, wanted: Wanted<'_>) -> bool {
        let (begin, top) = (self.row.len(), rank(limit, false));
        match wanted.counts {
            Counts::Narrow(rows) => self.append(floor, limit, rows, wanted.free),
            Counts::Wide(rows) => self.append(floor, limit, rows, wanted.free),
        }
        // All have the highest rank at first; the few that deserve a lower one go down.
        self.ranks.resize(self.row.len(), top as u16);
        self.ends.resize(top, begin as u32);
        self.ends.push(self.row.len() as u32);
        if floor < limit {
            for place in begin..self.row.len() {
                let piece = self.row[place];
                self.shift(piece, top, rank(wanted.holders(piece), false));
            }
        }
        for &piece in wanted.started {
            let holders = wanted.holders(piece);
            if (floor..=limit).contains(&holders) {
                self.shift(piece, rank(holders, false), rank(holders, true));
            }
        }
        self.raise_lowest();
        begin < self.row.len()
    }

    /// Those pieces, by their numbers.
    fn append<C: Count>(&mut self, floor: u16, limit: u16, rows: &[Row<C>], free: &[u64]) {
        let (none, floor, limit) = (C::limited(0), C::limited(floor), C::limited(limit));
        for (at, (row, &free)) in rows.iter().zip(free).enumerate() {
            let mut word = if free == 0 { 0 } else { free & C::at_most(row, limit) };
            if word != 0 && floor > none {
                word &= !C::below(row, floor);
            }
            while word != 0 {
                let piece = PieceIndex(at as u32 * 64 + word.trailing_zeros());
                self.places[piece.0 as usize] = self.row.len() as u32;
                self.row.push(piece);
                word &= word - 1;
            }
        }
    }
}

/// Where the order's pieces come from.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) counts: &'a Counts,
    /// Pieces with a free block.
    pub(super) free: &'a [u64],
    /// Those of them that are started.
    pub(super) started: &'a [PieceIndex],
}

impl Wanted<'_> {
    fn holders(&self, piece: PieceIndex) -> u16 {
        self.counts.of(piece)
    }

    /// The smallest count of at least `floor`.
    fn fewest(&self, floor: u16) -> Option<u16> {
        match self.counts {
            Counts::Narrow(rows) => fewest_holders(rows, floor, self.free),
            Counts::Wide(rows) => fewest_holders(rows, floor, self.free),
        }
    }
}

#[cfg(test)]
impl Order {
    pub(super) fn places_in_use(&self) -> usize {
        self.row.len()
    }

    /// Asserts that the order holds exactly what it claims. `free` is sorted, `rank_of` tells a piece's rank.
    pub(super) fn check(&self, free: &[PieceIndex], rank_of: impl Fn(PieceIndex) -> usize) {
        let expected = free.iter().filter(|&&piece| rank_of(piece) < self.ends.len()).count();
        assert_eq!(self.pieces().len(), expected, "every rare piece is listed once");
        let mut place = self.first;
        for rank in self.lowest..self.ends.len() {
            while place < self.ends[rank] as usize {
                let piece = self.row[place];
                assert_eq!(self.places[piece.0 as usize] as usize, place);
                assert_eq!(rank_of(piece), rank, "{piece} among its equals");
                assert_eq!(usize::from(self.ranks[place]), rank);
                assert!(free.binary_search(&piece).is_ok(), "{piece} has a free block");
                place += 1;
            }
            assert_eq!(self.ends[rank] as usize, place, "ranks end in order");
        }
        assert_eq!((place, place), (self.row.len(), self.ranks.len()), "the row ends with the last rank");
    }
}
