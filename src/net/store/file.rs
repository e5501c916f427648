//! Pieces at their places in one sparse file.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::net::store::StoreError;
use crate::net::store::positioned::Positioned;
use crate::torrent::layout::Layout;

#[derive(Debug)]
pub(super) struct SingleFile {
    layout: Layout,
    path: PathBuf,
    file: Positioned,
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
            let options = File::options().read(true).write(true).create(true).truncate(false).to_owned();
            let file = Positioned::open(&options, path)?;
            file.set_length(layout.total())?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(SingleFile::on(layout, path.to_path_buf(), file)),
            Err(source) => Err(StoreError::Write { path: path.to_path_buf(), source }),
        }
    }

    /// On an open file; `path` is for messages.
    pub(super) fn on(layout: Layout, path: PathBuf, file: Positioned) -> SingleFile {
        SingleFile { layout, path, file }
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

    /// The block, which must lie inside its piece, if that needs no disk.
    pub(super) fn read_at_once(&self, block: Block) -> Option<Bytes> {
        let mut data = vec![0; block.length as usize];
        self.file.read_at_once(&mut data, self.offset(block)).then(|| Bytes::from(data))
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
