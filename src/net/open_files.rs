//! How many files and sockets this process may have open, and who needs how many of them.

use std::io;
use std::sync::{Mutex, PoisonError};

/// For everything but connections: the runtime, the program's own files, results being written.
const SPARE: u64 = 64;

/// Open files promised to running swarms.
static RESERVED: Mutex<u64> = Mutex::new(0);

/// Open files that a swarm may count on; given back when dropped.
#[derive(Debug)]
pub struct OpenFiles(u64);

/// Not as many files may be open as are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this needs about {needed} open files and sockets, but the system allows {allowed}; raise the limit \
     (`ulimit -n {needed}`), lower max_connections, or run fewer peers or fewer runs at a time"
)]
pub struct TooFewFiles {
    pub needed: u64,
    pub allowed: u64,
}

impl OpenFiles {
    /// Raises the process's limit as far as it may be raised, and sets `count` aside.
    pub fn reserve(count: u64) -> Result<OpenFiles, TooFewFiles> {
        // A limit that cannot be told is found out by whoever opens a file too many.
        let allowed = raise_limit().unwrap_or(u64::MAX);
        let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = *reserved + count + SPARE;
        if needed > allowed {
            return Err(TooFewFiles { needed, allowed });
        }
        *reserved += count;
        Ok(OpenFiles(count))
    }
}

impl Drop for OpenFiles {
    fn drop(&mut self) {
        *RESERVED.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
    }
}

#[cfg(unix)]
fn raise_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// Sockets are not counted there.
#[cfg(not(unix))]
fn raise_limit() -> io::Result<u64> {
    Ok(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_had_again_and_too_much_cannot_be_had() {
        let allowed = raise_limit().unwrap();
        drop(OpenFiles::reserve(10).unwrap());
        let some = OpenFiles::reserve(10).unwrap();
        let refused = OpenFiles::reserve(allowed).unwrap_err();
        assert!(refused.needed > refused.allowed && refused.allowed == allowed);
        assert!(refused.to_string().contains("ulimit -n"));
        drop(some);
    }
}
