//! What becomes of what was requested: a request is given up, a block arrives, a piece is right, wrong or lost.

use super::blocks::Block;
use super::progress::{Change, Standing};
use super::{Picker, Received};
use crate::id::{BlockId, ConnId, PieceIndex};

impl Picker {
    /// A request was given up (choke, close, reject): the block is free again when no requester is left. A piece of exclusive
    /// retry whose claimant has no request left starts from nothing: its received blocks are free again too. When that
    /// has happened too often, the piece keeps them and is exclusive no longer.
    pub fn release(&mut self, block: BlockId, conn: ConnId) {
        let before = self.standing(block.piece);
        if self.progress.release(block, conn) {
            let after = self.progress.standing(block.piece).unwrap_or(Standing::Unopened);
            self.restand(block.piece, Change { before, after });
            if self.retries.claimant(block.piece) == Some(conn) && self.progress.requested(block.piece) == 0 {
                self.give_up(block.piece);
            }
        }
    }

    /// Ends `conn`'s claims on pieces of exclusive retry, as a rule dropping what it has delivered of them. To be called after its
    /// requests were released because it choked us or is gone: it may hold a claim without any request outstanding.
    pub fn end_claims(&mut self, conn: ConnId) {
        for piece in self.retries.claimed_by(conn) {
            if !self.progress.is_complete(piece) {
                self.give_up(piece);
            }
        }
    }

    /// The claimant of an exclusive piece cannot finish it.
    fn give_up(&mut self, piece: PieceIndex) {
        if self.retries.starts_over(piece) {
            self.start_over(piece);
        }
    }

    fn start_over(&mut self, piece: PieceIndex) {
        let before = self.standing(piece);
        self.progress.stop(piece);
        self.restand(piece, Change { before, after: Standing::Unopened });
        self.retries.end_claim(piece);
    }

    /// A block arrived. It need not have been requested from `conn`; such a block counts while it is missing.
    pub fn received(&mut self, block: BlockId, conn: ConnId) -> Received {
        let piece = block.piece;
        if self.retries.contains(piece) && self.retries.claimant(piece) != Some(conn) {
            return Received::Duplicate;
        }
        let free = &self.free;
        let Some(receipt) = self.progress.receive(block, || free.contains(piece)) else {
            return Received::Duplicate;
        };
        if let Some(change) = receipt.change {
            self.restand(piece, change);
        }
        let other = match receipt.was {
            Block::Requested(first) | Block::Doubled(first, _) if first != conn => Some(first),
            Block::Doubled(_, second) => Some(second),
            Block::Free | Block::Requested(_) | Block::Received => None,
        };
        Received::Useful { piece_complete: receipt.complete, other }
    }

    /// A piece's bytes are right and written: ours, and no longer wanted.
    pub fn verified(&mut self, piece: PieceIndex) {
        if self.is_wanted(piece) {
            let before = self.standing(piece);
            self.progress.stop(piece);
            self.restand(piece, Change { before, after: Standing::Closed });
            self.retries.remove(piece);
            self.verified += 1;
        }
    }

    /// A piece's bytes are wrong or could not be written: all its blocks are free again. An `exclusive` one is from now on
    /// requested from one connection at a time, the first to pick it, until it is verified.
    pub fn failed(&mut self, piece: PieceIndex, exclusive: bool) {
        if self.is_wanted(piece) {
            self.start_over(piece);
            if exclusive {
                self.retries.insert(piece);
            }
        }
    }

    /// A verified piece could not be read back: wanted again.
    pub fn lost(&mut self, piece: PieceIndex) {
        if !self.is_wanted(piece) {
            let (before, after) = (Standing::Closed, Standing::Unopened);
            self.restand(piece, Change { before, after });
            self.verified -= 1;
        }
    }

    /// Every piece is verified: there may never be anything to pick again.
    pub(crate) fn rest(&mut self) {
        self.progress.rest();
    }

    fn is_wanted(&self, piece: PieceIndex) -> bool {
        self.free.contains(piece) || self.progress.standing(piece).is_some()
    }
}
