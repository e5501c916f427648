//! Whole experiments with a driver made of a few lines: stored, resumed, interrupted, failed.

use super::*;
use crate::driver::{Control, DriverError, Ended, Outcome, Recorder};
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::metrics::Summary;
use crate::scenario::file::{Axis, Case};
use crate::scenario::testing::{cohort, scenario};
use crate::scenario::{DriverKind, Scenario};
use crate::time::{Span, Time};
use std::sync::atomic::{AtomicU32, Ordering};

/// Two cases (a limit of 1 h or 2 h) of three peers that share ten pieces.
fn plan(repeat: u32) -> Plan {
    let case = |hours: u64| {
        let base = scenario(vec![cohort("peer", 3)]);
        let scenario = Scenario { repeat, time_limit: Span::from_secs(hours * 3600), ..base };
        Case { values: vec![format!("{hours} h")], scenario }
    };
    let axis = Axis { key: "time_limit".to_owned(), values: vec!["1 h".to_owned(), "2 h".to_owned()] };
    Plan::new("test".to_owned(), vec![axis], vec![case(1), case(2)])
}

/// Everybody is there at once and complete after as many seconds as the random seed says.
fn everybody_completes(
    scenario: &Scenario,
    random_seed: u64,
    recorder: &mut dyn Recorder,
) -> Result<Outcome, DriverError> {
    let at = Time::ZERO + Span::from_secs(random_seed);
    for (at, event) in [(Time::ZERO, Event::Arrived { pieces: 0, bytes: 0 }), (at, Event::Completed)] {
        for peer in 0..scenario.peers() {
            recorder.record(&Record { at, peer: PeerIndex(peer), event: event.clone() });
        }
    }
    Ok(Outcome { ended: Ended::Complete, at, pace: None, clients: Vec::new() })
}

struct Bench {
    folder: tempfile::TempDir,
    options: Options,
}

impl Bench {
    fn new() -> Bench {
        let options = Options { jobs: Jobs::both(2), fresh: false, allow_degraded: false, revision: None };
        Bench { folder: tempfile::tempdir().unwrap(), options }
    }

    fn store(&self) -> Store {
        Store::open(self.folder.path(), "test").unwrap()
    }

    fn execute(&self, plan: &Plan, drive: &Drive<'_>, control: &Control) -> Vec<Run> {
        execute(plan, &self.store(), &self.options, drive, control, &Watch::default()).unwrap()
    }

    /// Executes with everybody completing; returns the runs and how many were really carried out.
    fn count(&self, plan: &Plan) -> (Vec<Run>, u32) {
        let carried_out = AtomicU32::new(0);
        let drive = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, _: &Control| {
            carried_out.fetch_add(1, Ordering::Relaxed);
            everybody_completes(scenario, seed, recorder)
        };
        (self.execute(plan, &drive, &Control::default()), carried_out.into_inner())
    }
}

fn summaries(runs: &[Run]) -> Vec<Summary> {
    runs.iter().map(|run| run.done().unwrap().summary.clone()).collect()
}

#[test]
fn finished_runs_are_not_run_again_and_more_repeats_add_only_themselves() {
    let bench = Bench::new();
    let (first, carried_out) = bench.count(&plan(10));
    assert_eq!(carried_out, 20);
    let (again, carried_out) = bench.count(&plan(10));
    assert_eq!((carried_out, summaries(&again)), (0, summaries(&first)));
    let (more, carried_out) = bench.count(&plan(30));
    assert_eq!((more.len(), carried_out), (60, 40));
    assert_eq!(summaries(&more)[..10], summaries(&first)[..10]);
}

#[test]
fn an_edited_scenario_has_other_runs_and_leaves_the_old_ones() {
    let bench = Bench::new();
    bench.count(&plan(2));
    let mut edited = plan(2);
    edited.cases[0].scenario.policy.max_connections = 7;
    let edited = Plan::new(edited.name, edited.axes, edited.cases);
    assert_eq!(bench.count(&edited).1, 2);
    assert_eq!(bench.count(&plan(2)).1, 0);
    let mut retitled = plan(2);
    retitled.cases.iter_mut().for_each(|case| case.scenario.title = "another".to_owned());
    assert_eq!(bench.count(&Plan::new(retitled.name, retitled.axes, retitled.cases)).1, 0);
}

