//! Carries out the runs of a plan that are not stored yet, several side by side, and keeps each as soon as it is
//! over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::driver::{Control, DriverError, Ended, Outcome, Recorder};
use crate::experiment::watch::Watched;
use crate::experiment::{Perf, Plan, PlannedRun, Store, StoreError, StoredRun, Watch};
use crate::metrics::{CohortRow, Participant, RunFold, RunMetrics, Summary};
use crate::scenario::population::Population;
use crate::scenario::{DriverKind, Scenario};

/// Carries one run out: scenario, random seed, and where its records go.
pub type Drive<'a> =
    dyn Fn(&Scenario, u64, &mut dyn Recorder, &Control) -> Result<Outcome, DriverError> + Sync + 'a;

/// How to execute, in ways that change no virtual result.
#[derive(Clone, Debug)]
pub struct Options {
    pub jobs: Jobs,
    /// Run what is stored again.
    pub fresh: bool,
    /// A stored run with sockets that could not keep up is good enough; otherwise it is run again.
    pub allow_degraded: bool,
    /// The build that runs, where known.
    pub revision: Option<String>,
}

/// Runs side by side, at least 1 of each kind. Runs on sockets begin when those in virtual time are over: these take
/// whole cores, and sockets would be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    pub in_virtual_time: usize,
    pub on_sockets: usize,
}

impl Jobs {
    /// As many of the one as of the other.
    pub fn both(jobs: usize) -> Jobs {
        Jobs { in_virtual_time: jobs, on_sockets: jobs }
    }
}

/// A planned run and what became of it.
#[derive(Clone, Debug)]
pub struct Run {
    pub planned: PlannedRun,
    pub result: RunResult,
}

#[derive(Clone, Debug)]
pub enum RunResult {
    Done(Box<Done>),
    /// MiniBit failed: the reason, and what it takes to see it again.
    Failed(String),
    /// The experiment was interrupted before its turn.
    NotRun,
}

/// A run that has results.
#[derive(Clone, Debug)]
pub struct Done {
    pub ended: Ended,
    pub summary: Summary,
    pub cohorts: Vec<CohortRow>,
    pub trace_digest: String,
    pub records: u64,
    pub perf: Perf,
    /// It was there before.
    pub was_stored: bool,
    /// An interrupted run is not kept in the store: everything about it is here.
    pub(super) only_here: Option<Box<RunMetrics>>,
}

impl Run {
    pub fn done(&self) -> Option<&Done> {
        match &self.result {
            RunResult::Done(done) => Some(done),
            RunResult::Failed(_) | RunResult::NotRun => None,
        }
    }

    /// All metrics of a run with results, from the store where they are.
    pub fn metrics(&self, store: &Store) -> Result<Option<RunMetrics>, StoreError> {
        match self.done() {
            None => Ok(None),
            Some(Done { only_here: Some(metrics), .. }) => Ok(Some((**metrics).clone())),
            Some(_) => Ok(store.load(&self.planned.id)?.map(|stored| stored.metrics)),
        }
    }
}

impl Done {
    fn new(stored: StoredRun, was_stored: bool) -> Done {
        let StoredRun { metrics, perf } = stored;
        Done {
            ended: metrics.ended.clone(),
            summary: metrics.summary.clone(),
            cohorts: metrics.cohorts.clone(),
            trace_digest: metrics.trace_digest.clone(),
            records: metrics.records,
            perf,
            was_stored,
            only_here: (metrics.ended == Ended::Interrupted).then(|| Box::new(metrics)),
        }
    }
}

