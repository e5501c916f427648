//! `minibit run`: a scenario's cases, repeated, compared, written down.

mod progress;
mod rerun;
mod signals;
mod trace;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;

use self::trace::TraceFile;
use super::{Exit, Usage};
use crate::driver::processes::namespace;
use crate::driver::sim::large_pages;
use crate::driver::{Control, DriverError, Outcome, Recorder, processes, sim, tasks};
use crate::experiment::expect::check_metrics;
use crate::experiment::{Jobs, Options, Plan, PlannedRun, Results, Store, Watch, execute};
use crate::report::{self, Invocation};
use crate::scenario::file::{MAX_REPEAT, Overrides, ScenarioFile, load};
use crate::scenario::{DriverKind, Scenario};

const EXAMPLES: &str = "\
Examples:
  minibit run scenarios/10peers.toml                 real sockets, results in results/10peers
  minibit run scenarios/10peers.toml --driver sim    the same in virtual time
  minibit run scenarios/10peers.toml --driver sim --repeat 30
                                                     30 random seeds a case; finished runs are not run again
  minibit run scenarios/10peers.toml --set policy.picker=random --set peers.leecher.count=50
  minibit run scenarios/10peers.toml --json | jq '.comparisons[].verdict'

Exit codes:
    0  done
    1  MiniBit failed: input or output, a broken invariant, a result below the bound
    2  wrong usage or scenario
    3  a run ended unfinished, or a foreign client failed; the results are written
   99  an [[expect]] of the scenario does not hold
  130  interrupted; what there was is written";

/// Failures beyond these are only counted: most have one cause.
const FAILURES_SHOWN: usize = 5;

/// Runs a scenario and compares its cases.
///
/// Every case is repeated with its own random seeds, the same for every case. Results go to DIR/SCENARIO: CSV files,
/// comparison.md and MANIFEST.toml; docs/metrics.md says what each column means.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "`minibit run --help` shows examples and exit codes.")]
pub(super) struct Args {
    /// The scenario file
    scenario: PathBuf,
    /// How to run it, instead of what the scenario says
    #[arg(long, value_parser = ["sim", "tasks", "processes"])]
    driver: Option<String>,
    /// Random seeds per case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_REPEAT.into()))]
    repeat: Option<u32>,
    /// The first random seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Replaces a key of the scenario, and its axis; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where results go
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Runs side by side [default: cores in virtual time, 4 on shaped sockets, 1 on unshaped ones and with other clients]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Check every invariant while running (virtual time only); runs again what is stored
    #[arg(long)]
    check: bool,
    /// Write every event of the run to FILE, as JSON lines (docs/trace.md); for one run alone, stored or not
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    trace: Option<PathBuf>,
    /// Run again what is stored
    #[arg(long)]
    fresh: bool,
    /// Compare runs in which sockets could not keep up
    #[arg(long)]
    allow_degraded: bool,
    /// With the driver `tasks`, keep the peers' pieces in files (TMPDIR says where) even where they have room in memory
    #[arg(long)]
    files: bool,
    /// Say which runs there would be, and run nothing
    #[arg(long, conflicts_with = "json")]
    dry_run: bool,
    /// Print the results as one JSON object
    #[arg(long)]
    json: bool,
    /// Print results and errors only
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let file = read(&args)?;
    let plan = Plan::new(file.name.clone(), file.axes.clone(), file.cases.clone());
    if args.dry_run {
        return dry_run(&args, &plan);
    }
    if file.cases.iter().any(|case| case.scenario.is_mixed()) && !namespace::is_private() {
        return Err(anyhow::anyhow!(enter_private_network()?));
    }
    if large_pages::are_worthwhile(file.cases.iter().map(|case| &case.scenario)) {
        large_pages::enter();
    }
    let trace = args.trace.as_deref().map(|file| TraceFile::open(file, &plan)).transpose()?;
    // Before the folder is there: whoever sees it may already interrupt.
    let control = Arc::new(Control::default());
    let signals = signals::listen(Arc::clone(&control)).context("cannot listen for Ctrl-C")?;
    let store = Store::open(&args.out, &plan.name)?;
    report::begin(&store)?;
    let options = Options {
        jobs: args.jobs.map_or_else(|| default_jobs(&plan), |jobs| Jobs::both(jobs.into())),
        fresh: args.fresh || args.check || trace.is_some(),
        allow_degraded: args.allow_degraded,
        revision: option_env!("MINIBIT_REVISION").map(str::to_owned),
    };
    let (started_at, began) = (Timestamp::now(), Instant::now());
    let watch = Watch::default();
    let drive = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, control: &Control| {
        let drive = |recorder: &mut dyn Recorder| drive(scenario, seed, &args, recorder, control);
        match &trace {
            Some(trace) => trace.write(scenario, seed, recorder, drive),
            None => drive(recorder),
        }
    };
    let runs =
        progress::show(!args.quiet, &watch, || execute(&plan, &store, &options, &drive, &control, &watch))?;
    let results = Results::new(&plan, &store, runs, &file.expects, args.allow_degraded);
    let invocation = Invocation {
        command: std::env::args().collect(),
        started_at: started_at.to_string(),
        wall_s: began.elapsed().as_secs_f64(),
        jobs: options.jobs,
        revision: options.revision.clone(),
    };
    let folder = report::write(&results, &invocation)?;
    let shown = if args.json {
        format!("{}\n", report::json(&results))
    } else {
        format!("{}\nresults: {}\n", report::terminal(&results), folder.display())
    };
    std::io::stdout().write_all(shown.as_bytes()).context("cannot write to stdout")?;
    complain(&args, &plan, &results, &options);
    Ok(exit(&results).and(signals.exit()))
}

