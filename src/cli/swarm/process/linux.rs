//! Linux: what `/proc` says, and a descriptor that means one process however numbers are given anew.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};

use super::{Process, Signal};

/// Where `starttime` stands in proc_pid_stat(5), counted from the state that follows the name.
const START_TIME: usize = 19;

/// Ticks of the clock between the machine's start and the process's. `None` for one that has ended.
pub(super) fn began(pid: u32) -> Option<u64> {
    let (began, is_over) = stat(pid)?;
    (!is_over).then_some(began)
}

/// The same of a process that may have ended, but of whose end its parent, who asks, has taken no note yet.
pub(super) fn child_began(pid: u32) -> Option<u64> {
    stat(pid).map(|(began, _)| began)
}

/// When it began, and whether it has ended.
fn stat(pid: u32) -> Option<(u64, bool)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, brackets and spaces too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    Some((fields.get(START_TIME)?.parse().ok()?, matches!(fields.first(), Some(&("Z" | "X")))))
}

/// Differs after every start of the machine.
pub(super) fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

pub(super) fn signal(process: &Process, signal: Signal) -> io::Result<bool> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let signal = match signal {
        Signal::Terminate => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    let opened = pidfd_open(pid, PidfdFlags::empty());
    // Looked at only now: whatever becomes of the number, the descriptor goes on meaning the process looked at.
    if !process.is_running() {
        return Ok(false);
    }
    let sent = match opened {
        Ok(descriptor) => pidfd_send_signal(descriptor, signal),
        // Before Linux 5.3, and in some sandboxes.
        Err(Errno::NOSYS) => kill_process(pid, signal),
        Err(error) => Err(error),
    };
    match sent {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
