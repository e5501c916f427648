//! Other processes as /proc shows them.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// For something to come about that should.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that lives or lived: the number alone may be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    started: String,
    pub command: Vec<String>,
}

impl Process {
    /// Those that `parent` started.
    pub fn children_of(parent: u32) -> Vec<Process> {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        pids.filter_map(|pid| look(pid).filter(|(of, _)| *of == parent)).map(|(_, process)| process).collect()
    }

    pub fn lives(&self) -> bool {
        look(self.pid).is_some_and(|(_, now)| now.started == self.started)
    }

    /// SIGKILL.
    pub fn kill(&self) {
        kill(self.pid);
    }

    /// SIGSTOP: it does nothing any more, and is still there.
    pub fn freeze(&self) {
        signal("-STOP", self.pid);
    }

    /// What follows an option in its command.
    pub fn option(&self, name: &str) -> Option<&str> {
        let at = self.command.iter().position(|word| word == name)?;
        self.command.get(at + 1).map(String::as_str)
    }
}

pub fn kill(pid: u32) {
    signal("-KILL", pid);
}

fn signal(signal: &str, pid: u32) {
    let sent = std::process::Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Parent and process; zombies do not live.
fn look(pid: u32) -> Option<(u32, Process)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows its end is separated by spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (state, parent, started) = (fields.first()?, fields.get(1)?, fields.get(19)?);
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = command.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let process = Process { pid, started: (*started).to_owned(), command: words.collect() };
    (*state != "Z").then_some((parent.parse().ok()?, process))
}

/// Bytes of memory that are its own and present.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Looks again and again until there is something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None if Instant::now() < until => sleep(Duration::from_millis(10)),
            None => panic!("waited in vain: {what}"),
        }
    }
}
