//! `MANIFEST.toml`: what the results beside it were made of, and the only place beside `perf.csv` for wall-clock facts.

use serde::Serialize;
use toml::{Table, Value};

use crate::driver::{Ended, ForeignClient};
use crate::experiment::{Done, Jobs, Results, Run, RunResult};
use crate::report::columns;
use crate::scenario::DriverKind;
use crate::torrent::split::marker::GENERATOR;

/// How MiniBit was called, and when.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Program and arguments.
    pub command: Vec<String>,
    /// RFC 3339.
    pub started_at: String,
    pub wall_s: f64,
    pub jobs: Jobs,
    /// The git revision of the build, where known.
    pub revision: Option<String>,
}

#[derive(Serialize)]
struct Manifest<'a> {
    /// Marks the folder as MiniBit's for `minibit cleanup`.
    generator: &'a str,
    version: &'a str,
    revision: Option<&'a str>,
    command: &'a [String],
    started_at: &'a str,
    wall_s: f64,
    jobs_in_virtual_time: usize,
    jobs_on_sockets: usize,
    /// Every planned run has results and none was interrupted.
    complete: bool,
    case: Vec<CaseEntry>,
    run: Vec<RunEntry<'a>>,
}

#[derive(Serialize)]
struct CaseEntry {
    axes: Table,
    /// The resolved scenario file, content digest included.
    scenario: String,
}

#[derive(Serialize)]
struct RunEntry<'a> {
    run_id: &'a str,
    /// Position among the cases above, from 0.
    case: usize,
    repeat: u32,
    random_seed: Value,
    ended: &'a str,
    reason: Option<&'a str>,
    /// In virtual time: equal digests did the same, event by event.
    trace_digest: Option<&'a str>,
    pieces_without_holder: Vec<u32>,
    degraded: bool,
    was_stored: bool,
    revision: Option<&'a str>,
    /// Cohorts that are other people's clients.
    client: &'a [ForeignClient],
}

pub(super) fn manifest(results: &Results<'_>, invocation: &Invocation) -> String {
    let plan = results.plan;
    let cases = plan.cases.iter().map(|case| {
        let axes = plan.axes.iter().zip(&case.values);
        let axes = axes.map(|(axis, value)| (axis.key.clone(), Value::String(value.clone())));
        CaseEntry { axes: axes.collect(), scenario: case.scenario.to_toml() }
    });
    let whole = |run: &Run| run.done().is_some_and(|done| done.ended != Ended::Interrupted);
    let manifest = Manifest {
        generator: GENERATOR,
        version: env!("CARGO_PKG_VERSION"),
        revision: invocation.revision.as_deref(),
        command: &invocation.command,
        started_at: &invocation.started_at,
        wall_s: invocation.wall_s,
        jobs_in_virtual_time: invocation.jobs.in_virtual_time,
        jobs_on_sockets: invocation.jobs.on_sockets,
        complete: results.runs.iter().all(whole),
        case: cases.collect(),
        run: results.runs.iter().map(|run| entry(results, run)).collect(),
    };
    toml::to_string_pretty(&manifest).expect("text and numbers within TOML's range have a TOML form")
}

/// What stands there until the runs end.
pub(super) fn unfinished() -> String {
    let (generator, version) = (GENERATOR, env!("CARGO_PKG_VERSION"));
    format!("generator = \"{generator}\"\nversion = \"{version}\"\ncomplete = false\n")
}

fn entry<'a>(results: &Results<'_>, run: &'a Run) -> RunEntry<'a> {
    let planned = &run.planned;
    let entry = RunEntry {
        run_id: planned.id.as_str(),
        case: planned.case,
        repeat: planned.repeat,
        random_seed: integer(planned.random_seed),
        ended: "not run",
        reason: None,
        trace_digest: None,
        pieces_without_holder: Vec::new(),
        degraded: false,
        was_stored: false,
        revision: None,
        client: &[],
    };
    match &run.result {
        RunResult::Done(done) => {
            let is_virtual = results.plan.scenario(planned).driver == DriverKind::Sim;
            RunEntry {
                ended: columns::ended(&done.ended),
                trace_digest: is_virtual.then_some(done.trace_digest.as_str()),
                pieces_without_holder: lost(done),
                degraded: done.perf.is_degraded(),
                was_stored: done.was_stored,
                revision: done.perf.revision.as_deref(),
                client: &done.perf.clients,
                ..entry
            }
        }
        RunResult::Failed(reason) => RunEntry { ended: "failed", reason: Some(reason), ..entry },
        RunResult::NotRun => entry,
    }
}

fn lost(done: &Done) -> Vec<u32> {
    match &done.ended {
        Ended::Stranded(stranded) => stranded.pieces.iter().map(|piece| piece.0).collect(),
        Ended::Complete | Ended::TimeLimit | Ended::Interrupted => Vec::new(),
    }
}

/// TOML's integers end at 2⁶³; what lies beyond is written as text.
fn integer(number: u64) -> Value {
    i64::try_from(number).map_or_else(|_| Value::String(number.to_string()), Value::Integer)
}
