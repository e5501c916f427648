//! Who is killed, and what becomes of the others.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use minibit::torrent::metainfo::Metainfo;
use serde_json::Value;

use crate::command::{Folder, Running};
use crate::proc::{Process, kill, wait_for};

/// Thirteen peers that need some eight seconds: a seed with a slow uplink, and leechers that help each other.
const SLOW: &str = r#"
title = "A slow swarm"
driver = "processes"
repeat = 1
time_scale = 10
[content]
size = "160 KiB"
block_size = "4 KiB"
[tracker]
interval = "20 s"
[peers.seed]
count = 1
start_with = "all"
upload = "4 KiB/s"
[peers.leecher]
count = 11
start_with = "nothing"
upload = "4 KiB/s"
[peers.late]
count = 1
start_with = "nothing"
arrival = "over 30 s"
"#;
const PEERS: usize = 13;
const TIME_SCALE: f64 = 10.0;

/// A run, once all of its processes are there.
struct Run {
    folder: Folder,
    run: Running,
    children: Vec<Process>,
}

impl Run {
    fn start() -> Run {
        let folder = Folder::new();
        folder.file("slow.toml", SLOW);
        let run = folder.start(&["run", "slow.toml", "--quiet", "--json", "--trace", "trace.jsonl"]);
        let children = wait_for("the swarm's processes", || {
            let children = Process::children_of(run.pid());
            (children.len() == PEERS + 1 && !Run::arrived(&children).is_empty()).then_some(children)
        });
        Run { folder, run, children }
    }

    /// Peers that listen on some port: those whose stay has begun.
    fn arrived(children: &[Process]) -> Vec<&Process> {
        let peers = children.iter().filter(|child| child.command.get(1).is_some_and(|word| word == "peer"));
        peers.filter(|peer| listens(peer.pid)).collect()
    }

    fn peer(&self, name: &str) -> &Process {
        self.children.iter().find(|child| child.option("--take-part-as") == Some(name)).unwrap()
    }

    fn tracker(&self) -> Process {
        let children = Process::children_of(self.run.pid());
        let tracker =
            children.into_iter().find(|child| child.command.get(1).is_some_and(|word| word == "tracker"));
        tracker.unwrap_or_else(|| panic!("there is no tracker"))
    }

    /// The run's result, and its trace, once it has ended.
    fn end(self) -> (Vec<Value>, String) {
        let Run { folder, run, children } = self;
        assert_eq!(run.code(), 0);
        assert!(children.iter().all(|child| !child.lives()));
        assert!(folder.left_behind().is_empty());
        let trace = fs::read_to_string(folder.path("trace.jsonl")).unwrap();
        let lines = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines, fs::read_to_string(folder.path("results/slow/completions.csv")).unwrap())
    }
}

/// Whether the process has a listening socket of its own.
fn listens(pid: u32) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let sockets: Vec<String> = files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(3) == Some(&"0A")
            && fields.get(9).is_some_and(|inode| sockets.iter().any(|own| own == inode))
    })
}

fn of<'a>(lines: &'a [Value], peer: &str, event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["peer"] == peer && line["event"] == event).collect()
}

fn completions(lines: &[Value]) -> usize {
    lines.iter().filter(|line| line["event"] == "completed").count()
}

#[test]
fn nothing_outlives_a_run_that_is_killed_and_cleanup_removes_its_files() {
    let Run { folder, run, children } = Run::start();
    kill(run.pid());
    let killed = Instant::now();
    wait_for("the end of all processes", || children.iter().all(|child| !child.lives()).then_some(()));
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    drop(run);

    let [left] = &folder.left_behind()[..] else { panic!("one folder was left behind") };
    let told = folder.minibit(&["cleanup"]).done();
    assert!(told.contains(&format!("removed: {} (a run that was killed)", left.display())), "{told}");
    assert!(folder.left_behind().is_empty());
}

#[test]
fn cleanup_leaves_a_run_alone_that_is_under_way() {
    let run = Run::start();
    run.folder.minibit(&["cleanup"]).done();
    assert_eq!(run.folder.left_behind().len(), 1);
    let (lines, _) = run.end();
    assert_eq!(completions(&lines), PEERS - 1);
}

#[test]
fn a_peer_that_is_killed_has_crashed_and_the_others_complete() {
    let run = Run::start();
    // One of them waits for its arrival yet.
    let killed = ["leecher-3", "late-1"];
    killed.iter().for_each(|name| run.peer(name).kill());
    let (lines, completed) = run.end();
    assert_eq!(completions(&lines), PEERS - 1 - killed.len());
    for name in killed {
        let counts = ["arrived", "crashed", "completed", "totals"].map(|event| of(&lines, name, event).len());
        assert_eq!(counts, [1, 1, 0, 0], "{name}");
        let row = completed.lines().find(|row| row.contains(name)).unwrap();
        // How many messages it sent and received it told nobody.
        assert!(row.ends_with(",,,crashed"), "{row}");
    }
}

#[test]
fn the_swarm_goes_on_without_its_tracker_and_registers_with_the_next() {
    let run = Run::start();
    let first = run.tracker();
    first.kill();
    let killed = Instant::now();
    let second = wait_for("another tracker", || {
        let tracker = Process::children_of(run.run.pid()).into_iter().find(|child| {
            child.command.get(1).is_some_and(|word| word == "tracker") && child.pid != first.pid
        });
        tracker.filter(|tracker| listens(tracker.pid))
    });
    let addr: SocketAddr = second.option("--http").unwrap().parse().unwrap();
    let torrent = fs::read(run.folder.left_behind()[0].join("content.torrent")).unwrap();
    let info_hash = Metainfo::parse(&torrent).unwrap().info_hash;
    let escaped: String = info_hash.0.iter().map(|byte| format!("%{byte:02x}")).collect();
    wait_for("all peers at the new tracker", || (registered(addr, &escaped) == PEERS as u64).then_some(()));
    let two_intervals = Duration::from_secs_f64(40.0 / TIME_SCALE);
    assert!(killed.elapsed() < two_intervals, "{:?}", killed.elapsed());

    let (lines, _) = run.end();
    assert_eq!(completions(&lines), PEERS - 1);
    assert!(lines.iter().all(|line| line["event"] != "crashed"));
}

/// Seeds and leechers, as a scrape counts them.
fn registered(addr: SocketAddr, info_hash: &str) -> u64 {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET /scrape?info_hash={info_hash} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let count = |key: &str| -> u64 {
        let Some((_, rest)) = answer.split_once(key) else { return 0 };
        rest.split_once('e').unwrap().0.parse().unwrap()
    };
    count("8:completei") + count("10:incompletei")
}

#[test]
fn ctrl_c_ends_every_process_even_a_frozen_one_and_keeps_what_there_is() {
    let run = Run::start();
    run.peer("leecher-5").freeze();
    let Run { folder, run, children } = run;
    run.interrupt();
    assert_eq!(run.code(), 130);
    assert!(children.iter().all(|child| !child.lives()));
    assert!(folder.left_behind().is_empty());
    let rows = fs::read_to_string(folder.path("results/slow/completions.csv")).unwrap();
    assert_eq!(rows.lines().count(), 1 + PEERS);
}
