//! Axes → cases → runs: executes them in parallel, resumes, stores, and compares paired runs.
//!
//! It must not know which driver carries a run out (it is handed a function) nor how results are shown.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod compare;
mod execute;
pub mod expect;
pub mod foresight;
mod plan;
mod results;
pub mod significance;
pub mod statistics;
mod store;
#[cfg(test)]
mod tests;
mod watch;

pub use execute::{Done, Drive, Jobs, Options, Run, RunResult, execute};
pub use plan::{Plan, PlannedRun, RunId};
pub use results::Results;
pub use store::{Perf, Store, StoreError, StoredRun};
pub use watch::{Snapshot, Watch};
