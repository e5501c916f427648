//! Which runs an experiment consists of: cases × repeats, each with a name that says what it is made of.

use std::fmt;

use sha1::{Digest, Sha1};

use crate::scenario::file::{Axis, Case};
use crate::scenario::{DriverKind, Scenario};

/// A scenario's cases and runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names the results folder.
    pub name: String,
    pub axes: Vec<Axis>,
    pub cases: Vec<Case>,
    /// By case, then by repeat: the order of every results file.
    pub runs: Vec<PlannedRun>,
}

/// One case with one random seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    pub id: RunId,
    /// Position in `Plan::cases`.
    pub case: usize,
    pub repeat: u32,
    pub random_seed: u64,
}

/// A hash of everything that decides a run: the resolved case with its content's digest, the random seed, MiniBit's
/// version. A new title, more repeats or another first random seed find the runs that are there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(scenario: &Scenario, random_seed: u64) -> RunId {
        // How fast life passes decides nothing where there is no clock.
        let time_scale = if scenario.driver == DriverKind::Sim { 1.0 } else { scenario.time_scale };
        let identity = Scenario { time_scale, ..scenario.clone() }.identity();
        let decisive = format!("{}\nrandom_seed = {random_seed}\n{identity}", env!("CARGO_PKG_VERSION"));
        RunId(Sha1::digest(decisive).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Plan {
    pub fn new(name: String, axes: Vec<Axis>, cases: Vec<Case>) -> Plan {
        let runs = cases.iter().enumerate().flat_map(|(at, case)| {
            (0..case.scenario.repeat).map(move |repeat| {
                let random_seed = case.scenario.random_seed_of(repeat);
                PlannedRun { id: RunId::new(&case.scenario, random_seed), case: at, repeat, random_seed }
            })
        });
        Plan { name, axes, runs: runs.collect(), cases }
    }

    pub fn scenario(&self, run: &PlannedRun) -> &Scenario {
        &self.cases[run.case].scenario
    }

    /// Runs of the same repeat lie side by side, so that an interrupted experiment leaves whole pairs.
    pub fn in_order_of_execution(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.runs.len()).collect();
        order.sort_by_key(|&at| (self.runs[at].repeat, at));
        order
    }
}
