//! A torrent of what lies on disk: a file, or a folder with everything in it. The same content and choices give the same
//! bytes everywhere. Knows no swarm, and writes nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::torrent::every_piece::all_cores;
use crate::torrent::files::{Files, READ, ReadError};
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::{Layout, LayoutError};
use crate::torrent::metainfo::{
    Draft, DraftFile, MAX_FILES, MAX_PIECE_SIZE, Metainfo, MetainfoError, NameError, check_name,
};

/// So many pieces where nothing else is asked for: enough for peers to exchange, and a short list.
const USUAL_PIECES: u64 = 2_048;
/// Pieces are this small at least where nothing else is asked for, and this large at most.
const USUAL_SIZES: (u32, u32) = (Layout::STANDARD_BLOCK, 16 << 20);

/// What to make a torrent of, and how.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The file or folder.
    pub content: &'a Path,
    /// In bytes; `None` for one that suits the length of the content.
    pub piece_size: Option<u32>,
    /// Tracker URLs in tiers (BEP 12).
    pub announce: &'a [Vec<String>],
    /// Peers come from the trackers alone (BEP 27).
    pub private: bool,
}

/// Why there is no torrent.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("{}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: there is no such file or folder", .0.display())]
    NotThere(PathBuf),
    #[error("{}: neither a file nor a folder, so it cannot be in a torrent; move it away", .0.display())]
    NotAFile(PathBuf),
    #[error("{}: a folder without any file", .0.display())]
    NoFiles(PathBuf),
    #[error("{}: more than {MAX_FILES} files; make an archive of them", .0.display())]
    TooManyFiles(PathBuf),
    #[error("{}: the name is not UTF-8, which a .torrent file needs; rename it", .0.display())]
    NameNotText(PathBuf),
    #[error("{}: {source}; rename it", path.display())]
    Name { path: PathBuf, source: NameError },
    #[error("{}: changed while it was read; try again", .0.display())]
    Changed(PathBuf),
    #[error("a piece has 1 byte to 512 MiB, not {0} bytes")]
    PieceSize(u32),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Metainfo(#[from] MetainfoError),
}

impl From<ReadError> for CreateError {
    fn from(error: ReadError) -> CreateError {
        match error {
            ReadError::Io { path, source } => CreateError::Io { path, source },
            ReadError::Changed(path) => CreateError::Changed(path),
        }
    }
}

/// The `.torrent` file's bytes and what they mean. `progress` hears how many bytes are hashed, and of how many.
///
/// # Errors
///
/// Names the file that cannot be read, that other systems could not keep under its name, or that is a link or a device.
pub fn create(
    order: &Order<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Vec<u8>, Metainfo), CreateError> {
    let content = order.content;
    let name = text(content, content.file_name().ok_or_else(|| CreateError::NotAFile(content.to_owned()))?)?;
    let found = find(content)?;
    // More than can be counted are more than the layout accepts.
    let total = found.iter().fold(0u64, |total, file| total.saturating_add(file.length));
    let piece_size = order.piece_size.unwrap_or_else(|| usual_piece_size(total));
    if !(1..=MAX_PIECE_SIZE).contains(&piece_size) {
        return Err(CreateError::PieceSize(piece_size));
    }
    let layout = Layout::any_piece_size(total, piece_size, Layout::STANDARD_BLOCK.min(piece_size))?;
    let piece_hashes = hash(&found, &layout, progress)?;
    let files: Option<Vec<DraftFile>> = found
        .into_iter()
        .map(|file| file.below.map(|path| DraftFile { path, length: file.length }))
        .collect();
    let draft = Draft {
        name,
        files: files.as_deref(),
        layout,
        piece_hashes: &piece_hashes,
        announce: order.announce,
        private: order.private,
    };
    Ok(draft.build()?)
}

/// A power of two.
fn usual_piece_size(total: u64) -> u32 {
    let (least, most) = USUAL_SIZES;
    let size = total.div_ceil(USUAL_PIECES).clamp(least.into(), most.into());
    size.next_power_of_two() as u32
}

struct Found {
    at: PathBuf,
    /// In bytes.
    length: u64,
    /// The names on the way to it from the folder; `None` where the content is this file.
    below: Option<Vec<String>>,
}

fn find(content: &Path) -> Result<Vec<Found>, CreateError> {
    let there = fs::symlink_metadata(content).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CreateError::NotThere(content.to_owned()),
        _ => io_error(content)(error),
    })?;
    let mut found = Vec::new();
    if there.is_file() {
        found.push(Found { at: content.to_owned(), length: there.len(), below: None });
    } else if there.is_dir() {
        look_into(content, content, &[], &mut found)?;
        if found.is_empty() {
            return Err(CreateError::NoFiles(content.to_owned()));
        }
    } else {
        return Err(CreateError::NotAFile(content.to_owned()));
    }
    Ok(found)
}

