//! The `minibit` command in a folder of its own, and what that folder holds.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// For a foreground command to say or do what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fresh folder that commands run in, and one for their temporary files; both disappear with the value.
pub struct Folder {
    inside: TempDir,
    temporary: TempDir,
}

impl Folder {
    pub fn new() -> Folder {
        let new = || TempDir::new().expect("a temporary folder can be made");
        Folder { inside: new(), temporary: new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.inside.path().join(name)
    }

    /// What commands left among their temporary files.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// A file with this content, in folders made as needed.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs a command to its end.
    pub fn minibit(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args))
    }

    /// Starts a command that stays in the foreground.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args), Stdio::null())
    }

    /// The same, with stderr in a file of the folder.
    #[cfg(target_os = "linux")]
    pub fn start_with_log(&self, args: &[&str], log: &str) -> Running {
        let log = fs::File::create(self.path(log)).unwrap();
        Running::start(self.command(args), log.into())
    }

    /// A command that is not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minibit"));
        command.current_dir(self.inside.path()).args(args).env("NO_COLOR", "1");
        command.env("TMPDIR", self.temporary.path());
        command
    }

    /// Everything in the folder: relative paths with contents, `None` for folders and links.
    pub fn everything(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        collect(self.inside.path(), Path::new(""), &mut found);
        found
    }
}

fn collect(root: &Path, inside: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(root.join(inside)).unwrap() {
        let entry = entry.unwrap();
        let path = inside.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(root, &path, found);
        }
        found.insert(path, kind.is_file().then(|| fs::read(entry.path()).unwrap()));
    }
}

/// A command that has ended.
pub struct Ran(Output);

impl Ran {
    /// Runs it to its end.
    pub fn of(mut command: Command) -> Ran {
        Ran(command.output().expect("the command can be started"))
    }

    pub fn code(&self) -> i32 {
        self.0.status.code().expect("no signal ended it")
    }

    pub fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// Asserts that it ended well; returns what it printed.
    #[track_caller]
    pub fn done(&self) -> String {
        assert_eq!(self.code(), 0, "stderr: {}", self.stderr());
        self.stdout()
    }

    /// Asserts the exit code and that stderr contains `message`.
    #[track_caller]
    pub fn fails(&self, code: i32, message: &str) {
        assert_eq!(self.code(), code, "stdout: {} stderr: {}", self.stdout(), self.stderr());
        assert!(self.stderr().contains(message), "{message:?} is not in: {}", self.stderr());
    }
}

/// A command in the foreground; dropped, it is killed.
pub struct Running {
    child: Child,
    stdout: Receiver<String>,
}

impl Running {
    pub fn start(mut command: Command, stderr: Stdio) -> Running {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = quiet.spawn().expect("minibit can be started");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let (said, stdout) = channel();
        // Ends with the child's stdout, or when nobody listens any more.
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
        Running { child, stdout }
    }

    /// The system's number of the process.
    #[cfg(unix)]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory that it has now.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// What follows `start` in the next stdout line that begins with it.
    #[track_caller]
    pub fn says(&self, start: &str) -> String {
        let heard = self.lines().find_map(|line| line.strip_prefix(start).map(str::to_owned));
        heard.unwrap_or_else(|| panic!("never said {start:?}"))
    }

    /// All that it still says, until it has ended.
    pub fn rest(self) -> Vec<String> {
        self.lines().collect()
    }

    /// The next stdout line with `part` in it.
    #[track_caller]
    pub fn says_somewhere(&self, part: &str) -> String {
        self.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("never said {part:?}"))
    }

    /// Lines of stdout until it ends or patience does.
    fn lines(&self) -> impl Iterator<Item = String> {
        let until = Instant::now() + PATIENCE;
        let left = move || until.saturating_duration_since(Instant::now());
        std::iter::from_fn(move || self.stdout.recv_timeout(left()).ok())
    }

    /// Presses Ctrl-C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.pid().to_string()]).status();
        assert!(sent.expect("kill can be started").success());
    }

    /// The exit code, once it has ended by itself.
    #[track_caller]
    pub fn code(mut self) -> i32 {
        let said: Vec<String> = self.lines().collect();
        let end = match self.stdout.try_recv() {
            Err(TryRecvError::Disconnected) => self.child.wait().unwrap(),
            _ => panic!("still running after {said:?}"),
        };
        end.code().unwrap_or_else(|| panic!("ended by a signal after {said:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
