//! Exit codes: what a script learns from MiniBit without reading its output.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::net::store::StoreError;

/// For whoever reads the last words.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a command ended, worst last in the order signal, failure, unfinished, expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// MiniBit failed: I/O, a broken invariant, a result below the bound.
    Failed,
    /// The command line or the scenario is wrong.
    Usage,
    /// A run ended unfinished; its results are written.
    Unfinished,
    /// An `[[expect]]` of the scenario did not hold.
    ExpectFailed,
    /// Ended by a signal (128 + its number).
    Signal(u8),
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unfinished => 3,
            Exit::ExpectFailed => 99,
            Exit::Signal(number) => 128 + number,
        }
    }

    /// Several at once: a signal, then failures, then unfinished runs, then expectations.
    pub fn and(self, other: Exit) -> Exit {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::ExpectFailed => 1,
            Exit::Unfinished => 2,
            Exit::Usage => 3,
            Exit::Failed => 4,
            Exit::Signal(_) => 5,
        }
    }
}

/// Marks an error as the user's to mend: exit code 2. The message is complete, with where, what and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// By the user, who has put something else where the torrent's files belong.
fn is_to_be_mended(cause: &(dyn std::error::Error + 'static)) -> bool {
    let in_the_way = |error: &StoreError| matches!(error, StoreError::Occupied(_) | StoreError::Link(_));
    cause.is::<Usage>() || cause.downcast_ref().is_some_and(in_the_way)
}

/// The error and its causes, outermost first; a cause that the one before it has told already is not told again.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Writes last words, which must not keep a command from its end: a signal may already have been spent on ending it.
pub(super) fn in_time(write: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let (tell, written) = channel();
    // It hears nothing any more when it is late.
    std::thread::Builder::new().spawn(move || drop(tell.send(write())))?;
    written.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Prints an error, if there is one, and turns the result into the process's exit code.
pub(super) fn report(result: anyhow::Result<Exit>) -> ExitCode {
    let exit = result.unwrap_or_else(|error| {
        // `minibit … | head` is no failure: the reader has seen enough.
        let closed = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(closed) {
            return Exit::Done;
        }
        // Where stderr takes nothing any more, the exit code still tells.
        let line = format!("minibit: {}", told(&error));
        let _ = in_time(move || writeln!(io::stderr(), "{line}"));
        if error.chain().any(is_to_be_mended) { Exit::Usage } else { Exit::Failed }
    });
    ExitCode::from(exit.code())
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn every_cause_is_told_once() {
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        let folder = "results".into();
        let unwritable = crate::experiment::StoreError::Unwritable { folder, source: refused() };
        assert_eq!(
            told(&unwritable.into()),
            "cannot write results to results: permission denied; choose another folder with --out"
        );
        let untold = Err::<(), _>(refused()).context("cannot listen").unwrap_err();
        assert_eq!(told(&untold), "cannot listen: permission denied");
    }
}
