//! The started pieces with the fewest holders, found in one pass: many picks look at all started pieces, and where their
//! counts lie nothing knows in advance.

use smallvec::SmallVec;

use super::availability::{Availability, Counts};
use super::draw::one_marked;
use super::eligible::Eligible;
use super::rows::{Count, Row};
use crate::id::PieceIndex;
use crate::rng::Stream;

/// What a look at the started pieces has shown.
pub(super) struct Started<'a> {
    pieces: &'a [PieceIndex],
    fewest: u16,
    /// Which 64 after 64 of the pieces have so many.
    marks: SmallVec<[u64; 4]>,
}

impl<'a> Started<'a> {
    /// Of `pieces`, all with a free block, those that are eligible.
    #[inline]
    pub(super) fn of(
        pieces: &'a [PieceIndex],
        availability: &Availability,
        eligible: &Eligible<'_>,
    ) -> Started<'a> {
        let mut started = Started { pieces, fewest: u16::LIMIT, marks: SmallVec::new() };
        for pieces in pieces.chunks(64) {
            match availability.counts() {
                Counts::Narrow(rows) => {
                    let counts = rows.as_flattened();
                    started.look_at(pieces, |piece| counts[piece.0 as usize].into(), eligible);
                }
                Counts::Wide(rows) => {
                    let counts = rows.as_flattened();
                    started.look_at(pieces, |piece| counts[piece.0 as usize], eligible);
                }
            }
        }
        started
    }

    #[inline]
    fn look_at(
        &mut self,
        pieces: &[PieceIndex],
        holders: impl Fn(PieceIndex) -> u16,
        eligible: &Eligible<'_>,
    ) {
        let mut counts: Row = [u16::LIMIT; 64];
        let mut fewest = u16::LIMIT;
        for (count, &piece) in counts.iter_mut().zip(pieces) {
            *count = holders(piece) | (eligible.barred(piece) & u16::LIMIT);
            fewest = fewest.min(*count);
        }
        if fewest < self.fewest {
            self.fewest = fewest;
            self.marks.fill(0);
        }
        let any = fewest == self.fewest && fewest < u16::LIMIT;
        let marks = counts[..pieces.len()].iter().rev();
        let marks = marks.fold(0, |marks, count| marks << 1 | u64::from(*count == fewest));
        self.marks.push(if any { marks } else { 0 });
    }

    /// The fewest holders of such a piece; [`Count::LIMIT`] where there is none.
    pub(super) fn fewest(&self) -> u16 {
        self.fewest
    }

    /// A uniform one of those with so many.
    #[inline]
    pub(super) fn one(&self, rng: &mut Stream) -> Option<PieceIndex> {
        one_marked(self.pieces, &self.marks, rng)
    }
}
