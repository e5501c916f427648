//! The seam's contract and the simulator's own, on worlds stopped halfway.

mod hypercube;
mod overlays;
mod slow;
mod stays;
mod turnover;
mod words;

use super::*;
use crate::event::Record;
use crate::id::PeerIndex;
use crate::peer::{Input, Peer};
use crate::scenario::testing;
use crate::time::Span;
use crate::units::Rate;

/// Six peers that share and one that has nothing, on links that keep them busy for minutes.
fn scenario() -> Scenario {
    let rate = Some(Rate::from_bits_per_second(8 * 4_000));
    let mut sharing = testing::cohort("sharing", 6);
    sharing.upload = rate;
    sharing.latency = Span::from_millis(40);
    let mut newcomer = testing::cohort("newcomer", 1);
    newcomer.start_with = crate::scenario::StartWith::Nothing;
    newcomer.upload = rate;
    newcomer.crash_every = Some(Span::from_secs(40));
    newcomer.rejoin = Some(Span::from_secs(5));
    testing::scenario(vec![sharing, newcomer])
}

fn steps(world: &mut World, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..count {
        if !world.advance() {
            break;
        }
        records.append(&mut world.records);
    }
    records
}

fn peers(world: &World) -> impl Iterator<Item = &Peer> {
    world.hosts.iter().filter_map(|host| host.peer.as_deref())
}

#[test]
fn a_world_copied_halfway_continues_identically() {
    for random_seed in 0..5 {
        let mut world = World::new(&scenario(), random_seed, &Options::default());
        steps(&mut world, 300);
        let mut copy = world.clone();
        let (original, copied) = (steps(&mut world, 500), steps(&mut copy, 500));
        assert!(!original.is_empty(), "the swarm was over before it was copied");
        assert_eq!(original, copied, "random seed {random_seed}");
    }
}

/// Everybody's deliveries, for the first so many seconds.
fn disturbed(secs: u64, late_per_mille: u32, longest_delay: Span, lost_per_mille: u32) -> Options {
    let (from, until) = (Time::ZERO, Time::ZERO + Span::from_secs(secs));
    let peers = std::collections::BTreeSet::new();
    let disturbance = Disturbance { peers, from, until, late_per_mille, longest_delay, lost_per_mille };
    let fault = Fault { disturbances: vec![disturbance], ..Fault::default() };
    Options { check: true, fault, ..Options::default() }
}

#[test]
fn a_disturbed_world_copied_halfway_continues_identically() {
    let options = disturbed(3_600, 200, Span::from_secs(3), 20);
    for random_seed in 0..5 {
        let mut world = World::new(&scenario(), random_seed, &options);
        steps(&mut world, 300);
        let mut copy = world.clone();
        let (original, copied) = (steps(&mut world, 500), steps(&mut copy, 500));
        assert!(!original.is_empty(), "the swarm was over before it was copied");
        assert_eq!(original, copied, "random seed {random_seed}");
    }
}

fn records(options: &Options, random_seed: u64) -> (Outcome, Vec<Record>) {
    let mut records: Vec<Record> = Vec::new();
    let outcome = run(&scenario(), random_seed, options, &mut records, &Control::default());
    let outcome = outcome.unwrap_or_else(|error| panic!("random seed {random_seed}: {error}"));
    (outcome, records)
}

#[test]
fn a_disturbance_that_disturbs_nothing_leaves_every_record_as_it_was() {
    for random_seed in 0..5 {
        let (_, undisturbed) = records(&Options::default(), random_seed);
        let (_, disturbed) = records(&disturbed(3_600, 0, Span::ZERO, 0), random_seed);
        assert!(undisturbed == disturbed, "random seed {random_seed}");
    }
}

#[test]
fn a_swarm_that_loses_a_tenth_of_all_deliveries_completes_once_that_is_over() {
    let (mut lost, mut snubbed) = (0, 0);
    for random_seed in 0..20 {
        let (outcome, records) = records(&disturbed(300, 100, Span::from_secs(90), 100), random_seed);
        assert_eq!(outcome.ended, Ended::Complete, "random seed {random_seed} at {}", outcome.at);
        let count = |wanted: fn(&crate::event::Event) -> bool| {
            records.iter().filter(|record| wanted(&record.event)).count()
        };
        lost += count(|event| matches!(event, crate::event::Event::AnnounceFailed { .. }));
        snubbed += count(|event| matches!(event, crate::event::Event::Snubbed { .. }));
    }
    assert!(lost > 0 && snubbed > 0, "{lost} announces lost, {snubbed} snubbed");
}

