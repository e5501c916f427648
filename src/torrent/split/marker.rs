//! The marker that says MiniBit made a folder, and the signature in files that mark one.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file that marks a folder as made by MiniBit and as MiniBit's to replace and remove.
pub const MARKER: &str = ".minibit";
/// What signs the files that mark a folder as MiniBit's.
pub const GENERATOR: &str = "minibit";

/// What the marker says, for MiniBit's later commands and for a curious user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    generator: String,
    pub torrent: String,
    pub peers: u32,
    pub distribution: String,
    pub random_seed: u64,
}

impl Marker {
    pub fn new(torrent: String, peers: u32, distribution: String, random_seed: u64) -> Marker {
        Marker { generator: GENERATOR.to_owned(), torrent, peers, distribution, random_seed }
    }

    /// What split wrote into a `peers` folder; `None` where [`is_ours`] is false, or where something else is marked.
    pub fn of(folder: &Path) -> Option<Marker> {
        if is_ours(folder) { read_toml(&folder.join(MARKER)) } else { None }
    }

    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let entries = toml::to_string(self).map_err(io::Error::other)?;
        fs::write(
            folder.join(MARKER),
            format!("# This folder was made by MiniBit; `minibit cleanup` removes it.\n{entries}"),
        )
    }
}

/// Whether MiniBit made the folder and may replace or remove it. A symbolic link is never MiniBit's, and a link in
/// the marker's place marks nothing.
pub fn is_ours(folder: &Path) -> bool {
    let is_folder = fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir());
    is_folder && is_signed(&folder.join(MARKER))
}

/// Whether the file is TOML that names MiniBit as its `generator`.
pub fn is_signed(file: &Path) -> bool {
    #[derive(Deserialize)]
    struct Signature {
        generator: String,
    }
    let is_file = fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_file());
    is_file && read_toml(file).is_some_and(|signature: Signature| signature.generator == GENERATOR)
}

fn read_toml<T: serde::de::DeserializeOwned>(file: &Path) -> Option<T> {
    toml::from_str(&fs::read_to_string(file).ok()?).ok()
}
