//! Who is connected to whom, and how often a connection is made.

use std::collections::BTreeSet;

use super::*;
use crate::event::Event;
use crate::scenario::{Arrival, Overlay};

/// Connections made so far, by either end, and the pairs they joined.
fn connections(records: &[Record]) -> (usize, BTreeSet<(PeerIndex, PeerIndex)>) {
    let ends: Vec<(PeerIndex, PeerIndex)> = records
        .iter()
        .filter_map(|record| match record.event {
            Event::Connected { remote } => Some((record.peer, remote?)),
            _ => None,
        })
        .collect();
    (ends.len(), ends.iter().map(|&(one, other)| (one.min(other), one.max(other))).collect())
}

#[test]
fn in_a_fixed_overlay_every_connection_is_made_once() {
    let mut scenario = testing::scenario(vec![testing::cohort("sharing", 30)]);
    scenario.overlay = Overlay::RandomRegular { degree: 7 };
    scenario.cohorts[0].latency = Span::from_millis(30);
    scenario.cohorts[0].arrival = Arrival::Over(Span::from_secs(20));
    scenario.cohorts[0].upload = Some(Rate::from_bits_per_second(8 * 4_000));
    let mut records: Vec<Record> = Vec::new();
    let options = Options { check: true, ..Options::default() };
    let outcome = run(&scenario, 1, &options, &mut records, &Control::default()).expect("invariants");
    assert_eq!(outcome.ended, Ended::Complete);
    let (ends, pairs) = connections(&records);
    assert_eq!((ends, pairs.len()), (2 * 30 * 7 / 2, 30 * 7 / 2));
}

#[test]
fn a_peer_that_comes_back_after_a_crash_finds_its_neighbours_again() {
    let mut scenario = scenario();
    scenario.overlay = Overlay::FullMesh;
    // Long enough for several crashes.
    for cohort in &mut scenario.cohorts {
        cohort.upload = Some(Rate::from_bits_per_second(8 * 500));
    }
    for random_seed in 0..5 {
        let mut world = World::new(&scenario, random_seed, &Options::default());
        let mut arrived = Time::ZERO;
        for _ in 0..20_000 {
            for record in steps(&mut world, 1) {
                if record.peer == PeerIndex(6) && matches!(record.event, Event::Arrived { .. }) {
                    arrived = record.at;
                }
            }
            let newcomer = &world.hosts[6];
            let lacks = newcomer.peer.as_deref().is_some_and(|peer| !peer.is_complete());
            // The longest path takes 80 ms there and back.
            if lacks && world.now.since(arrived) > Span::from_secs(1) {
                assert_eq!(newcomer.links().count(), 6, "random seed {random_seed}, {}", world.now);
            }
        }
        assert!(world.hosts[6].stay > 0, "it never crashed under random seed {random_seed}");
    }
}

#[test]
fn a_newcomer_dials_so_many_and_accepts_more() {
    let mut scenario = testing::scenario(vec![testing::cohort("sharing", 40)]);
    scenario.overlay = Overlay::Tracker { dial: Some(3) };
    scenario.cohorts[0].arrival = Arrival::Over(Span::from_secs(10));
    scenario.cohorts[0].upload = Some(Rate::from_bits_per_second(8 * 1_000));
    let mut world = World::new(&scenario, 1, &Options::default());
    let mut records = Vec::new();
    while world.now < Time::ZERO + Span::from_secs(20) {
        records.extend(steps(&mut world, 1));
    }
    let (ends, pairs) = connections(&records);
    // The first three find fewer than three others.
    assert!(
        (2 * 110..=2 * 120).contains(&ends) && pairs.len() * 2 == ends,
        "{ends} ends, {} pairs",
        pairs.len()
    );
}
