//! The swarm by hand: what `minibit start` keeps of it beside the folder `peers`, so that `status`, `logs`, `stop` and
//! `cleanup` find it again from any shell. What a peer does is known from its records alone, what becomes of its process
//! from the system.

pub(super) mod folder;
pub(super) mod heading;
pub(super) mod launch;
pub(super) mod lines;
pub(super) mod narration;
pub(super) mod process;
mod recent;
pub(super) mod standing;
pub(super) mod state;

use std::fmt::Display;
use std::io::{self, Write as _};

/// On stdout, whether somebody reads it or not: what is being started or ended must not stop halfway.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// The same on stderr: what a user may want to act on.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "note: {line}");
}
