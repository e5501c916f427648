//! Writing a split: a file cut into blocks, handed out to peers' folders, with the metainfo beside them. The content
//! is read once, on all cores, and each of them keeps one block: memory does not grow with the content.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::folder::{self, PEERS, Staged};
use super::marker::{self, Marker};
use super::{Distribution, DistributionError, distribute};
use crate::id::BlockId;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::every_piece::all_cores;
use crate::torrent::files::{Files, ReadError};
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::{Layout, LayoutError};
use crate::torrent::metainfo::{Draft, MAX_BLOCK_SIZE, Metainfo, MetainfoError};

/// More block files than this are taken for a mistake.
pub const MAX_BLOCK_FILES: u64 = 200_000;
/// More peers' folders than this likewise.
pub const MAX_PEERS: u32 = 10_000;

/// So many files of others are named.
const FOREIGN_NAMED: usize = 3;

/// What to split, and how.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    pub file: &'a Path,
    /// Where `peers` is to stand.
    pub out: &'a Path,
    pub peers: u32,
    /// In bytes.
    pub block_size: u32,
    /// In bytes, a multiple of the block size.
    pub piece_size: u32,
    pub distribution: Distribution,
    pub random_seed: u64,
    /// Tracker URLs in tiers (BEP 12), for the metainfo.
    pub announce: &'a [Vec<String>],
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Split {
    pub metainfo: Metainfo,
    /// Who holds which pieces: peer 1 first.
    pub held: Vec<Bitfield>,
    /// The `peers` folder.
    pub folder: PathBuf,
    /// The `.torrent` file in it.
    pub torrent: PathBuf,
}

/// Why nothing was split. Whatever stood there before still stands.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    #[error("{}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: there is no such file", .0.display())]
    NoSuchFile(PathBuf),
    #[error("{}: not a file; split takes one file of any kind", .0.display())]
    NotAFile(PathBuf),
    #[error("{}: the name is not UTF-8, which a .torrent file needs; rename the file", .0.display())]
    NameNotText(PathBuf),
    #[error("{}: MiniBit keeps files of its own under this name; rename the file", .0.display())]
    NameReserved(PathBuf),
    #[error("{}: lies in the folder that this split would replace; copy the file elsewhere first", .0.display())]
    InsideTarget(PathBuf),
    #[error("{}: was not made by MiniBit, so it is not replaced; move it away, or choose another --out", .0.display())]
    NotOurs(PathBuf),
    #[error(
        "{} holds what MiniBit did not put there: {foreign}; nothing was changed: move it away and split again, or \
         choose another --out",
        target.display()
    )]
    HoldsForeign { target: PathBuf, foreign: String },
    #[error("{}: changed while it was read; split it again", .0.display())]
    Changed(PathBuf),
    #[error("a block of {block_size} bytes is too large: at most {MAX_BLOCK_SIZE} bytes (16 MiB)")]
    BlockTooLarge { block_size: u32 },
    #[error(
        "this would be {files} block files, more than {MAX_BLOCK_FILES}: choose larger blocks (--block-size) or \
         fewer peers (--peers); `minibit run` needs no block files for many peers"
    )]
    TooManyFiles { files: u64 },
    #[error("{peers} peers are more than {MAX_PEERS}: `minibit run` needs no folders for many peers")]
    TooManyPeers { peers: u32 },
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Distribution(#[from] DistributionError),
    #[error(transparent)]
    Metainfo(#[from] MetainfoError),
}

impl SplitError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> SplitError {
        let path = path.to_owned();
        move |source| SplitError::Io { path, source }
    }
}

impl From<ReadError> for SplitError {
    fn from(error: ReadError) -> SplitError {
        match error {
            ReadError::Io { path, source } => SplitError::Io { path, source },
            ReadError::Changed(path) => SplitError::Changed(path),
        }
    }
}

/// Splits the file and replaces what an earlier split left in `out` as a whole. `progress` hears how many bytes of
/// the content are done, and of how many.
pub fn split(order: &Order<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Split, SplitError> {
    let name = name_of(order.file)?;
    let length = length_of(order.file)?;
    check_target(order)?;
    if order.block_size > MAX_BLOCK_SIZE {
        return Err(SplitError::BlockTooLarge { block_size: order.block_size });
    }
    let layout = Layout::new(length, order.piece_size, order.block_size)?;
    let held = hand_out(order, &layout)?;

    let torrent = format!("{name}.torrent");
    let kind = order.distribution.name().to_owned();
    let marker = Marker::new(torrent.clone(), order.peers, kind, order.random_seed);
    let staged = Staged::begin(order.out, &marker).map_err(SplitError::io(order.out))?;
    let content = Content { file: order.file, layout: &layout, held: &held };
    let piece_hashes = content.write_blocks(staged.path(), progress)?;
    let draft = Draft {
        name,
        files: None,
        layout,
        piece_hashes: &piece_hashes,
        announce: order.announce,
        private: true,
    };
    let (bytes, metainfo) = draft.build()?;
    let staged_torrent = staged.path().join(&torrent);
    fs::write(&staged_torrent, bytes).map_err(SplitError::io(&staged_torrent))?;

    // Once more: reading the file may have taken long.
    check_target(order)?;
    let target = order.out.join(PEERS);
    let folder = staged.publish().map_err(SplitError::io(&target))?;
    Ok(Split { metainfo, held, torrent: folder.join(torrent), folder })
}

fn name_of(file: &Path) -> Result<&str, SplitError> {
    let name = file.file_name().ok_or_else(|| SplitError::NotAFile(file.to_owned()))?;
    let name = name.to_str().ok_or_else(|| SplitError::NameNotText(file.to_owned()))?;
    if folder::is_reserved(name) {
        return Err(SplitError::NameReserved(file.to_owned()));
    }
    Ok(name)
}

fn length_of(file: &Path) -> Result<u64, SplitError> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(_) => Err(SplitError::NotAFile(file.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SplitError::NoSuchFile(file.to_owned())),
        Err(error) => Err(SplitError::io(file)(error)),
    }
}

