//! Where runs are kept: one folder a run, written beside and renamed when whole, found again by its hash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::driver::{ForeignClient, Pace};
use crate::experiment::RunId;
use crate::metrics::RunMetrics;

/// `results/<scenario>`: finished runs under `runs/`, merged files beside it.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A finished run as it is kept. The metrics of a virtual run are the same on every machine, `perf` never is.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    pub metrics: RunMetrics,
    pub perf: Perf,
}

/// Counted up whenever the metrics of a run get another form: runs kept in an older one count as not there.
const FORM: u32 = 3;

/// What is read of a run before it is read whole.
#[derive(Serialize, Deserialize)]
struct KeptAs {
    form: u32,
}

/// Wall-clock facts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Perf {
    pub wall_s: f64,
    /// `None` in virtual time.
    pub pace: Option<Pace>,
    /// The build that ran it, where known.
    pub revision: Option<String>,
    /// One for every cohort of a foreign client.
    #[serde(default)]
    pub clients: Vec<ForeignClient>,
}

impl Perf {
    pub fn is_degraded(&self) -> bool {
        self.pace.as_ref().is_some_and(|pace| pace.degraded)
    }

    /// Whether a foreign client could not take part to its end. It may be installed or mended by now.
    pub fn has_failed_clients(&self) -> bool {
        self.clients.iter().any(|client| !client.failures.is_empty())
    }
}

/// Why results cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot write results to {}: {source}; choose another folder with --out", folder.display())]
    Unwritable { folder: PathBuf, source: io::Error },
    #[error("cannot keep run {run} in {}: {source}", folder.display())]
    Save { run: RunId, folder: PathBuf, source: io::Error },
    #[error("run {run} in {} is damaged: {reason}; delete its folder and run again", folder.display())]
    Damaged { run: RunId, folder: PathBuf, reason: String },
}

impl Store {
    const METRICS: &str = "metrics.json";
    const PERF: &str = "perf.json";
    const FORM: &str = "form.json";
    const SCENARIO: &str = "scenario.toml";

    /// The store of the scenario `name` in `out`, whether it is there or not.
    pub fn at(out: &Path, name: &str) -> Store {
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\']);
        Store { folder: out.join(if plain { name } else { "scenario" }) }
    }

    /// The same, ready for results: finds out now rather than after an hour whether anything can be written there.
    pub fn open(out: &Path, name: &str) -> Result<Store, StoreError> {
        let store = Store::at(out, name);
        let runs = store.runs();
        fs::create_dir_all(&runs)
            .and_then(|()| tempfile::tempfile_in(&runs).map(drop))
            .and_then(|()| tempfile::tempfile_in(&store.folder).map(drop))
            .map_err(|source| StoreError::Unwritable { folder: store.folder.clone(), source })?;
        Ok(store)
    }

    /// Where the merged files go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    fn folder_of(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// The run, if it is there in the form that runs have now.
    pub fn load(&self, run: &RunId) -> Result<Option<StoredRun>, StoreError> {
        let folder = self.folder_of(run);
        if !folder.exists() {
            return Ok(None);
        }
        let damaged = |reason| StoreError::Damaged { run: run.clone(), folder: folder.clone(), reason };
        let form = folder.join(Self::FORM);
        if !form.exists() || read::<KeptAs>(&form).map_err(damaged)?.form != FORM {
            return Ok(None);
        }
        Ok(Some(StoredRun {
            metrics: read(&folder.join(Self::METRICS)).map_err(damaged)?,
            perf: read(&folder.join(Self::PERF)).map_err(damaged)?,
        }))
    }

    /// Keeps a run whole or not at all, in place of an earlier one with the same hash. Where another process keeps
    /// the same run at the same moment, either of the two is left.
    pub fn save(&self, run: &RunId, stored: &StoredRun, scenario_toml: &str) -> Result<(), StoreError> {
        let write = || -> io::Result<()> {
            let beside = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(self.runs())?;
            let (whole, earlier) = (beside.path().join("whole"), beside.path().join("earlier"));
            fs::create_dir(&whole)?;
            fs::write(whole.join(Self::METRICS), serde_json::to_vec(&stored.metrics)?)?;
            fs::write(whole.join(Self::PERF), serde_json::to_vec_pretty(&stored.perf)?)?;
            fs::write(whole.join(Self::FORM), serde_json::to_vec(&KeptAs { form: FORM })?)?;
            fs::write(whole.join(Self::SCENARIO), scenario_toml)?;
            let place = self.folder_of(run);
            // Moved rather than removed: nobody ever sees half of it.
            match fs::rename(&place, &earlier) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            match fs::rename(&whole, &place) {
                // Another process was faster with the same run.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                    ) =>
                {
                    Ok(())
                }
                renamed => renamed,
            }
        };
        write().map_err(|source| StoreError::Save { run: run.clone(), folder: self.runs(), source })
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}
