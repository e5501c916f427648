//! Ordered buckets: the pieces with a free block by availability, for torrents too large to look at every count per pick.
//!
//! Only the lowest buckets exist, as far up as picks have reached: a HAVE for a commoner piece costs its counter alone, and when
//! a connection comes or goes all buckets are forgotten and the lowest collected again, instead of sorting all pieces.
//! A bucket keeps its started pieces in front of the unopened ones; closed pieces are in none.

use super::draw::one_of;
use super::eligible::Eligible;
use super::rarest::fewest_holders;
use super::rows::{Row, with_holders};
use crate::id::PieceIndex;
use crate::rng::Stream;

#[derive(Clone, Debug)]
pub(super) struct Buckets {
    /// Bucket `a` holds exactly the pieces with a free block and `a` holders, for every `a` below `collected`.
    buckets: Vec<Bucket>,
    collected: usize,
    /// All buckets below are empty.
    lowest: usize,
    /// Position in its bucket, for a piece that is in one.
    places: Box<[u32]>,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    /// The first `started` are started, the rest unopened.
    pieces: Vec<PieceIndex>,
    started: usize,
}

/// What a search with a bounded number of looks has shown.
pub(super) enum Search {
    Found(PieceIndex),
    /// The asker has no piece with a free block.
    Nothing,
    /// The asker lacks the rare pieces: looking at all counts is cheaper than looking on.
    GaveUp,
}

/// Looks at single pieces before a search gives up. Collecting a bucket counts as [`COLLECT`] of them.
const LOOKS: usize = 128;
const COLLECT: usize = 32;
/// Random looks at a bucket before it is searched from end to end.
const TRIES: usize = 12;
/// A bucket of so few pieces is searched from end to end at once.
const FEW: usize = 8;

impl Buckets {
    pub(super) fn new(pieces: u32) -> Buckets {
        Buckets { buckets: Vec::new(), collected: 0, lowest: 0, places: vec![0; pieces as usize].into() }
    }

    /// The counts have changed all over.
    pub(super) fn forget(&mut self) {
        for bucket in &mut self.buckets[..self.collected] {
            bucket.pieces.clear();
            bucket.started = 0;
        }
        (self.collected, self.lowest) = (0, 0);
        // Buckets keep their memory; together they must not grow beyond what the pieces justify.
        let kept: usize = self.buckets.iter().map(|bucket| bucket.pieces.capacity()).sum();
        if kept > 4 * self.places.len() {
            self.buckets.clear();
        }
    }

    /// A piece with a free block has one holder more or less; `started` tells whether it is started.
    #[inline]
    pub(super) fn count_changed(
        &mut self,
        piece: PieceIndex,
        from: u16,
        to: u16,
        started: impl Fn() -> bool,
    ) {
        if usize::from(from.min(to)) < self.collected {
            self.remove(piece, from);
            self.insert(piece, to, started());
        }
    }

    /// Puts a piece where it belongs, which is nowhere for a common one.
    pub(super) fn insert(&mut self, piece: PieceIndex, holders: u16, started: bool) {
        let holders = usize::from(holders);
        if holders < self.collected {
            self.lowest = self.lowest.min(holders);
            self.buckets[holders].push(piece, &mut self.places);
            if started {
                self.buckets[holders].start(piece, &mut self.places);
            }
        }
    }

    /// Takes a piece out of its bucket, if it is in one.
    pub(super) fn remove(&mut self, piece: PieceIndex, holders: u16) {
        let holders = usize::from(holders);
        if holders < self.collected {
            self.buckets[holders].remove(piece, &mut self.places);
        }
    }

    /// A uniform one of the rarest eligible pieces, a started one where there is a choice. `free` are the pieces with a free
    /// block and `started` those of them that are started.
    pub(super) fn rarest(
        &mut self,
        rows: &[Row],
        free: &[u64],
        started: &[PieceIndex],
        eligible: &Eligible<'_>,
        rng: &mut Stream,
    ) -> Search {
        while self.lowest < self.collected && self.buckets[self.lowest].pieces.is_empty() {
            self.lowest += 1;
        }
        let mut looks = LOOKS;
        let mut holders = self.lowest;
        loop {
            if holders == self.collected {
                if looks < COLLECT {
                    return Search::GaveUp;
                }
                looks -= COLLECT;
                match self.collect(rows, free, started) {
                    Some(next) => holders = next,
                    None => return Search::Nothing,
                }
            }
            let bucket = &self.buckets[holders];
            for part in [&bucket.pieces[..bucket.started], &bucket.pieces[bucket.started..]] {
                match look(part, eligible, &mut looks, rng) {
                    Search::Nothing => {}
                    found_or_gave_up => return found_or_gave_up,
                }
            }
            holders += 1;
        }
    }

