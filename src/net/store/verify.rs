//! The judgement on received pieces: hashed, and stored where they are right.

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::id::PieceIndex;
use crate::net::store::{Store, StoreError};
use crate::peer::Verdict;
use crate::torrent::hash::PieceHash;

/// A piece all of whose blocks are received.
#[derive(Debug)]
pub struct Unhashed {
    pub piece: PieceIndex,
    /// As the layout has them, in order.
    pub blocks: Vec<Bytes>,
    /// Whether to say what every block hashed to, even if the piece is right.
    pub digests: bool,
}

impl Store {
    /// Hashes pieces, all of them at the same time on this core, and stores those that are right.
    ///
    /// # Errors
    ///
    /// The reason beside [`Verdict::StoreFailed`] when a piece was right but could not be written.
    pub fn verify(
        &self,
        pieces: Vec<Unhashed>,
    ) -> impl Iterator<Item = (PieceIndex, Verdict, Option<StoreError>)> {
        let hashes = PieceHash::of_several(pieces.iter().map(|piece| &piece.blocks[..]));
        pieces.into_iter().zip(hashes).map(|(unhashed, hash)| {
            let piece = unhashed.piece;
            let (verdict, error) = self.judge(unhashed, hash);
            (piece, verdict, error)
        })
    }

    fn judge(&self, unhashed: Unhashed, hash: PieceHash) -> (Verdict, Option<StoreError>) {
        let Unhashed { piece, blocks, digests } = unhashed;
        let by_block = |blocks: &[Bytes]| blocks.iter().map(|block| digest(block)).collect();
        if self.hashes.get(piece.0 as usize) != Some(&hash) {
            return (Verdict::Bad { digests: by_block(&blocks) }, None);
        }
        let digests = if digests { by_block(&blocks) } else { Vec::new() };
        match self.keep(piece, blocks) {
            Ok(()) => (Verdict::Good { digests }, None),
            Err(error) => (Verdict::StoreFailed, Some(error)),
        }
    }
}

/// Eight bytes of a block's SHA-1: enough to tell whose block was wrong.
fn digest(block: &[u8]) -> u64 {
    let hash: [u8; 20] = Sha1::digest(block).into();
    u64::from_be_bytes(*hash.first_chunk().expect("SHA-1 has 20 bytes"))
}
