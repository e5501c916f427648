//! Pieces at their places in one sparse file.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::net::store::StoreError;
use crate::net::store::positioned::{open, read_exact_at, write_all_at};
use crate::torrent::layout::Layout;

#[derive(Debug)]
pub(super) struct SingleFile {
    layout: Layout,
    path: PathBuf,
    file: File,
}

impl SingleFile {
    /// Keeps what is there already; the file gets the content's length.
    pub(super) fn open(layout: Layout, path: &Path) -> Result<SingleFile, StoreError> {
        if path.is_symlink() {
            return Err(StoreError::Link(path.to_path_buf()));
        }
        let prepare = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = open(File::options().read(true).write(true).create(true).truncate(false), path)?;
            if file.metadata()?.len() != layout.total() {
                file.set_len(layout.total())?;
            }
            Ok(file)
        };
        match prepare() {
            Ok(file) => Ok(SingleFile::on(layout, path.to_path_buf(), file)),
            Err(source) => Err(StoreError::Write { path: path.to_path_buf(), source }),
        }
    }

    /// On an open file; `path` is for messages.
    pub(super) fn on(layout: Layout, path: PathBuf, file: File) -> SingleFile {
        SingleFile { layout, path, file }
    }

    pub(super) fn write(&self, piece: PieceIndex, data: &[u8]) -> Result<(), StoreError> {
        write_all_at(&self.file, data, self.layout.piece_offset(piece))
            .map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }

    /// The block must lie inside its piece.
    pub(super) fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        let mut data = vec![0; block.length as usize];
        let offset = self.layout.piece_offset(block.piece) + u64::from(block.begin);
        read_exact_at(&self.file, &mut data, offset)
            .map_err(|source| StoreError::Read { path: self.path.clone(), source })?;
        Ok(Bytes::from(data))
    }
}
