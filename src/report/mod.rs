//! Results as CSV files, Markdown, JSON and terminal tables; a run's records as JSON lines.
//!
//! It must not compute: every number comes from `metrics` or `experiment`; here it gets its place and its form.

mod cases;
mod cell;
mod columns;
mod csv;
mod file;
mod form;
mod json;
mod manifest;
mod tables;
mod trace;
mod verdicts;

use std::path::PathBuf;

use crate::experiment::{Results, Store};

pub use cell::printable;
pub use file::WriteError;
pub use json::json;
pub use manifest::Invocation;
pub use tables::terminal;
pub use trace::Trace;

const MANIFEST: &str = "MANIFEST.toml";

/// Marks the folder as MiniBit's before the first run: `minibit cleanup` knows it even where a run was killed. The
/// manifest of earlier results stays.
pub fn begin(store: &Store) -> Result<(), WriteError> {
    let path = store.folder().join(MANIFEST);
    if path.exists() {
        return Ok(());
    }
    file::replace(&path, |out| out.write_all(manifest::unfinished().as_bytes()))
}

/// Writes every merged file of the results folder anew, each whole or not at all. Returns the folder.
pub fn write(results: &Results<'_>, invocation: &Invocation) -> Result<PathBuf, WriteError> {
    let folder = results.store.folder();
    csv::write_all(results, folder)?;
    file::replace(&folder.join("comparison.md"), |out| out.write_all(tables::markdown(results).as_bytes()))?;
    let manifest = manifest::manifest(results, invocation);
    file::replace(&folder.join(MANIFEST), |out| out.write_all(manifest.as_bytes()))?;
    Ok(folder.to_owned())
}
