//! A MiniBit process that this one starts, knows by its handle and ends: it is spoken to over its stdin and says lines
//! on its stdout. What it says on stderr is kept in a file, for the case that it fails.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Batches of lines that may wait to be heard.
const UNHEARD: usize = 64;
/// Lines that are handed on together at the most.
const BATCH: usize = 1024;
/// For a process to end by itself once its stdin has ended.
const GOODBYE: Duration = Duration::from_secs(2);
/// So much of the end of stderr is told as the reason of a failure.
const LAST_WORDS: u64 = 600;
const LAST_LINES: usize = 3;

#[derive(Debug)]
pub(super) struct Child {
    process: Arc<Mutex<std::process::Child>>,
    /// Its end ends the process.
    stdin: Option<ChildStdin>,
    said: mpsc::Receiver<Said>,
    stderr: PathBuf,
}

/// What comes from a process.
#[derive(Debug)]
pub(super) enum Said {
    /// At least one, with their ends.
    Lines(Vec<String>),
    /// It has ended, and its parent has taken notice.
    Ended(io::Result<ExitStatus>),
}

impl Child {
    /// Starts the command in a process group of its own: a Ctrl-C is for the parent alone, which ends it in order.
    pub(super) fn start(mut command: Command, stderr: &Path) -> io::Result<Child> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(stderr)?);
        // The end of what a panic says must be its reason, not a list of functions.
        command.env_remove("RUST_BACKTRACE");
        stand_apart(&mut command);
        let mut process = command.spawn()?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let process = Arc::new(Mutex::new(process));
        let (to_said, said) = mpsc::channel(UNHEARD);
        let child = Child { process: process.clone(), stdin, said, stderr: stderr.to_owned() };
        // Where it cannot be heard it must not be there: dropping the child ends it.
        std::thread::Builder::new().name("child".to_owned()).spawn(move || {
            hand_on(stdout, &to_said);
            let status = lock(&process).wait();
            // Nobody listens any more: it was ended for that.
            let _ = to_said.blocking_send(Said::Ended(status));
        })?;
        Ok(child)
    }

    /// What comes next; `None` after its end.
    pub(super) async fn next(&mut self) -> Option<Said> {
        self.said.recv().await
    }

    /// A process that has ended is told nothing; that it has, it says itself.
    pub(super) fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush());
        }
    }

    /// Ends its stdin and waits until it is gone; one that does not go is killed. (It must have given its stdout to no
    /// process of its own: that would be waited for too.)
    pub(super) async fn end(mut self) {
        self.stdin = None;
        let until = Instant::now() + GOODBYE;
        let gone = async |child: &mut Child| while child.next().await.is_some() {};
        if timeout_at(until, gone(&mut self)).await.is_err() {
            self.kill();
            gone(&mut self).await;
        }
    }

    /// At once, with whatever it has started in its group. By its handle, so it is never another process of the same number.
    pub(super) fn kill(&self) {
        let mut process = lock(&self.process);
        kill_group(&mut process);
        // One that has ended by itself cannot be killed, and need not be.
        let _ = process.kill();
    }

    /// The last lines of its stderr in one; empty where there are none.
    pub(super) fn last_words(&self) -> String {
        last_words(&self.stderr).unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stdin = None;
        self.kill();
    }
}

/// For a program that is not MiniBit and does not watch its stdin: the system ends it when the thread that started it ends,
/// so it cannot outlive this process, however that ends. Threads of a runtime last as long as the run.
pub(super) fn bound_to_us(stranger: &Command) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(stranger.get_program()).args(stranger.get_args());
    command.envs(stranger.get_envs().filter_map(|(key, value)| Some((key, value?))));
    if let Some(folder) = stranger.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// Nobody who panics holds it while the process is changed.
fn lock(process: &Mutex<std::process::Child>) -> std::sync::MutexGuard<'_, std::process::Child> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands on line after line until stdout ends, which it does with the process. Lines that are there together go together.
fn hand_on(stdout: Option<ChildStdout>, to: &mpsc::Sender<Said>) {
    let Some(stdout) = stdout else { return };
    let mut reader = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let mut lines = Vec::new();
        while lines.is_empty() || (lines.len() < BATCH && reader.buffer().contains(&b'\n')) {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                // It was killed while it said something: half of it means nothing.
                Ok(_) if !line.ends_with('\n') => return,
                Ok(_) => lines.push(line),
            }
        }
        // Read on even where nobody listens: a process must not wait for its parent in order to end.
        let _ = to.blocking_send(Said::Lines(lines));
    }
}

fn last_words(stderr: &Path) -> io::Result<String> {
    let mut file = File::open(stderr)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS)))?;
    let mut bytes = Vec::new();
    file.take(LAST_WORDS).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(LAST_LINES)..].join("; "))
}

#[cfg(unix)]
fn stand_apart(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// A command may be a script that started the program itself. While its first process lives, nobody else's group has the
/// number.
#[cfg(target_os = "linux")]
fn kill_group(process: &mut std::process::Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let (Ok(None), Some(group)) = (process.try_wait(), Pid::from_raw(process.id() as i32)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(target_os = "linux"))]
fn kill_group(_: &mut std::process::Child) {}

#[cfg(windows)]
fn stand_apart(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    /// CREATE_NEW_PROCESS_GROUP
    const NEW_GROUP: u32 = 0x200;
    command.creation_flags(NEW_GROUP);
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start(command, &folder.join("log")).expect("there is a shell")
    }

    #[tokio::test]
    async fn a_process_is_heard_line_by_line_and_ends_with_its_stdin() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("read name; echo hello $name; cat", folder.path());
        child.tell("you\n");
        let Some(Said::Lines(lines)) = child.next().await else { panic!("it says something first") };
        assert_eq!(lines, ["hello you\n"]);
        child.end().await;
    }

    #[tokio::test]
    async fn half_a_line_is_not_heard() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("printf 'whole\\nhalf'", folder.path());
        assert!(matches!(child.next().await, Some(Said::Lines(lines)) if lines == ["whole\n"]));
        assert!(matches!(child.next().await, Some(Said::Ended(Ok(_)))));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_script_has_started_does_not_outlive_it() {
        let folder = tempfile::tempdir().unwrap();
        // No `exec`: the shell waits for it, and it holds the shell's stdout.
        let mut child = shell("trap '' TERM; sleep 600; exit $?", folder.path());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        child.kill();
        let gone = async { while child.next().await.is_some() {} };
        assert!(tokio::time::timeout(GOODBYE * 5, gone).await.is_ok(), "its stdout is still open");
    }

    #[tokio::test]
    async fn a_process_that_does_not_go_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let began = Instant::now();
        shell("exec sleep 600", folder.path()).end().await;
        assert!(began.elapsed() >= GOODBYE);
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn its_last_words_are_those_on_stderr() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell(
            "for word in no good reason at all; do echo $word >&2; echo >&2; done; exit 3",
            folder.path(),
        );
        let Some(Said::Ended(Ok(status))) = child.next().await else { panic!("it says nothing else") };
        assert_eq!((status.code(), child.last_words().as_str()), (Some(3), "reason; at; all"));
        assert!(child.next().await.is_none());
    }
}
