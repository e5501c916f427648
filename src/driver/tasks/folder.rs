//! Where the files of a run are.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::driver::DriverError;

/// Gone when dropped, where it is temporary.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// A new folder of a name nobody can foresee, closed to other users.
    _temporary: Option<TempDir>,
}

impl Folder {
    /// The `given` one, or a temporary one.
    pub(super) fn new(given: Option<&Path>) -> Result<Folder, DriverError> {
        if let Some(path) = given {
            return Ok(Folder { path: path.to_path_buf(), _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("minibit-run-").tempdir();
        let temporary = temporary.map_err(|source| DriverError::Io {
            context: "cannot make a folder for the run's files (TMPDIR says where)".to_owned(),
            source,
        })?;
        Ok(Folder { path: temporary.path().to_path_buf(), _temporary: Some(temporary) })
    }
}