/// All runs of the plan, in its order.
pub fn execute(
    plan: &Plan,
    store: &Store,
    options: &Options,
    drive: &Drive<'_>,
    control: &Control,
    watch: &Watch,
) -> Result<Vec<Run>, StoreError> {
    let mut results: Vec<Option<RunResult>> = plan
        .runs
        .iter()
        .map(|run| {
            Ok(stored(store, run, options)?.map(|stored| RunResult::Done(Box::new(Done::new(stored, true)))))
        })
        .collect::<Result<_, StoreError>>()?;
    let pending: Vec<usize> =
        plan.in_order_of_execution().into_iter().filter(|&at| results[at].is_none()).collect();
    watch.plan(pending.len());
    let is_virtual = |at: &usize| plan.scenario(&plan.runs[*at]).driver == DriverKind::Sim;
    let (in_virtual_time, on_sockets): (Vec<usize>, Vec<usize>) = pending.into_iter().partition(is_virtual);
    let finished = Mutex::new(Vec::new());
    for (pending, jobs) in
        [(in_virtual_time, options.jobs.in_virtual_time), (on_sockets, options.jobs.on_sockets)]
    {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, pending.len().max(1)) {
                scope.spawn(|| {
                    while let Some(&at) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let run = &plan.runs[at];
                        let result = run_one(plan.scenario(run), run, store, options, drive, control, watch);
                        finished.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                    }
                });
            }
        });
    }
    for (at, result) in finished.into_inner().unwrap_or_else(PoisonError::into_inner) {
        results[at] = Some(result);
    }
    let results = results.into_iter().map(|result| result.unwrap_or(RunResult::NotRun));
    Ok(plan.runs.iter().cloned().zip(results).map(|(planned, result)| Run { planned, result }).collect())
}

fn stored(store: &Store, run: &PlannedRun, options: &Options) -> Result<Option<StoredRun>, StoreError> {
    if options.fresh {
        return Ok(None);
    }
    let stored = store.load(&run.id)?;
    let is_kept = |perf: &Perf| (options.allow_degraded || !perf.is_degraded()) && !perf.has_failed_clients();
    Ok(stored.filter(|stored| is_kept(&stored.perf)))
}

fn run_one(
    scenario: &Scenario,
    run: &PlannedRun,
    store: &Store,
    options: &Options,
    drive: &Drive<'_>,
    control: &Control,
    watch: &Watch,
) -> RunResult {
    if control.is_interrupted() {
        return RunResult::NotRun;
    }
    // A broken assertion ends its run, not the experiment: the others' results are still worth having.
    let attempt = catch_unwind(AssertUnwindSafe(|| measure(scenario, run, options, drive, control, watch)));
    let stored = match attempt {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => return RunResult::Failed(error.to_string()),
        Err(_) => {
            return RunResult::Failed("an assertion of MiniBit's own was broken (printed above)".to_owned());
        }
    };
    if scenario.driver == DriverKind::Sim && stored.metrics.summary.is_below_bound() {
        let summary = &stored.metrics.summary;
        return RunResult::Failed(format!(
            "the last completion at {} lies below the lower bound of {}: the simulation is wrong",
            summary.last_finished_at.unwrap_or_default(),
            summary.bound.unwrap_or_default()
        ));
    }
    if stored.metrics.ended != Ended::Interrupted
        && let Err(error) = store.save(&run.id, &stored, &scenario.to_toml())
    {
        return RunResult::Failed(error.to_string());
    }
    RunResult::Done(Box::new(Done::new(stored, false)))
}

/// Draws the population, folds the records, and takes the wall time of it all, or on sockets what their driver took.
fn measure(
    scenario: &Scenario,
    run: &PlannedRun,
    options: &Options,
    drive: &Drive<'_>,
    control: &Control,
    watch: &Watch,
) -> Result<StoredRun, DriverError> {
    let began = Instant::now();
    let participants = Participant::all(scenario, &Population::draw(scenario, run.random_seed));
    let complete = participants.iter().filter(|peer| peer.starts_complete()).count() as u32;
    let place = watch.begin(participants.len() as u32, complete);
    let mut watched = Watched { inner: RunFold::new(&participants), place };
    let outcome = drive(scenario, run.random_seed, &mut watched, control)?;
    let metrics = watched.inner.finish(&scenario.content.layout, &outcome);
    let took = outcome.pace.as_ref().map(|pace| pace.took.as_secs_f64());
    let perf = Perf {
        wall_s: took.unwrap_or_else(|| began.elapsed().as_secs_f64()),
        pace: outcome.pace,
        revision: options.revision.clone(),
        clients: outcome.clients,
    };
    Ok(StoredRun { metrics, perf })
}
