//! The scenarios of the repository: every one is sound, and what its comments say of it is true.

use std::path::{Path, PathBuf};

use minibit::driver::{Control, sim};
use minibit::experiment::expect::check_metrics;
use minibit::experiment::foresight::warnings_on;
use minibit::metrics::{Participant, RunFold, RunMetrics};
use minibit::scenario::Scenario;
use minibit::scenario::file::{Overrides, ScenarioFile, from_text, load};
use minibit::scenario::population::Population;

use crate::command::Folder;

/// Every scenario of the repository, those in the folders of `scenarios/` too.
fn scenarios() -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let top = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"));
    let inside = top.iter().filter(|path| path.is_dir()).flat_map(|folder| entries(folder));
    let files = top.iter().cloned().chain(inside);
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "toml")).collect();
    files.sort();
    assert!(files.len() >= 20, "{files:?}");
    files
}

fn named(name: &str) -> ScenarioFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_scenario_loads_and_is_the_same_when_written_in_full() {
    for path in scenarios() {
        let file = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        check_metrics(&file).unwrap_or_else(|error| panic!("{error}"));
        let again =
            from_text(&path, file.to_toml(), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.cases, file.cases, "{}", path.display());
    }
}

#[test]
fn only_the_handout_leaves_the_choker_nothing_to_decide_and_says_so() {
    for path in scenarios() {
        let file = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let warnings = warnings_on(&file);
        if path.parent().is_some_and(|folder| folder.ends_with("clients")) {
            // What is compared there are clients and not policies: short runs will do.
            continue;
        }
        if file.name == "handout" {
            assert_eq!(warnings.len(), 2, "{warnings:?}");
            assert!(warnings.iter().all(|warning| warning.starts_with("the choker")), "{warnings:?}");
        } else {
            assert!(warnings.is_empty(), "{}: {warnings:?}", path.display());
        }
    }
}

#[test]
fn the_story_makes_a_hundred_pieces_for_ten_peers_and_fifty_for_the_handout() {
    assert_eq!(named("10peers.toml").base.content.layout.pieces(), 100);
    assert_eq!(named("10peers.toml").cases.len(), 4);
    assert_eq!(named("handout.toml").base.content.layout.pieces(), 50);
}

fn run(scenario: &Scenario, repeat: u32) -> RunMetrics {
    let random_seed = scenario.random_seed_of(repeat);
    let participants = Participant::all(scenario, &Population::draw(scenario, random_seed));
    let mut fold = RunFold::new(&participants);
    let outcome = sim::run(scenario, random_seed, &sim::Options::default(), &mut fold, &Control::default());
    fold.finish(&scenario.content.layout, &outcome.unwrap())
}

/// The run of the case whose first axis has this value.
fn run_case(file: &ScenarioFile, value: &str, repeat: u32) -> RunMetrics {
    let case = file.cases.iter().find(|case| case.values[0] == value).unwrap();
    run(&case.scenario, repeat)
}

#[test]
fn ten_peers_need_at_least_ten_rounds_and_stay_near_the_bound() {
    for case in &named("10peers.toml").cases {
        for repeat in 0..5 {
            let summary = run(&case.scenario, repeat).summary;
            assert!(summary.last_completion.unwrap() >= case.scenario.policy.round * 10, "{summary:?}");
            assert!(summary.unfinished == 0 && summary.last_over_bound().unwrap() <= 1.3, "{summary:?}");
        }
    }
}

#[test]
fn where_drivers_are_compared_peers_fetch_enough_and_blocks_take_long_enough() {
    for name in ["homogeneous", "three-classes", "single-seed", "latency", "crashes"] {
        for case in &named(&format!("agreement/{name}.toml")).cases {
            let scenario = &case.scenario;
            let pieces = scenario.content.layout.pieces();
            let population = Population::draw(scenario, scenario.random_seed_of(0)).peers;
            let lacking = population.iter().map(|peer| pieces - peer.initial.count());
            assert!(lacking.filter(|lacking| *lacking > 0).all(|lacking| lacking >= 100), "{name}");
            let block = u64::from(scenario.content.layout.block_size());
            let rates = scenario.cohorts.iter().flat_map(|cohort| [cohort.upload, cohort.download]).flatten();
            let shortest =
                rates.map(|rate| rate.time_for(block).as_secs_f64()).min_by(f64::total_cmp).unwrap();
            assert!(shortest / scenario.time_scale >= 0.020, "{name}: {shortest} s");
        }
    }
}

#[test]
fn rarest_first_saves_the_swarm_that_its_seed_leaves_and_the_others_lose_pieces() {
    let file = named("seed-leaves.toml");
    for repeat in 0..2 {
        assert_eq!(run_case(&file, "rarest-first", repeat).summary.unfinished, 0);
        let lost = |picker| run_case(&file, picker, repeat).summary.stranded_pieces;
        assert!((1..35).contains(&lost("random")) && lost("sequential") > 100);
    }
}

#[test]
fn under_tit_for_tat_the_faster_class_is_done_sooner_and_free_riders_last() {
    let file = named("tit-for-tat.toml");
    let means = |choker| -> Vec<f64> {
        let run = run_case(&file, choker, 0);
        ["fast", "medium", "slow", "free-rider"]
            .iter()
            .map(|cohort| {
                let rows = run.peers.iter().filter(|row| row.cohort == *cohort);
                let times: Vec<f64> =
                    rows.filter_map(|row| row.completion()).map(|time| time.as_secs_f64()).collect();
                times.iter().sum::<f64>() / times.len() as f64
            })
            .collect()
    };
    assert!(means("tit-for-tat").is_sorted(), "{:?}", means("tit-for-tat"));
    let fairless = means("random");
    assert!(fairless.iter().all(|mean| (mean / fairless[0] - 1.0).abs() < 0.2), "{fairless:?}");
}

#[test]
fn check_and_show_speak_to_people_and_scripts() {
    let folder = Folder::new();
    folder.file("wrong.toml", "[content]\nsize = \"1 Mb\"\n");
    let good = "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 20\nupload = \"1 kB/s\"\n\
                [compare]\n\"policy.picker\" = [\"random\", \"sequential\"]\n";
    folder.file("good.toml", good);

    let checked = folder.minibit(&["scenario", "check", "good.toml"]);
    assert_eq!(checked.done(), "good.toml: ok, 2 cases, 10 repeats each: 20 runs of 20 peers\n");
    assert_eq!(checked.stderr(), "");
    let both = folder.minibit(&["scenario", "check", "wrong.toml", "good.toml"]);
    both.fails(2, "wrong.toml:2:8");
    both.fails(2, "\"1 Mb\" can be read in two ways");
    assert!(both.stdout().starts_with("good.toml: ok") && !both.stderr().contains('\u{1b}'));

    let whole = folder.minibit(&["scenario", "show", "good.toml"]).done();
    assert!(whole.contains("choker = \"tit-for-tat\"") && whole.contains("[compare]"), "{whole}");
    let options = ["scenario", "show", "good.toml", "--case", "2", "--set", "peers.*.count=7"];
    let case = folder.minibit(&options).done();
    assert!(case.contains("picker = \"sequential\"") && case.contains("count = 7"), "{case}");
    folder.minibit(&["scenario", "show", "good.toml", "--case", "3"]).fails(2, "the cases 1 to 2");
    let wrong = ["scenario", "show", "good.toml", "--set", "policy.pikcer=random"];
    folder.minibit(&wrong).fails(2, "did you mean `picker`?");
}
