//! Where a key or value of a scenario was written: what an error points at.

/// Where a key or value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// Bytes of the file.
    File { start: usize, end: usize },
    /// Bytes of the `--set` with this position.
    Set { number: usize, start: usize, end: usize },
    /// In the file as a whole: something is missing.
    Anywhere,
}
