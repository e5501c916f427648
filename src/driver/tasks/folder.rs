//! Where the files of a run are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Gone when dropped, where it is temporary.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    temporary: bool,
}

impl Folder {
    pub(super) fn new(given: Option<&Path>) -> Folder {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        match given {
            Some(path) => Folder { path: path.to_path_buf(), temporary: false },
            None => {
                let run = RUNS.fetch_add(1, Ordering::Relaxed);
                let name = format!("minibit-run-{}-{run}", std::process::id());
                Folder { path: std::env::temp_dir().join(name), temporary: true }
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary && self.path.exists() {
            // Leftovers in the system's temporary folder harm nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
