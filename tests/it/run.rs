//! `minibit run` as a user meets it, in virtual time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::Folder;

/// Files with the same bytes on every machine.
pub const VIRTUAL: [&str; 6] =
    ["completions.csv", "runs.csv", "cohorts.csv", "timeline.csv", "comparison.csv", "comparison.md"];

/// Two pickers, six peers that share 16 KiB over slow links.
const SWARM: &str = r#"
title = "A small swarm"
driver = "sim"
repeat = 3
[content]
size = "16 KiB"
block_size = "512 B"
[peers.leecher]
count = 6
start_with = "share"
upload = "1 kB/s"
download = "4 kB/s"
[compare]
"policy.picker" = ["rarest-first", "random"]
"#;

fn swarm(rest: &str) -> Folder {
    let folder = Folder::new();
    folder.file("swarm.toml", format!("{SWARM}{rest}"));
    folder
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path("results/swarm").join(name)).unwrap()
}

/// The values of one column.
fn column(folder: &Folder, file: &str, name: &str) -> Vec<String> {
    let text = read(folder, file);
    let mut rows = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let at = rows.next().unwrap().iter().position(|title| title == name).unwrap();
    rows.map(|row| row[at].clone()).collect()
}

#[test]
fn a_run_ends_with_a_table_and_every_file() {
    let folder = swarm("");
    let shown = folder.minibit(&["run", "swarm.toml"]).done();
    for part in ["A small swarm: 2 cases, 6 runs", "over bound", "too few repeats to decide (3 of 10)"] {
        assert!(shown.contains(part), "{part:?} is not in: {shown}");
    }
    for file in VIRTUAL.iter().chain(&["perf.csv", "MANIFEST.toml"]) {
        assert!(folder.path("results/swarm").join(file).exists(), "{file}");
    }
    let completed = column(&folder, "completions.csv", "completed");
    assert_eq!(completed, vec!["true"; 36]);
    let over_bound = column(&folder, "runs.csv", "last_over_bound");
    assert!(over_bound.iter().all(|ratio| ratio.parse::<f64>().unwrap() >= 1.0), "{over_bound:?}");
    let manifest: toml::Table = toml::from_str(&read(&folder, "MANIFEST.toml")).unwrap();
    assert_eq!(manifest["complete"].as_bool(), Some(true));
    assert!(manifest["run"].as_array().unwrap().iter().all(|run| run.get("trace_digest").is_some()));
}

#[test]
fn virtual_time_gives_the_same_bytes_whatever_the_jobs_and_the_checks() {
    let (one, four) = (swarm(""), swarm(""));
    one.minibit(&["run", "swarm.toml", "--jobs", "1"]).done();
    four.minibit(&["run", "swarm.toml", "--jobs", "4", "--check"]).done();
    for file in VIRTUAL {
        assert_eq!(read(&one, file), read(&four, file), "{file}");
    }
}

#[test]
fn stored_runs_give_the_same_files_and_more_repeats_add_to_them() {
    let folder = swarm("");
    folder.minibit(&["run", "swarm.toml"]).done();
    let first = VIRTUAL.map(|file| read(&folder, file));
    folder.minibit(&["run", "swarm.toml"]).done();
    assert_eq!(VIRTUAL.map(|file| read(&folder, file)), first);
    assert_eq!(read(&folder, "MANIFEST.toml").matches("was_stored = true").count(), 6);
    folder.minibit(&["run", "swarm.toml", "--repeat", "5"]).done();
    let manifest = read(&folder, "MANIFEST.toml");
    let count = |what: &str| manifest.matches(what).count();
    assert_eq!((count("was_stored = true"), count("was_stored = false")), (6, 4));
    let runs = column(&folder, "runs.csv", "repeat");
    assert_eq!(runs, ["0", "1", "2", "3", "4", "0", "1", "2", "3", "4"]);
}

