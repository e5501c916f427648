//! Where a peer of the command line keeps its pieces: the file itself, the files of a torrent of several, or block
//! files as `minibit split` writes them.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Usage;
use crate::net::store::Store;
use crate::torrent::metainfo::Metainfo;

/// The folder of block files beside which the whole file is rebuilt.
const BLOCKS: &str = "blocks";

/// A folder that was looked at, and the form its pieces have.
#[derive(Debug)]
pub(super) struct Place {
    /// Where the whole file is in the end, or the folder of several.
    file: PathBuf,
    dir: PathBuf,
    form: Form,
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
    /// Looks, and touches nothing.
    pub(super) fn find(dir: &Path, metainfo: &Metainfo) -> anyhow::Result<Place> {
        let (file, blocks) = (dir.join(&metainfo.name), dir.join(BLOCKS));
        if !metainfo.is_single_file() {
            return Ok(Place { file, dir: dir.to_path_buf(), form: Form::Several });
        }
        let form = if blocks.is_dir() { Form::Blocks(blocks) } else { Form::One };
        match std::fs::metadata(&file) {
            Ok(there) if there.len() != metainfo.total() => Err(Usage(format!(
                "{} has {} bytes, the torrent's file {}: it is another one; move it away or choose another --dir",
                file.display(),
                there.len(),
                metainfo.total()
            ))
            .into()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot look at {}", file.display()))
            }
            _ => Ok(Place { file, dir: dir.to_path_buf(), form }),
        }
    }

    /// Where the whole file will be, or the folder of several.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn open(&self, metainfo: &Metainfo) -> anyhow::Result<Store> {
        let (layout, hashes) = (metainfo.layout, metainfo.piece_hashes.clone().into());
        let store = match &self.form {
            Form::Blocks(blocks) => Store::in_blocks(layout, hashes, blocks)?,
            Form::One => Store::in_file(layout, hashes, &self.file)?,
            Form::Several => Store::in_folder(metainfo, &self.dir)?,
        };
        Ok(store)
    }

    /// The whole file, once every piece is stored: rebuilt where the pieces are block files.
    pub(super) fn finish(&self, store: &Store) -> anyhow::Result<&Path> {
        if matches!(self.form, Form::Blocks(_)) {
            store.rebuild(&self.file)?;
        }
        Ok(&self.file)
    }
}
