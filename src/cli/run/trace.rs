//! `--trace FILE`: everything that happens in one run, written down.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::cli::Usage;
use crate::driver::{DriverError, Outcome, Recorder};
use crate::experiment::Plan;
use crate::report::Trace;
use crate::scenario::Scenario;
use crate::scenario::population::Population;

/// An open file that waits for the one run of a plan.
pub(super) struct TraceFile {
    path: PathBuf,
    file: File,
}

impl TraceFile {
    /// Refuses a plan of several runs: their lines would be mixed.
    pub(super) fn open(path: &Path, plan: &Plan) -> anyhow::Result<TraceFile> {
        if plan.runs.len() != 1 {
            return Err(Usage(advice(plan)).into());
        }
        let file = File::create(path).map_err(|source| cannot_write(path, source))?;
        Ok(TraceFile { path: path.to_owned(), file })
    }

    /// Lets `drive` carry the run out, and writes what it records.
    pub(super) fn write(
        &self,
        scenario: &Scenario,
        random_seed: u64,
        recorder: &mut dyn Recorder,
        drive: impl FnOnce(&mut dyn Recorder) -> Result<Outcome, DriverError>,
    ) -> Result<Outcome, DriverError> {
        let peers = Population::draw(scenario, random_seed).peers;
        let names = peers.into_iter().map(|peer| peer.name).collect();
        let mut trace = Trace::new(recorder, BufWriter::new(&self.file), names);
        let outcome = drive(&mut trace);
        let written = trace.finish().map_err(|source| cannot_write(&self.path, source));
        outcome.and_then(|outcome| written.map(|()| outcome))
    }
}

fn cannot_write(path: &Path, source: io::Error) -> DriverError {
    DriverError::Io { context: format!("cannot write the trace {}", path.display()), source }
}

fn advice(plan: &Plan) -> String {
    let axes: Vec<String> = plan.axes.iter().map(|axis| format!(" --set {}=…", axis.key)).collect();
    format!(
        "--trace is for one run, and these are {}: choose one with --seed N --repeat 1{}",
        plan.runs.len(),
        axes.concat()
    )
}
