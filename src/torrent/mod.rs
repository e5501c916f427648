//! What is shared: content cut into pieces and blocks, and the metainfo that describes it.

pub mod bencode;
pub mod bitfield;
#[cfg(feature = "net")]
pub mod create;
pub mod extents;
pub mod hash;
pub mod layout;
pub mod metainfo;
pub mod split;
