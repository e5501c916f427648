//! Other people's clients in a run: a swarm with a real one, and what is left of those that are missing, hang, die, or
//! lose their run. Where the machine makes no private network, or has no such client, the test says so and ends.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Folder, Running};
use crate::proc::{Process, kill, wait_for};

/// What a run with foreign clients starts besides them.
const TOOLS: [&str; 5] = ["sh", "unshare", "setpriv", "ip", "true"];

/// A seed and a leecher of MiniBit, and one leecher of another client.
fn scenario(client: &str, upload: &str) -> String {
    format!(
        r#"
driver = "processes"
repeat = 1
time_limit = "2 min"
[content]
size = "64 KiB"
[tracker]
interval = "5 s"
[policy]
picker = "random"
[peers.seed]
start_with = "all"
upload = "{upload}"
[peers.own]
start_with = "nothing"
[peers.guest]
client = "{client}"
start_with = "nothing"
latency = "10 ms"
"#
    )
}

/// Plays libtorrent's Python: tells a version, gets ready, begins, and then does `when_asked`.
fn stand_in(folder: &Folder, when_asked: &str) -> PathBuf {
    executable(
        folder,
        "stand-in",
        &format!(
            "#!/bin/sh\n[ \"$1\" = -c ] && echo 9.9.9 && exit\nwhile read -r word; do\n\
             if [ \"$word\" = look ]; then {when_asked}; else echo '{{}}'; fi\ndone\n"
        ),
    )
}

