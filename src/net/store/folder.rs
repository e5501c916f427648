//! Pieces at their places in the files of a torrent of several: sparse files of their full lengths below one folder.
//!
//! The paths come from a stranger's torrent. Its parser has made sure that none of them leads out of the folder; here no
//! link on the way to a file is followed, whenever it is opened.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::net::store::StoreError;
use crate::net::store::positioned::Positioned;
use crate::net::store::stamp::Stamp;
use crate::torrent::extents::{Extent, Extents};
use crate::torrent::layout::Layout;
use crate::torrent::metainfo::{self, Metainfo};

/// So many files stay open: a torrent may have more than a process may open.
const KEPT_OPEN: usize = 32;

#[derive(Debug)]
pub(super) struct Folder {
    layout: Layout,
    extents: Extents,
    files: Vec<metainfo::File>,
    /// What the files' paths are joined to.
    below: PathBuf,
    /// How the files were found, where they are only read. Those that are missing, and padding, are `None`: zeros.
    found: Option<Vec<Option<Stamp>>>,
    /// Open files by their positions, the one that was used last in front.
    open: Mutex<VecDeque<(usize, Arc<Positioned>)>>,
}

impl Folder {
    /// Keeps what is there already, and makes what is missing. Looks at everything before it makes anything.
    pub(super) fn open(torrent: &Metainfo, below: &Path) -> Result<Folder, StoreError> {
        let folder = Folder::new(torrent, below);
        let found = folder.look_at_all()?;
        for at in folder.missing(&found) {
            folder.make(at).map_err(|source| StoreError::Write { path: folder.path(at), source })?;
        }
        Ok(folder)
    }

    /// To read what is there, and nothing else. What is missing counts as zeros.
    pub(super) fn open_to_read(torrent: &Metainfo, below: &Path) -> Result<Folder, StoreError> {
        let mut folder = Folder::new(torrent, below);
        folder.found = Some(folder.look_at_all()?);
        Ok(folder)
    }

    /// The same, where everything has to be there.
    pub(super) fn open_whole_to_read(torrent: &Metainfo, below: &Path) -> Result<Folder, StoreError> {
        let folder = Folder::open_to_read(torrent, below)?;
        let missing = folder.found.as_ref().and_then(|found| folder.missing(found).next());
        match missing {
            Some(at) => {
                Err(StoreError::Read { path: folder.path(at), source: io::ErrorKind::NotFound.into() })
            }
            None => Ok(folder),
        }
    }

    fn new(torrent: &Metainfo, below: &Path) -> Folder {
        Folder {
            layout: torrent.layout,
            extents: Extents::new(torrent.files.iter().map(|file| file.length))
                .expect("metainfo is refused when its files are longer in all than can be counted"),
            files: torrent.files.clone(),
            below: below.to_path_buf(),
            found: None,
            open: Mutex::default(),
        }
    }

    /// The files that are there, each of its length.
    fn look_at_all(&self) -> Result<Vec<Option<Stamp>>, StoreError> {
        let look = |(at, file): (usize, &metainfo::File)| match self.look(at) {
            _ if file.padding => Ok(None),
            Ok(Some(there)) if !there.is_file() || there.len() != file.length => {
                Err(StoreError::Occupied(self.path(at)))
            }
            there => there.map(|there| there.map(|there| Stamp::of(&there))),
        };
        self.files.iter().enumerate().map(look).collect()
    }

    fn missing(&self, found: &[Option<Stamp>]) -> impl Iterator<Item = usize> {
        let files = self.files.iter().zip(found).enumerate();
        files.filter(|(_, (file, found))| !file.padding && found.is_none()).map(|(at, _)| at)
    }

    pub(super) fn write(&self, piece: PieceIndex, blocks: &[Bytes]) -> Result<(), StoreError> {
        let is_wrong =
            |(extent, data): (Extent, &[u8])| self.is_padding(extent) && data.iter().any(|byte| *byte != 0);
        if self.places(piece, blocks).any(is_wrong) {
            return Err(StoreError::Padding(piece));
        }
        for (extent, data) in self.places(piece, blocks).filter(|(extent, _)| !self.is_padding(*extent)) {
            self.file(extent.file)
                .and_then(|file| file.write([data], extent.offset))
                .map_err(|source| StoreError::Write { path: self.path(extent.file), source })?;
        }
        Ok(())
    }

