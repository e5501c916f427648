//! A process of this machine, told apart from every other that has had or will have its number: by when it began.
//! Knows nothing of what runs in it.

#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "process/elsewhere.rs")]
mod system;

use std::io;
use std::process::Child;

use serde::{Deserialize, Serialize};

/// One process, for good: no later one is equal, whatever number it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Process {
    pub pid: u32,
    /// In the system's own unit: clock ticks since the machine was started on Linux, seconds since 1970 elsewhere.
    began: u64,
    /// Which start of the machine `began` counts from, where the system says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
}

/// What has become of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Presence {
    Running,
    Gone,
    /// Another process has its number now.
    Replaced,
    /// The machine has been started anew since, so every number means something else.
    Restarted,
}

/// How a process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Signal {
    /// In good order.
    Terminate,
    /// At once, whether it wants or not.
    Kill,
}

impl Process {
    /// The child that we have just started. Its number is its own until we take note of its end.
    pub(in crate::cli) fn of_child(child: &Child) -> io::Result<Process> {
        let pid = child.id();
        let unknown = || {
            let advice = if cfg!(target_os = "linux") { " (is /proc mounted?)" } else { "" };
            io::Error::other(format!("the system does not say when process {pid} began{advice}"))
        };
        Ok(Process { pid, began: system::child_began(pid).ok_or_else(unknown)?, boot: system::boot() })
    }

    pub(in crate::cli) fn presence(&self) -> Presence {
        if self.boot.is_some() && self.boot != system::boot() {
            return Presence::Restarted;
        }
        match system::began(self.pid) {
            Some(began) if began == self.began => Presence::Running,
            Some(_) => Presence::Replaced,
            None => Presence::Gone,
        }
    }

    pub(in crate::cli) fn is_running(&self) -> bool {
        self.presence() == Presence::Running
    }

    /// Reaches this process or none: `false` when it is not there any more.
    pub(in crate::cli) fn signal(&self, signal: Signal) -> io::Result<bool> {
        system::signal(self, signal)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().expect("sleep can be started")
    }

    #[test]
    fn a_process_is_running_until_it_ends_even_where_nobody_takes_note_of_its_end() {
        let mut child = sleeper();
        let process = Process::of_child(&child).unwrap();
        assert_eq!(process.presence(), Presence::Running);
        assert!(process.signal(Signal::Terminate).unwrap());
        let patience = Instant::now() + Duration::from_secs(10);
        while process.is_running() && Instant::now() < patience {
            std::thread::yield_now();
        }
        assert_eq!(process.presence(), Presence::Gone);
        assert!(!process.signal(Signal::Kill).unwrap(), "nobody is there to be reached");
        assert_eq!(
            Process::of_child(&child).unwrap(),
            process,
            "a child that ended at once is known as well"
        );
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_only_has_the_number_of_another_is_not_reached() {
        let mut child = sleeper();
        let process = Process::of_child(&child).unwrap();
        let earlier = Process { began: process.began - 1, ..process.clone() };
        assert_eq!(earlier.presence(), Presence::Replaced);
        assert!(!earlier.signal(Signal::Kill).unwrap());
        let before_a_restart = Process { boot: Some("another".into()), ..process.clone() };
        assert_eq!(before_a_restart.presence(), Presence::Restarted);
        assert!(!before_a_restart.signal(Signal::Kill).unwrap());
        assert!(process.is_running());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
