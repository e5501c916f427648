//! Blocks whose piece is not complete yet: in memory, capped, so that no remote can fill it. They stay where the socket's
//! bytes were read to; nothing is copied together.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::torrent::layout::Layout;

/// The pieces being received.
#[derive(Debug)]
pub struct Unverified {
    layout: Layout,
    pieces: BTreeMap<PieceIndex, Buffer>,
    bytes: usize,
    cap: usize,
}

#[derive(Debug)]
enum Buffer {
    /// By their place in the piece; empty ones are still to come.
    Receiving(Vec<Bytes>),
    /// There was no room for one of its blocks: what came of it is dropped.
    Refused,
}

impl Unverified {
    /// Room for 256 MiB, and for eight pieces however large they are.
    pub fn new(layout: Layout) -> Unverified {
        Unverified::with_cap(layout, (256 << 20).max(8 * layout.piece_size() as usize))
    }

    /// `cap` is in bytes of whole pieces.
    pub fn with_cap(layout: Layout, cap: usize) -> Unverified {
        Unverified { layout, pieces: BTreeMap::new(), bytes: 0, cap }
    }

    /// Keeps a block of our layout, with data of its length.
    pub fn put(&mut self, block: Block, data: Bytes) {
        debug_assert!(self.layout.covers(block) && data.len() == block.length as usize);
        let length = self.layout.piece_length(block.piece) as usize;
        let buffer = self.pieces.entry(block.piece).or_insert_with(|| {
            if self.bytes + length > self.cap {
                return Buffer::Refused;
            }
            self.bytes += length;
            Buffer::Receiving(vec![Bytes::new(); self.layout.blocks_in(block.piece) as usize])
        });
        if let Buffer::Receiving(blocks) = buffer
            && let Some(place) = blocks.get_mut((block.begin / self.layout.block_size()) as usize)
        {
            *place = data;
        }
    }

    /// Hands out the blocks of a piece, all of which have come, in their order. `None` when there was no room for it.
    pub fn take(&mut self, piece: PieceIndex) -> Option<Vec<Bytes>> {
        match self.pieces.remove(&piece)? {
            Buffer::Refused => None,
            Buffer::Receiving(blocks) => {
                self.bytes -= self.layout.piece_length(piece) as usize;
                Some(blocks)
            }
        }
    }

    /// Bytes held, counted in whole pieces.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(unverified: &mut Unverified, piece: u32, begin: u32, data: &'static str) {
        let block = Block { piece: PieceIndex(piece), begin, length: data.len() as u32 };
        unverified.put(block, Bytes::from_static(data.as_bytes()));
    }

    fn taken(unverified: &mut Unverified, piece: u32) -> Option<String> {
        let blocks = unverified.take(PieceIndex(piece))?;
        Some(blocks.iter().map(|block| str::from_utf8(block).unwrap()).collect())
    }

    #[test]
    fn blocks_in_any_order_make_the_piece() {
        let mut unverified = Unverified::new(Layout::new(10, 8, 4).unwrap());
        put(&mut unverified, 0, 4, "efgh");
        put(&mut unverified, 1, 0, "ij");
        put(&mut unverified, 0, 0, "abcd");
        assert_eq!(unverified.bytes(), 10);
        assert_eq!(taken(&mut unverified, 0).as_deref(), Some("abcdefgh"));
        assert_eq!(taken(&mut unverified, 1).as_deref(), Some("ij"));
        assert_eq!((unverified.bytes(), taken(&mut unverified, 0)), (0, None));
    }

    #[test]
    fn a_piece_beyond_the_cap_is_refused_whole_and_welcome_later() {
        let mut unverified = Unverified::with_cap(Layout::new(16, 8, 4).unwrap(), 8);
        put(&mut unverified, 0, 0, "abcd");
        put(&mut unverified, 1, 0, "ijkl");
        assert!(unverified.take(PieceIndex(0)).is_some());
        put(&mut unverified, 1, 4, "mnop");
        assert_eq!(unverified.take(PieceIndex(1)), None, "half of it is lost");
        put(&mut unverified, 1, 0, "ijkl");
        put(&mut unverified, 1, 4, "mnop");
        assert_eq!(taken(&mut unverified, 1).as_deref(), Some("ijklmnop"));
    }
}
