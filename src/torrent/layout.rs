//! Where pieces and blocks begin and end: the arithmetic of the last piece and the last block, in one place.

use crate::id::{Block, BlockId, PieceIndex};

/// Content of `total` bytes cut into pieces of `piece_size` bytes, and these into blocks of `block_size` bytes.
/// The last piece and the last block of any piece may be shorter. All sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    total: u64,
    piece_size: u32,
    block_size: u32,
}

/// Why a layout cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("the block size must be at least 1 byte")]
    ZeroBlock,
    #[error("the piece size must be a multiple of the block size ({block_size} bytes), not {piece_size}")]
    NotAMultiple { piece_size: u32, block_size: u32 },
    #[error(
        "{total} bytes in pieces of {piece_size} bytes are more than {} pieces; choose larger pieces",
        Layout::MAX_PIECES
    )]
    TooManyPieces { total: u64, piece_size: u32 },
}

impl Layout {
    /// What other clients accept at the most (libtorrent's default).
    pub const MAX_PIECES: u32 = 2_097_152;
    /// BEP 3: the block size every client accepts.
    pub const STANDARD_BLOCK: u32 = 16 * 1024;

    /// A layout of whole blocks per piece, as split and scenarios make it.
    pub fn new(total: u64, piece_size: u32, block_size: u32) -> Result<Layout, LayoutError> {
        if block_size == 0 {
            return Err(LayoutError::ZeroBlock);
        }
        if piece_size == 0 || !piece_size.is_multiple_of(block_size) {
            return Err(LayoutError::NotAMultiple { piece_size, block_size });
        }
        Layout::any_piece_size(total, piece_size, block_size)
    }

    /// A layout for a torrent somebody else made: the piece size need not be a multiple of the block size.
    pub fn any_piece_size(total: u64, piece_size: u32, block_size: u32) -> Result<Layout, LayoutError> {
        if block_size == 0 || piece_size == 0 {
            return Err(LayoutError::ZeroBlock);
        }
        if total.div_ceil(u64::from(piece_size)) > u64::from(Self::MAX_PIECES) {
            return Err(LayoutError::TooManyPieces { total, piece_size });
        }
        Ok(Layout { total, piece_size, block_size })
    }

    /// Bytes of the whole content.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes of every piece but perhaps the last.
    pub fn piece_size(&self) -> u32 {
        self.piece_size
    }

    /// Bytes of every block but perhaps the last of a piece.
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    pub fn pieces(&self) -> u32 {
        self.total.div_ceil(u64::from(self.piece_size)) as u32
    }

    pub fn contains(&self, piece: PieceIndex) -> bool {
        piece.0 < self.pieces()
    }

    /// Byte offset of a piece in the content.
    pub fn piece_offset(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_size)
    }

    /// Bytes of `piece`; 0 for a piece outside the content.
    pub fn piece_length(&self, piece: PieceIndex) -> u32 {
        let left = self.total.saturating_sub(self.piece_offset(piece));
        left.min(u64::from(self.piece_size)) as u32
    }

    pub fn blocks_in(&self, piece: PieceIndex) -> u32 {
        self.piece_length(piece).div_ceil(self.block_size)
    }

    /// Blocks of every piece but perhaps the last.
    pub fn blocks_per_piece(&self) -> u32 {
        self.piece_size.div_ceil(self.block_size)
    }

    /// Blocks of the whole content.
    pub fn blocks(&self) -> u64 {
        match self.pieces() {
            0 => 0,
            pieces => {
                u64::from(pieces - 1) * u64::from(self.blocks_per_piece())
                    + u64::from(self.blocks_in(PieceIndex(pieces - 1)))
            }
        }
    }

    /// Position of a block among all blocks of the content: the K of `block_K.bin`.
    pub fn block_number(&self, block: BlockId) -> u64 {
        u64::from(block.piece.0) * u64::from(self.blocks_per_piece()) + u64::from(block.index)
    }

    /// The byte range of a block. The block must exist.
    pub fn block(&self, id: BlockId) -> Block {
        let begin = id.index * self.block_size;
        let length = self.piece_length(id.piece).saturating_sub(begin).min(self.block_size);
        debug_assert!(length > 0, "block {id:?} lies outside the content");
        Block { piece: id.piece, begin, length }
    }

    /// The block with exactly this byte range, if it is one of ours.
    pub fn block_id(&self, block: Block) -> Option<BlockId> {
        let id = BlockId { piece: block.piece, index: block.begin / self.block_size };
        let ours = self.contains(block.piece)
            && block.begin.is_multiple_of(self.block_size)
            && id.index < self.blocks_in(block.piece);
        (ours && self.block(id) == block).then_some(id)
    }

    /// Whether a remote may ask for these bytes: inside the piece and not empty.
    pub fn covers(&self, block: Block) -> bool {
        block.length > 0
            && u64::from(block.begin) + u64::from(block.length) <= u64::from(self.piece_length(block.piece))
    }

    /// The largest block that may cross the wire: the standard block, or ours where it is larger.
    pub fn largest_request(&self) -> u32 {
        self.block_size.max(Self::STANDARD_BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_and_the_last_block_are_shorter() {
        let layout = Layout::new(100, 32, 8).unwrap();
        assert_eq!((layout.pieces(), layout.blocks()), (4, 13));
        assert_eq!(layout.piece_length(PieceIndex(3)), 4);
        assert_eq!(layout.block(BlockId { piece: PieceIndex(3), index: 0 }).length, 4);
        assert_eq!(layout.piece_length(PieceIndex(4)), 0);
    }

    #[test]
    fn every_block_is_found_by_its_bytes_and_they_cover_the_content_once() {
        for (total, piece_size, block_size) in [(1, 1, 1), (1000, 96, 32), (77, 128, 16), (4096, 1024, 1024)]
        {
            let layout = Layout::new(total, piece_size, block_size).unwrap();
            let mut covered = 0;
            for piece in (0..layout.pieces()).map(PieceIndex) {
                for index in 0..layout.blocks_in(piece) {
                    let id = BlockId { piece, index };
                    let block = layout.block(id);
                    assert_eq!(layout.block_id(block), Some(id));
                    assert!(layout.covers(block));
                    assert_eq!(layout.block_number(id), covered / u64::from(block_size).min(total.max(1)));
                    covered += u64::from(block.length);
                }
            }
            assert_eq!(covered, total);
        }
    }

    #[test]
    fn empty_content_has_no_piece() {
        let layout = Layout::new(0, 16, 16).unwrap();
        assert_eq!((layout.pieces(), layout.blocks()), (0, 0));
        assert!(!layout.covers(Block { piece: PieceIndex(0), begin: 0, length: 1 }));
    }

    #[test]
    fn requests_at_every_edge_are_judged_without_overflow() {
        let layout = Layout::new(100, 32, 8).unwrap();
        for edge in [0, 1, 31, 32, u32::MAX - 1, u32::MAX, 1 << 31] {
            for length in [0, 1, 8, 1 << 31, u32::MAX] {
                let block = Block { piece: PieceIndex(edge), begin: edge, length };
                let end = u64::from(edge) + u64::from(length);
                let inside = length > 0 && end <= u64::from(layout.piece_length(PieceIndex(edge)));
                assert_eq!(layout.covers(block), inside, "{block:?}");
                assert!(layout.block_id(block).is_none_or(|id| layout.block(id) == block));
            }
        }
    }
}
