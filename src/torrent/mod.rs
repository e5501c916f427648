//! What is shared: content cut into pieces and blocks, and the metainfo that describes it.

pub mod bencode;
pub mod bitfield;
#[cfg(feature = "net")]
pub mod create;
#[cfg(feature = "net")]
pub mod every_piece;
pub mod extents;
#[cfg(feature = "net")]
pub mod files;
pub mod hash;
pub mod layout;
pub mod metainfo;
pub mod split;