/// The same command again, in a private network; returns only why that cannot be.
fn enter_private_network() -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot tell where the program itself is")?;
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    Ok(namespace::enter(&program, &arguments))
}

/// The scenario, refused as a whole before anything runs.
fn read(args: &Args) -> anyhow::Result<ScenarioFile> {
    let overrides = Overrides {
        set: args.set.clone(),
        driver: args.driver.clone(),
        repeat: args.repeat,
        random_seed: args.seed,
    };
    let refused = |error: &dyn std::fmt::Display| Usage(error.to_string());
    let file = load(&args.scenario, &overrides).map_err(|error| refused(&error))?;
    check_metrics(&file).map_err(|error| refused(&error))?;
    let mut drivers = file.cases.iter().map(|case| case.scenario.driver);
    if args.check && drivers.any(|driver| driver != DriverKind::Sim) {
        return Err(Usage("--check needs virtual time: add --driver sim".to_owned()).into());
    }
    Ok(file)
}

fn drive(
    scenario: &Scenario,
    random_seed: u64,
    args: &Args,
    recorder: &mut dyn Recorder,
    control: &Control,
) -> Result<Outcome, DriverError> {
    match scenario.driver {
        DriverKind::Sim => {
            let options = sim::Options { check: args.check, ..sim::Options::default() };
            sim::run(scenario, random_seed, &options, recorder, control)
        }
        DriverKind::Tasks => {
            let stores = if args.files { tasks::Stores::Files } else { tasks::Stores::Automatic };
            let options = tasks::Options { stores, ..tasks::Options::default() };
            tasks::run(scenario, random_seed, &options, recorder, control)
        }
        DriverKind::Processes => {
            let program = std::env::current_exe().map_err(|source| DriverError::Io {
                context: "cannot tell where the program itself is".to_owned(),
                source,
            })?;
            let options = processes::Options { program: &program, work: None };
            processes::run(scenario, random_seed, &options, recorder, control)
        }
    }
}

/// Virtual runs share nothing but cores; sockets share the wall clock, and unshaped ones and other people's clients all
/// there is.
fn default_jobs(plan: &Plan) -> Jobs {
    let scenarios = plan.cases.iter().map(|case| &case.scenario);
    let mut on_sockets = scenarios.filter(|scenario| scenario.driver != DriverKind::Sim);
    let light = |scenario: &Scenario| {
        let shaped =
            scenario.cohorts.iter().any(|cohort| cohort.upload.is_some() || cohort.download.is_some());
        shaped && !scenario.is_mixed()
    };
    Jobs {
        in_virtual_time: available_parallelism().map_or(1, usize::from),
        on_sockets: if on_sockets.all(light) { 4 } else { 1 },
    }
}

