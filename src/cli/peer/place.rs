//! Where a peer of the command line keeps its pieces: the file itself, or block files as `minibit split` writes them.

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
    /// Where the whole file is in the end.
    file: PathBuf,
    /// The folder of block files, where there is one.
    blocks: Option<PathBuf>,
}

impl Place {
    /// Looks, and touches nothing.
    pub(super) fn find(dir: &Path, metainfo: &Metainfo) -> anyhow::Result<Place> {
        if !metainfo.is_single_file() {
            let name = &metainfo.name;
            return Err(Usage(format!("{name} is a torrent of several files; a peer shares one file")).into());
        }
        let (file, blocks) = (dir.join(&metainfo.name), dir.join(BLOCKS));
        let in_blocks = blocks.is_dir();
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
            _ => Ok(Place { file, blocks: in_blocks.then_some(blocks) }),
        }
    }

    /// Where the whole file will be.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn open(&self, metainfo: &Metainfo) -> anyhow::Result<Store> {
        let (layout, hashes) = (metainfo.layout, metainfo.piece_hashes.clone().into());
        let store = match &self.blocks {
            Some(blocks) => Store::in_blocks(layout, hashes, blocks)?,
            None => Store::in_file(layout, hashes, &self.file)?,
        };
        Ok(store)
    }

    /// The whole file, once every piece is stored: rebuilt where the pieces are block files.
    pub(super) fn finish(&self, store: &Store) -> anyhow::Result<&Path> {
        if self.blocks.is_some() {
            store.rebuild(&self.file)?;
        }
        Ok(&self.file)
    }
}
