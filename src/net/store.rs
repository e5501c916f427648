//! Where a peer keeps its verified pieces: a directory of block files as `split` writes it, one file, the
//! files of a torrent of several, or memory. Blocking: call it off the network path. It knows hashes and files, nothing of peers or connections.
//!
//! A piece counts only once it is hashed *and* written; whatever a crash leaves half written fails its hash at the
//! next [`Store::scan`] and is fetched again.

mod blocks;
mod file;
mod folder;
mod memory;
mod positioned;
mod rebuild;
mod scan;
mod stamp;
#[cfg(test)]
mod tests;
pub mod unverified;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::id::{Block, PieceIndex};
use crate::net::store::blocks::BlockDirectory;
use crate::net::store::file::SingleFile;
use crate::net::store::folder::Folder;
use crate::net::store::memory::Memory;
pub use crate::net::store::verify::Unhashed;
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::Layout;
use crate::torrent::metainfo::Metainfo;

/// The hash of every piece, in order.
pub type PieceHashes = Arc<[PieceHash]>;

/// One peer's verified pieces. Shared between the network path and the workers that hash and write.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
    hashes: PieceHashes,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Blocks(BlockDirectory),
    File(SingleFile),
    Folder(Folder),
    Memory(Memory),
}

/// Why the store could not do it. The display form says which file, what went wrong and what helps.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot write {}: {source}{}", path.display(), advice(source))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("piece {0} is not stored")]
    Missing(PieceIndex),
    #[error("no room in memory for piece {0}: too many pieces are received at once; use smaller pieces")]
    NoRoom(PieceIndex),
    #[error("piece {0} does not match its hash in the torrent")]
    Corrupt(PieceIndex),
    #[error("{} has changed since it was opened", .0.display())]
    Changed(PathBuf),
    #[error("bytes {begin}+{length} lie outside piece {piece}")]
    OutsidePiece { piece: PieceIndex, begin: u32, length: u32 },
    #[error("{} is a symbolic link, and might lead anywhere; move it away or choose another folder", .0.display())]
    Link(PathBuf),
    #[error("{} is another file than the torrent's; move it away or choose another folder", .0.display())]
    Occupied(PathBuf),
    #[error("the padding in piece {0} is not zeros, as BEP 47 demands: the torrent is broken")]
    Padding(PieceIndex),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space and start again",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; make it writable or choose another folder"
        }
        _ => "",
    }
}

impl Store {
    /// Pieces in memory.
    pub fn in_memory(layout: Layout, hashes: PieceHashes) -> Store {
        let place = Place::Memory(Memory::new(layout));
        Store { layout, hashes, place }
    }

    /// Pieces as files `block_K.bin` in a directory, which is created where it does not exist.
    pub fn in_blocks(layout: Layout, hashes: PieceHashes, directory: &Path) -> Result<Store, StoreError> {
        let place = Place::Blocks(BlockDirectory::open(layout, directory)?);
        Ok(Store { layout, hashes, place })
    }

    /// Pieces at their places in one sparse file of the content's length.
    pub fn in_file(layout: Layout, hashes: PieceHashes, path: &Path) -> Result<Store, StoreError> {
        let place = Place::File(SingleFile::open(layout, path)?);
        Ok(Store { layout, hashes, place })
    }

    /// Pieces at their places in the torrent's files below `below`, sparse ones, each made with its full length where it
    /// is missing. A file that is there must have its length already. Padding is in none (BEP 47).
    ///
    /// # Errors
    ///
    /// Names what stands in the way: a link, which is not followed, or a file that is another one. Then nothing is made.
    pub fn in_folder(torrent: &Metainfo, below: &Path) -> Result<Store, StoreError> {
        let place = Place::Folder(Folder::open(torrent, below)?);
        Ok(Store { layout: torrent.layout, hashes: torrent.piece_hashes.clone().into(), place })
    }

    /// The pieces of a file that is there, to be read alone: nothing is ever written to it. A piece of a file that has
    /// changed since is read as long as it is still right.
    pub fn of_file(layout: Layout, hashes: PieceHashes, path: &Path) -> Result<Store, StoreError> {
        let place = Place::File(SingleFile::open_to_read(layout, path)?);
        Ok(Store { layout, hashes, place })
    }

    /// The same of a torrent's files below `below`, all of which are there.
    pub fn of_folder(torrent: &Metainfo, below: &Path) -> Result<Store, StoreError> {
        let place = Place::Folder(Folder::open_whole_to_read(torrent, below)?);
        Ok(Store { layout: torrent.layout, hashes: torrent.piece_hashes.clone().into(), place })
    }

