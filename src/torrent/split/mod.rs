//! Split-and-distribute: who holds which pieces before anybody exchanges anything, and the folders that say so on
//! disk. Who holds what is pure; the folders need a file system and come with it.

#[cfg(feature = "net")]
pub mod contents;
mod distribution;
#[cfg(feature = "net")]
pub mod folder;
#[cfg(feature = "net")]
pub mod marker;
#[cfg(feature = "net")]
mod write;

pub use distribution::{Distribution, DistributionError, distribute};
#[cfg(feature = "net")]
pub use write::{MAX_BLOCK_FILES, MAX_PEERS, Order, Split, SplitError, blocks_of, split};
