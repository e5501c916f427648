//! What is shared: content cut into pieces and blocks, and the metainfo that describes it.

pub mod bitfield;
pub mod layout;
pub mod split;
