//! A file that a running process writes, read line by line as far as it is written. Knows nothing of what the lines say.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Read at once at the most; what is beyond comes next time.
const MOST: u64 = 64 << 20;

/// A place in a file that grows.
#[derive(Debug)]
pub(in crate::cli) struct Lines {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
}

impl Lines {
    pub(in crate::cli) fn of(path: PathBuf) -> Lines {
        Lines { path, read: 0, rest: Vec::new() }
    }

    /// The whole lines that were written since the last call. A file that is not there yet has none; one that has been
    /// begun anew is read from its beginning.
    pub(in crate::cli) fn more(&mut self) -> io::Result<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        if file.metadata()?.len() < self.read {
            *self = Lines::of(std::mem::take(&mut self.path));
        }
        file.seek(SeekFrom::Start(self.read))?;
        self.read += file.take(MOST).read_to_end(&mut self.rest)? as u64;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_line_is_read_once_it_is_whole_and_a_new_file_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peer_1.jsonl");
        let mut lines = Lines::of(path.clone());
        let mut after = |written: &str| {
            fs::write(&path, written).unwrap();
            lines.more().unwrap()
        };
        assert_eq!(after("one\nt"), ["one"]);
        assert_eq!(after("one\ntwo"), [""; 0]);
        assert_eq!(after("one\ntwo\nthree\n"), ["two", "three"]);
        assert_eq!(after("anew\n"), ["anew"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(lines.more().unwrap(), [""; 0]);
    }
}