#[test]
fn the_same_scenario_runs_on_sockets() {
    let folder = swarm("");
    let unlimited = ["upload", "download"].map(|link| format!("peers.leecher.{link}=unlimited"));
    let arguments =
        ["run", "swarm.toml", "--driver", "tasks", "--set", &unlimited[0], "--set", &unlimited[1]];
    let shown = folder.minibit(&arguments).done();
    assert!(shown.contains("6 runs on loopback sockets"), "{shown}");
    assert_eq!(column(&folder, "completions.csv", "completed"), vec!["true"; 36]);
    assert!(column(&folder, "perf.csv", "block_latency_p50_s").iter().all(|latency| !latency.is_empty()));
    assert!(!read(&folder, "MANIFEST.toml").contains("trace_digest"));
}

#[test]
fn the_driver_is_an_axis_and_the_report_says_how_far_sockets_are_from_virtual_time() {
    let folder = Folder::new();
    // Half a second of wall time.
    let scenario = SWARM.replace("driver = \"sim\"", "time_scale = 16");
    folder.file("swarm.toml", format!("{scenario}\"driver\" = [\"sim\", \"tasks\"]\n"));
    let shown = folder.minibit(&["run", "swarm.toml", "--repeat", "2", "--allow-degraded"]).done();
    assert!(shown.contains("4 cases, 8 runs in virtual time and on loopback sockets"), "{shown}");
    let drivers = column(&folder, "runs.csv", "driver");
    assert_eq!(drivers, ["sim", "sim", "tasks", "tasks", "sim", "sim", "tasks", "tasks"]);
    let told = read(&folder, "comparison.md");
    let line = "- median_completion_s (policy.picker=random): (tasks − sim)/sim = ";
    let line = told.lines().find_map(|one| one.strip_prefix(line)).unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains(" % (95 % interval ") && line.ends_with(", 2 pairs"), "{line}");
    let latencies = column(&folder, "perf.csv", "block_latency_p50_s");
    let on_sockets: Vec<bool> = latencies.iter().map(|latency| !latency.is_empty()).collect();
    assert_eq!(on_sockets, drivers.iter().map(|driver| driver == "tasks").collect::<Vec<_>>());
    assert!(folder.left_behind().is_empty());
    // The runs in virtual time are those of the scenario without the axis.
    folder.minibit(&["run", "swarm.toml", "--repeat", "2", "--driver", "sim"]).done();
    assert_eq!(read(&folder, "MANIFEST.toml").matches("was_stored = true").count(), 4);
}

