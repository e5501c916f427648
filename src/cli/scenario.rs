//! `minibit scenario check|show`: what a scenario file says, without running it.

use std::path::{Path, PathBuf};

use super::{Exit, Usage};
use crate::experiment::expect::check_metrics;
use crate::experiment::foresight::warnings_on;
use crate::scenario::file::{Overrides, ScenarioError, ScenarioFile, load};

/// Checks or shows a scenario without running it.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say what is wrong with scenario files, or doubtful
    ///
    /// Exit code 2 if a file is wrong. A warning is about a scenario that runs and may not show what it should.
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print a scenario with every default filled in
    ///
    /// What is printed is a scenario file again. docs/expectations.md explains what a scenario may expect.
    Show {
        file: PathBuf,
        /// Replace a key, and its axis if there is one: `policy.picker=random`
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print only this case, counted from 1
        #[arg(long, value_name = "N")]
        case: Option<usize>,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check { files } => {
            let wrong = files.iter().filter(|file| !check(file)).count();
            Ok(if wrong == 0 { Exit::Done } else { Exit::Usage })
        }
        Command::Show { file, set, case } => show(&file, Overrides { set, ..Overrides::default() }, case),
    }
}

/// Whether the file is right; says so, or what is wrong.
fn check(path: &Path) -> bool {
    let file = match read(path, &Overrides::default()) {
        Ok(file) => file,
        Err(error) => {
            report(&error);
            return false;
        }
    };
    for warning in warnings_on(&file) {
        anstream::eprintln!("warning: {}: {warning}", path.display());
    }
    println!("{}: ok, {}", path.display(), extent(&file));
    true
}

/// `4 cases, 5 repeats each: 20 runs of 10 peers`
fn extent(file: &ScenarioFile) -> String {
    let count = |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let cases = file.cases.len() as u64;
    let repeats = u64::from(file.base.repeat);
    let peers = file.cases.iter().map(|case| u64::from(case.scenario.peers()));
    let peers = match (peers.clone().min(), peers.max()) {
        (Some(fewest), Some(most)) if fewest < most => format!("{fewest} to {most} peers"),
        (_, most) => count(most.unwrap_or(0), "peer"),
    };
    let runs = count(cases * repeats, "run");
    format!("{}, {} each: {runs} of {peers}", count(cases, "case"), count(repeats, "repeat"))
}

fn show(path: &Path, overrides: Overrides, case: Option<usize>) -> anyhow::Result<Exit> {
    let file = match read(path, &overrides) {
        Ok(file) => file,
        Err(error) => {
            report(&error);
            return Ok(Exit::Usage);
        }
    };
    let Some(number) = case else {
        print!("{}", file.to_toml());
        return Ok(Exit::Done);
    };
    let Some(case) = number.checked_sub(1).and_then(|at| file.cases.get(at)) else {
        let cases = file.cases.len();
        return Err(Usage(format!("--case {number}: the scenario has the cases 1 to {cases}")).into());
    };
    print!("{}", case.scenario.to_toml());
    Ok(Exit::Done)
}

/// Loads a scenario and knows the metrics its expectations may name.
fn read(path: &Path, overrides: &Overrides) -> Result<ScenarioFile, ScenarioError> {
    let file = load(path, overrides)?;
    check_metrics(&file)?;
    Ok(file)
}

fn report(error: &ScenarioError) {
    anstream::eprintln!("{}", error.render(true));
}
