//! The folder beside `peers` in which the swarm by hand is written down: the state file, a lock, and of every process
//! what it printed and what it recorded. Knows nothing of what these files say.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::Usage;
use crate::torrent::split::contents::{Contents, is_numbered};
use crate::torrent::split::folder::exists;
use crate::torrent::split::marker::is_signed;

/// The folder's name.
const SWARM: &str = ".minibit-swarm";
/// The tracker's name among the processes; the peers are `peer_1` and so on.
pub(in crate::cli) const TRACKER: &str = "tracker";
const STATE: &str = "state.toml";
/// The next state file while it is written.
const STATE_IN_THE_MAKING: &str = "state.tmp";
/// What is said of something in its place.
pub(in crate::cli) const NOT_OURS: &str = "not made by MiniBit, or its state.toml is broken";
const LOCK: &str = "lock";
const PRINTED: &str = ".log";
const RECORDED: &str = ".jsonl";

/// How long one waits for another that looks or finishes; and between two tries.
const MOMENT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// Where the swarm of one `--out` folder is written down.
#[derive(Clone, Debug)]
pub(in crate::cli) struct SwarmFolder(PathBuf);

/// While it lives, no other `minibit` changes the swarm.
#[derive(Debug)]
pub(in crate::cli) struct Lock {
    _held: File,
}

impl SwarmFolder {
    pub(in crate::cli) fn beside_peers(out: &Path) -> SwarmFolder {
        SwarmFolder(out.join(SWARM))
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.0
    }

    pub(in crate::cli) fn state_file(&self) -> PathBuf {
        self.0.join(STATE)
    }

    /// What a process printed.
    pub(in crate::cli) fn printed(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}{PRINTED}"))
    }

    /// What a peer recorded.
    pub(in crate::cli) fn recorded(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}{RECORDED}"))
    }

    /// Removes what a peer of an earlier start recorded: the next one may end before it has recorded anything.
    pub(in crate::cli) fn forget_records(&self, name: &str) -> anyhow::Result<()> {
        let path = self.recorded(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Whether `minibit start` made it. A link in the place of the folder or the state file is somebody else's.
    pub(in crate::cli) fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.0).is_ok_and(|metadata| metadata.is_dir()) && is_signed(&self.state_file())
    }

    /// Whether something else is in its place, so that nobody knows what was started here.
    pub(in crate::cli) fn is_foreign(&self) -> bool {
        exists(&self.0) && !self.is_ours() && !self.is_unfinished()
    }

    /// An attempt to make it may have ended before its state file was whole.
    fn is_unfinished(&self) -> bool {
        let in_the_making =
            |entry: io::Result<DirEntry>| entry.is_ok_and(|entry| entry.file_name() == STATE_IN_THE_MAKING);
        fs::read_dir(&self.0).is_ok_and(|mut entries| entries.all(in_the_making))
    }

    /// What to say of it where it is foreign.
    pub(in crate::cli) fn of_somebody_else(&self) -> String {
        format!("{} was {NOT_OURS}", self.0.display())
    }

    /// Makes it, with this state file, unless it is there already.
    pub(in crate::cli) fn make(&self, state: &str) -> anyhow::Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        if self.is_foreign() {
            return Err(
                Usage(format!("{}; move it away, or choose another --out", self.of_somebody_else())).into()
            );
        }
        fs::create_dir_all(&self.0).with_context(|| format!("cannot make {}", self.0.display()))?;
        self.write_state(state).inspect_err(|_| {
            // It goes as it came, if it was not there before.
            let _ = fs::remove_dir(&self.0);
        })
    }

    /// Replaces the state file as a whole: a reader sees the old one or the new one, also after the machine has failed.
    pub(in crate::cli) fn write_state(&self, state: &str) -> anyhow::Result<()> {
        let (next, file) = (self.0.join(STATE_IN_THE_MAKING), self.state_file());
        let write = || {
            let mut making = create_anew(&next)?;
            making.write_all(state.as_bytes())?;
            making.sync_all()?;
            fs::rename(&next, &file)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&next);
            let advice = if error.kind() == io::ErrorKind::StorageFull {
                "; free some space, and try again"
            } else {
                ""
            };
            let place = file.display();
            anyhow::Error::new(error).context(format!("cannot write {place}{advice}"))
        })
    }

    /// Refuses where another `minibit` is at work for longer than a moment. The folder must be there.
    pub(in crate::cli) fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.0.join(LOCK);
        let cannot = || format!("cannot lock {}", path.display());
        let file = File::options().create(true).append(true).open(&path).with_context(cannot)?;
        let until = Instant::now() + MOMENT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _held: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(Usage(format!(
                        "another `minibit start` or `minibit stop` is at work in {}; wait for it and try again",
                        self.0.display()
                    ))
                    .into());
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
            }
        }
    }

    /// Whether another `minibit` is changing the swarm just now, so that the state file may be behind.
    pub(in crate::cli) fn is_at_work(&self) -> bool {
        let tried = File::open(self.0.join(LOCK)).map(|file| file.try_lock_shared());
        matches!(tried, Ok(Err(TryLockError::WouldBlock)))
    }

    /// What lies in it, to be removed.
    pub(in crate::cli) fn contents(&self) -> io::Result<Contents> {
        Contents::of_files(&self.0, STATE, is_named_as_ours)
    }
}

/// An empty file of this name. What has the name already goes; of a link that is the link, not what it leads to.
pub(in crate::cli) fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

fn is_named_as_ours(name: &OsStr) -> bool {
    let is_of_tracker = [PRINTED, RECORDED].iter().any(|end| *name == *format!("{TRACKER}{end}"));
    let is_of_peer = [PRINTED, RECORDED].iter().any(|end| is_numbered(name, "peer_", end));
    name == LOCK || name == STATE_IN_THE_MAKING || is_of_tracker || is_of_peer
}
