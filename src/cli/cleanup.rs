//! `minibit cleanup`: removes what MiniBit left behind, and only that. What is MiniBit's is known by a mark inside,
//! never by its name alone; symbolic links are never followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::swarm::folder::{NOT_OURS, SwarmFolder};
use super::swarm::state::{State, check_ended};
use super::{Exit, Usage};
use crate::driver::LeftBehind;
use crate::torrent::split::contents::Contents;
use crate::torrent::split::folder::{PEERS, WORK_PREFIX, exists};
use crate::torrent::split::marker::{Marker, is_ours, is_signed};

/// Removes what split and runs left behind, and only that.
///
/// That is the blocks, the .torrent file and the rebuilt files in DIR/peers, what `minibit start` wrote down in
/// DIR/.minibit-swarm, the folders DIR/.minibit-* of splits that were killed, and the temporary folders minibit-run-* of
/// runs that were killed (where TMPDIR says), each only where MiniBit marked it as its own. Files of yours among them
/// stay, and are named, but for those in a run's temporary folder. Results stay unless --results is given.
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

/// A result folder with a file of this name is kept.
const KEEP: &str = "KEEP";
const MANIFEST: &str = "MANIFEST.toml";
/// What else a result folder holds of MiniBit's. The manifest goes last, so that an interrupted cleanup can go on.
const RESULT_FOLDERS: [&str; 1] = ["runs"];
const RESULT_FILES: [&str; 8] = [
    "completions.csv",
    "runs.csv",
    "cohorts.csv",
    "timeline.csv",
    "comparison.csv",
    "comparison.md",
    "report.html",
    "perf.csv",
];

/// Something to remove.
#[derive(Debug)]
enum Found {
    /// A folder that MiniBit marked, and what is in it.
    Marked(PathBuf, Contents),
    /// A folder to work in that was left before anything was in it.
    Empty(PathBuf),
    /// The temporary folder of a run.
    Run(LeftBehind),
    /// The results of one scenario.
    Results(PathBuf),
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    if !args.out.is_dir() {
        return Err(Usage(format!("{}: there is no such folder", args.out.display())).into());
    }
    let swarm = SwarmFolder::beside_peers(&args.out);
    let _lock = swarm.is_ours().then(|| swarm.lock()).transpose()?;
    check_ended(State::here(&swarm)?.members())?;
    let peers = args.out.join(PEERS);
    if exists(&peers) && !is_ours(&peers) {
        eprintln!("left alone: {} (not made by MiniBit)", peers.display());
    }
    if swarm.is_foreign() {
        eprintln!("left alone: {} ({NOT_OURS})", swarm.path().display());
    }
    let mut found = left_behind(&args.out)?;
    if swarm.is_ours() {
        let contents = swarm.contents().with_context(|| format!("cannot list {}", swarm.path().display()))?;
        found.push(Found::Marked(swarm.path().to_owned(), contents));
    }
    let runs = LeftBehind::find().context("cannot list the temporary folder (TMPDIR)")?;
    found.extend(runs.into_iter().map(Found::Run));
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
        for foreign in found.foreign() {
            eprintln!("left alone: {} (not MiniBit's)", foreign.display());
        }
    }
    if found.is_empty() {
        println!("nothing to remove in {}", args.out.display());
    }
    Ok(Exit::Done)
}

fn left_behind(out: &Path) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in folders_in(out)? {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_work = name.starts_with(WORK_PREFIX);
        if (is_work || name == PEERS) && is_ours(&folder) {
            let contents =
                Contents::of(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            found.push(Found::Marked(folder, contents));
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
            Found::Marked(path, _) | Found::Empty(path) | Found::Results(path) => path,
            Found::Run(left) => &left.path,
        }
    }

    /// What is in it and stays.
    fn foreign(&self) -> &[PathBuf] {
        match self {
            Found::Marked(_, contents) => &contents.foreign,
            Found::Empty(_) | Found::Run(_) | Found::Results(_) => &[],
        }
    }

    fn describe(&self) -> String {
        let path = self.path().display();
        match self {
            Found::Marked(folder, contents) => {
                let what = if contents.foreign.is_empty() { "" } else { ", only what is MiniBit's" };
                match Marker::of(folder) {
                    Some(marker) => format!("{path} ({} peers of {}){what}", marker.peers, marker.torrent),
                    None => format!("{path}{what}"),
                }
            }
            Found::Empty(_) => format!("{path} (empty)"),
            Found::Run(_) => format!("{path} (a run that was killed)"),
            Found::Results(_) => format!("{path} (results)"),
        }
    }

    fn remove(&self) -> io::Result<()> {
        match self {
            Found::Marked(_, contents) => contents.remove(),
            Found::Empty(folder) => fs::remove_dir(folder),
            Found::Run(left) => left.remove(),
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
