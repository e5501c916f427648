//! Where the files of a run are. A temporary folder is marked as a run's, and the mark is locked while the run lives:
//! so a folder that was left behind by a killed run can be told from one in use.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::driver::DriverError;
use crate::driver::real_time::io_error;
use crate::id::PeerIndex;
use crate::torrent::split::marker::{GENERATOR, MARKER, is_ours};

/// How the names of temporary folders begin.
const PREFIX: &str = "minibit-run-";

/// Gone when dropped, where it is temporary.
pub(in crate::driver) struct Folder {
    pub(in crate::driver) path: PathBuf,
    /// A new folder of a name nobody can foresee, closed to other users.
    _temporary: Option<TempDir>,
    /// Locked.
    _mark: Option<File>,
}

impl Folder {
    /// The `given` one, or a temporary one.
    pub(in crate::driver) fn new(given: Option<&Path>) -> Result<Folder, DriverError> {
        if let Some(path) = given {
            return Ok(Folder { path: path.to_path_buf(), _temporary: None, _mark: None });
        }
        let make = || {
            let temporary = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
            let mark = mark(temporary.path())?;
            Ok((temporary, mark))
        };
        let context = "cannot make a folder for the run's files (TMPDIR says where)";
        let (temporary, mark) = make().map_err(io_error(context.to_owned()))?;
        let path = temporary.path().to_path_buf();
        Ok(Folder { path, _temporary: Some(temporary), _mark: Some(mark) })
    }

    /// A peer's own; peers are counted from 1.
    pub(in crate::driver) fn of_peer(&self, peer: PeerIndex) -> PathBuf {
        self.path.join("peers").join(format!("peer_{}", peer.0 + 1))
    }
}

/// Locked before it can be found: nobody takes a run that begins for one that is over.
fn mark(folder: &Path) -> io::Result<File> {
    let unfinished = folder.join("mark");
    let text = format!(
        "# The files of a run. `minibit cleanup` removes them once it is over.\ngenerator = \"{GENERATOR}\"\n"
    );
    fs::write(&unfinished, text)?;
    let mark = File::open(&unfinished)?;
    mark.lock()?;
    fs::rename(unfinished, folder.join(MARKER))?;
    Ok(mark)
}

/// The temporary folder of a run that is over without having removed it.
#[derive(Debug)]
pub struct LeftBehind {
    pub path: PathBuf,
    /// Locked: nobody else removes it meanwhile.
    _mark: File,
}

impl LeftBehind {
    /// Those of killed runs, by name. What cannot be looked at is another user's.
    pub fn find() -> io::Result<Vec<LeftBehind>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(std::env::temp_dir())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_ours(&entry.path()) {
                let Ok(mark) = File::open(entry.path().join(MARKER)) else { continue };
                if mark.try_lock().is_ok() {
                    found.push(LeftBehind { path: entry.path(), _mark: mark });
                }
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.path)
    }
}
