//! Peers that starve give up connections for others: with few connections each, a swarm must not come to a stand.

use super::*;
use crate::event::Event;
use crate::scenario::{Arrival, Distribution, Overlay, StartWith};
use crate::torrent::layout::Layout;

/// How it ends, with every invariant on.
fn ends(scenario: &Scenario, random_seed: u64) -> Ended {
    let options = Options { check: true, ..Options::default() };
    let outcome = run(scenario, random_seed, &options, &mut Vec::<Record>::new(), &Control::default());
    outcome.unwrap_or_else(|error| panic!("random seed {random_seed}: {error}")).ended
}

#[test]
fn over_far_paths_a_connection_lasts_until_an_unchoke_can_come() {
    let mut seed = testing::cohort("seed", 2);
    seed.start_with = StartWith::All;
    let mut leecher = testing::cohort("leecher", 1);
    leecher.start_with = StartWith::Nothing;
    let mut scenario = testing::scenario(vec![seed, leecher]);
    for cohort in &mut scenario.cohorts {
        cohort.latency = Span::from_millis(8_500);
        cohort.upload = Some(Rate::from_bits_per_second(8 * 1_024));
    }
    scenario.policy.max_connections = 1;
    scenario.tracker.interval = Span::from_secs(5);
    for random_seed in 0..10 {
        assert_eq!(ends(&scenario, random_seed), Ended::Complete, "random seed {random_seed}");
    }
}

#[test]
fn pairs_that_have_nothing_for_each_other_part_and_find_others() {
    let mut sharing = testing::cohort("sharing", 10);
    // They announce at different times, each pair by itself.
    sharing.arrival = Arrival::Over(Span::from_secs(1_800));
    sharing.latency = Span::from_millis(50);
    let mut scenario = testing::scenario(vec![sharing]);
    scenario.distribution = Distribution::Disjoint;
    scenario.overlay = Overlay::Tracker { dial: Some(1) };
    scenario.policy.max_connections = 1;
    scenario.tracker.interval = Span::from_secs(1_800);
    scenario.time_limit = Span::from_secs(100 * 24 * 3_600);
    for random_seed in 0..10 {
        assert_eq!(ends(&scenario, random_seed), Ended::Complete, "random seed {random_seed}");
    }
}

#[test]
fn those_who_are_done_do_not_keep_a_newcomer_out() {
    let mut sharing = testing::cohort("sharing", 5);
    sharing.upload = Some(Rate::from_bits_per_second(8 * 64 * 1_024));
    // So that pieces come to two at a time, and neither tells the other of them.
    sharing.latency = Span::from_secs(1);
    sharing.jitter = Span::from_secs(5);
    let mut newcomer = testing::cohort("newcomer", 1);
    newcomer.start_with = StartWith::Nothing;
    newcomer.arrival = Arrival::Over(Span::from_secs(3_000));
    let mut scenario = testing::scenario(vec![sharing, newcomer]);
    scenario.distribution = Distribution::Disjoint;
    scenario.policy.max_connections = 2;
    scenario.time_limit = Span::from_secs(24 * 3_600);
    for random_seed in 1..=20 {
        assert_eq!(ends(&scenario, random_seed), Ended::Complete, "random seed {random_seed}");
    }
}

/// Where everybody gets nothing for most of the time, whoever gives way to whom must not cost the few connections over which
/// something comes now and then.
#[test]
fn peers_that_all_wait_for_a_slow_seed_do_not_hand_each_other_round() {
    let mut seed = testing::cohort("seed", 1);
    seed.start_with = StartWith::All;
    // A piece in 400 s.
    seed.upload = Some(Rate::from_bits_per_second(8 * 10_000));
    let mut leecher = testing::cohort("leecher", 60);
    leecher.start_with = StartWith::Nothing;
    leecher.upload = Some(Rate::from_bits_per_second(8 * 50_000));
    leecher.arrival = Arrival::Over(Span::from_secs(1_000));
    let mut scenario = testing::scenario(vec![seed, leecher]);
    scenario.content.layout = Layout::new(10 * 4_000_000, 4_000_000, 100_000).expect("a torrent");
    scenario.policy.max_connections = 20;
    scenario.policy.unchoke_slots = 2;
    scenario.tracker.interval = Span::from_secs(1_800);
    scenario.time_limit = Span::from_secs(4 * 3_600);
    let mut records = Vec::new();
    run(&scenario, 1, &Options::default(), &mut records, &Control::default()).expect("a run");
    let count = |of: fn(&Event) -> bool| records.iter().filter(|record| of(&record.event)).count();
    let opened = count(|event| matches!(event, Event::Connected { .. }));
    assert!(opened < 80_000, "{opened} connections were made, and with nobody giving way 44,000 are");
    let verified = count(|event| matches!(event, Event::PieceVerified { .. }));
    assert!(verified > 400, "only {verified} pieces in four hours");
}
