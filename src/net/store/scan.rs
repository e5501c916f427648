//! What a store has already, when it is opened: every piece read and hashed, on all cores.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::id::PieceIndex;
use crate::net::store::{Place, Store};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::hash::PieceHash;

/// For fewer pieces than this another thread does not pay.
const PIECES_A_THREAD: u32 = 16;

impl Store {
    /// Which pieces are here with the right hash; unreadable ones count as missing.
    pub fn scan(&self) -> Bitfield {
        let zeros = Zeros::new(self.layout.piece_size());
        let cores = thread::available_parallelism().map_or(1, NonZero::get) as u32;
        let threads = cores.min(self.layout.pieces() / PIECES_A_THREAD).max(1);
        let next = AtomicU32::new(0);
        let search = || {
            let pieces = std::iter::repeat_with(|| PieceIndex(next.fetch_add(1, Ordering::Relaxed)));
            let pieces = pieces.take_while(|piece| self.layout.contains(*piece));
            pieces.filter(|piece| self.has(*piece, &zeros)).collect::<Vec<_>>()
        };
        let mut have = Bitfield::empty(self.layout.pieces());
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(search)).collect();
            let mut found = search();
            for other in others {
                found.extend(other.join().expect("a search does not panic"));
            }
            found.into_iter().for_each(|piece| {
                have.insert(piece);
            });
        });
        have
    }

    fn has(&self, piece: PieceIndex, zeros: &Zeros) -> bool {
        // A new file of the content's length is one hole.
        let is_hole = match &self.place {
            Place::File(file) => file.is_hole(piece),
            Place::Folder(folder) => folder.is_hole(piece),
            Place::Blocks(_) | Place::Memory(_) => false,
        };
        if is_hole {
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
