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

#[test]
fn the_same_random_seed_gives_the_same_records() {
    for seed in 0..40 {
        let (scenario, options) = sampler::scenario(seed);
        assert!(run(&scenario, &options).1 == run(&scenario, &options).1, "random seed {seed}");
    }
}

#[test]
fn messages_that_were_bytes_on_their_way_change_nothing() {
    for seed in 0..40 {
        let (scenario, options) = sampler::scenario(seed);
        let typed = run(&scenario, &options).1;
        let through_codec = Options { through_codec: true, ..options };
        assert!(typed == run(&scenario, &through_codec).1, "random seed {seed}");
    }
}
