//! Pieces that failed and are fetched again from one connection at a time, so that a second failure has one culprit.

use smallvec::SmallVec;

use crate::id::{ConnId, PieceIndex};

/// So often a piece starts over because its connection choked us or went away. After that it is fetched like any other:
/// where slots last less than a piece takes, nobody would ever deliver a whole one.
const MOST_STARTS_OVER: u32 = 2;

/// The pieces of exclusive retry, each with the connection that claims it. Almost always empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Retries(Vec<Retry>);

#[derive(Clone, Copy, Debug)]
struct Retry {
    piece: PieceIndex,
    claimant: Option<ConnId>,
    started_over: u32,
}

impl Retries {
    /// Makes `piece` exclusive, unclaimed.
    pub(super) fn insert(&mut self, piece: PieceIndex) {
        self.remove(piece);
        self.0.push(Retry { piece, claimant: None, started_over: 0 });
    }

    pub(super) fn remove(&mut self, piece: PieceIndex) {
        self.0.retain(|retry| retry.piece != piece);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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

    /// The claimant cannot go on. Whether the piece starts over, for another one to claim; otherwise it is exclusive no
    /// longer.
    pub(super) fn starts_over(&mut self, piece: PieceIndex) -> bool {
        let Some(retry) = self.0.iter_mut().find(|retry| retry.piece == piece) else { return false };
        retry.started_over += 1;
        if retry.started_over <= MOST_STARTS_OVER {
            return true;
        }
        self.remove(piece);
        false
    }

    /// The pieces `conn` must leave alone: those another connection claims.
    #[inline(never)]
    pub(super) fn kept_from(&self, conn: ConnId) -> SmallVec<[PieceIndex; 4]> {
        if self.0.is_empty() {
            return SmallVec::new();
        }
        let kept = self.0.iter().filter(|retry| retry.claimant.is_some_and(|claimant| claimant != conn));
        kept.map(|retry| retry.piece).collect()
    }

    /// The pieces that `conn` may claim or has claimed.
    pub(super) fn open_to(&self, conn: ConnId) -> SmallVec<[PieceIndex; 4]> {
        let open = self.0.iter().filter(|retry| retry.claimant.is_none_or(|claimant| claimant == conn));
        open.map(|retry| retry.piece).collect()
    }

    pub(super) fn claimed_by(&self, conn: ConnId) -> SmallVec<[PieceIndex; 4]> {
        self.0.iter().filter(|retry| retry.claimant == Some(conn)).map(|retry| retry.piece).collect()
    }
}
