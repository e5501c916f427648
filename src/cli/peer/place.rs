//! Where a peer of the command line keeps its pieces: the file itself, the files of a torrent of several, or block
//! files as `minibit split` writes them.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Usage;
use crate::net::store::Store;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;

/// The folder of block files beside which the whole file is rebuilt.
const BLOCKS: &str = "blocks";

/// A folder that was looked at, and the form its pieces have.
#[derive(Debug)]
pub(in crate::cli) struct Place {
    /// Where the whole file is in the end, or the folder of several.
    file: PathBuf,
    dir: PathBuf,
    form: Form,
    /// Nothing is there that could hold a piece.
    is_new: bool,
}

#[derive(Debug)]
enum Form {
    /// Block files in this folder.
    Blocks(PathBuf),
    One,
    /// The files of a torrent of several.
    Several,
}

impl Place {
    /// The files themselves in this folder, or block files where it has a folder of them. Looks, and touches nothing.
    pub(in crate::cli) fn with_blocks(dir: &Path, metainfo: &Metainfo) -> anyhow::Result<Place> {
        let place = Place::of_files(dir, metainfo)?;
        let blocks = dir.join(BLOCKS);
        if matches!(place.form, Form::One) && blocks.is_dir() {
            return Ok(Place { form: Form::Blocks(blocks), is_new: false, ..place });
        }
        Ok(place)
    }

    /// The files themselves in this folder, whatever else it holds. Looks, and touches nothing.
    pub(in crate::cli) fn of_files(dir: &Path, metainfo: &Metainfo) -> anyhow::Result<Place> {
        let file = dir.join(&metainfo.name);
        let at = |file, form, is_new| Place { file, dir: dir.to_path_buf(), form, is_new };
        if !metainfo.is_single_file() {
            let mut kept = metainfo.files.iter().filter(|file| !file.padding && file.length > 0);
            let is_new = !kept.any(|file| exists(&dir.join(&file.path)));
            return Ok(at(file, Form::Several, is_new));
        }
        match std::fs::metadata(&file) {
            Ok(there) if there.len() != metainfo.total() => Err(Usage(format!(
                "{} has {} bytes, the torrent's file {}: it is another one; move it away or choose another folder",
                file.display(),
                there.len(),
                metainfo.total()
            ))
            .into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot look at {}", file.display()))
            }
            there => Ok(at(file, Form::One, there.is_err())),
        }
    }

    /// The content itself, which has to be there: as one file, whatever its name, or as the torrent's folder. An error
    /// says what is not as the torrent says.
    pub(in crate::cli) fn of_content(content: &Path, metainfo: &Metainfo) -> Result<Place, String> {
        let dir = content.parent().unwrap_or(content).to_path_buf();
        let (is_one, form) =
            if metainfo.is_single_file() { (true, Form::One) } else { (false, Form::Several) };
        if !is_one && content.file_name() != Some(metainfo.name.as_ref()) {
            return Err(format!("that is a folder named {}", metainfo.name));
        }
        for file in metainfo.files.iter().filter(|file| !file.padding) {
            let at = if is_one { content.to_path_buf() } else { dir.join(&file.path) };
            match at.symlink_metadata() {
                Ok(there) if there.is_file() && there.len() == file.length => {}
                Ok(there) if there.is_file() => {
                    let (bytes, wanted) = (there.len(), file.length);
                    return Err(format!("{} has {bytes} bytes, not {wanted}", at.display()));
                }
                _ => return Err(format!("{} is no file", at.display())),
            }
        }
        Ok(Place { file: content.to_path_buf(), dir, form, is_new: false })
    }

    /// Where the whole file will be, or the folder of several.
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.file
    }

    pub(in crate::cli) fn open(&self, metainfo: &Metainfo) -> anyhow::Result<Store> {
        let (layout, hashes) = (metainfo.layout, metainfo.piece_hashes.clone().into());
        let store = match &self.form {
            Form::Blocks(blocks) => Store::in_blocks(layout, hashes, blocks)?,
            Form::One => Store::in_file(layout, hashes, &self.file)?,
            Form::Several => Store::in_folder(metainfo, &self.dir)?,
        };
        Ok(store)
    }

    /// To read the content, which is whole, and to change nothing.
    pub(in crate::cli) fn open_to_read(&self, metainfo: &Metainfo) -> anyhow::Result<Store> {
        let (layout, hashes) = (metainfo.layout, metainfo.piece_hashes.clone().into());
        Ok(match &self.form {
            Form::Several => Store::of_folder(metainfo, &self.dir)?,
            Form::One | Form::Blocks(_) => Store::of_file(layout, hashes, &self.file)?,
        })
    }

    /// Which pieces are there, for a download that goes on with them. Makes and changes nothing.
    ///
    /// # Errors
    ///
    /// What is there is something else, which the download would replace.
    pub(in crate::cli) fn begun(&self, metainfo: &Metainfo) -> anyhow::Result<Bitfield> {
        if self.is_new {
            return Ok(Bitfield::empty(metainfo.layout.pieces()));
        }
        let there = match &self.form {
            Form::Several => Store::of_what_is_in_folder(metainfo, &self.dir)?,
            Form::One | Form::Blocks(_) => self.open_to_read(metainfo)?,
        };
        let have = there.scan();
        if there.holds_something_else(&have) {
            return Err(Usage(format!(
                "{} is there and holds nothing of what the torrent describes; move it away, or choose another folder",
                self.file.display()
            ))
            .into());
        }
        Ok(have)
    }

    /// Which pieces are there. Of files that were not there before it was opened, none is read.
    pub(in crate::cli) fn scan(&self, store: &Store) -> Bitfield {
        if self.is_new { Bitfield::empty(store.layout().pieces()) } else { store.scan() }
    }

    /// The whole file, once every piece is stored: rebuilt where the pieces are block files.
    pub(in crate::cli) fn finish(&self, store: &Store) -> anyhow::Result<&Path> {
        if matches!(self.form, Form::Blocks(_)) {
            store.rebuild(&self.file)?;
        }
        Ok(&self.file)
    }
}

/// Whatever it is, and where it cannot be looked at too.
fn exists(path: &Path) -> bool {
    !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
