//! The signals that end a command: Ctrl-C, and what asks a program to end without one.

use std::io;

use super::Exit;

const INTERRUPT: u8 = 2;
const TERMINATE: u8 = 15;

/// Signals as they come in. While it lives, none of them ends the process by itself.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Must be called within a tokio runtime.
    pub(super) fn listen() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal, as the exit code of whoever ends by it.
    pub(super) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Signal(INTERRUPT),
            _ = self.terminate.recv() => Exit::Signal(TERMINATE),
        }
    }
}

/// Signals as they come in. While it lives, none of them ends the process by itself.
#[cfg(windows)]
pub(super) struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
}

#[cfg(windows)]
impl Signals {
    /// Must be called within a tokio runtime.
    pub(super) fn listen() -> io::Result<Signals> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Signals { interrupt: ctrl_c()?, terminate: ctrl_break()? })
    }

    /// The next signal, as the exit code of whoever ends by it.
    pub(super) async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Signal(INTERRUPT),
            _ = self.terminate.recv() => Exit::Signal(TERMINATE),
        }
    }
}