    /// The same where some may be missing, which counts as zeros.
    pub fn of_what_is_in_folder(torrent: &Metainfo, below: &Path) -> Result<Store, StoreError> {
        let place = Place::Folder(Folder::open_to_read(torrent, below)?);
        Ok(Store { layout: torrent.layout, hashes: torrent.piece_hashes.clone().into(), place })
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Stores a whole piece without looking at its hash: for content that is known to be right.
    pub fn write(&self, piece: PieceIndex, data: Bytes) -> Result<(), StoreError> {
        self.keep(piece, self.blocks_of(&data))
    }

    /// Bytes of a stored piece, for an upload, if they can be had without waiting for a disk; `None` where a worker has to
    /// `read` them. The piece is not hashed again.
    pub fn read_at_once(&self, block: Block) -> Option<Result<Bytes, StoreError>> {
        match &self.place {
            Place::Memory(_) => Some(self.read(block)),
            _ if !self.layout.covers(block) => None,
            Place::File(file) => file.read_at_once(block).map(Ok),
            Place::Folder(folder) => folder.read_at_once(block).map(Ok),
            Place::Blocks(_) => None,
        }
    }

    /// Bytes of a stored piece, for an upload. The piece is not hashed again, but where its file is only read and has
    /// changed.
    pub fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        if !self.layout.covers(block) {
            let Block { piece, begin, length } = block;
            return Err(StoreError::OutsidePiece { piece, begin, length });
        }
        let data = self.read_as_is(block);
        match self.changed(block) {
            None => data,
            Some(path) => self.read_where_right(block).ok_or(StoreError::Changed(path)),
        }
    }

    /// A file of the block's that is only read and has changed.
    fn changed(&self, block: Block) -> Option<PathBuf> {
        match &self.place {
            Place::File(file) => file.changed().map(Path::to_path_buf),
            Place::Folder(folder) => folder.changed(block),
            Place::Blocks(_) | Place::Memory(_) => None,
        }
    }

    fn read_where_right(&self, block: Block) -> Option<Bytes> {
        let Block { piece, begin, length } = block;
        let whole = Block { piece, begin: 0, length: self.layout.piece_length(piece) };
        let data = self.read_as_is(whole).ok()?;
        let is_right = self.is_right(piece, std::slice::from_ref(&data));
        is_right.then(|| data.slice(begin as usize..(begin + length) as usize))
    }

    fn read_as_is(&self, block: Block) -> Result<Bytes, StoreError> {
        match &self.place {
            Place::Blocks(blocks) => blocks.read(block),
            Place::File(file) => file.read(block),
            Place::Folder(folder) => folder.read(block),
            Place::Memory(memory) => memory.read(block),
        }
    }

    /// Reads a whole piece and checks its hash.
    pub fn read_verified(&self, piece: PieceIndex) -> Result<Bytes, StoreError> {
        let data = self.read(Block { piece, begin: 0, length: self.layout.piece_length(piece) })?;
        let right = self.is_right(piece, std::slice::from_ref(&data));
        if right { Ok(data) } else { Err(StoreError::Corrupt(piece)) }
    }

    fn is_right(&self, piece: PieceIndex, data: &[Bytes]) -> bool {
        self.hashes.get(piece.0 as usize).is_some_and(|hash| hash.matches(data))
    }

    fn keep(&self, piece: PieceIndex, blocks: Vec<Bytes>) -> Result<(), StoreError> {
        match &self.place {
            Place::Blocks(directory) => directory.write(piece, &blocks),
            Place::File(file) => file.write(piece, &blocks),
            Place::Folder(folder) => folder.write(piece, &blocks),
            Place::Memory(memory) => {
                memory.write(piece, blocks);
                Ok(())
            }
        }
    }

    /// A whole piece as its blocks, not copied.
    fn blocks_of(&self, data: &Bytes) -> Vec<Bytes> {
        data.chunks(self.layout.block_size() as usize).map(|block| data.slice_ref(block)).collect()
    }

    /// SHA-1 of the whole content as it is stored.
    pub fn content_hash(&self) -> Result<[u8; 20], StoreError> {
        let mut hash = Sha1::new();
        for piece in (0..self.layout.pieces()).map(PieceIndex) {
            let whole = Block { piece, begin: 0, length: self.layout.piece_length(piece) };
            hash.update(&self.read(whole)?);
        }
        Ok(hash.finalize().into())
    }
}
