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
    /// Open files by their positions, the one that was used last in front.
    open: Mutex<VecDeque<(usize, Arc<Positioned>)>>,
}

impl Folder {
    /// Keeps what is there already, and makes what is missing. Looks at everything before it makes anything.
    pub(super) fn open(torrent: &Metainfo, below: &Path) -> Result<Folder, StoreError> {
        let folder = Folder {
            layout: torrent.layout,
            extents: Extents::new(torrent.files.iter().map(|file| file.length))
                .expect("metainfo is refused when its files are longer in all than can be counted"),
            files: torrent.files.clone(),
            below: below.to_path_buf(),
            open: Mutex::default(),
        };
        let mut missing = Vec::new();
        for (at, file) in folder.files.iter().enumerate().filter(|(_, file)| !file.padding) {
            match folder.look(at)? {
                None => missing.push(at),
                Some(there) if there.is_file() && there.len() == file.length => {}
                Some(_) => return Err(StoreError::Occupied(folder.path(at))),
            }
        }
        for at in missing {
            folder.make(at).map_err(|source| StoreError::Write { path: folder.path(at), source })?;
        }
        Ok(folder)
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
            if !self.is_padding(extent) {
                self.file(extent.file)
                    .and_then(|file| file.read(&mut data[part], extent.offset))
                    .map_err(|source| StoreError::Read { path: self.path(extent.file), source })?;
            }
        }
        Ok(Bytes::from(data))
    }

    /// The block, which must lie inside its piece, if its files are open and that needs no disk.
    pub(super) fn read_at_once(&self, block: Block) -> Option<Bytes> {
        let mut data = vec![0; block.length as usize];
        for (extent, part) in self.parts(self.offset(block), data.len()) {
            if !self.is_padding(extent) {
                let file = self.open_file(extent.file)?;
                file.read_at_once(&mut data[part], extent.offset).then_some(())?;
            }
        }
        Some(Bytes::from(data))
    }

    /// Whether nothing of the piece was ever written.
    pub(super) fn is_hole(&self, piece: PieceIndex) -> bool {
        let length = self.layout.piece_length(piece) as usize;
        self.parts(self.layout.piece_offset(piece), length).all(|(extent, _)| {
            let is_hole = |file: Arc<Positioned>| file.is_hole(extent.offset, extent.length);
            self.is_padding(extent) || self.file(extent.file).is_ok_and(is_hole)
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
        let file = Positioned::open(File::options().read(true).write(true), &self.path(at))?;
        let file = Arc::new(file);
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
