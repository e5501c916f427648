//! SHA-1 of pieces (BEP 3), in memory that does not grow with the content. Knows no files and no disk: it is pushed
//! bytes, or pulls them from any reader.

use std::io::{self, Read};

use sha1::{Digest, Sha1};
use smallvec::SmallVec;

/// SHA-1 of one piece, as the metainfo lists it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PieceHash(pub [u8; 20]);

impl PieceHash {
    /// The hash of a piece that lies in one slice or in several (its blocks, in order).
    pub fn of<S: AsRef<[u8]>>(slices: impl IntoIterator<Item = S>) -> PieceHash {
        let mut sha1 = Sha1::new();
        slices.into_iter().for_each(|slice| sha1.update(slice));
        PieceHash(sha1.finalize().into())
    }

    /// The hashes of several pieces, hashed at the same time on this core. Each is given in slices, which should be as long as
    /// those of the others (their blocks).
    pub fn of_several<'a, S: AsRef<[u8]> + 'a>(pieces: impl IntoIterator<Item = &'a [S]>) -> Vec<PieceHash> {
        let mut hashing: Vec<(Sha1, &[S])> = pieces.into_iter().map(|slices| (Sha1::new(), slices)).collect();
        let longest = hashing.iter().map(|(_, slices)| slices.len()).max().unwrap_or(0);
        for index in 0..longest {
            let mut abreast = SmallVec::<[_; ABREAST]>::new();
            for (sha1, slices) in &mut hashing {
                abreast.extend(slices.get(index).map(|slice| (sha1, slice.as_ref())));
            }
            update_abreast(&mut abreast);
        }
        hashing.into_iter().map(|(sha1, _)| PieceHash(sha1.finalize().into())).collect()
    }

    /// Whether the slices, one after the other, are the piece that this is the hash of.
    pub fn matches<S: AsRef<[u8]>>(&self, slices: impl IntoIterator<Item = S>) -> bool {
        PieceHash::of(slices) == *self
    }
}

/// As many pieces as it pays to hash at the same time on one core.
pub const ABREAST: usize = 3;

/// In bytes: what SHA-1 takes at a time.
const SHA1_BLOCK: usize = 64;

/// Hashes the next bytes of several pieces, a little of each in turn. Every round of SHA-1 waits for the one before, but not
/// for those of another piece: where the processor has instructions for SHA-1, it does three pieces in half the time that
/// they take one after the other.
pub fn update_abreast(pieces: &mut [(&mut Sha1, &[u8])]) {
    let longest = pieces.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
    for begin in (0..longest).step_by(SHA1_BLOCK) {
        for (sha1, bytes) in &mut *pieces {
            if let Some(rest) = bytes.get(begin..) {
                sha1.update(&rest[..rest.len().min(SHA1_BLOCK)]);
            }
        }
    }
}

impl std::fmt::Debug for PieceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Cuts a stream of bytes into pieces and hashes them as they come by.
#[derive(Clone, Debug)]
pub struct PieceHasher {
    piece_size: u32,
    in_piece: u32,
    sha1: Sha1,
    hashes: Vec<PieceHash>,
}

impl PieceHasher {
    /// `piece_size` in bytes, at least 1.
    pub fn new(piece_size: u32) -> PieceHasher {
        assert!(piece_size > 0, "a piece has at least one byte");
        PieceHasher { piece_size, in_piece: 0, sha1: Sha1::new(), hashes: Vec::new() }
    }

    /// The next bytes of the content, any number of them.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (self.piece_size - self.in_piece) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.sha1.update(now);
            self.in_piece += now.len() as u32;
            if self.in_piece == self.piece_size {
                self.close_piece();
            }
            bytes = later;
        }
    }

    /// The hashes of all pieces, the last of which may be shorter.
    pub fn finish(mut self) -> Vec<PieceHash> {
        if self.in_piece > 0 {
            self.close_piece();
        }
        self.hashes
    }

    fn close_piece(&mut self) {
        self.hashes.push(PieceHash(self.sha1.finalize_reset().into()));
        self.in_piece = 0;
    }
}

/// Reads to the end and hashes every piece.
pub fn hash_pieces(mut content: impl Read, piece_size: u32) -> io::Result<Vec<PieceHash>> {
    let mut hasher = PieceHasher::new(piece_size);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(length) => hasher.push(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_is_sha_1() {
        // FIPS 180-1, appendix A and B.
        let hex = |hash: PieceHash| format!("{hash:?}");
        assert_eq!(hex(PieceHash::of([b"abc"])), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(PieceHash::of([long])), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    }

    #[test]
    fn no_content_has_no_piece() {
        assert_eq!(hash_pieces(io::empty(), 16).unwrap(), []);
    }

    #[test]
    fn a_failing_reader_gives_its_error_and_an_interrupted_one_goes_on() {
        struct Scripted(Vec<io::Result<&'static [u8]>>);
        impl Read for Scripted {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let Some(step) = self.0.pop() else { return Ok(0) };
                step.map(|bytes| {
                    buffer[..bytes.len()].copy_from_slice(bytes);
                    bytes.len()
                })
            }
        }
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        let reader = Scripted(vec![Ok(b"c"), interrupted(), Ok(b"ab")]);
        assert_eq!(hash_pieces(reader, 100).unwrap(), [PieceHash::of([b"abc"])]);
        let reader = Scripted(vec![Err(io::ErrorKind::PermissionDenied.into()), Ok(b"ab")]);
        assert_eq!(hash_pieces(reader, 100).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    proptest! {
        #[test]
        fn pieces_hashed_abreast_have_the_hashes_that_each_has_alone(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6), cut in 0..300usize,
        ) {
            let mut hashers = vec![Sha1::new(); pieces.len()];
            for second in [false, true] {
                let parts = pieces.iter().map(|piece| {
                    let (first, rest) = piece.split_at(cut.min(piece.len()));
                    if second { rest } else { first }
                });
                update_abreast(&mut hashers.iter_mut().zip(parts).collect::<Vec<_>>());
            }
            for (hasher, piece) in hashers.into_iter().zip(&pieces) {
                prop_assert_eq!(PieceHash(hasher.finalize().into()), PieceHash::of([piece]));
            }
        }

        #[test]
        fn however_the_bytes_come_the_hashes_are_those_of_the_pieces(
            content in prop::collection::vec(any::<u8>(), 0..300), piece_size in 1..70u32, step in 1..90usize,
        ) {
            let expected: Vec<PieceHash> =
                content.chunks(piece_size as usize).map(|piece| PieceHash::of([piece])).collect();
            let mut hasher = PieceHasher::new(piece_size);
            content.chunks(step).for_each(|bytes| hasher.push(bytes));
            prop_assert_eq!(&hasher.finish(), &expected);
            prop_assert_eq!(&hash_pieces(&content[..], piece_size).unwrap(), &expected);
            let pieces: Vec<Vec<&[u8]>> =
                content.chunks(piece_size as usize).map(|piece| piece.chunks(step).collect()).collect();
            prop_assert_eq!(&PieceHash::of_several(pieces.iter().map(|piece| &piece[..])), &expected);
            for (piece, hash) in content.chunks(piece_size as usize).zip(&expected) {
                prop_assert!(hash.matches(piece.chunks(step)));
                prop_assert!(!hash.matches([piece, b"x"]));
            }
        }
    }
}
