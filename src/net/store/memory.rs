//! Pieces in memory. Reads share the stored bytes.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::net::store::StoreError;

#[derive(Debug)]
pub(super) struct Memory(RwLock<Box<[Option<Bytes>]>>);

impl Memory {
    pub(super) fn new(pieces: u32) -> Memory {
        Memory(RwLock::new(vec![None; pieces as usize].into()))
    }

    pub(super) fn write(&self, piece: PieceIndex, data: Bytes) {
        // A slot is replaced whole: a panic elsewhere cannot have left one half written.
        let mut pieces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = pieces.get_mut(piece.0 as usize) {
            *slot = Some(data);
        }
    }

    /// The block must lie inside its piece.
    pub(super) fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        let pieces = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let piece = pieces.get(block.piece.0 as usize).and_then(Option::as_ref);
        let data = piece.ok_or(StoreError::Missing(block.piece))?;
        let begin = block.begin as usize;
        Ok(data.slice(begin..begin + block.length as usize))
    }
}