#[test]
fn another_first_random_seed_finds_the_runs_it_shares() {
    let bench = Bench::new();
    bench.count(&plan(3));
    let mut shifted = plan(3);
    shifted.cases.iter_mut().for_each(|case| case.scenario.random_seed += 1);
    assert_eq!(bench.count(&Plan::new(shifted.name, shifted.axes, shifted.cases)).1, 2);
}

#[test]
fn two_processes_may_keep_the_same_run_at_the_same_moment() {
    let bench = Bench::new();
    let (runs, _) = bench.count(&plan(1));
    let (store, id) = (bench.store(), &runs[0].planned.id);
    let stored = store.load(id).unwrap().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| store.save(id, &stored, "").unwrap()));
        }
    });
    assert_eq!(store.load(id).unwrap().unwrap(), stored);
    let kept = std::fs::read_dir(store.folder().join("runs")).unwrap().count();
    assert_eq!(kept, runs.len());
}

#[test]
fn runs_kept_in_an_older_form_are_run_again() {
    let bench = Bench::new();
    let plan = plan(1);
    bench.count(&plan);
    let form = bench.store().folder().join("runs").join(plan.runs[0].id.as_str()).join("form.json");
    std::fs::write(&form, "{\"form\": 1}").unwrap();
    assert_eq!(bench.count(&plan).1, 1);
    std::fs::remove_file(&form).unwrap();
    assert_eq!((bench.count(&plan).1, bench.count(&plan).1), (1, 0));
}

#[test]
fn fresh_runs_replace_stored_ones() {
    let mut bench = Bench::new();
    bench.count(&plan(1));
    bench.options.fresh = true;
    assert_eq!(bench.count(&plan(1)).1, 2);
}

#[test]
fn an_interrupted_run_shows_what_it_had_and_is_run_again_next_time() {
    let bench = Bench { options: Options { jobs: Jobs::both(1), ..Bench::new().options }, ..Bench::new() };
    let interrupted = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, control: &Control| {
        if seed == 2 {
            control.interrupt();
            return Ok(Outcome {
                ended: Ended::Interrupted,
                at: Time::ZERO,
                pace: None,
                clients: Vec::new(),
            });
        }
        everybody_completes(scenario, seed, recorder)
    };
    let runs = bench.execute(&plan(3), &interrupted, &Control::default());
    let kinds: Vec<_> = runs.iter().map(|run| run.done().map(|done| done.ended.clone())).collect();
    // Repeats go side by side: both cases' first runs are whole before any second one begins.
    let whole = Some(Ended::Complete);
    assert_eq!(kinds, [whole.clone(), Some(Ended::Interrupted), None, whole, None, None]);
    let partial = runs[1].metrics(&bench.store()).unwrap().unwrap();
    assert_eq!(partial.peers.len(), 3);
    assert_eq!(bench.count(&plan(3)).1, 4);
}

