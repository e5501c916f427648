//! Whole swarms in virtual time, under many random seeds, with every invariant on.

use minibit::driver::sim::{self, Options};
use minibit::driver::{Control, Ended, Outcome};
use minibit::event::Record;
use minibit::scenario::Scenario;

use crate::sampler;

/// Reruns one of the random swarms alone.
const RERUN: &str = "MINIBIT_SWARM";

fn run(scenario: &Scenario, options: &Options) -> (Outcome, Vec<Record>) {
    let mut records = Vec::new();
    let seed = scenario.random_seed;
    let outcome = sim::run(scenario, seed, options, &mut records, &Control::default());
    let outcome = outcome.unwrap_or_else(|error| {
        panic!("{error}\nrerun: {RERUN}={seed} cargo test --test it random_swarms\n{scenario:#?}")
    });
    (outcome, records)
}

#[test]
fn random_swarms_of_every_kind_complete_with_every_invariant_on() {
    let only = std::env::var(RERUN).ok().map(|seed| seed.parse().expect("a random seed"));
    let seeds = only.map_or(0..300, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let (scenario, options) = sampler::scenario(seed);
        if only.is_some() {
            eprintln!("{scenario:#?}");
        }
        let (outcome, _) = run(&scenario, &options);
        assert!(
            matches!(outcome.ended, Ended::Complete),
            "{:?} at {}\nrerun: {RERUN}={seed} cargo test --test it random_swarms\n{scenario:#?}",
            outcome.ended,
            outcome.at
        );
    }
}

/// Says where two runs part, where they do.
fn same(one: &[Record], other: &[Record], seed: u64) {
    let parted = one.iter().zip(other).position(|(one, other)| one != other);
    let at = parted.unwrap_or(one.len().min(other.len()));
    let (first, second) = (one.get(at), other.get(at));
    assert!(first == second, "random seed {seed}, record {at}:\n{first:?}\n{second:?}");
}

#[test]
fn the_same_random_seed_gives_the_same_records() {
    for seed in 0..40 {
        let (scenario, options) = sampler::scenario(seed);
        same(&run(&scenario, &options).1, &run(&scenario, &options).1, seed);
    }
}

#[test]
fn messages_that_were_bytes_on_their_way_change_nothing() {
    for seed in 0..40 {
        let (scenario, options) = sampler::scenario(seed);
        let typed = run(&scenario, &options).1;
        let through_codec = Options { through_codec: true, ..options };
        same(&typed, &run(&scenario, &through_codec).1, seed);
    }
}

#[test]
fn a_have_that_is_an_event_of_its_own_changes_nothing() {
    for seed in 0..60 {
        let (scenario, options) = sampler::scenario(seed);
        let noted = run(&scenario, &options).1;
        let events = Options { have_events: true, ..options };
        same(&noted, &run(&scenario, &events).1, seed);
    }
}
