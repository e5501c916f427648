//! How many connected peers have each piece. Knows nothing of blocks, requests or policies.

use super::rows::{self, Row};
use crate::id::PieceIndex;
use crate::torrent::bitfield::PieceSet;

/// Holders per piece. Complete remotes are one number beside the counts, so they never cost a walk over the pieces;
/// they raise all pieces alike and so matter to no comparison. Fewer than 32,768 connections are counted.
#[derive(Clone, Debug)]
pub(super) struct Availability {
    rows: Box<[Row]>,
    seeds: u32,
}

impl Availability {
    pub(super) fn new(pieces: u32) -> Availability {
        Availability { rows: vec![[0; 64]; pieces.div_ceil(64) as usize].into(), seeds: 0 }
    }

    /// All counts, complete remotes left out.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Holders of `piece`, complete remotes included.
    pub(super) fn total(&self, piece: PieceIndex) -> u32 {
        u32::from(self.count(piece)) + self.seeds
    }

    /// Holders of `piece`, complete remotes left out.
    pub(super) fn count(&self, piece: PieceIndex) -> u16 {
        self.rows.as_flattened()[piece.0 as usize]
    }

    /// Returns the new count.
    pub(super) fn raise(&mut self, piece: PieceIndex) -> u16 {
        let count = &mut self.rows.as_flattened_mut()[piece.0 as usize];
        *count += 1;
        *count
    }

    /// Returns the new count.
    pub(super) fn lower(&mut self, piece: PieceIndex) -> u16 {
        let count = &mut self.rows.as_flattened_mut()[piece.0 as usize];
        debug_assert!(*count > 0, "more holders of piece {piece} left than came");
        *count = count.saturating_sub(1);
        *count
    }

    pub(super) fn join(&mut self, pieces: PieceSet<'_>) {
        for (row, &word) in self.rows.iter_mut().zip(pieces.words()) {
            rows::raise(row, word);
        }
    }

    pub(super) fn leave(&mut self, pieces: PieceSet<'_>) {
        for (row, &word) in self.rows.iter_mut().zip(pieces.words()) {
            rows::lower(row, word);
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
