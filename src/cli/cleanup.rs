//! `minibit cleanup`: removes what MiniBit left behind, and only that. What is MiniBit's is known by a mark inside,
//! never by its name alone; symbolic links are never followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Exit, Usage};
use crate::torrent::split::folder::{Marker, PEERS, WORK_PREFIX, exists, is_ours, is_signed, remove_marked};

/// Removes what split and runs left behind, and only that.
///
/// That is DIR/peers with the blocks and rebuilt files in it, the folders of splits that were killed, and
/// DIR/.minibit, each only where MiniBit marked it as its own. Results stay unless --results is given.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove results too, from DIR/results and DIR: of every folder with MiniBit's MANIFEST.toml the files that
    /// MiniBit writes. A folder that holds a file named KEEP is left as it is
    #[arg(long)]
    results: bool,
    /// Where the folders are
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// The folder of what is running in the background.
const STATE: &str = ".minibit";
/// A result folder with a file of this name is kept.
const KEEP: &str = "KEEP";
const MANIFEST: &str = "MANIFEST.toml";
/// What else a result folder holds of MiniBit's. The manifest goes last, so that an interrupted cleanup can go on.
const RESULT_FOLDERS: [&str; 1] = ["runs"];
const RESULT_FILES: [&str; 7] = [
    "completions.csv",
    "runs.csv",
    "timeline.csv",
    "comparison.csv",
    "comparison.md",
    "report.html",
    "perf.csv",
];

/// Something to remove.
#[derive(Debug)]
enum Found {
    /// A folder of MiniBit's with all that is in it.
    Marked(PathBuf),
    /// A folder to work in that was left before anything was in it.
    Empty(PathBuf),
    /// The results of one scenario.
    Results(PathBuf),
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    if !args.out.is_dir() {
        return Err(Usage(format!("{}: there is no such folder", args.out.display())).into());
    }
    let mut found = left_behind(&args.out)?;
    if args.results {
        found.extend(results(&args.out.join("results"))?);
        found.extend(results(&args.out)?);
    }
    for found in &found {
        let what = found.describe();
        if args.dry_run {
            println!("would remove: {what}");
        } else {
            found.remove().with_context(|| format!("cannot remove {}", found.path().display()))?;
            println!("removed: {what}");
        }
    }
    if found.is_empty() {
        println!("nothing to remove in {}", args.out.display());
    }
    let peers = args.out.join(PEERS);
    if exists(&peers) && !is_ours(&peers) {
        eprintln!("left alone: {} (not made by MiniBit)", peers.display());
    }
    Ok(Exit::Done)
}

fn left_behind(out: &Path) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in folders_in(out)? {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_work = name.starts_with(WORK_PREFIX);
        if (is_work || name == PEERS || name == STATE) && is_ours(&folder) {
            found.push(Found::Marked(folder));
        } else if is_work && fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()) {
            found.push(Found::Empty(folder));
        }
    }
    Ok(found)
}

fn results(parent: &Path) -> anyhow::Result<Vec<Found>> {
    if !fs::symlink_metadata(parent).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(Vec::new());
    }
    let ours = |folder: &PathBuf| is_signed(&folder.join(MANIFEST)) && !exists(&folder.join(KEEP));
    Ok(folders_in(parent)?.into_iter().filter(ours).map(Found::Results).collect())
}

/// The folders right in `parent`, by name, symbolic links left out.
fn folders_in(parent: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
        folders.sort();
        Ok(folders)
    };
    read().with_context(|| format!("cannot list {}", parent.display()))
}

impl Found {
    fn path(&self) -> &Path {
        match self {
            Found::Marked(path) | Found::Empty(path) | Found::Results(path) => path,
        }
    }

    fn describe(&self) -> String {
        let path = self.path().display();
        match self {
            Found::Marked(folder) => match Marker::of(folder) {
                Some(marker) => format!("{path} ({} peers of {})", marker.peers, marker.torrent),
                None => path.to_string(),
            },
            Found::Empty(_) => format!("{path} (empty)"),
            Found::Results(_) => format!("{path} (results)"),
        }
    }

    fn remove(&self) -> io::Result<()> {
        match self {
            Found::Marked(folder) => remove_marked(folder),
            Found::Empty(folder) => fs::remove_dir(folder),
            Found::Results(folder) => remove_results(folder),
        }
    }
}

/// Removes what MiniBit wrote, and the folder itself where nothing else is in it.
fn remove_results(folder: &Path) -> io::Result<()> {
    for name in RESULT_FOLDERS {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            fs::remove_dir_all(path)?;
        }
    }
    for name in RESULT_FILES.into_iter().chain([MANIFEST]) {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other,
    }
}
