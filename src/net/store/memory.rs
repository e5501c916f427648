//! Pieces in memory, as the blocks they came in. Reads of a block share the stored bytes.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::net::store::StoreError;
use crate::torrent::layout::Layout;

#[derive(Debug)]
pub(super) struct Memory {
    block_size: usize,
    /// A piece's blocks, in order; none where it is missing.
    pieces: RwLock<Box<[Box<[Bytes]>]>>,
}

impl Memory {
    pub(super) fn new(layout: Layout) -> Memory {
        let none = vec![Box::default(); layout.pieces() as usize];
        Memory { block_size: layout.block_size() as usize, pieces: RwLock::new(none.into()) }
    }

    pub(super) fn write(&self, piece: PieceIndex, blocks: Vec<Bytes>) {
        // A slot is replaced whole: a panic elsewhere cannot have left one half written.
        let mut pieces = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = pieces.get_mut(piece.0 as usize) {
            *slot = blocks.into();
        }
    }

    /// The block must lie inside its piece; it may be any range of bytes, as other clients ask for them.
    pub(super) fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
        let missing = StoreError::Missing(block.piece);
        let blocks = pieces.get(block.piece.0 as usize).filter(|blocks| !blocks.is_empty()).ok_or(missing)?;
        let (begin, length) = (block.begin as usize, block.length as usize);
        let (first, within) = (begin / self.block_size, begin % self.block_size);
        if within + length <= blocks[first].len() {
            return Ok(blocks[first].slice(within..within + length));
        }
        let bytes = blocks[first..].iter().flat_map(|block| block.iter().copied());
        Ok(bytes.skip(within).take(length).collect())
    }
}
