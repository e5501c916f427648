//! The `peers` folder on disk: its layout, and its replacement as a whole. Knows nothing of contents and hashes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::marker::{MARKER, Marker};

/// The folder that split makes in the output folder.
pub const PEERS: &str = "peers";
/// How the names of folders begin that MiniBit works in and removes when done; a killed process leaves them behind.
pub const WORK_PREFIX: &str = ".minibit-";

/// Whether a file of this name would be in the way of MiniBit's own in a peer's folder.
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "blocks" || name.starts_with(MARKER)
}

/// A peer's folder of blocks; peers are counted from 1.
pub fn blocks_folder(peers_folder: &Path, peer: u32) -> PathBuf {
    peers_folder.join(format!("peer_{peer}")).join("blocks")
}

/// A `peers` folder in the making, beside the place where it will stand. Dropped before [`Staged::publish`], it
/// disappears and leaves the old one as it was.
#[derive(Debug)]
pub struct Staged {
    out: PathBuf,
    path: PathBuf,
}

impl Staged {
    /// Makes `out` where it is missing, and in it a marked folder to work in.
    pub fn begin(out: &Path, marker: &Marker) -> io::Result<Staged> {
        fs::create_dir_all(out)?;
        let path = free_name(out, "split")?;
        fs::create_dir(&path)?;
        let staged = Staged { out: out.to_owned(), path };
        marker.write(&staged.path)?;
        Ok(staged)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the folder in its place and removes the one that stood there, which must be MiniBit's and hold nothing of
    /// others. Both moves are renames: a folder is old or new as a whole, never a mixture.
    pub fn publish(self) -> io::Result<PathBuf> {
        let target = self.out.join(PEERS);
        if !exists(&target) {
            fs::rename(&self.path, &target)?;
            return Ok(target);
        }
        let old = free_name(&self.out, "old")?;
        fs::rename(&target, &old)?;
        if let Err(error) = fs::rename(&self.path, &target) {
            fs::rename(&old, &target)?;
            return Err(error);
        }
        Contents::of(&old)?.remove()?;
        Ok(target)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After `publish` there is nothing of this name; a failure leaves a marked folder that cleanup removes.
        let _ = Contents::of(&self.path).and_then(|contents| contents.remove());
    }
}

/// Whether there is anything of this name, a dangling symbolic link included.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn free_name(out: &Path, purpose: &str) -> io::Result<PathBuf> {
    let process = std::process::id();
    (0..100)
        .map(|attempt| out.join(format!("{WORK_PREFIX}{purpose}-{process}-{attempt}")))
        .find(|path| !exists(path))
        .ok_or_else(|| {
            io::Error::other("too many unfinished splits are left here; `minibit cleanup` removes them")
        })
}
