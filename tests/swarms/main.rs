//! Whole swarms in virtual time, under many random seeds, with every invariant on. A test program of its own, so that
//! `scripts/check` can have it optimised, and many more swarms with it.
#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too
#![allow(clippy::disallowed_types)] // the swarms run beside one another, on every core
#![allow(clippy::print_stderr)] // one that is run again is shown

mod faults;
mod sampler;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use minibit::driver::sim::{self, Options};
use minibit::driver::{Control, Ended, Outcome};
use minibit::event::Record;
use minibit::scenario::Scenario;

/// Without the optimiser a swarm takes ten times as long.
const SWARMS: u64 = if cfg!(debug_assertions) { 200 } else { 2_000 };
/// Reruns one of the random swarms alone, `17`, and shows it; or other ones than usual, `2000..9000`.
const RERUN: &str = "MINIBIT_SWARM";
const PROFILE: &str = if cfg!(debug_assertions) { "" } else { "--release " };

/// Runs one swarm; whatever it does wrong is a panic.
fn run(scenario: &Scenario, options: &Options) -> (Outcome, Vec<Record>) {
    let mut records = Vec::new();
    let outcome = sim::run(scenario, scenario.random_seed, options, &mut records, &Control::default());
    (outcome.unwrap_or_else(|error| panic!("{error}")), records)
}

fn asked_for() -> Option<Range<u64>> {
    let asked = std::env::var(RERUN).ok()?;
    let number = |word: &str| word.parse::<u64>().expect("a random seed, or two with .. between");
    Some(match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&asked)..number(&asked) + 1,
    })
}

/// Checks every seed, on all cores, and names those that failed; or the one that is asked for.
fn each(seeds: Range<u64>, check: impl Fn(u64) + Sync) {
    let seeds = asked_for().unwrap_or(seeds);
    if seeds.end - seeds.start == 1 {
        eprintln!("{:#?}", sampler::scenario(seeds.start));
        return check(seeds.start);
    }
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(BTreeSet::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if catch_unwind(AssertUnwindSafe(|| check(seed))).is_err() {
                failed.lock().unwrap().insert(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some(first) = failed.first() {
        panic!("failed: {failed:?}, see above; rerun: {RERUN}={first} cargo test {PROFILE}--test swarms");
    }
}

#[test]
fn random_swarms_of_every_kind_complete_with_every_invariant_on() {
    each(0..SWARMS, |seed| {
        let (scenario, options) = sampler::scenario(seed);
        let outcome = run(&scenario, &options).0;
        let complete = matches!(outcome.ended, Ended::Complete);
        assert!(complete, "random seed {seed}: {:?} at {}", outcome.ended, outcome.at);
    });
}

/// Says where two runs part, where they do.
fn same(seed: u64, one: &[Record], other: &[Record]) {
    let parted = one.iter().zip(other).position(|(one, other)| one != other);
    let at = parted.unwrap_or(one.len().min(other.len()));
    let (first, second) = (one.get(at), other.get(at));
    assert!(first == second, "random seed {seed}, record {at}:\n{first:?}\n{second:?}");
}

#[test]
fn the_same_random_seed_gives_the_same_records() {
    each(0..SWARMS / 10, |seed| {
        let (scenario, options) = sampler::scenario(seed);
        same(seed, &run(&scenario, &options).1, &run(&scenario, &options).1);
    });
}

#[test]
fn messages_that_were_bytes_on_their_way_change_nothing() {
    each(0..SWARMS / 10, |seed| {
        let (scenario, options) = sampler::scenario(seed);
        let typed = run(&scenario, &options).1;
        same(seed, &typed, &run(&scenario, &Options { through_codec: true, ..options }).1);
    });
}

#[test]
fn a_have_that_is_an_event_of_its_own_changes_nothing() {
    each(0..SWARMS / 10, |seed| {
        let (scenario, options) = sampler::scenario(seed);
        let noted = run(&scenario, &options).1;
        same(seed, &noted, &run(&scenario, &Options { nothing_waits: true, ..options }).1);
    });
}
