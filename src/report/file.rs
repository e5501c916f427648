//! Files that are there whole or as they were before.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::experiment::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a file beside `path` and puts it in its place when it is whole.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let attempt = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut beside = tempfile::Builder::new().prefix(".unfinished-").tempfile_in(folder)?;
        let mut buffered = BufWriter::new(beside.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        readable(beside.as_file())?;
        beside.persist(path)?;
        Ok(())
    };
    attempt().map_err(|source| WriteError::Write { path: path.to_owned(), source })
}

/// Temporary files begin readable by their owner alone; results are for everybody.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_file: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_finished_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.csv");
        replace(&path, |out| out.write_all(b"old")).unwrap();
        let failed = replace(&path, |out| {
            out.write_all(b"half of the ne")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
