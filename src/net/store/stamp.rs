//! What tells whether a file is still as it was found.

use std::fs::Metadata;
use std::time::SystemTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    /// `None` where the file system does not know.
    modified: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(file: &Metadata) -> Stamp {
        Stamp { length: file.len(), modified: file.modified().ok() }
    }
}