    /// The block must lie inside its piece.
    pub(super) fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        let mut data = vec![0; block.length as usize];
        for (extent, part) in self.parts(self.offset(block), data.len()) {
            if !self.is_zeros(extent) {
                self.file(extent.file)
                    .and_then(|file| file.read(&mut data[part], extent.offset))
                    .map_err(|source| StoreError::Read { path: self.path(extent.file), source })?;
            }
        }
        Ok(Bytes::from(data))
    }

    /// The first of the block's files that is only read and is no longer as it was found, though it is there.
    pub(super) fn changed(&self, block: Block) -> Option<PathBuf> {
        self.found.as_ref()?;
        let mut files = self.parts(self.offset(block), block.length as usize).map(|(extent, _)| extent);
        let is_changed = |extent: &Extent| {
            !self.is_zeros(*extent)
                && self.file(extent.file).is_ok_and(|file| !self.is_as_found(extent.file, &file))
        };
        files.find(is_changed).map(|extent| self.path(extent.file))
    }

    /// The block, which must lie inside its piece, if its files are open and that needs no disk.
    pub(super) fn read_at_once(&self, block: Block) -> Option<Bytes> {
        let mut data = vec![0; block.length as usize];
        for (extent, part) in self.parts(self.offset(block), data.len()) {
            if !self.is_zeros(extent) {
                let file = self.open_file(extent.file)?;
                let is_read = file.read_at_once(&mut data[part], extent.offset);
                (is_read && self.is_as_found(extent.file, &file)).then_some(())?;
            }
        }
        Some(Bytes::from(data))
    }

    /// Whether nothing of the piece was ever written.
    pub(super) fn is_hole(&self, piece: PieceIndex) -> bool {
        let length = self.layout.piece_length(piece) as usize;
        self.parts(self.layout.piece_offset(piece), length).all(|(extent, _)| {
            let is_hole = |file: Arc<Positioned>| file.is_hole(extent.offset, extent.length);
            self.is_zeros(extent) || self.file(extent.file).is_ok_and(is_hole)
        })
    }

    fn offset(&self, block: Block) -> u64 {
        self.layout.piece_offset(block.piece) + u64::from(block.begin)
    }

    /// Where a piece's blocks lie, each extent with its bytes of them.
    fn places<'a>(
        &'a self,
        piece: PieceIndex,
        blocks: &'a [Bytes],
    ) -> impl Iterator<Item = (Extent, &'a [u8])> {
        let mut end = self.layout.piece_offset(piece);
        blocks.iter().flat_map(move |block| {
            let begin = end;
            end += block.len() as u64;
            self.parts(begin, block.len()).map(|(extent, part)| (extent, &block[part]))
        })
    }

    /// Where `length` bytes of the content lie, each extent with its part of them.
    fn parts(&self, begin: u64, length: usize) -> impl Iterator<Item = (Extent, std::ops::Range<usize>)> {
        let mut behind = 0;
        self.extents.of(begin, length as u64).map(move |extent| {
            let part = behind..behind + extent.length as usize;
            behind = part.end;
            (extent, part)
        })
    }

    fn is_padding(&self, extent: Extent) -> bool {
        self.files[extent.file].padding
    }

    /// Padding, or what is missing and not to be made.
    fn is_zeros(&self, extent: Extent) -> bool {
        self.found.as_ref().map_or(self.is_padding(extent), |found| found[extent.file].is_none())
    }

    fn is_as_found(&self, at: usize, file: &Positioned) -> bool {
        let Some(found) = &self.found else { return true };
        file.stamp().is_ok_and(|now| found[at] == Some(now))
    }

    fn path(&self, at: usize) -> PathBuf {
        self.below.join(&self.files[at].path)
    }

    /// What stands where the file belongs, if anything does. Every step of the way is looked at, and none may be a link.
    fn look(&self, at: usize) -> Result<Option<Metadata>, StoreError> {
        let mut path = self.below.clone();
        let mut there = None;
        for element in self.files[at].path.split('/') {
            path.push(element);
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() => return Err(StoreError::Link(path)),
                Ok(found) => there = Some(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                // A file, and the way goes on below it.
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(StoreError::Occupied(path.parent().unwrap_or(&path).to_path_buf()));
                }
                Err(source) => return Err(StoreError::Read { path, source }),
            }
        }
        Ok(there)
    }

    /// A new file of zeros, after a look.
    fn make(&self, at: usize) -> io::Result<()> {
        let path = self.path(at);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create_new(path)?.set_len(self.files[at].length)
    }

    /// The file, opened anew if it was not used lately.
    fn file(&self, at: usize) -> io::Result<Arc<Positioned>> {
        if let Some(file) = self.open_file(at) {
            return Ok(file);
        }
        self.look(at).map_err(io::Error::other)?;
        let path = self.path(at);
        let file = match self.found {
            Some(_) => Positioned::open_to_read(&path),
            None => Positioned::open(File::options().read(true).write(true), &path),
        };
        let file = Arc::new(file?);
        let mut open = self.kept_open();
        open.push_front((at, Arc::clone(&file)));
        open.truncate(KEPT_OPEN);
        Ok(file)
    }

    /// The file if it is open.
    fn open_file(&self, at: usize) -> Option<Arc<Positioned>> {
        let mut open = self.kept_open();
        let place = open.iter().position(|(kept, _)| *kept == at)?;
        let kept = open.remove(place)?;
        let file = Arc::clone(&kept.1);
        open.push_front(kept);
        Some(file)
    }

    fn kept_open(&self) -> MutexGuard<'_, VecDeque<(usize, Arc<Positioned>)>> {
        // A panic elsewhere cannot have left a file half open.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