/// Only a folder that MiniBit made is replaced, and never one that holds the file to split or anything of others.
fn check_target(order: &Order<'_>) -> Result<(), SplitError> {
    let target = order.out.join(PEERS);
    if !folder::exists(&target) {
        return Ok(());
    }
    if !marker::is_ours(&target) {
        return Err(SplitError::NotOurs(target));
    }
    let file = order.file.canonicalize().map_err(SplitError::io(order.file))?;
    let inside = target.canonicalize().map_err(SplitError::io(&target))?;
    if file.starts_with(inside) {
        return Err(SplitError::InsideTarget(order.file.to_owned()));
    }
    check_foreign(target)
}

fn check_foreign(target: PathBuf) -> Result<(), SplitError> {
    let foreign = Contents::of(&target).map_err(SplitError::io(&target))?.foreign;
    if foreign.is_empty() {
        return Ok(());
    }
    let named: Vec<String> =
        foreign.iter().take(FOREIGN_NAMED).map(|path| path.display().to_string()).collect();
    let more = match foreign.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(SplitError::HoldsForeign { target, foreign: named.join(", ") + &more })
}

fn hand_out(order: &Order<'_>, layout: &Layout) -> Result<Vec<Bitfield>, SplitError> {
    if order.peers > MAX_PEERS {
        return Err(SplitError::TooManyPeers { peers: order.peers });
    }
    // Every block is held at least once: an absurd number shows before anything is drawn.
    check_files(layout.blocks())?;
    let mut stream = Distribution::stream(order.random_seed);
    let held = distribute(layout.pieces(), order.peers, order.distribution, &mut stream)?;
    check_files(held.iter().map(|pieces| blocks_of(layout, pieces)).sum())?;
    Ok(held)
}

fn check_files(files: u64) -> Result<(), SplitError> {
    if files > MAX_BLOCK_FILES { Err(SplitError::TooManyFiles { files }) } else { Ok(()) }
}

/// How many blocks these pieces have.
pub fn blocks_of(layout: &Layout, pieces: &Bitfield) -> u64 {
    pieces.iter().map(|piece| u64::from(layout.blocks_in(piece))).sum()
}

/// The file being split and who gets what of it.
struct Content<'a> {
    file: &'a Path,
    layout: &'a Layout,
    held: &'a [Bitfield],
}

impl Content<'_> {
    /// Reads the content once: every block goes to all who hold its piece, and into the piece's hash.
    fn write_blocks(
        &self,
        staged: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<PieceHash>, SplitError> {
        let folders: Vec<PathBuf> =
            (1..=self.held.len() as u32).map(|peer| folder::blocks_folder(staged, peer)).collect();
        for folder in &folders {
            fs::create_dir_all(folder).map_err(SplitError::io(folder))?;
        }
        let files = Files::new([(self.file, self.layout.total())]).expect("one length can be counted");
        let write = |id, block: &[u8]| self.write_block(id, block, &folders);
        let hashes = files.hash(all_cores(), self.layout, write, progress)?;
        if self.has_grown().map_err(SplitError::io(self.file))? {
            return Err(SplitError::Changed(self.file.to_owned()));
        }
        Ok(hashes)
    }

    fn write_block(&self, id: BlockId, block: &[u8], folders: &[PathBuf]) -> Result<(), SplitError> {
        let name = format!("block_{}.bin", self.layout.block_number(id));
        let holders = folders.iter().zip(self.held).filter(|(_, pieces)| pieces.contains(id.piece));
        for (folder, _) in holders {
            let path = folder.join(&name);
            let written = File::create_new(&path).and_then(|mut file| file.write_all(block));
            written.map_err(SplitError::io(&path))?;
        }
        Ok(())
    }

    /// Looks for a byte behind the last one: some files have other lengths than they say.
    fn has_grown(&self) -> io::Result<bool> {
        let mut file = File::open(self.file)?;
        file.seek(SeekFrom::Start(self.layout.total()))?;
        Ok(file.read(&mut [0])? > 0)
    }
}