#[test]
fn a_run_that_fails_or_panics_is_reported_and_the_others_go_on() {
    let bench = Bench::new();
    let failing = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, _: &Control| match seed {
        1 => Err(DriverError::Unsupported("no such thing".to_owned())),
        2 => panic!("an assertion of the test"),
        _ => everybody_completes(scenario, seed, recorder),
    };
    let runs = bench.execute(&plan(3), &failing, &Control::default());
    let reason = |run: &Run| match &run.result {
        RunResult::Failed(reason) => reason.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(reason(&runs[0]), "no such thing");
    assert!(reason(&runs[1]).contains("assertion"), "{}", reason(&runs[1]));
    assert!(runs[2].done().is_some() && runs[5].done().is_some());
    assert_eq!(bench.count(&plan(3)).1, 4);
}

#[test]
fn a_virtual_run_below_the_bound_is_a_failure() {
    let bench = Bench::new();
    let mut slow = plan(1);
    for case in &mut slow.cases {
        case.scenario.cohorts[0].upload = Some(crate::units::Rate::from_bits_per_second(8));
    }
    let slow = Plan::new(slow.name, slow.axes, slow.cases);
    let runs = bench.count(&slow).0;
    assert!(matches!(&runs[0].result, RunResult::Failed(reason) if reason.contains("lower bound")));
}

#[test]
fn degraded_runs_are_run_again_unless_they_are_allowed() {
    let mut bench = Bench::new();
    let degraded = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, _: &Control| {
        let (lag, latency) = (Span::from_millis(9), Span::from_millis(20));
        let pace = crate::driver::Pace {
            took: Span::from_millis(1500),
            timer_lag_p99: lag,
            timer_lag_max: lag,
            block_latency_p50: latency,
            block_latency_p99: latency,
            degraded: true,
        };
        let outcome = everybody_completes(scenario, seed, recorder)?;
        Ok(Outcome { pace: Some(pace), ..outcome })
    };
    let runs = bench.execute(&plan(1), &degraded, &Control::default());
    assert_eq!(runs[0].done().unwrap().perf.wall_s, 1.5);
    bench.options.allow_degraded = true;
    assert_eq!(bench.count(&plan(1)).1, 0);
    bench.options.allow_degraded = false;
    assert_eq!(bench.count(&plan(1)).1, 2);
}

#[test]
fn runs_whose_foreign_clients_failed_are_run_again() {
    let bench = Bench::new();
    let failing = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, _: &Control| {
        let client = crate::driver::ForeignClient {
            failures: vec!["guest-1: aria2c is not installed".to_owned()],
            ..crate::driver::ForeignClient::default()
        };
        Ok(Outcome { clients: vec![client], ..everybody_completes(scenario, seed, recorder)? })
    };
    assert_eq!(bench.execute(&plan(1), &failing, &Control::default()).len(), 2);
    assert_eq!(bench.count(&plan(1)).1, 2);
    assert_eq!(bench.count(&plan(1)).1, 0);
}

#[test]
fn the_results_do_not_depend_on_the_number_of_jobs() {
    let one = Bench { options: Options { jobs: Jobs::both(1), ..Bench::new().options }, ..Bench::new() };
    let four = Bench { options: Options { jobs: Jobs::both(4), ..Bench::new().options }, ..Bench::new() };
    assert_eq!(summaries(&one.count(&plan(5)).0), summaries(&four.count(&plan(5)).0));
}

#[test]
fn sockets_begin_when_virtual_time_is_over_and_both_drivers_keep_their_runs() {
    let mut mixed = plan(3);
    mixed.cases[0].scenario.driver = DriverKind::Tasks;
    let mixed = Plan::new(mixed.name, mixed.axes, mixed.cases);
    let bench = Bench::new();
    let (virtual_runs, early) = (AtomicU32::new(0), AtomicU32::new(0));
    let drive = |scenario: &Scenario, seed: u64, recorder: &mut dyn Recorder, _: &Control| {
        if scenario.driver == DriverKind::Sim {
            virtual_runs.fetch_add(1, Ordering::Relaxed);
        } else if virtual_runs.load(Ordering::Relaxed) < 3 {
            early.fetch_add(1, Ordering::Relaxed);
        }
        everybody_completes(scenario, seed, recorder)
    };
    let runs = bench.execute(&mixed, &drive, &Control::default());
    assert!(runs.iter().all(|run| run.done().is_some()));
    assert_eq!((virtual_runs.into_inner(), early.into_inner()), (3, 0));
    // The same cases, both in virtual time: three of the six runs are others.
    assert_eq!(bench.count(&plan(3)).1, 3);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results");
    std::fs::write(&file, "a file where a folder should be").unwrap();
    let message = Store::open(&file, "test").unwrap_err().to_string();
    assert!(message.contains("results") && message.contains("--out"), "{message}");
}

#[test]
fn no_name_leads_out_of_the_results_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["..", ".", "", "a/../../b", "a\\b"] {
        assert_eq!(Store::open(folder.path(), name).unwrap().folder(), folder.path().join("scenario"));
    }
}

#[test]
fn a_damaged_run_is_named_with_its_folder() {
    let bench = Bench::new();
    let plan = plan(1);
    bench.count(&plan);
    let place = bench.store().folder().join("runs").join(plan.runs[0].id.as_str());
    std::fs::write(place.join("metrics.json"), "{").unwrap();
    let message = bench.store().load(&plan.runs[0].id).unwrap_err().to_string();
    assert!(message.contains("damaged") && message.contains("delete its folder"), "{message}");
}