/// Everything in the folder in the order of the names, whatever order the system lists them in.
fn look_into(
    content: &Path,
    folder: &Path,
    below: &[String],
    found: &mut Vec<Found>,
) -> Result<(), CreateError> {
    let entries: io::Result<Vec<fs::DirEntry>> = fs::read_dir(folder).and_then(Iterator::collect);
    let mut entries = entries.map_err(io_error(folder))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let at = entry.path();
        let there = entry.metadata().map_err(io_error(&at))?;
        let path = [below, &[text(&at, &entry.file_name())?.to_owned()]].concat();
        if there.is_dir() {
            look_into(content, &at, &path, found)?;
        } else if !there.is_file() {
            return Err(CreateError::NotAFile(at));
        } else if found.len() == MAX_FILES {
            return Err(CreateError::TooManyFiles(content.to_owned()));
        } else {
            found.push(Found { at, length: there.len(), below: Some(path) });
        }
    }
    Ok(())
}

fn text<'a>(path: &Path, name: &'a std::ffi::OsStr) -> Result<&'a str, CreateError> {
    let name = name.to_str().ok_or_else(|| CreateError::NameNotText(path.to_owned()))?;
    check_name(name).map_err(|source| CreateError::Name { path: path.to_owned(), source })?;
    Ok(name)
}

fn hash(
    found: &[Found],
    layout: &Layout,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<PieceHash>, CreateError> {
    let files = Files::new(found.iter().map(|file| (file.at.as_path(), file.length)))
        .expect("the layout's total is the sum of the lengths");
    // Nobody wants to see blocks: they are what is read at a time.
    let (total, piece_size) = (layout.total(), layout.piece_size());
    let read = Layout::any_piece_size(total, piece_size, READ.min(piece_size))?;
    files.hash(all_cores(), &read, |_, _| Ok(()), progress)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CreateError {
    let path = path.to_owned();
    move |source| CreateError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torrent::hash::hash_pieces;
    use tempfile::TempDir;

    fn make(content: &Path, piece_size: u32) -> Result<(Vec<u8>, Metainfo), CreateError> {
        create(
            &Order { content, piece_size: Some(piece_size), announce: &[], private: false },
            &mut |_, _| {},
        )
    }

    #[test]
    fn a_folders_files_are_one_content_in_the_order_of_their_names() {
        let folder = TempDir::new().unwrap();
        let all = folder.path().join("all");
        fs::create_dir_all(all.join("b")).unwrap();
        for (path, content) in [("c", &b"last"[..]), ("a", b"first"), ("b/empty", b""), ("b/x", b"middle")] {
            fs::write(all.join(path), content).unwrap();
        }
        let (_, metainfo) = make(&all, 4).unwrap();
        let files: Vec<(&str, u64)> =
            metainfo.files.iter().map(|file| (file.path.as_str(), file.length)).collect();
        assert_eq!(files, [("all/a", 5), ("all/b/empty", 0), ("all/b/x", 6), ("all/c", 4)]);
        assert_eq!(metainfo.piece_hashes, hash_pieces(&b"firstmiddlelast"[..], 4).unwrap());
        assert_eq!(make(&all, 4).unwrap().0, make(&all, 4).unwrap().0);
    }

    #[test]
    fn a_file_is_a_torrent_of_one_and_progress_ends_with_its_last_byte() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("story");
        fs::write(&path, vec![7; 200_000]).unwrap();
        let order = Order { content: &path, piece_size: None, announce: &[], private: true };
        let mut told = Vec::new();
        let (_, metainfo) = create(&order, &mut |done, total| told.push((done, total))).unwrap();
        assert!(metainfo.is_single_file() && metainfo.private);
        assert_eq!((metainfo.total(), metainfo.layout.piece_size()), (200_000, 16_384));
        assert_eq!(told.last(), Some(&(200_000, 200_000)));
    }

    #[test]
    fn what_cannot_be_in_a_torrent_is_named() {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("hollow/inside")).unwrap();
        assert!(matches!(make(&path("none"), 4), Err(CreateError::NotThere(_))));
        assert!(matches!(make(&path("hollow"), 4), Err(CreateError::NoFiles(_))));
        fs::write(path("hollow/inside/x"), "x").unwrap();
        assert!(matches!(make(&path("hollow"), 0), Err(CreateError::PieceSize(0))));
        fs::write(path("hollow/a:b"), "x").unwrap();
        let refused = make(&path("hollow"), 4).unwrap_err().to_string();
        assert!(refused.contains("hollow/a:b: the name ") && refused.ends_with("; rename it"), "{refused}");
        fs::remove_file(path("hollow/a:b")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", path("hollow/link")).unwrap();
            assert!(
                matches!(make(&path("hollow"), 4), Err(CreateError::NotAFile(at)) if at.ends_with("link"))
            );
        }
    }

    #[test]
    fn pieces_grow_with_the_content() {
        for (total, size) in
            [(0, 16 << 10), (1 << 30, 512 << 10), ((1 << 30) + 1, 1 << 20), (1 << 40, 16 << 20)]
        {
            assert_eq!(usual_piece_size(total), size, "{total}");
        }
    }
}
