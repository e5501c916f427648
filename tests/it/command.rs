//! The `minibit` command in a folder of its own, and what that folder holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A fresh folder that commands run in; it disappears with the value.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(TempDir::new().expect("a temporary folder can be made"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with this content, in folders made as needed.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn minibit(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minibit"));
        command.current_dir(self.0.path()).args(args).env("NO_COLOR", "1");
        Ran(command.output().expect("minibit can be started"))
    }

    /// Everything in the folder: relative paths with contents, `None` for folders and links.
    pub fn everything(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        collect(self.0.path(), Path::new(""), &mut found);
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
