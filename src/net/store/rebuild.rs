//! The whole file again out of stored pieces, each checked against the torrent on the way.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::id::PieceIndex;
use crate::net::store::{Store, StoreError};

impl Store {
    /// Writes the content to `path`: beside it first, renamed when it is whole, so that a file of that name is
    /// either the right one or the old one. Constant memory.
    ///
    /// # Errors
    ///
    /// Names the first piece that is missing or wrong, or the file that could not be written.
    pub fn rebuild(&self, path: &Path) -> Result<(), StoreError> {
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
        let mut file = File::create(path).map_err(failed)?;
        for piece in (0..self.layout.pieces()).map(PieceIndex) {
            file.write_all(&self.read_verified(piece)?).map_err(failed)?;
        }
        Ok(())
    }
}