fn executable(folder: &Folder, name: &str, script: &str) -> PathBuf {
    let path = folder.file(name, script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// On stderr itself: what is printed by a test that passes is not shown.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// Whether this machine makes private networks; says so where it does not.
fn networks() -> bool {
    let made = |flags: &[&str]| {
        let command = Command::new("unshare").args(flags).arg("true").stderr(Stdio::null()).status();
        command.is_ok_and(|status| status.success())
    };
    let made = made(&["--net"]) || made(&["--net", "--map-root-user"]);
    if !made {
        skipped("this machine makes no network namespace");
    }
    made
}

/// Whether `minibit clients` finds it; says so where it does not.
fn has(client: &str) -> bool {
    let told = Folder::new().minibit(&["clients"]);
    let line = told.stdout().lines().find(|line| line.starts_with(client)).unwrap().to_owned();
    let here = !line.contains("missing");
    if !here {
        skipped(&line);
    }
    here
}

/// What MANIFEST.toml says of the one foreign cohort of the one run.
fn told_of_guest(folder: &Folder) -> toml::Table {
    let manifest: toml::Table = toml::from_str(&read(folder, "results/guests/MANIFEST.toml")).unwrap();
    let client = &manifest["run"].as_array().unwrap()[0]["client"].as_array().unwrap()[0];
    client.as_table().unwrap().clone()
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).unwrap()
}

/// The row of completions.csv about this peer.
fn row(folder: &Folder, peer: &str) -> Vec<String> {
    let rows = read(folder, "results/guests/completions.csv");
    let row = rows.lines().find(|row| row.contains(&format!(",{peer},"))).unwrap();
    row.split(',').map(str::to_owned).collect()
}

const RUN: [&str; 3] = ["run", "guests.toml", "--quiet"];

#[test]
fn libtorrent_takes_part_and_what_it_cannot_tell_is_blank() {
    if !networks() || !has("libtorrent") {
        return;
    }
    let folder = Folder::new();
    folder.file("guests.toml", scenario("libtorrent", "64 KiB/s"));
    let ran = folder.minibit(&[&RUN[..], &["--trace", "trace.jsonl"]].concat());
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let guest = row(&folder, "guest-1");
    assert_eq!(guest.last().map(String::as_str), Some("complete"), "{guest:?}");
    // Downloaded, uploaded, from seeds, duplicates, messages sent and received.
    let [downloaded, uploaded, from_seeds, duplicates, sent, received] = &guest[11..17] else { panic!() };
    assert!(downloaded.parse::<u64>().unwrap() >= 64 << 10, "{guest:?}");
    assert!(uploaded.parse::<u64>().is_ok() && duplicates.parse::<u64>().is_ok(), "{guest:?}");
    assert_eq!([from_seeds, sent, received], [""; 3], "{guest:?}");
    // At its rate the seed needs a second for a copy: pieces come one after the other, and none goes again.
    let times = |event: &str| -> BTreeSet<String> {
        let trace = read(&folder, "trace.jsonl");
        let lines = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_guest = lines.filter(|line| line["peer"] == "guest-1" && line["event"] == event);
        of_guest.map(|line| line["at_s"].to_string()).collect()
    };
    assert!(times("piece_verified").len() >= 2 && times("storage_failed").is_empty());
    // The seed is MiniBit's: its neighbours know what came from it.
    assert!(row(&folder, "own-1")[13].parse::<u64>().is_ok());
    let told = told_of_guest(&folder);
    assert!(told["version"].as_str().unwrap().starts_with('2'), "{told}");
    assert_eq!(told["settings"]["enable_outgoing_utp"].as_str(), Some("False"), "{told}");
    let not = told["not_honoured"].to_string();
    assert!(not.contains("latency = 10 ms") && not.contains("policy.picker = random"), "{told}");
    assert!(folder.left_behind().is_empty(), "{:?}", folder.left_behind());
}

#[test]
fn what_came_from_a_foreign_seed_is_known_by_its_address() {
    if !networks() || !has("libtorrent") {
        return;
    }
    let folder = Folder::new();
    let [seed, guest] = ["start_with = \"all\"", "client = \"libtorrent\"\nstart_with = \"nothing\""];
    let swapped =
        scenario("libtorrent", "64 KiB/s").replace(guest, "client = \"minibit\"\nstart_with = \"nothing\"");
    folder.file("guests.toml", swapped.replace(seed, &format!("client = \"libtorrent\"\n{seed}")));
    let ran = folder.minibit(&RUN);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let [own, guest] = ["own-1", "guest-1"].map(|peer| row(&folder, peer));
    let [seed, own, guest] =
        [&row(&folder, "seed-1")[12], &own[13], &guest[13]].map(|told| told.parse::<u64>().unwrap());
    // Nobody else had anything, so a first copy at least is the seed's, and it counts what it sent the same way.
    assert!(own + guest >= 64 << 10 && own + guest <= seed, "{own} + {guest} of {seed}");
}

#[test]
fn settings_are_what_a_client_says_it_has_and_apart_from_them_what_it_was_only_told() {
    if !networks() {
        return;
    }
    for (client, setting, value, told, no_switch) in [
        ("transmission", "upload-slots-per-torrent", "4", None, Some("encryption")),
        ("aria2", "bt-max-peers", "40", None, Some("encryption")),
        ("rqbit", "listens", "TCP 10.77.0.1:", Some("peer-read-write-timeout"), Some("peer exchange")),
    ] {
        if !has(client) {
            continue;
        }
        let folder = Folder::new();
        folder.file("guests.toml", scenario(client, "64 KiB/s"));
        let ran = folder.minibit(&RUN);
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        let manifest = told_of_guest(&folder);
        assert!(manifest["settings"][setting].as_str().unwrap().starts_with(value), "{manifest}");
        assert_eq!(manifest.get("told").is_some(), told.is_some(), "{manifest}");
        assert!(told.is_none_or(|told| manifest["told"].get(told).is_some()), "{manifest}");
        assert!(no_switch.is_none_or(|what| manifest["no_switch"].to_string().contains(what)), "{manifest}");
    }
}

#[test]
fn a_client_that_is_missing_dies_hangs_or_lies_is_its_cohorts_failure_and_the_others_go_on() {
    if !networks() {
        return;
    }
    let found = |tool: &str| {
        let paths = std::env::var_os("PATH").unwrap();
        std::env::split_paths(&paths).map(|folder| folder.join(tool)).find(|path| path.exists()).unwrap()
    };
    // Not by `exec`: what a script has started has to end too.
    let hangs = "$(command -v sleep || echo /bin/sleep) 600";
    let lies = r#"echo '{"pieces":"1111","downloaded":65536,"uploaded":0,"wasted":null}'"#;
    for (client, script, when_asked, failure) in [
        ("aria2", None, hangs, "guest-1: aria2c is not installed; to install it: apt install aria2"),
        (
            "aria2",
            Some("#!/bin/sh\n[ \"$1\" = --version ] && echo 9.9.9 && exit\necho no disk >&2; exit 5\n"),
            hangs,
            "guest-1: its process ended by itself: no disk",
        ),
        ("libtorrent", None, hangs, "guest-1: it has not answered for 10 s"),
        ("libtorrent", None, lies, "guest-1: it says it is complete, but 4 pieces in its file are wrong"),
    ] {
        let folder = Folder::new();
        folder.file("guests.toml", scenario(client, "64 KiB/s"));
        let tools = folder.path("tools");
        fs::create_dir(&tools).unwrap();
        TOOLS.iter().for_each(|tool| std::os::unix::fs::symlink(found(tool), tools.join(tool)).unwrap());
        script.iter().for_each(|script| drop(executable(&folder, "tools/aria2c", script)));
        let stand_in = stand_in(&folder, when_asked);
        let mut command = folder.command(&RUN);
        command.env("PATH", &tools).env("MINIBIT_PYTHON", stand_in);
        let ran = crate::command::Ran::of(command);
        assert_eq!(ran.code(), 3, "{}", ran.stderr());
        assert!(ran.stderr().contains(failure), "{}", ran.stderr());
        assert_eq!(row(&folder, "guest-1").last().map(String::as_str), Some("failed"));
        assert_eq!(row(&folder, "own-1").last().map(String::as_str), Some("complete"));
        let told = told_of_guest(&folder);
        assert_eq!(told["failures"].as_array().unwrap()[0].as_str(), Some(failure));
        assert!(folder.left_behind().is_empty(), "{:?}", folder.left_behind());
    }
}

/// A run that goes on, with a client that waits: the seed needs an hour.
fn waiting() -> (Folder, Running, Vec<Process>) {
    let folder = Folder::new();
    folder.file("guests.toml", scenario("libtorrent", "20 B/s"));
    let looked = folder.path("looked");
    let none = r#"echo '{"pieces":"0000","downloaded":0,"uploaded":0,"wasted":null}'"#;
    let python = stand_in(&folder, &format!("{none}; : > {}", looked.display()));
    let mut command = folder.command(&["run", "guests.toml", "--quiet", "--trace", "trace.jsonl"]);
    command.env("MINIBIT_PYTHON", python);
    let run = Running::start(command, Stdio::null());
    let children = wait_for("the swarm's processes", || {
        let children = Process::children_of(run.pid());
        (children.len() == 4 && looked.exists()).then_some(children)
    });
    assert!(children.iter().any(|child| child.command.iter().any(|word| word.ends_with("stand-in"))));
    (folder, run, children)
}

/// What makes two processes share a network.
fn network(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Nobody is in this network any more, so it is gone, with all of its ports.
fn is_gone(network_of_run: &PathBuf) -> Option<()> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    (!pids.into_iter().any(|pid| network(pid).as_ref() == Some(network_of_run))).then_some(())
}

#[test]
fn no_client_and_no_network_outlives_a_run_that_is_killed() {
    if !networks() {
        return;
    }
    let (_folder, run, children) = waiting();
    let private = network(run.pid()).unwrap();
    assert_ne!(Some(&private), network(std::process::id()).as_ref());
    kill(run.pid());
    wait_for("the clients' end", || (!children.iter().any(Process::lives)).then_some(()));
    wait_for("the network's end", || is_gone(&private));
}

#[test]
fn a_run_that_is_interrupted_ends_its_clients_and_keeps_what_they_told() {
    if !networks() {
        return;
    }
    let (folder, run, children) = waiting();
    let private = network(run.pid()).unwrap();
    run.interrupt();
    assert_eq!(run.code(), 130);
    assert!(!children.iter().any(Process::lives));
    wait_for("the network's end", || is_gone(&private));
    let trace = read(&folder, "trace.jsonl");
    let traffic = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = traffic.filter(|line| line["event"] == "traffic" && line["peer"] == "guest-1");
    assert_eq!(told.map(|line| line["wasted"].clone()).collect::<Vec<_>>(), [Value::Null]);
    assert!(folder.left_behind().is_empty(), "{:?}", folder.left_behind());
}

#[test]
fn a_run_under_opentracker_completes_and_a_killed_one_takes_it_along() {
    let installed = Command::new("sh").args(["-c", "command -v opentracker"]).stdout(Stdio::null()).status();
    if !installed.unwrap().success() {
        return skipped("opentracker is not installed: apt install opentracker");
    }
    if !networks() {
        return;
    }
    // Nobody who is foreign but the tracker.
    let under =
        |upload| scenario("minibit", upload).replace("[tracker]", "[tracker]\nprogram = \"opentracker\"");
    let folder = Folder::new();
    folder.file("guests.toml", under("64 KiB/s"));
    let ran = folder.minibit(&RUN);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(row(&folder, "guest-1").last().map(String::as_str), Some("complete"));
    let told = told_of_guest(&folder);
    assert_eq!((told["cohort"].as_str(), told["client"].as_str()), (Some("[tracker]"), Some("opentracker")));

    folder.file("guests.toml", under("20 B/s"));
    let run = folder.start(&["run", "guests.toml", "--quiet", "--fresh"]);
    let private = wait_for("the private network", || {
        network(run.pid()).filter(|own| Some(own) != network(std::process::id()).as_ref())
    });
    wait_for("opentracker", || {
        let children = Process::children_of(run.pid());
        let shell = children.iter().find(|child| child.command.iter().any(|word| word == "opentracker"))?;
        (children.len() == 4 && !Process::children_of(shell.pid).is_empty()).then_some(())
    });
    kill(run.pid());
    wait_for("the network's end", || is_gone(&private));
}
