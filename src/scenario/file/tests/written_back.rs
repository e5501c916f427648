//! A scenario that is written back is the same scenario.

use super::*;
use crate::peer::policy::{Pipeline, SeedRule, StartedFirst};
use crate::scenario::file::names::{
    BEHAVIOURS, CHOKERS, DRIVERS, PICKERS, PROTOCOLS, SEED_RULES, STARTED_FIRST,
};
use crate::scenario::{Client, Cohort, Content, TrackerProgram, TrackerSettings};
use crate::torrent::layout::Layout;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn names<T: Copy + std::fmt::Debug + 'static>(table: &[(&str, T)]) -> impl Strategy<Value = T> + use<T> {
    select(table.iter().map(|(_, variant)| *variant).collect::<Vec<T>>())
}

fn span() -> impl Strategy<Value = Span> {
    (1..=u64::MAX, 0u32..60).prop_map(|(nanos, shift)| Span::from_nanos((nanos >> shift).max(1)))
}

/// Of anything with a frequency: at most once in a century.
fn gap() -> impl Strategy<Value = Span> {
    (1..3_000_000_000_000_000_000u64).prop_map(Span::from_nanos)
}

fn cohort() -> impl Strategy<Value = Cohort> {
    let rate = || option::of((0..=u64::MAX).prop_map(Rate::from_bits_per_second));
    let arrival = prop_oneof![
        Just(Arrival::AtStart),
        span().prop_map(Arrival::Over),
        gap().prop_map(|mean_gap| Arrival::Poisson { mean_gap }),
    ];
    let on_complete = prop_oneof![
        Just(OnComplete::Stay),
        Just(OnComplete::Leave),
        span().prop_map(OnComplete::LeaveAfter),
        (1..=u32::MAX).prop_map(OnComplete::LeaveAfterCopies),
        span().prop_map(OnComplete::LeaveAfterMean),
        span().prop_map(|at| OnComplete::LeaveAt(Time::ZERO + at)),
        (1..=u32::MAX).prop_map(|thousandths| OnComplete::LeaveAtShareRatio { thousandths }),
    ];
    let links = (rate(), rate(), span(), span(), names(BEHAVIOURS));
    let stay = (arrival, on_complete, option::of(gap()), option::of(span()), option::of(gap()));
    (3..50u32, links, stay).prop_map(|(count, links, stay)| Cohort {
        name: String::new(),
        client: Client::Minibit,
        count,
        start_with: StartWith::Nothing,
        behaviour: links.4,
        upload: links.0,
        download: links.1,
        latency: links.2,
        jitter: links.3,
        arrival: stay.0,
        on_complete: stay.1,
        crash_every: stay.2,
        rejoin: stay.3,
        abort_every: stay.4,
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    // All but the hypercube, which asks for more than a policy.
    let enums = (names(&PICKERS[..3]), names(STARTED_FIRST), names(CHOKERS), names(SEED_RULES));
    let numbers = (0..9u32, 1..9u32, 0..9u32, 1..9u32, 1..9u32, 1..99u32);
    let spans = (span(), span(), span(), span(), span());
    (enums, numbers, spans, 1..9u32, 9..99u32).prop_map(|(enums, numbers, spans, min, max)| {
        let (picker, started_first, choker, seed_rule): (_, StartedFirst, _, SeedRule) = enums;
        Policy {
            picker,
            started_first,
            choker,
            seed_rule,
            first_random: numbers.0,
            unchoke_slots: numbers.1,
            optimistic_slots: numbers.2,
            optimistic_rounds: numbers.3,
            newcomer_weight: numbers.4,
            max_connections: numbers.5,
            fast_extension: numbers.0 % 2 == 1,
            extension_protocol: numbers.1 % 2 == 1,
            peer_exchange: numbers.2 % 2 == 1,
            round: spans.0,
            rate_window: spans.1,
            snub_after: spans.2,
            pipeline: Pipeline { time: spans.3, rate_window: spans.4, min, max },
        }
    })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let distribution = prop_oneof![
        Just(Distribution::RandomSubset),
        Just(Distribution::SingleSeed),
        Just(Distribution::Disjoint),
        (0..99u32).prop_map(|pieces_each| Distribution::Fixed { pieces_each }),
    ];
    let top = (r#"[ -~à-ü"\\]{0,40}"#, names(DRIVERS), 1..100u32, any::<u64>(), 0.001..1e6f64, span());
    let content = (1..1u64 << 30, 1..70_000u32, 512..1000u32);
    let cohorts = prop::collection::btree_map("[a-zé_-]{1,12}", cohort(), 1..5);
    let overlay = prop_oneof![
        option::of(1..99u32).prop_map(|dial| Overlay::Tracker { dial }),
        Just(Overlay::FullMesh),
        // Possible from three peers on.
        Just(Overlay::RandomRegular { degree: 2 }),
    ];
    (top, content, distribution, (span(), 1..99u32, names(PROTOCOLS)), overlay, policy(), cohorts).prop_map(
        |(top, (total, block, factor), distribution, tracker, overlay, policy, cohorts)| Scenario {
            name: "swarm".to_owned(),
            title: top.0,
            driver: top.1,
            repeat: top.2,
            random_seed: top.3,
            time_scale: top.4,
            time_limit: top.5,
            content: Content {
                source: ContentSource::Synthetic,
                layout: Layout::new(total, block * factor, block).unwrap(),
            },
            distribution,
            tracker: TrackerSettings { interval: tracker.0, peers_returned: tracker.1 },
            tracker_protocol: tracker.2,
            tracker_program: TrackerProgram::Minibit,
            overlay,
            policy,
            cohorts: cohorts.into_iter().map(|(name, cohort)| Cohort { name, ..cohort }).collect(),
        },
    )
}

proptest! {
    #[test]
    fn a_scenario_written_and_read_is_the_same(scenario in scenario()) {
        let read = read_as(&scenario.to_toml(), &Overrides::default());
        prop_assert!(read.is_ok(), "{}\n{}", read.unwrap_err(), scenario.to_toml());
        let read = read.unwrap();
        prop_assert_eq!(&read.base, &scenario);
        prop_assert_eq!(&read.cases[0].scenario, &scenario);
    }
}

#[test]
fn a_file_with_axes_and_expectations_is_the_same() {
    let file = read(include_str!("../every_key.toml"));
    let again = read(&file.to_toml());
    assert_eq!((&again.base, &again.axes, &again.cases), (&file.base, &file.axes, &file.cases));
    let told = |file: &ScenarioFile| -> Vec<String> {
        let tell = |one: &Expect| {
            format!("{:?} {:?} {:?} {} {:?}", one.of, one.over, one.statistic, one.range, one.only)
        };
        file.expects.iter().map(tell).collect()
    };
    assert_eq!(told(&again), told(&file));
    assert_eq!(again.to_toml(), file.to_toml());
}

#[test]
fn a_content_file_is_named_as_before_and_known_by_its_digest() {
    let file = read("[content]\nfile = \"Cargo.toml\"\n[peers.a]\ncount = 2\n");
    let written = file.base.to_toml();
    assert!(written.contains("file = \"Cargo.toml\"\nsha1 = \""), "{written}");
    assert_eq!(read(&written).base, file.base);
}

#[test]
fn title_repeats_and_first_seed_do_not_make_another_run() {
    let base = read(SMALL).base;
    let other = Scenario { title: "Another".to_owned(), repeat: 30, random_seed: 9, ..base.clone() };
    assert_eq!(base.identity(), other.identity());
    assert_ne!(base.identity(), Scenario { time_scale: 2.0, ..base.clone() }.identity());
    let mut jittery = base.clone();
    jittery.cohorts[0].jitter = Span::from_millis(5);
    assert_ne!(base.identity(), jittery.identity());
}