#[test]
fn an_early_timeout_changes_nothing() {
    let mut world = World::new(&scenario(), 1, &Options::default());
    let mut tried = 0;
    for _ in 0..400 {
        steps(&mut world, 1);
        for peer in peers(&world).filter(|peer| peer.deadline().is_some_and(|due| due.at > world.now)) {
            let (mut early, mut actions) = (peer.clone(), Vec::new());
            early.handle(world.now, Input::Timeout, &mut actions);
            assert_eq!(actions, [], "at {}", world.now);
            assert_eq!(format!("{early:?}"), format!("{peer:?}"), "at {}", world.now);
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} peers had a deadline ahead");
}

#[test]
fn after_a_timeout_the_next_deadline_lies_later() {
    let mut world = World::new(&scenario(), 2, &Options::default());
    let mut tried = 0;
    for _ in 0..400 {
        steps(&mut world, 1);
        for peer in peers(&world) {
            let Some(due) = peer.deadline() else { continue };
            let (mut later, mut actions) = (peer.clone(), Vec::new());
            let now = due.at.max(world.now);
            later.handle(now, Input::Timeout, &mut actions);
            assert!(
                later.deadline().is_none_or(|next| next.at > now),
                "{due:?}, then {:?}",
                later.deadline()
            );
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} deadlines were tried");
}

#[test]
fn equal_inputs_give_equal_actions() {
    let mut world = World::new(&scenario(), 3, &Options::default());
    steps(&mut world, 200);
    for peer in peers(&world) {
        let act = || {
            let (mut peer, mut actions) = (peer.clone(), Vec::new());
            peer.handle(world.now + Span::from_secs(10), Input::Timeout, &mut actions);
            peer.handle(world.now + Span::from_secs(10), Input::Leave, &mut actions);
            actions
        };
        assert_eq!(act(), act());
    }
}

#[test]
fn a_piece_that_nobody_alive_holds_ends_the_run_with_a_verdict() {
    let mut scenario = scenario();
    for cohort in &mut scenario.cohorts {
        // Everybody who completes leaves at once, and the only holders crash early and stay away.
        cohort.crash_every = Some(Span::from_secs(8));
        cohort.rejoin = None;
    }
    scenario.cohorts[1].crash_every = None;
    let mut stranded = 0;
    for random_seed in 0..10 {
        let mut records: Vec<Record> = Vec::new();
        let options = Options { check: true, ..Options::default() };
        let outcome =
            run(&scenario, random_seed, &options, &mut records, &Control::default()).expect("invariants");
        if let Ended::Stranded(verdict) = outcome.ended {
            assert!(!verdict.pieces.is_empty() && !verdict.peers.is_empty(), "{verdict:?}");
            stranded += 1;
        }
    }
    assert!(stranded > 0, "no swarm was stranded");
}

#[test]
fn a_run_ends_when_the_last_peer_is_complete() {
    let scenario = testing::scenario(vec![testing::cohort("sharing", 5)]);
    let mut records: Vec<Record> = Vec::new();
    let outcome = run(&scenario, 1, &Options::default(), &mut records, &Control::default()).expect("a run");
    let completed = records.iter().filter(|record| record.event == crate::event::Event::Completed).count();
    assert_eq!((outcome.ended, completed), (Ended::Complete, 5));
}

fn jittery(most: Span) -> Scenario {
    let mut scenario = scenario();
    scenario.cohorts.iter_mut().for_each(|cohort| cohort.jitter = most);
    scenario
}

#[test]
fn a_jittery_world_copied_halfway_continues_identically() {
    for random_seed in 0..5 {
        let mut world = World::new(&jittery(Span::from_millis(30)), random_seed, &Options::default());
        steps(&mut world, 300);
        let mut copy = world.clone();
        let (original, copied) = (steps(&mut world, 500), steps(&mut copy, 500));
        assert!(!original.is_empty(), "the swarm was over before it was copied");
        assert_eq!(original, copied, "random seed {random_seed}");
    }
}

/// A swarm in which everything draws: jitter and disturbances too.
fn busy_options() -> Options {
    disturbed(40, 100, Span::from_secs(1), 5)
}

#[test]
fn a_peer_that_comes_later_leaves_everything_before_it_as_it_was() {
    for random_seed in 0..5 {
        let alone = jittery(Span::from_millis(30));
        let mut joined = alone.clone();
        let mut newcomer = testing::cohort("newcomer", 1);
        newcomer.arrival = crate::scenario::Arrival::Over(Span::from_secs(20_000));
        newcomer.start_with = crate::scenario::StartWith::Nothing;
        joined.cohorts.push(newcomer);
        joined.time_limit = Span::from_secs(40_000);
        let records = |scenario: &Scenario| {
            let mut records: Vec<Record> = Vec::new();
            run(scenario, random_seed, &busy_options(), &mut records, &Control::default()).expect("a run");
            records
        };
        let (mut before, after) = (records(&alone), records(&joined));
        // What everybody adds up to is said at the end of the run, which is another one.
        before.retain(|record| !matches!(record.event, crate::event::Event::Totals(_)));
        let after = after.iter().filter(|record| !matches!(record.event, crate::event::Event::Totals(_)));
        let shared: Vec<Record> = after.take(before.len()).cloned().collect();
        assert!(before.len() > 300, "{} records", before.len());
        assert!(before == shared, "random seed {random_seed}");
    }
}

#[test]
fn every_peer_draws_from_streams_of_its_own_to_the_end() {
    let mut world = World::new(&jittery(Span::from_millis(30)), 7, &busy_options());
    steps(&mut world, 3_000);
    let mut drawn = 0;
    for peer in world.everybody() {
        let Some(state) = &world.host(peer).peer else { continue };
        for (purpose, stream) in state.streams() {
            assert!(stream.is_of(7, crate::rng::Entity::Peer(peer), purpose), "{peer}: {purpose:?}");
            drawn += u32::from(stream.has_drawn());
        }
    }
    assert!(drawn >= 12, "only {drawn} streams were drawn from");
}
