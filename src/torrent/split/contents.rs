//! What lies in a marked folder: MiniBit's own, told by place and name, and what others put beside it, which is never
//! removed. Links are of others, wherever they are.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use super::marker::{MARKER, Marker};

/// The files and folders of one marked folder.
#[derive(Debug)]
pub struct Contents {
    folder: PathBuf,
    /// The file that marks the folder.
    mark: PathBuf,
    /// MiniBit's, the mark left out.
    files: Vec<PathBuf>,
    /// MiniBit's too, inner ones first; they stay where something of others is in them.
    folders: Vec<PathBuf>,
    /// Of others, in order; a folder stands for all that is in it.
    pub foreign: Vec<PathBuf>,
}

impl Contents {
    /// Looks at everything in a folder that split made, which changes nothing.
    pub fn of(folder: &Path) -> io::Result<Contents> {
        let torrent = Marker::of(folder).map(|marker| marker.torrent);
        let content = torrent.as_deref().and_then(|torrent| torrent.strip_suffix(".torrent"));
        let mut found = Contents::none(folder, MARKER);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() && is_numbered(&name, "peer_", "") {
                found.look_into_peer(&entry.path(), content)?;
            } else if name != MARKER {
                found.add(&entry, torrent.as_deref().is_some_and(|torrent| name == torrent))?;
            }
        }
        found.foreign.sort();
        Ok(found)
    }

    /// Looks at everything in a folder that `mark` marks, and in which files of certain names are MiniBit's.
    pub fn of_files(
        folder: &Path,
        mark: &str,
        is_named_as_ours: impl Fn(&OsStr) -> bool,
    ) -> io::Result<Contents> {
        let mut found = Contents::none(folder, mark);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != mark {
                found.add(&entry, is_named_as_ours(&name))?;
            }
        }
        found.foreign.sort();
        Ok(found)
    }

    fn none(folder: &Path, mark: &str) -> Contents {
        Contents {
            folder: folder.to_owned(),
            mark: folder.join(mark),
            files: Vec::new(),
            folders: Vec::new(),
            foreign: Vec::new(),
        }
    }

    fn look_into_peer(&mut self, peer: &Path, content: Option<&str>) -> io::Result<()> {
        for entry in fs::read_dir(peer)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == "blocks" && entry.file_type()?.is_dir() {
                self.look_into_blocks(&entry.path())?;
            } else {
                let is_content = content.is_some_and(|own| name == own || name == *format!("{own}.part"));
                self.add(&entry, is_content)?;
            }
        }
        self.folders.push(peer.to_owned());
        Ok(())
    }

    fn look_into_blocks(&mut self, blocks: &Path) -> io::Result<()> {
        for entry in fs::read_dir(blocks)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_block = [".bin", ".tmp"].iter().any(|end| is_numbered(&name, "block_", end));
            self.add(&entry, is_block)?;
        }
        self.folders.push(blocks.to_owned());
        Ok(())
    }

    fn add(&mut self, entry: &DirEntry, is_named_as_ours: bool) -> io::Result<()> {
        let is_ours = is_named_as_ours && entry.file_type()?.is_file();
        if is_ours { &mut self.files } else { &mut self.foreign }.push(entry.path());
        Ok(())
    }

    /// Removes what is MiniBit's, and the folder itself where nothing else is in it. The mark goes last:
    /// interrupted, what is left is still known as MiniBit's.
    pub fn remove(&self) -> io::Result<()> {
        for file in &self.files {
            fs::remove_file(file)?;
        }
        for folder in &self.folders {
            remove_if_empty(folder)?;
        }
        match fs::remove_file(&self.mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => remove_if_empty(&self.folder),
        }
    }
}

fn remove_if_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other,
    }
}

/// Whether the name is a number as MiniBit writes it between these two.
pub fn is_numbered(name: &OsStr, start: &str, end: &str) -> bool {
    let number = name.to_str().and_then(|name| name.strip_prefix(start)?.strip_suffix(end));
    number.is_some_and(|digits| digits.parse().is_ok_and(|number: u64| number.to_string() == digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_as_minibit_writes_them_are_its_own() {
        for (name, ours) in [
            ("peer_1", true),
            ("peer_10000", true),
            ("peer_", false),
            ("peer_01", false),
            ("peer_+1", false),
            ("peer_1 ", false),
            ("peer_1b", false),
            ("my peer_1", false),
        ] {
            assert_eq!(is_numbered(OsStr::new(name), "peer_", ""), ours, "{name}");
        }
        assert!(is_numbered(OsStr::new("block_0.bin"), "block_", ".bin"));
        assert!(!is_numbered(OsStr::new("block_0.bin.bak"), "block_", ".bin"));
    }
}
