//! A file that is read and written at positions, without a cursor that several workers would have to share.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::net::store::stamp::Stamp;

/// An open file.
#[derive(Debug)]
pub(super) struct Positioned {
    file: File,
    /// Its system lets one at a time write to it, and may have the others spin meanwhile. Here they sleep.
    writing: Mutex<()>,
    /// Its file system has no disk.
    in_memory: bool,
    /// It was opened to read alone.
    read_only: bool,
}

impl Positioned {
    /// To read and write; to read alone where the system forbids the other. That is enough for a seed, and a write will
    /// say what is wrong.
    pub(super) fn open(to_read_and_write: &OpenOptions, path: &Path) -> io::Result<Positioned> {
        to_read_and_write.open(path).map(Positioned::new).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Positioned::open_to_read(path).map_err(|_| error)
            }
            _ => Err(error),
        })
    }

    /// To read alone: every write is an error.
    pub(super) fn open_to_read(path: &Path) -> io::Result<Positioned> {
        Ok(Positioned { read_only: true, ..Positioned::new(File::open(path)?) })
    }

    pub(super) fn new(file: File) -> Positioned {
        Positioned { in_memory: is_in_memory(&file), file, writing: Mutex::new(()), read_only: false }
    }

    /// How it is now.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        self.file.metadata().map(|now| Stamp::of(&now))
    }

    /// Writes these, one behind the other.
    pub(super) fn write<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a [u8]>,
        mut offset: u64,
    ) -> io::Result<()> {
        if self.read_only {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it can only be read"));
        }
        // It guards no data: what a panic left half written fails its hash.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            write_all_at(&self.file, part, offset)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// Makes it so long, with zeros where it grows.
    pub(super) fn set_length(&self, length: u64) -> io::Result<()> {
        if self.file.metadata()?.len() != length {
            self.file.set_len(length)?;
        }
        Ok(())
    }

    pub(super) fn read(&self, data: &mut [u8], offset: u64) -> io::Result<()> {
        read_exact_at(&self.file, data, offset)
    }

    /// Whether all of it could be read without waiting for a disk. What would have to wait, and every error, is a no:
    /// who reads it with patience gets to know it.
    pub(super) fn read_at_once(&self, data: &mut [u8], offset: u64) -> bool {
        if self.in_memory {
            return read_exact_at(&self.file, data, offset).is_ok();
        }
        read_cached(&self.file, data, offset)
    }

    /// Whether these bytes were never written, so that they are zeros. A no may mean that the file system does not say.
    pub(super) fn is_hole(&self, offset: u64, length: u64) -> bool {
        is_hole(&self.file, offset, length)
    }
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(data, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, data: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(data, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !data.is_empty() {
        match file.seek_write(data, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                data = &data[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut data: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !data.is_empty() {
        match file.seek_read(data, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                data = &mut data[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// Whether it is a tmpfs, which has no flag for a read that must not wait, but has no disk either.
#[cfg(target_os = "linux")]
fn is_in_memory(file: &File) -> bool {
    /// From linux/magic.h.
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|about| about.f_type as u64 == TMPFS)
}

#[cfg(target_os = "linux")]
fn read_cached(file: &File, data: &mut [u8], offset: u64) -> bool {
    use rustix::io::{ReadWriteFlags, preadv2};
    let length = data.len();
    let read = preadv2(file, &mut [io::IoSliceMut::new(data)], offset, ReadWriteFlags::NOWAIT);
    read.is_ok_and(|read| read == length)
}

#[cfg(target_os = "linux")]
fn is_hole(file: &File, offset: u64, length: u64) -> bool {
    use rustix::fs::{SeekFrom, seek};
    match seek(file, SeekFrom::Data(offset)) {
        Ok(data) => data >= offset + length,
        // There is no data behind it.
        Err(rustix::io::Errno::NXIO) => true,
        Err(_) => false,
    }
}

// Other systems do not say beforehand whether a read will wait, or not in one way.

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &File) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn is_hole(_: &File, _: u64, _: u64) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_may_write_is_opened_to_be_read() {
        // The kernel's own: root may not write it either.
        let path = Path::new("/sys/devices/system/cpu/online");
        let refused = File::options().write(true).open(path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        let to_read_and_write = || File::options().read(true).write(true).clone();
        let file = Positioned::open(&to_read_and_write(), path).unwrap();
        let mut first = [0];
        file.read(&mut first, 0).unwrap();
        assert_eq!(first, *b"0", "the first processor");
        assert_eq!(file.write([&b"x"[..]], 0).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let missing = Positioned::open(&to_read_and_write(), Path::new("/sys/none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