/// One line a run: number, random seed, case, and whether it is there already.
fn dry_run(args: &Args, plan: &Plan) -> anyhow::Result<Exit> {
    let store = Store::at(&args.out, &plan.name);
    let mut out = std::io::stdout().lock();
    for (number, run) in (1..).zip(&plan.runs) {
        let there = if store.load(&run.id)?.is_some() { "  stored" } else { "" };
        writeln!(out, "{number:>4}  {}  seed {}{}{there}", run.id, run.random_seed, case_of(plan, run))?;
    }
    Ok(Exit::Done)
}

/// `  policy.picker=random  policy.choker=rarity`; empty without axes.
fn case_of(plan: &Plan, run: &PlannedRun) -> String {
    let values = plan.axes.iter().zip(&plan.cases[run.case].values);
    values.map(|(axis, value)| format!("  {}={value}", axis.key)).collect()
}

/// What went wrong with whole runs, and what to do about it.
fn complain(args: &Args, plan: &Plan, results: &Results<'_>, options: &Options) {
    for (run, reason) in results.failures().take(FAILURES_SHOWN) {
        eprintln!("minibit: run {} failed: {reason}", run.planned.id);
        eprintln!("  to see it again: {}", rerun::command(args, plan, &run.planned));
    }
    let more = results.failures().count().saturating_sub(FAILURES_SHOWN);
    if more > 0 {
        eprintln!("minibit: {more} more runs failed; MANIFEST.toml names them all");
    }
    for (run, failure) in results.client_failures().take(FAILURES_SHOWN) {
        eprintln!("minibit: run {}: {failure}", run.planned.id);
    }
    let more = results.client_failures().count().saturating_sub(FAILURES_SHOWN);
    if more > 0 {
        eprintln!("minibit: {more} more clients failed; MANIFEST.toml names them all");
    }
    if args.quiet {
        return;
    }
    for (cohort, client, what) in results.not_honoured() {
        eprintln!("minibit: {cohort} (client {client}) does not honour {what}");
    }
    let degraded = results.degraded();
    if degraded > 0 {
        eprintln!(
            "minibit: in {degraded} {} sockets could not keep up; {}, or let --allow-degraded compare them all \
             the same",
            if degraded == 1 { "run" } else { "runs" },
            easier(
                plan.cases.iter().map(|case| case.scenario.time_scale).fold(1.0, f64::max),
                options.jobs.on_sockets
            )
        );
    }
    let others = results.from_other_builds(options.revision.as_deref());
    if others > 0 {
        eprintln!("minibit: {others} stored runs come from another build; --fresh runs them again");
    }
}

/// What makes runs easier on this machine, as far as they can be told to.
fn easier(fastest: f64, jobs: usize) -> String {
    let time_scale = (fastest > 1.0).then(|| format!("lower time_scale ({fastest} now)"));
    let jobs = (jobs > 1).then(|| format!("lower --jobs ({jobs} now)"));
    match (time_scale, jobs) {
        (Some(time_scale), Some(jobs)) => format!("{time_scale} or {jobs}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "let nothing else run beside them, or lower the rates".to_owned(),
    }
}

fn exit(results: &Results<'_>) -> Exit {
    let when = |so: bool, exit| if so { exit } else { Exit::Done };
    when(results.failures().next().is_some(), Exit::Failed)
        .and(when(results.unfinished().next().is_some(), Exit::Unfinished))
        .and(when(results.client_failures().next().is_some(), Exit::Unfinished))
        .and(when(results.expectations.iter().any(|one| !one.holds()), Exit::ExpectFailed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advised_can_be_followed() {
        assert_eq!(easier(40.0, 4), "lower time_scale (40 now) or lower --jobs (4 now)");
        assert_eq!(easier(40.0, 1), "lower time_scale (40 now)");
        assert_eq!(easier(1.0, 4), "lower --jobs (4 now)");
        assert_eq!(easier(1.0, 1), "let nothing else run beside them, or lower the rates");
    }
}
