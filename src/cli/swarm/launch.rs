//! Starting `minibit` itself in the background: apart from the shell and its keyboard, with everything it prints in a
//! file. A program that was launched ends again unless it is let go, even where we are killed before we could.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::folder::create_anew;
use super::process::Process;

/// For a program to listen: a peer checks the blocks it has before.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what it has printed.
const PAUSE: Duration = Duration::from_millis(10);
/// With it, a program ends when its stdin does, unless a line comes first.
const UNTIL_LET_GO: &str = "--until-let-go";
/// How a program says that it is ready, and where.
const READY: &str = "listening on ";

/// A program in the background; dropped, it is killed.
#[derive(Debug)]
pub(in crate::cli) struct Launched {
    name: String,
    child: Child,
    ends_with_us: bool,
    printed: PathBuf,
    pub process: Process,
}

impl Launched {
    /// Runs `minibit` with these arguments, its peer or its tracker; `printed` is made anew.
    pub(in crate::cli) fn start(name: &str, args: &[OsString], printed: &Path) -> anyhow::Result<Launched> {
        let cannot_write = || format!("cannot write {}", printed.display());
        let stdout = create_anew(printed).with_context(cannot_write)?;
        let stderr = stdout.try_clone().with_context(cannot_write)?;
        let program = std::env::current_exe().context("cannot find minibit itself")?;
        let mut command = Command::new(&program);
        command.args(args).arg(UNTIL_LET_GO).stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
        apart_from_the_shell(&mut command);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        match Process::of_child(&child) {
            Ok(process) => Ok(Launched {
                name: name.to_owned(),
                child,
                ends_with_us: true,
                printed: printed.to_owned(),
                process,
            }),
            Err(error) => {
                end(&mut child);
                Err(error.into())
            }
        }
    }

    /// Waits until it listens, in `places` places; in none where it had nothing to do and has ended. The error is what
    /// it says itself, where it ended for another reason.
    pub(in crate::cli) fn listens(&mut self, places: usize) -> anyhow::Result<Vec<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Asked before its words are read: what ends has said everything.
            let ended = self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
            let printed = fs::read_to_string(&self.printed).unwrap_or_default();
            let said: Vec<String> = said_to_listen(&printed).map(str::to_owned).collect();
            if let Some(status) = ended {
                if status.success() {
                    return Ok(said);
                }
                match last_words(&printed) {
                    Some(words) if words.starts_with(&self.name) => bail!("{words}"),
                    Some(words) => bail!("{}: {words}", self.name),
                    None => bail!("{} ended at once ({status})", self.name),
                }
            }
            if said.len() >= places {
                return Ok(said);
            }
            if Instant::now() >= until {
                bail!(
                    "{} does not listen after {} s; see {}",
                    self.name,
                    PATIENCE.as_secs(),
                    self.printed.display()
                );
            }
            thread::sleep(PAUSE);
        }
    }

    /// From now on it lives without us.
    pub(in crate::cli) fn let_go(mut self) {
        self.ends_with_us = false;
        // One that has ended already needs no leave.
        let _ = self.child.stdin.take().map(|mut stdin| stdin.write_all(b"\n"));
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.ends_with_us {
            end(&mut self.child);
        }
    }
}

/// Either way it is gone afterwards.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Whole lines only: half of an address is another address.
fn said_to_listen(printed: &str) -> impl Iterator<Item = &str> {
    let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| line.strip_prefix(READY))
}

/// The error that a program ended with.
fn last_words(printed: &str) -> Option<&str> {
    let last = printed.lines().rfind(|line| !line.trim().is_empty())?;
    Some(last.strip_prefix("minibit: ").unwrap_or(last))
}

/// Ctrl-C in the shell reaches the group of the program in front only.
#[cfg(unix)]
fn apart_from_the_shell(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(windows)]
fn apart_from_the_shell(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const DETACHED_PROCESS: u32 = 0x8;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_heard_once_its_line_is_whole() {
        assert_eq!(said_to_listen("listening on 127.0.0.1:70").count(), 0);
        let said = "note: x\nlistening on 127.0.0.1:7000\nlistening on udp://127.0.0.1:7\n";
        assert_eq!(said_to_listen(said).collect::<Vec<_>>(), ["127.0.0.1:7000", "udp://127.0.0.1:7"]);
    }

    #[test]
    fn the_last_words_of_a_program_are_its_error() {
        assert_eq!(last_words("listening on x\nminibit: the disk is full\n\n"), Some("the disk is full"));
        assert_eq!(last_words(" \n"), None);
    }
}
