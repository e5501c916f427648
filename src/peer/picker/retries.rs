//! Pieces that failed and are fetched again from one connection at a time, so that a second failure has one culprit.

use smallvec::SmallVec;

use crate::id::{ConnId, PieceIndex};

/// The pieces of exclusive retry, each with the connection that claims it. Almost always empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Retries(Vec<Retry>);

#[derive(Clone, Copy, Debug)]
struct Retry {
    piece: PieceIndex,
    claimant: Option<ConnId>,
}

impl Retries {
    /// Makes `piece` exclusive, unclaimed.
    pub(super) fn insert(&mut self, piece: PieceIndex) {
        self.remove(piece);
        self.0.push(Retry { piece, claimant: None });
    }

    pub(super) fn remove(&mut self, piece: PieceIndex) {
        self.0.retain(|retry| retry.piece != piece);
    }

    #[inline]
    pub(super) fn contains(&self, piece: PieceIndex) -> bool {
        self.0.iter().any(|retry| retry.piece == piece)
    }

    pub(super) fn claimant(&self, piece: PieceIndex) -> Option<ConnId> {
        self.0.iter().find(|retry| retry.piece == piece)?.claimant
    }

    /// Gives `piece` to `conn` if it is exclusive.
    #[inline]
    pub(super) fn claim(&mut self, piece: PieceIndex, conn: ConnId) {
        if let Some(retry) = self.0.iter_mut().find(|retry| retry.piece == piece) {
            retry.claimant = Some(conn);
        }
    }

    pub(super) fn end_claim(&mut self, piece: PieceIndex) {
        if let Some(retry) = self.0.iter_mut().find(|retry| retry.piece == piece) {
            retry.claimant = None;
        }
    }

    /// The pieces `conn` must leave alone: those another connection claims.
    #[inline]
    pub(super) fn kept_from(&self, conn: ConnId) -> SmallVec<[PieceIndex; 4]> {
        if self.0.is_empty() {
            return SmallVec::new();
        }
        let kept = self.0.iter().filter(|retry| retry.claimant.is_some_and(|claimant| claimant != conn));
        kept.map(|retry| retry.piece).collect()
    }

    pub(super) fn claimed_by(&self, conn: ConnId) -> SmallVec<[PieceIndex; 4]> {
        self.0.iter().filter(|retry| retry.claimant == Some(conn)).map(|retry| retry.piece).collect()
    }
}
