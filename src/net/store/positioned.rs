//! Reading and writing at a position, without a cursor that several workers would have to share.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// To read and write; to read alone where the system forbids the other. That is enough for a seed, and a write will say
/// what is wrong.
pub(super) fn open(to_read_and_write: &OpenOptions, path: &Path) -> io::Result<File> {
    to_read_and_write.open(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            File::open(path).map_err(|_| error)
        }
        _ => Err(error),
    })
}

#[cfg(unix)]
pub(super) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, data: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, data, offset)
}

#[cfg(windows)]
pub(super) fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
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
pub(super) fn read_exact_at(file: &File, mut data: &mut [u8], mut offset: u64) -> io::Result<()> {
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
