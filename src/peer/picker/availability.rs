//! How many connected peers have each piece. Knows nothing of blocks, requests or policies.

use super::rows::{self, Count, Row};
use crate::fetch;
use crate::id::PieceIndex;
use crate::torrent::bitfield::PieceSet;

/// Holders per piece. Complete remotes are one number beside the counts, so they never cost a walk over the pieces;
/// they raise all pieces alike and so matter to no comparison. Fewer than 32,767 connections are counted.
#[derive(Clone, Debug)]
pub(super) struct Availability {
    counts: Counts,
    seeds: u32,
}

/// Of every piece, complete remotes left out.
#[derive(Clone, Debug)]
pub(super) enum Counts {
    /// Until a piece has 255 holders.
    Narrow(Box<[Row<u8>]>),
    Wide(Box<[Row]>),
}

impl Counts {
    #[inline]
    pub(super) fn of(&self, piece: PieceIndex) -> u16 {
        let at = piece.0 as usize;
        match self {
            Counts::Narrow(rows) => rows.as_flattened()[at].into(),
            Counts::Wide(rows) => rows.as_flattened()[at],
        }
    }
}

/// One more holder would take two bytes.
const MOST_NARROW: u8 = u8::LIMIT - 1;

impl Availability {
    pub(super) fn new(pieces: u32) -> Availability {
        let rows = pieces.div_ceil(64) as usize;
        Availability { counts: Counts::Narrow(vec![[0; 64]; rows].into()), seeds: 0 }
    }

    pub(super) fn fetch(&self) {
        match &self.counts {
            Counts::Narrow(rows) => fetch::all(rows),
            Counts::Wide(rows) => fetch::all(&rows[..rows.len().min(64)]),
        }
    }

    pub(super) fn fetch_count(&self, piece: PieceIndex) {
        let at = piece.0 as usize;
        match &self.counts {
            Counts::Narrow(rows) => fetch::at(rows.as_flattened(), at),
            Counts::Wide(rows) => fetch::at(rows.as_flattened(), at),
        }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The counts while they are narrow, and stay so whatever up to so many connections have.
    pub(super) fn narrow_counts_below(&mut self, connections: u32) -> Option<&mut [u8]> {
        match &mut self.counts {
            Counts::Narrow(rows) if connections < MOST_NARROW.into() => Some(rows.as_flattened_mut()),
            Counts::Narrow(_) | Counts::Wide(_) => None,
        }
    }

    /// Holders of `piece`, complete remotes included.
    pub(super) fn total(&self, piece: PieceIndex) -> u32 {
        u32::from(self.count(piece)) + self.seeds
    }

    /// Holders of `piece`, complete remotes left out.
    pub(super) fn count(&self, piece: PieceIndex) -> u16 {
        self.counts.of(piece)
    }

    /// Returns the new count.
    #[inline]
    pub(super) fn raise(&mut self, piece: PieceIndex) -> u16 {
        let at = piece.0 as usize;
        match &mut self.counts {
            Counts::Narrow(rows) => {
                let count = &mut rows.as_flattened_mut()[at];
                if *count == MOST_NARROW {
                    return self.raise_wide(piece);
                }
                *count += 1;
                (*count).into()
            }
            Counts::Wide(rows) => {
                let count = &mut rows.as_flattened_mut()[at];
                *count += 1;
                *count
            }
        }
    }

    #[cold]
    fn raise_wide(&mut self, piece: PieceIndex) -> u16 {
        self.widen();
        self.raise(piece)
    }

    /// Returns the new count.
    pub(super) fn lower(&mut self, piece: PieceIndex) -> u16 {
        debug_assert!(self.count(piece) > 0, "more holders of piece {piece} left than came");
        let at = piece.0 as usize;
        match &mut self.counts {
            Counts::Narrow(rows) => {
                let count = &mut rows.as_flattened_mut()[at];
                *count = count.saturating_sub(1);
                (*count).into()
            }
            Counts::Wide(rows) => {
                let count = &mut rows.as_flattened_mut()[at];
                *count = count.saturating_sub(1);
                *count
            }
        }
    }

    pub(super) fn join(&mut self, pieces: PieceSet<'_>) {
        if let Counts::Narrow(rows) = &self.counts
            && rows.as_flattened().iter().fold(0, |most, count| most.max(*count)) == MOST_NARROW
        {
            self.widen();
        }
        match &mut self.counts {
            Counts::Narrow(rows) => each(rows, pieces, rows::raise),
            Counts::Wide(rows) => each(rows, pieces, rows::raise),
        }
    }

    pub(super) fn leave(&mut self, pieces: PieceSet<'_>) {
        match &mut self.counts {
            Counts::Narrow(rows) => each(rows, pieces, rows::lower),
            Counts::Wide(rows) => each(rows, pieces, rows::lower),
        }
    }

    #[cold]
    fn widen(&mut self) {
        if let Counts::Narrow(rows) = &self.counts {
            self.counts = Counts::Wide(rows.iter().map(|row| row.map(u16::from)).collect());
        }
    }

    pub(super) fn join_seed(&mut self) {
        self.seeds += 1;
    }

    pub(super) fn leave_seed(&mut self) {
        debug_assert!(self.seeds > 0, "more seeds left than came");
        self.seeds = self.seeds.saturating_sub(1);
    }
}

/// Changes the counts of these pieces.
fn each<C: Count>(rows: &mut [Row<C>], pieces: PieceSet<'_>, change: impl Fn(&mut Row<C>, u64)) {
    rows.iter_mut().zip(pieces.words()).for_each(|(row, &word)| change(row, word));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torrent::bitfield::Bitfield;

    const PIECES: u32 = 70;

    fn all_but(missing: u32) -> Bitfield {
        let mut pieces = Bitfield::full(PIECES);
        pieces.remove(PieceIndex(missing));
        pieces
    }

    #[test]
    fn counts_go_on_where_a_byte_ends_and_come_back() {
        for by_haves in [false, true] {
            let mut availability = Availability::new(PIECES);
            for connections in 1..=600 {
                if by_haves {
                    for piece in all_but(69).iter() {
                        availability.raise(piece);
                    }
                } else {
                    availability.join(all_but(69).as_set());
                }
                assert_eq!(availability.count(PieceIndex(68)), connections, "by HAVEs: {by_haves}");
                assert_eq!(availability.count(PieceIndex(69)), 0, "by HAVEs: {by_haves}");
                assert_eq!(matches!(availability.counts(), Counts::Narrow(_)), connections < 255);
            }
            for left in (0..600).rev() {
                availability.leave(all_but(69).as_set());
                assert_eq!(availability.count(PieceIndex(0)), left, "by HAVEs: {by_haves}");
            }
        }
    }
}
