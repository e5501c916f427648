//! The pieces one connection may be asked for now, as words to combine and as a yes or no per piece.

use super::draw::{WINDOW, fitting, nth_bit};
use crate::id::PieceIndex;
use crate::rng::Stream;
use crate::torrent::bitfield::Bitfield;

/// Pieces with a free block that the asker has, less those kept from it.
#[derive(Clone, Copy)]
pub(super) struct Eligible<'a> {
    pub(super) asker: &'a [u64],
    pub(super) free: &'a Bitfield,
    /// Almost always empty, never long.
    pub(super) kept: &'a [PieceIndex],
}

/// How often a random piece is tried before the pieces are counted. A piece found by trying is as uniform as one
/// found by counting, and cheaper while a good part of all pieces is eligible.
const TRIES: u32 = 16;

impl Eligible<'_> {
    /// Pieces `64 × at ..` of the set, lowest piece in the lowest bit.
    #[inline]
    pub(super) fn word(&self, at: usize) -> u64 {
        let word = self.asker[at] & self.free.words()[at];
        if self.kept.is_empty() { word } else { self.without_kept(word, at) }
    }

    /// All of its words.
    #[inline]
    pub(super) fn all_words(&self) -> impl Iterator<Item = u64> + '_ {
        let words = self.asker.iter().zip(self.free.words()).map(|(asker, free)| asker & free);
        let kept = !self.kept.is_empty();
        words.enumerate().map(move |(at, word)| if kept { self.without_kept(word, at) } else { word })
    }

    #[cold]
    fn without_kept(&self, word: u64, at: usize) -> u64 {
        let kept = self.kept.iter().filter(|piece| piece.0 as usize / 64 == at);
        kept.fold(word, |word, piece| word & !(1 << (piece.0 % 64)))
    }

    /// Whether `piece`, known to have a free block, may be asked for. Without a branch on what the asker has: nothing
    /// predicts that.
    #[inline]
    pub(super) fn allows(&self, piece: PieceIndex) -> bool {
        self.holds(piece) & self.kept.iter().fold(true, |other, kept| other & (*kept != piece))
    }

    #[inline]
    fn holds(&self, piece: PieceIndex) -> bool {
        self.asker[piece.0 as usize / 64] >> (piece.0 % 64) & 1 == 1
    }

    /// Which of at most 64 `pieces`, all with a free block, may be asked for, as a word.
    #[inline]
    pub(super) fn among(&self, pieces: &[PieceIndex]) -> u64 {
        // Last to first, so that no bit has to be moved to its place.
        let held = pieces.iter().rev().fold(0, |word, &piece| word << 1 | u64::from(self.holds(piece)));
        if held == 0 || self.kept.is_empty() { held } else { self.less_kept(held, pieces) }
    }

    /// Which of `pieces`, all with a free block, may be asked for, as a word: of the first [`WINDOW`], or of fewer where
    /// they end.
    //
    // What every pick begins with, and shorter than a call of it.
    #[inline(always)]
    pub(super) fn among_first(&self, pieces: &[PieceIndex]) -> u64 {
        let held = match pieces.first_chunk::<WINDOW>() {
            Some(window) => fitting(window, |piece| self.holds(piece)),
            None => self.held_of_few(pieces),
        };
        if held == 0 || self.kept.is_empty() { held } else { self.less_kept(held, of_window(pieces)) }
    }

    #[inline(never)]
    fn held_of_few(&self, pieces: &[PieceIndex]) -> u64 {
        fitting(of_window(pieces), |piece| self.holds(piece))
    }

    #[inline(never)]
    fn less_kept(&self, held: u64, pieces: &[PieceIndex]) -> u64 {
        held & fitting(pieces, |piece| !self.kept.contains(&piece))
    }

    pub(super) fn lowest(&self) -> Option<PieceIndex> {
        (0..self.free.words().len()).find_map(|at| {
            let word = self.word(at);
            (word != 0).then(|| PieceIndex(at as u32 * 64 + word.trailing_zeros()))
        })
    }

    /// A uniform one.
    pub(super) fn any(&self, rng: &mut Stream) -> Option<PieceIndex> {
        let places = self.free.words().len() * 64;
        for _ in 0..TRIES.min(places as u32) {
            let place = rng.index(places);
            if self.word(place / 64) >> (place % 64) & 1 == 1 {
                return Some(PieceIndex(place as u32));
            }
        }
        let count = (0..self.free.words().len()).map(|at| u64::from(self.word(at).count_ones())).sum();
        if count == 0 {
            return None;
        }
        let mut left = rng.below(count) as u32;
        for at in 0..self.free.words().len() {
            let word = self.word(at);
            if left < word.count_ones() {
                return Some(PieceIndex(at as u32 * 64 + nth_bit(word, left)));
            }
            left -= word.count_ones();
        }
        None
    }
}

fn of_window(pieces: &[PieceIndex]) -> &[PieceIndex] {
    &pieces[..pieces.len().min(WINDOW)]
}
