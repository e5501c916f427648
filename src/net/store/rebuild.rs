//! The whole file again out of stored pieces, each checked against the torrent on the way.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::id::PieceIndex;
use crate::net::store::{Store, StoreError};

impl Store {
    /// Writes the content to `path`: beside it first, renamed when it is whole, so that a file of that name is
    /// either the right one or not there. A file that has the content already stays. Constant memory.
    ///
    /// # Errors
    ///
    /// Names the first piece that is missing or wrong, the file that could not be written, or another file that has
    /// the name: it is somebody's, and stays as it is.
    pub fn rebuild(&self, path: &Path) -> Result<(), StoreError> {
        if path.symlink_metadata().is_ok() {
            return if self.is_content(path)? {
                Ok(())
            } else {
                Err(StoreError::Occupied(path.to_path_buf()))
            };
        }
        let beside = path.with_added_extension("part");
        let built = self.write_pieces(&beside).and_then(|()| {
            fs::rename(&beside, path).map_err(|source| StoreError::Write { path: path.to_path_buf(), source })
        });
        if built.is_err() {
            // The error that matters is the first one.
            let _ = fs::remove_file(&beside);
        }
        built
    }

    fn write_pieces(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Write { path: path.to_path_buf(), source };
        let mut file = create_anew(path).map_err(failed)?;
        for piece in (0..self.layout.pieces()).map(PieceIndex) {
            file.write_all(&self.read_verified(piece)?).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether a file of ours or the user's is the content, byte for byte.
    fn is_content(&self, path: &Path) -> Result<bool, StoreError> {
        let failed = |source| StoreError::Read { path: path.to_path_buf(), source };
        if !path.symlink_metadata().map_err(failed)?.is_file() {
            return Ok(false);
        }
        let mut file = File::open(path).map_err(failed)?;
        let mut there = vec![0; self.layout.piece_size().min(16 << 20) as usize];
        if file.metadata().map_err(failed)?.len() != self.layout.total() {
            return Ok(false);
        }
        for piece in (0..self.layout.pieces()).map(PieceIndex) {
            for part in self.read_verified(piece)?.chunks(there.len()) {
                let there = &mut there[..part.len()];
                file.read_exact(there).map_err(failed)?;
                if there != part {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// A new file in place of whatever had the name. Removing does not follow a link, and creating anew refuses one: what
/// a link points to is never written.
pub(super) fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}
