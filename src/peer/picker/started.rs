//! The started pieces with the fewest holders. Many picks look at all started pieces: how few holders one has is asked first,
//! and which have so few only where it matters.

use super::availability::Availability;
use super::draw::one_of;
use super::eligible::Eligible;
use crate::id::PieceIndex;
use crate::rng::Stream;

/// The eligible ones of the started pieces with a free block.
pub(super) struct Started<'a> {
    pieces: &'a [PieceIndex],
    availability: &'a Availability,
    eligible: &'a Eligible<'a>,
    fewest: u16,
}

impl<'a> Started<'a> {
    /// Of `pieces`, all with a free block, those that are eligible.
    #[inline]
    pub(super) fn of(
        pieces: &'a [PieceIndex],
        availability: &'a Availability,
        eligible: &'a Eligible<'a>,
    ) -> Started<'a> {
        let holders = |&piece: &PieceIndex| availability.count(piece) | eligible.barred(piece);
        let fewest = pieces.iter().map(holders).min().unwrap_or(u16::MAX);
        Started { pieces, availability, eligible, fewest }
    }

    /// The fewest holders of such a piece; more than any has where there is none.
    #[inline]
    pub(super) fn fewest(&self) -> u16 {
        self.fewest
    }

    /// A uniform one of those with so many.
    #[inline]
    pub(super) fn one(&self, rng: &mut Stream) -> Option<PieceIndex> {
        let fits = |piece| self.eligible.allows(piece) & (self.availability.count(piece) == self.fewest);
        one_of(self.pieces, fits, rng)
    }
}
