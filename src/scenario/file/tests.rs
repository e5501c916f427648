//! Whole files: what they become, what they are refused for, and that they can be written back.

use std::path::{Path, PathBuf};

use super::*;
use crate::peer::policy::{ChokerPolicy, PickerPolicy, Policy};
use crate::peer::preset::Preset;
use crate::scenario::{
    Arrival, Behaviour, ContentSource, Distribution, DriverKind, OnComplete, Overlay, StartWith,
};
use crate::time::{Span, Time};
use crate::units::Rate;

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

/// The file, where the error is, and what it says.
#[test]
fn a_wrong_file_is_refused_with_place_key_expectation_and_advice() {
    let small = |more: &str| format!("{SMALL}{more}");
    let content = |content: &str| format!("[content]\n{content}\n[peers.a]\ncount = 2\n");
    let cases: &[(String, &[&str])] = &[
        (
            small("[policy]\npikcer = \"random\""),
            &["swarm.toml:6:1", "policy.pikcer: unknown key", "did you mean `picker`?"],
        ),
        (
            small("[policy]\npicker = \"rarest\""),
            &[
                "swarm.toml:6:10",
                r#"policy.picker: unknown value "rarest""#,
                "expected rarest-first, random, sequential or hypercube",
                r#"did you mean "rarest-first"?"#,
            ],
        ),
        (
            small("[polciy]\npicker = \"random\""),
            &["swarm.toml:5:2", "polciy: unknown key", "did you mean `policy`?"],
        ),
        (
            "picker = \"random\"\n".to_owned() + SMALL,
            &["swarm.toml:1:1", "picker: unknown key", "did you mean `policy.picker`?"],
        ),
        (
            small("upload = \"2 Mb/s\""),
            &["swarm.toml:5:10", r#"write "2 Mbit/s" (1,000,000 bits per second) or "2 MB/s""#],
        ),
        (
            small("upload = 180"),
            &["swarm.toml:5:10", r#""180" has no unit"#, "expected a text with a number and a unit"],
        ),
        (small("upload = nan"), &["swarm.toml:5:10", "not finite"]),
        (small("upload = \"-3 B/s\""), &["swarm.toml:5:10", "is negative"]),
        (small("latency = true"), &["swarm.toml:5:11", "peers.leecher.latency: unexpected true"]),
        (
            small("arrival = \"later\""),
            &[
                "swarm.toml:5:11",
                "unknown arrival",
                r#"expected "at start", "over 10 s" or "poisson 2 per min""#,
            ],
        ),
        (small("arrival = \"over 10 m\""), &["can be read in two ways"]),
        (small("arrival = \"poisson 0 per min\""), &["nobody would ever arrive"]),
        (small("on_complete = \"leave after 0 copies\""), &["no whole number of copies"]),
        (small("on_complete = \"leave at share ratio 0\""), &[r#""0" is no share ratio above zero"#]),
        (small("on_complete = \"leave at share ratio 1.2345\""), &["is no share ratio above zero"]),
        (small("on_complete = \"leave after 5 on average\""), &["swarm.toml:5:15", "has no unit"]),
        (small("on_complete = \"leave at noon\""), &["swarm.toml:5:15", r#""leave at 10 min""#]),
        (
            small("behaviour = \"free\""),
            &["swarm.toml:5:13", r#"unknown value "free""#, "expected cooperative or free-rider"],
        ),
        (small("abort = \"often\""), &["swarm.toml:5:9", "peers.leecher.abort"]),
        (small("on_complete = \"vanish\""), &[r#"expected "stay", "leave", "leave after 5 min""#]),
        (small("[peers.leecher.more]\n"), &["peers.leecher.more: unknown key"]),
        (small("[peers.\"a b\"]\ncount = 1"), &["swarm.toml:5:8", "not a name for a cohort"]),
        ("[content]\nsize = \"1 MiB\"\n".to_owned(), &["peers: nobody takes part"]),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 0\n".to_owned(),
            &["peers: nobody takes part", "zero peers"],
        ),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 1000000000\n".to_owned(),
            &["swarm.toml:4:9", "1000000000 is out of range", "expected a whole number from 0 to 1000000"],
        ),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 99999999999999999999999999\n".to_owned(),
            &["swarm.toml:4:9", "out of range"],
        ),
        (
            "[content]\nsize = \"32 GiB\"\n[peers.a]\ncount = 1000000\n".to_owned(),
            &["1000000 peers times 2097152 pieces", "fewer peers or larger pieces"],
        ),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\nstart_with = \"all\"\n".to_owned(),
            &["everybody starts complete"],
        ),
        ("[peers.a]\ncount = 2\n".to_owned(), &["swarm.toml", "content: missing", "write `file ="]),
        (content("file = \"a\"\nsize = \"1 B\""), &["swarm.toml:3:8", "given together with content.file"]),
        (
            content("file = \"no such file\""),
            &["swarm.toml:2:8", "cannot read no such file", "from the scenario's folder"],
        ),
        (content("file = \"src\""), &["it is not a regular file"]),
        (content("file = \"Cargo.toml\"\nsha1 = \"00\""), &["swarm.toml:3:8", "the file has changed"]),
        (content("size = \"0 B\""), &["swarm.toml:2:8", "0 bytes are nothing to distribute"]),
        (
            content("size = \"1 MiB\"\nblock_size = \"0 B\""),
            &["swarm.toml:3:14", "content.block_size: 0 bytes"],
        ),
        (content("size = \"1 MiB\"\nblock_size = \"2 GiB\""), &["expected at most 1 GiB"]),
        (
            content("size = \"1 MiB\"\nblock_size = \"3 KiB\"\npiece_size = \"10 KiB\""),
            &["swarm.toml:4:14", "must be a multiple of the block size", r#"the next multiple is "12 KiB""#],
        ),
        (
            content("size = \"1 TiB\"\nblock_size = \"1 KiB\""),
            &["choose larger pieces", r#"from "512 KiB" on it works"#],
        ),
        (
            small("[policy]\npicker = \"hypercube\"\n[overlay]\nkind = \"full-mesh\""),
            &["swarm.toml:5:1", r#"the hypercube needs one peer that starts with "all""#],
        ),
        (
            small(
                "start_with = \"nothing\"\n[peers.s]\nstart_with = \"all\"\n[policy]\npicker = \"hypercube\"",
            ),
            &[r#"the hypercube needs overlay.kind = "full-mesh""#],
        ),
        (
            small(
                "start_with = \"nothing\"\n[peers.s]\nstart_with = \"all\"\n[peers.more]\n\
                   start_with = \"nothing\"\n[policy]\npicker = \"hypercube\"",
            ),
            &["2, 4, 8, … peers with the server, and there are 5"],
        ),
        (
            small(
                "start_with = \"nothing\"\non_complete = \"leave\"\n[peers.s]\nstart_with = \"all\"\n[policy]\n\
                   picker = \"hypercube\"\n[overlay]\nkind = \"full-mesh\"",
            ),
            &["everybody to upload and to be there from the start to the end"],
        ),
        (small("[overlay]\nkind = \"ring\""), &["swarm.toml:6:8", "expected tracker, full-mesh, star or"]),
        (small("[overlay]\nkind = \"random-regular\""), &["swarm.toml:5:1", "overlay.degree: missing"]),
        (small("[overlay]\ndegree = 2"), &["swarm.toml:6:10", "only for kind = \"random-regular\""]),
        (small("[overlay]\nkind = \"star\"\ndial = 2"), &["swarm.toml:7:8", "only for kind = \"tracker\""]),
        (
            small("[overlay]\nkind = \"random-regular\"\ndegree = 3"),
            &["swarm.toml:5:1", "3 neighbours each are impossible among 3 peers", "at most 2 work"],
        ),
        (
            small("[peers.more]\ncount = 4\n[overlay]\nkind = \"random-regular\"\ndegree = 3"),
            &["7 peers with 3 neighbours each are an odd number of ends", "take an even `degree`"],
        ),
        (small("[overlay]\nkind = \"star\""), &["no cohort starts with \"all\"", "start_with = \"all\""]),
        (
            small("[peers.more]\ncount = 100000\n[overlay]\nkind = \"full-mesh\""),
            &["5000250003 connections are more than 67108864"],
        ),
        (small("[distribution]\nkind = \"fixed\""), &["swarm.toml:5:1", "distribution.pieces: missing"]),
        (small("[distribution]\npieces = 3"), &["swarm.toml:6:10", "only for kind = \"fixed\""]),
        (small("[distribution]\nkind = \"fixed\"\npieces = 3"), &["give each at least 22"]),
        (small("[policy]\nunchoke_slots = 0\noptimistic_slots = 0"), &["nobody would ever be unchoked"]),
        (small("[policy]\nround = \"0 s\""), &["swarm.toml:6:9", "expected more than zero"]),
        ("time_scale = nan\n".to_owned() + SMALL, &["swarm.toml:1:14", "time_scale: NaN is out of range"]),
        ("time_scale = 0\n".to_owned() + SMALL, &["time_scale: 0 is out of range"]),
        ("repeat = 0\n".to_owned() + SMALL, &["repeat: 0 is out of range", "from 1 to 100000"]),
        (
            "driver = \"simulator\"\n".to_owned() + SMALL,
            &[r#"driver: unknown value "simulator""#, "expected sim or tasks"],
        ),
        ("title = \"\\u001b[31m\"\n".to_owned() + SMALL, &["title: too long or not one line"]),
        (
            "repeat = 3\nrepeat = 4\n".to_owned() + SMALL,
            &["swarm.toml:2:1", "this is not TOML", "duplicate key"],
        ),
        ("title = \"open\n".to_owned() + SMALL, &["swarm.toml:1:", "this is not TOML"]),
        (
            small("[compare]\n\"policy.picker\" = \"random\""),
            &["swarm.toml:6:19", "expected a list of values"],
        ),
        (small("[compare]\n\"policy.picker\" = []"), &["no values"]),
        (
            small("[compare]\n\"policy.picker\" = [\"random\", \"random\"]"),
            &["swarm.toml:6:30", "twice the same value"],
        ),
        (
            small("[compare]\n\"policy.round\" = [\"60 s\", \"1 min\"]"),
            &["swarm.toml:6:27", "the same as policy.round = 60 s"],
        ),
        (
            small("[compare]\n\"policy.pikcer\" = [\"random\"]"),
            &["swarm.toml:6:1", "policy.pikcer: unknown key", "did you mean `picker`?"],
        ),
        (
            small("[compare]\n\"policy.picker\" = [\"random\", \"rarest\"]"),
            &["swarm.toml:6:30", r#"unknown value "rarest""#],
        ),
        (
            small("[compare]\n\"peers.lecher.count\" = [1, 2]"),
            &["swarm.toml:6:1", r#"no cohort is named "lecher""#, "did you mean `peers.leecher.count`?"],
        ),
        (
            small("[compare]\n\"title.x\" = [1, 2]\n\"random_seed\" = [1]"),
            &["swarm.toml:7:1", "cannot be compared"],
        ),
        (
            small("[compare]\n\"peers.*.count\" = [1, 2]\n\"peers.leecher.count\" = [3]"),
            &["swarm.toml:7:1", "sets the same key"],
        ),
        (
            small("[compare]\n\"peers.*.count\" = [3, 0]"),
            &["nobody takes part", "in the case peers.*.count = 0"],
        ),
        (small("[[expect]]\nmetric = \"m\"\nrange = \"about 1\""), &["swarm.toml:7:9", "is not a range"]),
        (small("[[expect]]\nrange = \"< 1\""), &["swarm.toml:5:1", "expect.metric: missing"]),
        (
            small("[[expect]]\nmetric = \"m\"\nrange = \"< 1\"\nonly = \"policy.picker=random\""),
            &["swarm.toml:8:8", r#"no axis "policy.picker""#],
        ),
    ];
    for (text, expected) in cases {
        let report = refused(text);
        for part in *expected {
            assert!(report.contains(part), "{part:?} is not in the report on\n{text}\n\n{report}");
        }
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "repeat = 0\n[content]\nsize = \"1 MB\"\n[peers.a]\ncount = -1\nupload = \"fast\"\nlatancy = \"1 s\"\n";
    let error = read_as(text, &Overrides::default()).unwrap_err();
    assert_eq!(error.problems(), 4, "{error}");
}

#[test]
fn a_report_looks_like_this() {
    let report = refused("[content]\nsize = \"1 MiB\"\n[peers.leecher]\ncount = 3\nuplaod = \"2 kB/s\"\n");
    assert_eq!(
        report,
        "\
error: peers.leecher.uplaod: unknown key
 --> swarm.toml:5:1
  |
5 | uplaod = \"2 kB/s\"
  | ^^^^^^ not known
  |
  = help: did you mean `upload`?"
    );
}

#[test]
fn a_wrong_option_is_shown_like_a_wrong_file() {
    let wrong = |overrides: &Overrides| read_as(SMALL, overrides).unwrap_err().to_string();
    let report = wrong(&set(&["tracker.interval=30 s", "policy.picker=rarest"]));
    assert!(report.contains("--> --set:1:15") && report.contains("policy.picker=rarest"), "{report}");
    let report = wrong(&Overrides { driver: Some("sims".to_owned()), ..Overrides::default() });
    assert!(report.contains("--> --driver:1:8") && report.contains(r#"did you mean "sim"?"#), "{report}");
    assert!(wrong(&set(&["picker=random"])).contains("did you mean `policy.picker`?"));
    assert!(wrong(&set(&["policy.picker"])).contains("expected key=value"));
    assert!(wrong(&set(&["peers.x.count=2"])).contains(r#"no cohort is named "x""#));
    assert!(
        wrong(&set(&["title.x=2"])).contains("unexpected")
            || wrong(&set(&["title.x=2"])).contains("not a section")
    );
}

#[test]
fn hostile_files_are_refused_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let refused = |path: PathBuf| load(&path, &Overrides::default()).unwrap_err().to_string();
    std::fs::File::create(path("large.toml")).unwrap().set_len(100 << 20).unwrap();
    assert!(refused(path("large.toml")).contains("larger than 1 MiB"));
    std::fs::write(path("latin.toml"), b"repeat = 1\ntitle = \"hist\xf3ria\"\n").unwrap();
    assert!(refused(path("latin.toml")).contains("line 2 is not UTF-8"));
    assert!(refused(path("none.toml")).contains("cannot read the scenario"));
    assert!(refused(folder.path().to_owned()).contains("it is a folder"));
    let deep = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(super::tests::refused(&deep).contains("error"));
    let many: String = (0..50_000).map(|key| format!("k{key} = 1\n")).collect();
    assert!(super::tests::refused(&many).contains("more"));
    let long = format!("{SMALL}[policy]\npicker = \"{}\"\n", "r".repeat(500_000));
    assert!(super::tests::refused(&long).len() < 2_000);
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

mod written_back {
    use super::*;
    use crate::peer::policy::{Pipeline, SeedRule, StartedFirst};
    use crate::scenario::file::names::{BEHAVIOURS, CHOKERS, DRIVERS, PICKERS, SEED_RULES, STARTED_FIRST};
    use crate::scenario::{Cohort, Content, TrackerSettings};
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
        (top, content, distribution, (span(), 1..99u32), overlay, policy(), cohorts).prop_map(
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
        let file = read(include_str!("every_key.toml"));
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
}