    /// Collects the next bucket that is not empty and returns its number of holders.
    fn collect(&mut self, rows: &[Row], free: &[u64], started: &[PieceIndex]) -> Option<usize> {
        let holders = fewest_holders(rows, self.collected as u16, |at| free[at])?;
        let next = usize::from(holders);
        if self.buckets.len() <= next {
            self.buckets.resize_with(next + 1, Bucket::default);
        }
        let bucket = &mut self.buckets[next];
        for (at, (row, &free)) in rows.iter().zip(free).enumerate() {
            let mut word = if free == 0 { 0 } else { free & with_holders(row, holders) };
            while word != 0 {
                bucket.push(PieceIndex(at as u32 * 64 + word.trailing_zeros()), &mut self.places);
                word &= word - 1;
            }
        }
        for &piece in started {
            if rows[piece.0 as usize / 64][piece.0 as usize % 64] == holders {
                bucket.start(piece, &mut self.places);
            }
        }
        if self.lowest == self.collected {
            self.lowest = next;
        }
        self.collected = next + 1;
        Some(next)
    }
}

impl Bucket {
    fn push(&mut self, piece: PieceIndex, places: &mut [u32]) {
        places[piece.0 as usize] = self.pieces.len() as u32;
        self.pieces.push(piece);
    }

    /// Moves an unopened piece of the bucket to the started ones.
    fn start(&mut self, piece: PieceIndex, places: &mut [u32]) {
        self.swap(places[piece.0 as usize] as usize, self.started, places);
        self.started += 1;
    }

    fn remove(&mut self, piece: PieceIndex, places: &mut [u32]) {
        let mut place = places[piece.0 as usize] as usize;
        if place < self.started {
            self.started -= 1;
            self.swap(place, self.started, places);
            place = self.started;
        }
        self.swap(place, self.pieces.len() - 1, places);
        self.pieces.pop();
    }

    fn swap(&mut self, one: usize, other: usize, places: &mut [u32]) {
        self.pieces.swap(one, other);
        places[self.pieces[one].0 as usize] = one as u32;
        places[self.pieces[other].0 as usize] = other as u32;
    }
}

/// A uniform eligible piece of `part`, found by trying where that is likely to be cheaper.
fn look(part: &[PieceIndex], eligible: &Eligible<'_>, looks: &mut usize, rng: &mut Stream) -> Search {
    if part.len() > FEW {
        for _ in 0..TRIES.min(*looks) {
            let piece = part[rng.index(part.len())];
            if eligible.allows(piece) {
                return Search::Found(piece);
            }
            *looks -= 1;
        }
    }
    if part.len() > *looks {
        return Search::GaveUp;
    }
    *looks -= part.len();
    one_of(part, |piece| eligible.allows(piece), rng).map_or(Search::Nothing, Search::Found)
}

#[cfg(test)]
impl Buckets {
    /// Asserts that the buckets hold exactly what they claim. `free` is sorted, `of` tells holders and whether a piece is started.
    pub(super) fn check(&self, free: &[PieceIndex], of: impl Fn(PieceIndex) -> (u16, bool)) {
        let mut listed = 0;
        for (holders, bucket) in self.buckets.iter().enumerate() {
            assert!(holders < self.collected && holders >= self.lowest || bucket.pieces.is_empty());
            for (place, &piece) in bucket.pieces.iter().enumerate() {
                assert_eq!(self.places[piece.0 as usize] as usize, place);
                assert_eq!(of(piece), (holders as u16, place < bucket.started), "{piece} in its bucket");
                assert!(free.binary_search(&piece).is_ok(), "{piece} has a free block");
            }
            listed += bucket.pieces.len();
        }
        let expected = free.iter().filter(|&&piece| usize::from(of(piece).0) < self.collected).count();
        assert_eq!(listed, expected, "every rare piece is listed once");
    }
}
