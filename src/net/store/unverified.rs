//! Blocks whose piece is not complete yet: in memory, capped, so that no remote can fill it.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

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
    Receiving(BytesMut),
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
    pub fn put(&mut self, block: Block, data: &[u8]) {
        let length = self.layout.piece_length(block.piece) as usize;
        let (begin, end) = (block.begin as usize, block.begin as usize + data.len());
        debug_assert!(self.layout.covers(block) && data.len() == block.length as usize);
        let buffer = self.pieces.entry(block.piece).or_insert_with(|| {
            if self.bytes + length > self.cap {
                return Buffer::Refused;
            }
            self.bytes += length;
            Buffer::Receiving(BytesMut::zeroed(length))
        });
        if let Buffer::Receiving(bytes) = buffer
            && let Some(place) = bytes.get_mut(begin..end)
        {
            place.copy_from_slice(data);
        }
    }

    /// Hands out a piece all of whose blocks have come. `None` when there was no room for it.
    pub fn take(&mut self, piece: PieceIndex) -> Option<Bytes> {
        match self.pieces.remove(&piece)? {
            Buffer::Refused => None,
            Buffer::Receiving(bytes) => {
                self.bytes -= bytes.len();
                Some(bytes.freeze())
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

    fn block(piece: u32, begin: u32, length: u32) -> Block {
        Block { piece: PieceIndex(piece), begin, length }
    }

    #[test]
    fn blocks_in_any_order_make_the_piece() {
        let mut unverified = Unverified::new(Layout::new(10, 8, 4).unwrap());
        unverified.put(block(0, 4, 4), b"efgh");
        unverified.put(block(1, 0, 2), b"ij");
        unverified.put(block(0, 0, 4), b"abcd");
        assert_eq!(unverified.bytes(), 10);
        assert_eq!(unverified.take(PieceIndex(0)).as_deref(), Some(&b"abcdefgh"[..]));
        assert_eq!(unverified.take(PieceIndex(1)).as_deref(), Some(&b"ij"[..]));
        assert_eq!((unverified.bytes(), unverified.take(PieceIndex(0))), (0, None));
    }

    #[test]
    fn a_piece_beyond_the_cap_is_refused_whole_and_welcome_later() {
        let mut unverified = Unverified::with_cap(Layout::new(16, 8, 4).unwrap(), 8);
        unverified.put(block(0, 0, 4), b"abcd");
        unverified.put(block(1, 0, 4), b"ijkl");
        assert!(unverified.take(PieceIndex(0)).is_some());
        unverified.put(block(1, 4, 4), b"mnop");
        assert_eq!(unverified.take(PieceIndex(1)), None, "half of it is lost");
        unverified.put(block(1, 0, 4), b"ijkl");
        unverified.put(block(1, 4, 4), b"mnop");
        assert_eq!(unverified.take(PieceIndex(1)).as_deref(), Some(&b"ijklmnop"[..]));
    }
}
