//! Whole files: what they become, what they are refused for, and that they can be written back.

use std::path::{Path, PathBuf};

use super::*;
use crate::peer::policy::{ChokerPolicy, PickerPolicy, Policy};
use crate::peer::preset::Preset;
use crate::scenario::{
    Arrival, Behaviour, ContentSource, Distribution, DriverKind, OnComplete, Overlay, Protocol, StartWith,
};
use crate::time::{Span, Time};
use crate::units::Rate;

mod refused;
mod written_back;

const SMALL: &str = "[content]\nsize = \"1 MiB\"\n[peers.leecher]\ncount = 3\n";

fn read_as(text: &str, overrides: &Overrides) -> Result<ScenarioFile, ScenarioError> {
    from_text(Path::new("swarm.toml"), text.to_owned(), overrides)
}

fn read(text: &str) -> ScenarioFile {
    read_as(text, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    read_as(text, &Overrides::default()).expect_err("this file is wrong").to_string()
}

fn set(settings: &[&str]) -> Overrides {
    Overrides { set: settings.iter().map(|setting| (*setting).to_owned()).collect(), ..Overrides::default() }
}

#[test]
fn every_key_is_read_and_the_order_of_the_file_kept() {
    let text = include_str!("every_key.toml");
    let file = read(text);
    let base = &file.base;
    assert_eq!((file.name.as_str(), base.title.as_str()), ("swarm", "Every key"));
    assert_eq!((base.driver, base.repeat, base.random_seed), (DriverKind::Tasks, 7, u64::MAX));
    assert_eq!((base.time_scale, base.time_limit), (2.5, Span::from_secs(1_800)));
    assert_eq!(base.content.source, ContentSource::Synthetic);
    let layout = base.content.layout;
    assert_eq!((layout.total(), layout.piece_size(), layout.block_size()), (1 << 20, 64 << 10, 16 << 10));
    assert_eq!(base.distribution, Distribution::Fixed { pieces_each: 10 });
    assert_eq!((base.tracker.interval, base.tracker.peers_returned), (Span::from_secs(60), 25));
    assert_eq!(base.tracker_protocol, Protocol::Udp);
    assert_eq!(base.overlay, Overlay::Tracker { dial: Some(7) });
    assert_eq!((base.policy.picker, base.policy.choker), (PickerPolicy::Sequential, ChokerPolicy::Rarity));
    assert_eq!((base.policy.unchoke_slots, base.policy.optimistic_slots), (3, 2));
    assert_eq!((base.policy.round, base.policy.rate_window), (Span::from_secs(5), Span::from_secs(15)));
    assert_eq!((base.policy.pipeline.min, base.policy.pipeline.max), (3, 99));
    let names: Vec<&str> = base.cohorts.iter().map(|cohort| cohort.name.as_str()).collect();
    assert_eq!(names, ["zebra", "ant", "middle"]);
    let [zebra, ant, middle] = &base.cohorts[..] else { panic!("three cohorts") };
    assert_eq!((zebra.count, zebra.start_with), (10, StartWith::Share));
    assert_eq!(zebra.upload, Some(Rate::from_bits_per_second(1_440)));
    assert_eq!((zebra.download, zebra.latency), (None, Span::from_millis(400)));
    assert_eq!((zebra.jitter, ant.jitter), (Span::from_millis(5), Span::ZERO));
    assert_eq!((zebra.crash_every, zebra.rejoin), (Some(Span::from_secs(36_000)), Some(Span::from_secs(30))));
    assert_eq!(ant.arrival, Arrival::Over(Span::from_secs(10)));
    assert_eq!(ant.on_complete, OnComplete::LeaveAfter(Span::from_secs(300)));
    assert_eq!((middle.behaviour, ant.behaviour), (Behaviour::FreeRider, Behaviour::Cooperative));
    assert_eq!(middle.arrival, Arrival::Poisson { mean_gap: Span::from_secs(30) });
    assert_eq!(middle.on_complete, OnComplete::LeaveAfterCopies(2));
    assert_eq!((middle.abort_every, zebra.abort_every), (Some(Span::from_secs(18_000)), None));
    assert_eq!(file.expects[0].only, [("policy.picker".to_owned(), "random".to_owned())]);
    assert_eq!(file.expects[1].range, Bounds::Between(0.9, 1.1));
}

#[test]
fn what_is_not_written_gets_its_default() {
    let base = read(SMALL).base;
    assert_eq!((base.title.as_str(), base.driver, base.repeat), ("swarm", DriverKind::Sim, 10));
    assert_eq!((base.content.layout.piece_size(), base.content.layout.block_size()), (16 << 10, 16 << 10));
    assert_eq!(base.policy, Policy::default());
    assert_eq!(base.distribution, Distribution::RandomSubset);
    assert_eq!((base.cohorts[0].upload, base.cohorts[0].on_complete), (None, OnComplete::Stay));
}

#[test]
fn a_peer_may_leave_in_many_ways() {
    let on_complete =
        |how: &str| read(&format!("{SMALL}on_complete = \"{how}\"\n")).base.cohorts[0].on_complete;
    let minutes = |minutes: u64| Span::from_secs(60 * minutes);
    assert_eq!(on_complete("leave after 5 min on average"), OnComplete::LeaveAfterMean(minutes(5)));
    assert_eq!(on_complete("leave at 10 min"), OnComplete::LeaveAt(Time::ZERO + minutes(10)));
    for (ratio, thousandths) in [("1.5", 1_500), ("2", 2_000), ("0.05", 50), ("10.125", 10_125)] {
        let expected = OnComplete::LeaveAtShareRatio { thousandths };
        assert_eq!(on_complete(&format!("leave at share ratio {ratio}")), expected, "{ratio}");
    }
}

#[test]
fn a_preset_sets_the_policy_and_explicit_keys_win() {
    let base = read(&format!("{SMALL}[policy]\nunchoke_slots = 7\npreset = \"legout2006\"\n")).base;
    let expected = Policy { unchoke_slots: 7, ..Policy::preset(Preset::Legout2006) };
    assert_eq!(base.policy, expected);
    assert!(
        refused(&format!("{SMALL}[policy]\npreset = \"cohen\"\n")).contains(r#"did you mean "cohen2003"?"#)
    );
}

#[test]
fn axes_span_cases_and_the_last_changes_fastest() {
    let file = read(&format!(
        "{SMALL}[peers.seed]\nstart_with = \"all\"\n[compare]\n\
         \"policy.picker\" = [\"rarest-first\", \"random\"]\n\"peers.*.upload\" = [\"1 kB/s\", \"2 kB/s\"]\n"
    ));
    let values: Vec<String> = file.cases.iter().map(|case| case.values.join(" ")).collect();
    assert_eq!(values, ["rarest-first 1 kB/s", "rarest-first 2 kB/s", "random 1 kB/s", "random 2 kB/s"]);
    let third = &file.cases[2].scenario;
    assert_eq!(third.policy.picker, PickerPolicy::Random);
    assert!(third.cohorts.iter().all(|cohort| cohort.upload == Some(Rate::from_bits_per_second(8_000))));
    assert_eq!(file.case_name(&file.cases[2]), "policy.picker = random, peers.*.upload = 1 kB/s");
    assert!(file.base.cohorts.iter().all(|cohort| cohort.upload.is_none()));
}

#[test]
fn the_command_line_replaces_a_key_and_its_axis() {
    let text = format!(
        "driver = \"tasks\"\n{SMALL}[compare]\n\"policy.picker\" = [\"rarest-first\", \"random\"]\n\
         \"peers.leecher.upload\" = [\"1 kB/s\", \"2 kB/s\"]\n[[expect]]\nmetric = \"m\"\nrange = \"< 1\"\n\
         only = \"policy.picker=random\"\n"
    );
    let overrides = Overrides {
        driver: Some("sim".to_owned()),
        repeat: Some(3),
        random_seed: Some(u64::MAX),
        ..set(&[
            "peers.*.upload=5 kB/s",
            "peers.leecher.count=4",
            "tracker.interval=\"20 s\"",
            "content.block_size=1KiB",
        ])
    };
    let file = read_as(&text, &overrides).unwrap();
    let base = &file.base;
    assert_eq!((base.driver, base.repeat, base.random_seed), (DriverKind::Sim, 3, u64::MAX));
    assert_eq!((base.cohorts[0].count, base.tracker.interval), (4, Span::from_secs(20)));
    assert_eq!(base.content.layout.block_size(), 1024);
    assert_eq!(file.axes.len(), 1);
    assert_eq!((file.cases.len(), file.expects.len()), (2, 1));
    let no_axis = read_as(&text, &set(&["policy.picker=rarest-first"])).unwrap();
    assert_eq!((no_axis.axes.len(), no_axis.expects.len()), (1, 0));
    let kept = read_as(&text, &set(&["policy.picker=random"])).unwrap();
    assert!(kept.expects[0].only.is_empty());
}

#[test]
fn a_size_takes_the_place_of_a_file() {
    let text = "[content]\nfile = \"Cargo.toml\"\n[peers.a]\ncount = 2\n";
    assert!(matches!(read(text).base.content.source, ContentSource::File(_)));
    let sized = read_as(text, &set(&["content.size=2 KiB"])).unwrap();
    assert_eq!(sized.base.content.source, ContentSource::Synthetic);
}

#[test]
fn a_metric_is_checked_against_the_columns_there_are() {
    let file = read(&format!("{SMALL}[[expect]]\nmetric = \"last_over_bond\"\nrange = \"< 2\"\n"));
    let report = file.check_metrics(&["mean_completion_s", "last_over_bound"], &[]).unwrap_err().to_string();
    assert!(
        report.contains("swarm.toml:6:10") && report.contains(r#"did you mean "last_over_bound"?"#),
        "{report}"
    );
    assert!(file.check_metrics(&["last_over_bond"], &[]).is_ok());
    let of_a_cohort =
        read(&format!("{SMALL}[[expect]]\nmetric = \"bound_s\"\ncohort = \"leecher\"\nrange = \"< 2\"\n"));
    let report = of_a_cohort.check_metrics(&["bound_s"], &["own_share"]).unwrap_err().to_string();
    assert!(report.contains("expected a column of cohorts.csv"), "{report}");
}
