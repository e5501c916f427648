//! Pieces as a directory of `block_K.bin` files, numbered through the whole content: what `split` hands out.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::id::{Block, BlockId, PieceIndex};
use crate::net::store::StoreError;
use crate::net::store::rebuild::create_anew;
use crate::torrent::layout::Layout;

#[derive(Debug)]
pub(super) struct BlockDirectory {
    layout: Layout,
    directory: PathBuf,
}

impl BlockDirectory {
    pub(super) fn open(layout: Layout, directory: &Path) -> Result<BlockDirectory, StoreError> {
        let directory = directory.to_path_buf();
        if directory.is_symlink() {
            return Err(StoreError::Link(directory));
        }
        match fs::create_dir_all(&directory) {
            Ok(()) => Ok(BlockDirectory { layout, directory }),
            Err(source) => Err(StoreError::Write { path: directory, source }),
        }
    }

    /// Every file appears whole or not at all.
    pub(super) fn write(&self, piece: PieceIndex, blocks: &[Bytes]) -> Result<(), StoreError> {
        for (index, block) in (0..).zip(blocks) {
            let path = self.path(BlockId { piece, index });
            let beside = path.with_extension("tmp");
            let written = create_anew(&beside)
                .and_then(|mut file| file.write_all(block))
                .and_then(|()| fs::rename(&beside, &path));
            if let Err(source) = written {
                // Half a file helps nobody; that it cannot be removed either changes nothing.
                let _ = fs::remove_file(&beside);
                return Err(StoreError::Write { path, source });
            }
        }
        Ok(())
    }

    /// The block must lie inside its piece; it may be any range of bytes, as other clients ask for them.
    pub(super) fn read(&self, block: Block) -> Result<Bytes, StoreError> {
        let mut data = vec![0; block.length as usize];
        let mut begin = block.begin;
        let mut rest = &mut data[..];
        while !rest.is_empty() {
            let id = BlockId { piece: block.piece, index: begin / self.layout.block_size() };
            let within = begin % self.layout.block_size();
            let take = rest.len().min((self.layout.block(id).length - within) as usize);
            let (part, after) = rest.split_at_mut(take);
            let path = self.path(id);
            read_range(&path, within, part).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => StoreError::Missing(block.piece),
                _ => StoreError::Read { path, source },
            })?;
            begin += take as u32;
            rest = after;
        }
        Ok(Bytes::from(data))
    }

    fn path(&self, block: BlockId) -> PathBuf {
        self.directory.join(format!("block_{}.bin", self.layout.block_number(block)))
    }
}

fn read_range(path: &Path, begin: u32, into: &mut [u8]) -> io::Result<()> {
    let mut file = File::open(path)?;
    if begin > 0 {
        file.seek(SeekFrom::Start(u64::from(begin)))?;
    }
    file.read_exact(into)
}
