//! What a store has already, when it is opened: every piece read and hashed, on all cores.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::OnceLock;

use crate::id::{Block, PieceIndex};
use crate::net::store::{Place, Store};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::every_piece::{all_cores, every_piece};
use crate::torrent::hash::PieceHash;

impl Store {
    /// Which pieces are here with the right hash; unreadable ones count as missing.
    pub fn scan(&self) -> Bitfield {
        let zeros = Zeros::new(self.layout.piece_size());
        let look = |(): &mut (), pieces: Range<u32>| {
            Ok::<Vec<bool>, Infallible>(pieces.map(|piece| self.has(PieceIndex(piece), &zeros)).collect())
        };
        let Ok(has) = every_piece(all_cores(), &self.layout, 1, || (), look, &mut |_, _| {});
        let mut have = Bitfield::empty(self.layout.pieces());
        for (piece, _) in (0..).map(PieceIndex).zip(has).filter(|(_, has)| *has) {
            have.insert(piece);
        }
        have
    }

    /// Whether something was written here, and none of it is right: it is not an interrupted download of this content,
    /// of which `have` are here. Zeros count as nothing: not every file system tells them from what was never written.
    pub fn holds_something_else(&self, have: &Bitfield) -> bool {
        let something = |piece: &PieceIndex| !self.is_blank(*piece);
        let mut lacking = (0..self.layout.pieces()).map(PieceIndex).filter(|piece| !have.contains(*piece));
        !have.iter().any(|piece| something(&piece)) && lacking.any(|piece| something(&piece))
    }

    /// Whether the piece is zeros, or cannot be read.
    fn is_blank(&self, piece: PieceIndex) -> bool {
        let whole = Block { piece, begin: 0, length: self.layout.piece_length(piece) };
        self.is_hole(piece) || !self.read(whole).is_ok_and(|data| data.iter().any(|byte| *byte != 0))
    }

    fn is_hole(&self, piece: PieceIndex) -> bool {
        match &self.place {
            Place::File(file) => file.is_hole(piece),
            Place::Folder(folder) => folder.is_hole(piece),
            Place::Blocks(_) | Place::Memory(_) => false,
        }
    }

    fn has(&self, piece: PieceIndex, zeros: &Zeros) -> bool {
        // A new file of the content's length is one hole.
        if self.is_hole(piece) {
            self.hashes.get(piece.0 as usize) == Some(zeros.hash(self.layout.piece_length(piece)))
        } else {
            self.read_verified(piece).is_ok()
        }
    }
}

/// The hash of a piece of zeros, for the pieces that were never written: all have one length but perhaps the last.
struct Zeros {
    piece_size: u32,
    whole: OnceLock<PieceHash>,
    last: OnceLock<PieceHash>,
}

impl Zeros {
    fn new(piece_size: u32) -> Zeros {
        Zeros { piece_size, whole: OnceLock::new(), last: OnceLock::new() }
    }

    fn hash(&self, length: u32) -> &PieceHash {
        let hash = if length == self.piece_size { &self.whole } else { &self.last };
        hash.get_or_init(|| {
            let zeros = [0; 4 << 10];
            let length = length as usize;
            let rest = [&zeros[..length % zeros.len()]];
            PieceHash::of(std::iter::repeat_n(&zeros[..], length / zeros.len()).chain(rest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torrent::layout::Layout;
    use bytes::Bytes;

    /// Ten pieces of 16 KiB and one of 1,000 bytes, in two of which there is not only nothing.
    fn sample() -> (Layout, Bytes) {
        let mut content = vec![0; 10 * (16 << 10) + 1_000];
        content[3 * (16 << 10)] = 1;
        content[5 * (16 << 10) - 1] = 1;
        (Layout::new(content.len() as u64, 16 << 10, 16 << 10).unwrap(), content.into())
    }

    #[test]
    fn pieces_of_zeros_are_there_without_being_written_and_others_are_not() {
        let (layout, content) = sample();
        let piece = |index: usize| content.slice(index << 14..content.len().min((index + 1) << 14));
        let hashes = (0..11).map(|index| PieceHash::of([piece(index)])).collect();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_file(layout, hashes, &folder.path().join("file")).unwrap();
        let missing = |store: &Store| {
            let have = store.scan();
            (0..11).filter(|index| !have.contains(PieceIndex(*index))).collect::<Vec<u32>>()
        };
        assert_eq!(missing(&store), [3, 4]);
        store.write(PieceIndex(3), piece(3)).unwrap();
        // Written, and wrong.
        store.write(PieceIndex(10), Bytes::from(vec![7; 1_000])).unwrap();
        assert_eq!(missing(&store), [4, 10]);
    }
}
