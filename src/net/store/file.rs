//! Pieces at their places in one sparse file.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::net::store::StoreError;
use crate::net::store::positioned::Positioned;
use crate::net::store::stamp::Stamp;
use crate::torrent::layout::Layout;

#[derive(Debug)]
pub(super) struct SingleFile {
    layout: Layout,
    path: PathBuf,
    file: Positioned,
    /// How it was found, where it is only read.
    found: Option<Stamp>,
}

impl SingleFile {
    /// Keeps what is there already; the file gets the content's length.
    pub(super) fn open(layout: Layout, path: &Path) -> Result<SingleFile, StoreError> {
        if path.is_symlink() {
            return Err(StoreError::Link(path.to_path_buf()));
        }
        let open = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let options = &mut File::options();
            let file = Positioned::open(options.read(true).write(true).create(true).truncate(false), path)?;
            file.set_length(layout.total())?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(SingleFile::on(layout, path.to_path_buf(), file)),
            Err(source) => Err(StoreError::Write { path: path.to_path_buf(), source }),
        }
    }

    /// To read what is there, of the content's length, and nothing else.
    pub(super) fn open_to_read(layout: Layout, path: &Path) -> Result<SingleFile, StoreError> {
        let path = path.to_path_buf();
        match path.symlink_metadata() {
            Ok(there) if there.is_symlink() => return Err(StoreError::Link(path)),
            Ok(there) if !there.is_file() || there.len() != layout.total() => {
                return Err(StoreError::Occupied(path));
            }
            // Opening it says what is wrong.
            _ => {}
        }
        let opened = Positioned::open_to_read(&path).and_then(|file| Ok((Some(file.stamp()?), file)));
        match opened {
            Ok((found, file)) => Ok(SingleFile { found, ..SingleFile::on(layout, path, file) }),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    /// On an open file; `path` is for messages.
    pub(super) fn on(layout: Layout, path: PathBuf, file: Positioned) -> SingleFile {
        SingleFile { layout, path, file, found: None }
    }

    pub(super) fn write(&self, piece: PieceIndex, blocks: &[Bytes]) -> Result<(), StoreError> {
        let offset = self.layout.piece_offset(piece);
        self.file
            .write(blocks.iter().map(|block| &block[..]), offset)
            .map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }

    /// The block must lie inside its piece.
    pub(super) fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        let mut data = vec![0; block.length as usize];
        self.file
            .read(&mut data, self.offset(block))
            .map_err(|source| StoreError::Read { path: self.path.clone(), source })?;
        Ok(Bytes::from(data))
    }

    /// Itself, where it is only read and is no longer as it was found.
    pub(super) fn changed(&self) -> Option<&Path> {
        let found = self.found?;
        let is_same = self.file.stamp().is_ok_and(|now| now == found);
        (!is_same).then_some(&self.path)
    }

    /// The block, which must lie inside its piece, if that needs no disk.
    pub(super) fn read_at_once(&self, block: Block) -> Option<Bytes> {
        let mut data = vec![0; block.length as usize];
        let is_read = self.file.read_at_once(&mut data, self.offset(block));
        (is_read && self.changed().is_none()).then(|| Bytes::from(data))
    }

    /// Whether nothing of the piece was ever written.
    pub(super) fn is_hole(&self, piece: PieceIndex) -> bool {
        let length = self.layout.piece_length(piece);
        self.file.is_hole(self.layout.piece_offset(piece), u64::from(length))
    }

    fn offset(&self, block: Block) -> u64 {
        self.layout.piece_offset(block.piece) + u64::from(block.begin)
    }
}
