//! Systems other than Linux, through a library that knows them.

use std::io;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use super::{Process, Signal};

/// Seconds since 1970. `None` for a process that has ended, even if nobody has taken note of its end yet.
pub(super) fn began(pid: u32) -> Option<u64> {
    looked_at(pid, |process| {
        let is_over = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
        (!is_over).then(|| process.start_time())
    })?
}

/// The time a process began is not counted from the machine's start here.
pub(super) fn boot() -> Option<String> {
    None
}

/// The same of a process that may have ended, but of whose end its parent, who asks, has taken no note yet.
pub(super) fn child_began(pid: u32) -> Option<u64> {
    looked_at(pid, sysinfo::Process::start_time)
}

pub(super) fn signal(process: &Process, signal: Signal) -> io::Result<bool> {
    if !process.is_running() {
        return Ok(false);
    }
    let signal = match signal {
        Signal::Terminate => sysinfo::Signal::Term,
        Signal::Kill => sysinfo::Signal::Kill,
    };
    // Windows knows one way to end a process only.
    let sent = looked_at(process.pid, |process| process.kill_with(signal).unwrap_or_else(|| process.kill()));
    match sent {
        Some(false) if process.is_running() => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "the system refuses to end it"))
        }
        sent => Ok(sent.unwrap_or(false)),
    }
}

fn looked_at<T>(pid: u32, look: impl FnOnce(&sysinfo::Process) -> T) -> Option<T> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    system.process(pid).map(look)
}
