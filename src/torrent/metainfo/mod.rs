//! Metainfo: what a `.torrent` file says (BEP 3, 12, 27; the v1 half of hybrids, BEP 52). Reads and makes bytes;
//! opens no file and asks no tracker.
//!
//! Metainfo comes from strangers: everything is checked when it is parsed, and what is kept is safe to use. Above
//! all, joining any of its paths to a folder stays inside that folder.

mod draft;
mod name;
mod parse;

use crate::id::InfoHash;
use crate::torrent::bencode::BencodeError;
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::{Layout, LayoutError};

pub use draft::{Draft, DraftFile};
pub use name::{NameError, check_name};

/// The most bytes that a `.torrent` may have: enough for [`Layout::MAX_PIECES`] pieces.
pub const MAX_BYTES: usize = 64 << 20;
/// The most bytes of a piece; libtorrent's bound.
pub const MAX_PIECE_SIZE: u32 = 512 << 20;
/// The most bytes of a block, which crosses the wire in one message.
pub const MAX_BLOCK_SIZE: u32 = 16 << 20;
/// The most files of a torrent.
pub const MAX_FILES: usize = 100_000;

/// The key outside `info` that tells MiniBit's own block size to MiniBit; everybody else skips it.
const BLOCK_SIZE_KEY: &str = "minibit block size";

/// What is shared, and where to ask for peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// SHA-1 of the `info` dictionary as it stands in the file, not of a re-encoding.
    pub info_hash: InfoHash,
    /// Safe as the name of a file or folder.
    pub name: String,
    /// In the order of their bytes in the content; never none.
    pub files: Vec<File>,
    /// Pieces and blocks. The block size is the one MiniBit stored, otherwise what every client accepts.
    pub layout: Layout,
    /// One for each piece.
    pub piece_hashes: Vec<PieceHash>,
    /// Tracker URLs, unchecked, in tiers to be tried in order (BEP 12). May be empty.
    pub announce: Vec<Vec<String>>,
    /// Peers come from the tracker alone (BEP 27).
    pub private: bool,
}

/// A file of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// From the download folder, elements joined by `/`: the torrent's name alone for a torrent of one file, and
    /// `name/…` for one of several. Every element has passed [`check_name`].
    pub path: String,
    pub length: u64,
    /// Filler that is counted and hashed but never written (BEP 47).
    pub padding: bool,
}

/// Why bytes are no metainfo that MiniBit can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    #[error("{bytes} bytes are too many for a .torrent file (at most {MAX_BYTES})")]
    TooLarge { bytes: usize },
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    #[error("a .torrent file is a dictionary, this is something else")]
    NotADictionary,
    #[error("`{key}` is missing")]
    Missing { key: &'static str },
    #[error("`{key}` must be {expected}")]
    Wrong { key: &'static str, expected: &'static str },
    #[error("BitTorrent v2 only (BEP 52): MiniBit reads v1 and hybrid torrents; make a hybrid one")]
    V2Only,
    #[error("`info` must have either `length` or `files`, not both and not neither")]
    LengthOrFiles,
    #[error("`pieces` lists {listed} pieces, but the content has {pieces}")]
    PieceCount { listed: usize, pieces: u32 },
    #[error("{0}")]
    Name(#[from] NameError),
    #[error(
        "the path {path:?} occurs twice, or is a file and a folder at once; names that differ only in upper and lower case \
         are one on many systems"
    )]
    PathTaken { path: String },
    #[error("the path {path:?} is a symbolic link, which MiniBit does not create")]
    SymbolicLink { path: String },
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

impl Metainfo {
    /// Reads a `.torrent` file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
        parse::parse(bytes)
    }

    /// Bytes of the whole content.
    pub fn total(&self) -> u64 {
        self.layout.total()
    }

    /// Whether the content is one file of the torrent's name, and not a folder.
    pub fn is_single_file(&self) -> bool {
        matches!(&self.files[..], [file] if file.path == self.name)
    }
}
