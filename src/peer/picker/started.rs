//! The started pieces with the fewest holders. Many picks look at all started pieces, of which the asker lacks most where many
//! are stuck: which ones it has is asked first, and only of those how few holders they have.

use super::availability::Availability;
use super::draw::{TOGETHER, one_of_fitting, one_of_many};
use super::eligible::Eligible;
use crate::id::PieceIndex;
use crate::rng::Stream;

/// The eligible ones of the started pieces with a free block.
pub(super) struct Started<'a> {
    pieces: &'a [PieceIndex],
    availability: &'a Availability,
    eligible: &'a Eligible<'a>,
    rarest: Rarest,
}

/// The fewest holders of an eligible piece so far, and which of the last [`TOGETHER`] pieces have so few.
#[derive(Clone, Copy)]
struct Rarest {
    fewest: u16,
    pieces: u64,
}

impl<'a> Started<'a> {
    /// Of `pieces`, all with a free block, those that are eligible.
    #[inline]
    pub(super) fn of(
        pieces: &'a [PieceIndex],
        availability: &'a Availability,
        eligible: &'a Eligible<'a>,
    ) -> Started<'a> {
        let mut rarest = Rarest { fewest: u16::MAX, pieces: 0 };
        for pieces in pieces.chunks(TOGETHER) {
            rarest = rarest.and(pieces, availability, eligible);
        }
        Started { pieces, availability, eligible, rarest }
    }

    /// The fewest holders of such a piece; more than any has where there is none.
    #[inline]
    pub(super) fn fewest(&self) -> u16 {
        self.rarest.fewest
    }

    /// A uniform one of those with so many.
    #[inline]
    pub(super) fn one(&self, rng: &mut Stream) -> Option<PieceIndex> {
        if self.pieces.len() > TOGETHER {
            return self.one_of_many(rng);
        }
        one_of_fitting(self.pieces, self.rarest.pieces, rng)
    }

    #[inline(never)]
    fn one_of_many(&self, rng: &mut Stream) -> Option<PieceIndex> {
        let none = Rarest { pieces: 0, ..self.rarest };
        let words = self.pieces.chunks(TOGETHER);
        let words = words.map(|pieces| none.and(pieces, self.availability, self.eligible).pieces);
        one_of_many(self.pieces, words, rng)
    }
}

impl Rarest {
    /// The next of the pieces, too.
    #[inline]
    fn and(self, pieces: &[PieceIndex], availability: &Availability, eligible: &Eligible<'_>) -> Rarest {
        let (mut fewest, mut rarest) = (self.fewest, 0);
        let mut left = eligible.among(pieces);
        while left != 0 {
            let at = left.trailing_zeros();
            let holders = availability.count(pieces[at as usize]);
            rarest = if holders < fewest { 0 } else { rarest };
            fewest = fewest.min(holders);
            rarest |= u64::from(holders == fewest) << at;
            left &= left - 1;
        }
        Rarest { fewest, pieces: rarest }
    }
}