#[test]
fn a_trace_holds_every_record_of_one_run_and_changes_nothing() {
    let folder = swarm("");
    folder
        .minibit(&["run", "swarm.toml", "--trace", "t.jsonl"])
        .fails(2, "--seed N --repeat 1 --set policy.picker=…");
    assert!(!folder.path("t.jsonl").exists() && !folder.path("results").exists());
    let one = ["run", "swarm.toml", "--repeat", "1", "--set", "policy.picker=random"];
    let facts = || {
        let manifest: toml::Table = toml::from_str(&read(&folder, "MANIFEST.toml")).unwrap();
        let records = column(&folder, "perf.csv", "records")[0].parse::<usize>().unwrap();
        (manifest["run"][0]["trace_digest"].clone(), records)
    };
    folder.minibit(&one).done();
    let without = facts();
    folder.minibit(&[&one[..], &["--trace", "t.jsonl"]].concat()).done();
    assert_eq!(facts(), without);
    let trace = fs::read_to_string(folder.path("t.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), without.1);
    assert!(lines.is_sorted_by_key(|line| line["at_s"].as_f64().unwrap()));
    let completed = lines.iter().filter(|line| line["event"] == "completed");
    let completed: Vec<&str> = completed.filter_map(|line| line["peer"].as_str()).collect();
    assert!(completed.len() == 6 && completed.contains(&"leecher-6"), "{completed:?}");
    let nowhere = [&one[..], &["--trace", "no/such/folder"]].concat();
    folder.minibit(&nowhere).fails(1, "cannot write the trace no/such/folder");
}

#[test]
fn an_edited_scenario_leaves_the_runs_of_the_first() {
    let folder = swarm("");
    folder.minibit(&["run", "swarm.toml"]).done();
    folder.minibit(&["run", "swarm.toml", "--set", "peers.leecher.upload=2 kB/s"]).done();
    assert_eq!(fs::read_dir(folder.path("results/swarm/runs")).unwrap().count(), 12);
    assert_eq!(column(&folder, "runs.csv", "run_id").len(), 6);
}

#[test]
fn a_dry_run_lists_the_runs_and_writes_nothing() {
    let folder = swarm("");
    let before = folder.everything();
    let shown = folder.minibit(&["run", "swarm.toml", "--dry-run"]).done();
    assert_eq!(shown.lines().count(), 6);
    assert!(shown.contains("policy.picker=random"), "{shown}");
    assert_eq!(folder.everything(), before);
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let folder = swarm("");
    let shown = folder.minibit(&["run", "swarm.toml", "--json"]).done();
    let results: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(results["runs"].as_array().unwrap().len(), 6);
    assert_eq!(results["cases"][1]["axes"]["policy.picker"], "random");
    assert!(results["cases"][0]["means"]["mean_completion_s"].as_f64().unwrap() > 0.0);
    assert_eq!(
        (&results["cohorts"][5]["cohort"], &results["cohorts"][5]["repeat"]),
        (&"leecher".into(), &2.into())
    );
    assert_eq!(results["comparisons"][0]["verdict"], "too few repeats to decide (3 of 10)");
}

#[test]
fn what_the_user_got_wrong_ends_with_2_before_anything_is_written() {
    let folder = swarm("[[expect]]\nmetric = \"mean_completion\"\nrange = \"< 9\"\n");
    folder.minibit(&["run", "swarm.toml"]).fails(2, "mean_completion_s");
    folder.minibit(&["run", "nothing.toml"]).fails(2, "nothing.toml");
    let folder = swarm("");
    folder.minibit(&["run", "swarm.toml", "--driver", "threads"]).fails(2, "sim, tasks, processes");
    folder.minibit(&["run", "swarm.toml", "--json", "--dry-run"]).fails(2, "cannot be used with");
    folder.minibit(&["run", "swarm.toml", "--repeat", "4000000000"]).fails(2, "1..=100000");
    folder.minibit(&["run", "swarm.toml", "--driver", "tasks", "--check"]).fails(2, "--driver sim");
    folder.minibit(&["run", "swarm.toml", "--set", "policy.piker=random"]).fails(2, "picker");
    folder.minibit(&["run", "swarm.toml", "--repeat", "0"]).fails(2, "repeat");
    assert!(!folder.path("results").exists());
}

#[test]
fn an_unfinished_run_ends_with_3_and_its_results() {
    let folder = swarm("");
    let ran = folder.minibit(&["run", "swarm.toml", "--set", "time_limit=1 s"]);
    assert_eq!(ran.code(), 3);
    assert!(ran.stdout().contains("time limit at 1.00 s: "), "{}", ran.stdout());
    assert_eq!(column(&folder, "runs.csv", "ended"), vec!["limit"; 6]);
    assert!(column(&folder, "completions.csv", "end").contains(&"limit".to_owned()));
    assert!(
        column(&folder, "comparison.csv", "verdict")
            .contains(&"not comparable: runs were cut short".to_owned())
    );
}

#[test]
fn pieces_that_nobody_holds_are_a_verdict_and_no_hang() {
    let folder = swarm("");
    let ran = folder.minibit(&["run", "swarm.toml", "--set", "peers.leecher.start_with=nothing"]);
    assert_eq!(ran.code(), 3);
    assert!(ran.stdout().contains("nobody alive can give 32 pieces (0, 1, "), "{}", ran.stdout());
    assert_eq!(column(&folder, "runs.csv", "stranded"), vec!["6"; 6]);
}

#[test]
fn a_threshold_that_does_not_hold_ends_with_99_and_an_unfinished_run_comes_before() {
    let folder = swarm("[[expect]]\nmetric = \"mean_completion_s\"\nrange = \"< 0.001\"\n");
    let ran = folder.minibit(&["run", "swarm.toml"]);
    assert_eq!(ran.code(), 99);
    assert!(ran.stdout().contains("✗ mean_completion_s < 0.001 (policy.picker=random): 0 of 3 runs"));
    assert_eq!(folder.minibit(&["run", "swarm.toml", "--set", "time_limit=1 s"]).code(), 3);
    let folder = swarm("[[expect]]\nmetric = \"unfinished\"\nrange = \"= 0\"\n");
    assert!(folder.minibit(&["run", "swarm.toml"]).done().contains("✓ unfinished = 0"));
}

#[test]
fn ratios_of_policies_and_of_cohorts_are_expected_over_pairs_and_told() {
    let expects = "[[expect]]\nmetric = \"mean_completion_s\"\n\
                   ratio = [\"policy.picker=random\", \"policy.picker=rarest-first\"]\nrange = \"0.5..2\"\n\
                   [[expect]]\nmetric = \"last_completion_s\"\nstatistic = \"every-pair\"\n\
                   ratio = [\"cohort=leecher\", \"cohort=seed\"]\nrange = \"> 0\"\n\
                   [[expect]]\nmetric = \"own_share\"\ncohort = \"leecher\"\nstatistic = \"mean\"\nrange = \"0..1\"\n\
                   [peers.seed]\nstart_with = \"all\"\nupload = \"1 kB/s\"\n";
    let folder = swarm(expects);
    let ran = folder.minibit(&["run", "swarm.toml"]);
    assert_eq!(ran.code(), 99);
    for part in [
        "✓ mean_completion_s: policy.picker=random / policy.picker=rarest-first 0.5..2: ",
        ", 3 pairs",
        "✗ last_completion_s: cohort=leecher / cohort=seed, every pair > 0 (policy.picker=rarest-first): 0 of 3 pairs, \
         one has no value",
        "✓ own_share of leecher, mean 0..1 (policy.picker=random): ",
    ] {
        assert!(ran.stdout().contains(part), "{part:?} is not in: {}", ran.stdout());
    }
    assert_eq!(column(&folder, "cohorts.csv", "cohort")[..2], ["leecher", "seed"]);
    assert_eq!(column(&folder, "cohorts.csv", "uplink_utilisation").len(), 12);
    let json: serde_json::Value =
        serde_json::from_str(&folder.minibit(&["run", "swarm.toml", "--json"]).stdout()).unwrap();
    let mean = &json["expectations"][0];
    assert_eq!((mean["holds"].as_bool(), mean["runs"].as_u64()), (Some(true), Some(3)));
    assert!(mean["low"].as_f64().unwrap() <= mean["measured"].as_f64().unwrap());
}

#[test]
fn a_results_folder_that_cannot_be_written_is_an_error_before_any_run() {
    let folder = swarm("");
    folder.file("results", "a file where a folder should be");
    folder.minibit(&["run", "swarm.toml"]).fails(1, "choose another folder with --out");
}

#[test]
fn a_name_that_a_spreadsheet_would_run_is_defused_in_every_row() {
    let folder = swarm("");
    folder.file("swarm.toml", SWARM.replace("[peers.leecher]", "[peers.-x]"));
    folder.minibit(&["run", "swarm.toml"]).done();
    assert_eq!(column(&folder, "completions.csv", "cohort"), vec!["'-x"; 36]);
    assert_eq!(column(&folder, "completions.csv", "peer")[0], "'-x-1");
}

#[cfg(unix)]
#[test]
fn the_first_interrupt_ends_the_runs_and_writes_what_there_is() {
    let folder = swarm("");
    // The first case is over at once, the second would take long.
    let scenario = SWARM
        .replace(
            "\"policy.picker\" = [\"rarest-first\", \"random\"]",
            "\"content.size\" = [\"16 KiB\", \"256 MiB\"]",
        )
        .replace("block_size = \"512 B\"", "block_size = \"16 KiB\"")
        .replace("count = 6", "count = 100")
        .replace("kB/s", "MB/s");
    folder.file("swarm.toml", scenario);
    let mut run = Command::new(env!("CARGO_BIN_EXE_minibit"))
        .current_dir(folder.path(""))
        .args(["run", "swarm.toml", "--jobs", "1", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let runs = folder.path("results/swarm/runs");
    let stored = || fs::read_dir(&runs).is_ok_and(|found| found.flatten().any(|run| is_run(&run.path())));
    while !stored() && run.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let told = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let ended = column(&folder, "runs.csv", "ended");
    assert_eq!(ended[0], "complete");
    assert!(ended[1..].iter().all(|ended| ended == "interrupted"), "{ended:?}");
    assert!(read(&folder, "MANIFEST.toml").contains("complete = false"));
    let comparison = read(&folder, "comparison.md");
    assert!(comparison.contains("interrupted: 1 run cut off, "), "{comparison}");
    // What was interrupted is not kept as if it were whole.
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 1);
}

#[test]
fn what_a_killed_first_run_leaves_is_known_to_cleanup() {
    let folder = swarm("");
    let long = SWARM.replace("\"16 KiB\"", "\"256 MiB\"").replace("\"512 B\"", "\"16 KiB\"");
    folder.file("swarm.toml", long.replace("count = 6", "count = 100").replace("kB/s", "MB/s"));
    let before = folder.everything();
    let mut run = Command::new(env!("CARGO_BIN_EXE_minibit"))
        .current_dir(folder.path(""))
        .args(["run", "swarm.toml", "--quiet"])
        .spawn()
        .unwrap();
    let manifest = folder.path("results/swarm/MANIFEST.toml");
    while !manifest.exists() && run.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success(), "killed before it was done");
    assert!(read(&folder, "MANIFEST.toml").contains("complete = false"));
    assert_eq!(folder.minibit(&["cleanup", "--results"]).done(), "removed: ./results/swarm (results)\n");
    fs::remove_dir(folder.path("results")).unwrap();
    assert!(folder.everything() == before);
}

/// glibc reads its tunables when a process begins: a large swarm's run is begun again with them, and is the same run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_large_swarm_runs_in_large_pages_unless_glibc_is_tuned_otherwise() {
    let folder = swarm("");
    let compared = "\n[compare]\n\"policy.picker\" = [\"rarest-first\", \"random\"]";
    let small = SWARM.replace("repeat = 3", "repeat = 1").replace(compared, "");
    folder.file("swarm.toml", small.replace("count = 6", "count = 2000\nlatency = \"50 ms\""));
    let tunables_of = |tuned: Option<&str>| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_minibit"));
        run.current_dir(folder.path("")).args(["run", "swarm.toml", "--quiet", "--fresh"]);
        run.env_remove("GLIBC_TUNABLES").envs(tuned.map(|value| ("GLIBC_TUNABLES", value)));
        let manifest = folder.path("results/swarm/MANIFEST.toml");
        let _ = fs::remove_file(&manifest);
        let mut run = run.spawn().unwrap();
        while !manifest.exists() && run.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let environment = fs::read(format!("/proc/{}/environ", run.id())).unwrap();
        run.kill().unwrap();
        run.wait().unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let value = environment.split('\0').find_map(|entry| entry.strip_prefix("GLIBC_TUNABLES="));
        value.map(str::to_owned)
    };
    assert_eq!(tunables_of(None).as_deref(), Some("glibc.malloc.hugetlb=1"));
    let otherwise = "glibc.malloc.arena_max=2";
    assert_eq!(tunables_of(Some(otherwise)).as_deref(), Some(otherwise));
}

/// A run's folder under its own name, not one that is still being written.
#[cfg(unix)]
fn is_run(path: &Path) -> bool {
    path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
}
