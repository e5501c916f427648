//! Content that lies in files: read once on all cores, hashed, and shown to whoever wants more of it than its hashes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::id::{Block, BlockId, PieceIndex};
use crate::torrent::every_piece::every_piece;
use crate::torrent::extents::Extents;
use crate::torrent::hash::{ABREAST, PieceHash, update_abreast};
use crate::torrent::layout::Layout;

/// In bytes. So much of a piece is read at a time and then hashed, while it is in a cache of the core's own.
pub const READ: u32 = 64 << 10;

/// Files that follow each other as one content, each with the bytes it had when it was found.
#[derive(Debug)]
pub struct Files<'a> {
    paths: Vec<&'a Path>,
    extents: Extents,
}

/// Which file could not be read, and why.
#[derive(Debug)]
pub enum ReadError {
    Io {
        path: PathBuf,
        source: io::Error,
    },
    /// It is shorter than it was.
    Changed(PathBuf),
}

impl<'a> Files<'a> {
    /// Paths and lengths in bytes. `None` where the lengths are more in all than can be counted.
    pub fn new(files: impl IntoIterator<Item = (&'a Path, u64)>) -> Option<Files<'a>> {
        let (paths, lengths): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        Some(Files { paths, extents: Extents::new(lengths)? })
    }

    /// The hash of every piece. `see` is shown every block on the way, by any thread, a piece's blocks in order. A thread
    /// needs memory for [`ABREAST`] blocks.
    ///
    /// # Errors
    ///
    /// The first file's that cannot be read, or the first that `see` gives: in the order of reading, which is the same for any
    /// number of threads, and that of the pieces but for those hashed abreast.
    pub fn hash<E: From<ReadError> + Send>(
        &self,
        threads: NonZero<u32>,
        layout: &Layout,
        see: impl Fn(BlockId, &[u8]) -> Result<(), E> + Sync,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<PieceHash>, E> {
        let scratch = || (Reader { files: self, open: None }, Lanes::new(layout));
        let work = |(reader, lanes): &mut (Reader<'_>, Lanes<'_>), mut pieces: Range<u32>| {
            let mut hashes = Vec::with_capacity(pieces.len());
            while !pieces.is_empty() {
                let now: Vec<PieceIndex> = pieces.by_ref().take(ABREAST).map(PieceIndex).collect();
                lanes.hash(reader, &now, &see, &mut hashes)?;
            }
            Ok(hashes)
        };
        every_piece(threads, layout, ABREAST as u32, scratch, work, progress)
    }
}

/// Where one thread keeps what it reads of the pieces that it hashes abreast.
struct Lanes<'a> {
    layout: &'a Layout,
    /// One block of each piece.
    blocks: [Vec<u8>; ABREAST],
}

impl<'a> Lanes<'a> {
    fn new(layout: &'a Layout) -> Lanes<'a> {
        let longest = u64::from(layout.block_size()).min(layout.total());
        Lanes { layout, blocks: [(); ABREAST].map(|()| vec![0; longest as usize]) }
    }

    /// Pieces that follow each other, at most as many as there are lanes.
    fn hash<E: From<ReadError>>(
        &mut self,
        reader: &mut Reader<'_>,
        pieces: &[PieceIndex],
        see: &impl Fn(BlockId, &[u8]) -> Result<(), E>,
        hashes: &mut Vec<PieceHash>,
    ) -> Result<(), E> {
        let mut hashers = vec![Sha1::new(); pieces.len()];
        // Only the content's last piece is shorter: those that have another block are the first ones.
        for index in 0..pieces.first().map_or(0, |piece| self.layout.blocks_in(*piece)) {
            let ids = pieces.iter().map(|piece| BlockId { piece: *piece, index });
            let ids: Vec<BlockId> = ids.filter(|id| index < self.layout.blocks_in(id.piece)).collect();
            self.read(reader, &ids, &mut hashers)?;
            for (id, block) in ids.iter().zip(&self.blocks) {
                see(*id, &block[..self.layout.block(*id).length as usize])?;
            }
        }
        hashes.extend(hashers.into_iter().map(|sha1| PieceHash(sha1.finalize().into())));
        Ok(())
    }

    /// A block of each piece, a part of each at a time.
    fn read(
        &mut self,
        reader: &mut Reader<'_>,
        ids: &[BlockId],
        hashers: &mut [Sha1],
    ) -> Result<(), ReadError> {
        for begin in (0..self.layout.block_size()).step_by(READ as usize) {
            let mut parts = Vec::with_capacity(ABREAST);
            for ((id, block), hasher) in ids.iter().zip(&mut self.blocks).zip(&mut *hashers) {
                let Block { length, begin: in_piece, .. } = self.layout.block(*id);
                let part = &mut block[length.min(begin) as usize..length.min(begin + READ) as usize];
                reader.read(self.layout.piece_offset(id.piece) + u64::from(in_piece + begin), part)?;
                parts.push((hasher, &*part));
            }
            update_abreast(&mut parts);
        }
        Ok(())
    }
}

/// One thread's cursor.
struct Reader<'a> {
    files: &'a Files<'a>,
    /// The file that was read last, and its place among the files.
    open: Option<(usize, File)>,
}

impl Reader<'_> {
    /// Fills the buffer with the content from `offset` on.
    fn read(&mut self, offset: u64, mut buffer: &mut [u8]) -> Result<(), ReadError> {
        for extent in self.files.extents.of(offset, buffer.len() as u64) {
            let (part, rest) = buffer.split_at_mut(extent.length as usize);
            self.read_from(extent.file, extent.offset, part).map_err(|source| {
                let path = self.files.paths[extent.file].to_owned();
                match source.kind() {
                    io::ErrorKind::UnexpectedEof => ReadError::Changed(path),
                    _ => ReadError::Io { path, source },
                }
            })?;
            buffer = rest;
        }
        Ok(())
    }

    fn read_from(&mut self, at: usize, offset: u64, part: &mut [u8]) -> io::Result<()> {
        let mut file = match self.open.take() {
            Some((open, file)) if open == at => file,
            _ => File::open(self.files.paths[at])?,
        };
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(part)?;
        self.open = Some((at, file));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::sync::Mutex;

    fn threads(number: u32) -> NonZero<u32> {
        NonZero::new(number).unwrap()
    }

    #[derive(Debug)]
    enum Failed {
        Read(ReadError),
        Seen(BlockId),
    }

    impl From<ReadError> for Failed {
        fn from(error: ReadError) -> Failed {
            Failed::Read(error)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn hashes_and_blocks_are_those_of_the_joined_files_whatever_the_number_of_threads(
            lengths in prop::collection::vec(prop_oneof![Just(0), 0u64..10, 0u64..400_000], 0..6),
            block_size in 1_000u32..200_000, blocks in 1u32..4,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let total: u64 = lengths.iter().sum();
            let content: Vec<u8> = (0..total as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let mut rest = &content[..];
            let mut paths = Vec::new();
            for (at, length) in lengths.iter().enumerate() {
                let (now, later) = rest.split_at(*length as usize);
                paths.push(folder.path().join(at.to_string()));
                fs::write(&paths[at], now).unwrap();
                rest = later;
            }
            let files = Files::new(paths.iter().map(PathBuf::as_path).zip(lengths)).unwrap();
            let layout = Layout::new(total, blocks * block_size, block_size).unwrap();
            let pieces = content.chunks(layout.piece_size() as usize);
            let expected: Vec<PieceHash> = pieces.map(|piece| PieceHash::of([piece])).collect();
            for number in [1, 2, 3] {
                let seen = Mutex::new(vec![0; content.len()]);
                let see = |id, block: &[u8]| {
                    let Block { piece, begin, length } = layout.block(id);
                    let begin = (layout.piece_offset(piece) + u64::from(begin)) as usize;
                    seen.lock().unwrap()[begin..begin + length as usize].copy_from_slice(block);
                    Ok::<(), Failed>(())
                };
                let hashes = files.hash(threads(number), &layout, see, &mut |_, _| {}).unwrap();
                prop_assert_eq!(&hashes, &expected);
                prop_assert!(seen.into_inner().unwrap() == content);
            }
        }
    }

    #[test]
    fn the_error_that_is_told_is_always_the_first_and_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (whole, short, gone) = (path("whole"), path("short"), path("gone"));
        // No two of the errors are in pieces that are hashed abreast.
        let length = 3 * ABREAST as u64 * (128 << 10);
        fs::write(&whole, vec![1; length as usize]).unwrap();
        fs::write(&short, vec![1; length as usize - 1]).unwrap();
        let layout = |files: u64| Layout::new(files * length, 128 << 10, 64 << 10).unwrap();
        let fail = |paths: &[&Path], see: &(dyn Fn(BlockId) -> Result<(), Failed> + Sync)| {
            let files = Files::new(paths.iter().map(|path| (*path, length))).unwrap();
            let see = |id, _: &[u8]| see(id);
            files.hash(threads(3), &layout(paths.len() as u64), see, &mut |_, _| {}).unwrap_err()
        };
        for _ in 0..20 {
            let error = fail(&[&whole, &short, &gone], &|_| Ok(()));
            assert!(matches!(&error, Failed::Read(ReadError::Changed(path)) if *path == short), "{error:?}");
            let error = fail(&[&whole, &gone, &short], &|_| Ok(()));
            assert!(matches!(&error, Failed::Read(ReadError::Io { path, .. }) if *path == gone), "{error:?}");
            let error =
                fail(&[&whole, &gone], &|id| if id.piece.0 < 5 { Ok(()) } else { Err(Failed::Seen(id)) });
            assert!(matches!(error, Failed::Seen(id) if (id.piece.0, id.index) == (5, 0)), "{error:?}");
        }
    }
}
