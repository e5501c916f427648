//! The swarm of a split file by hand, as a user starts, watches and ends it in the background.

mod faults;
mod namespaces;
mod refusals;

use std::fs;
use std::io;
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{Folder, Ran};

/// For a swarm to do what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at how it is doing.
const PAUSE: Duration = Duration::from_millis(50);

/// A folder with a story, in which a swarm may run; it ends with the value, whatever becomes of the test.
struct Swarm {
    folder: Folder,
    story: Vec<u8>,
}

impl Swarm {
    /// The story is split for so many peers; only all of them together have it.
    fn split(peers: &str) -> Swarm {
        let folder = Folder::new();
        let story: Vec<u8> = (0u32..10_240).flat_map(|number| number.to_le_bytes()).collect();
        folder.file("story.txt", &story);
        let swarm = Swarm { folder, story };
        swarm.minibit(&["split", "story.txt", "--peers", peers, "--distribution", "disjoint"]).done();
        swarm
    }

    fn minibit(&self, args: &[&str]) -> Ran {
        self.folder.minibit(args)
    }

    fn start_tracker(&self) {
        self.minibit(&["start", "tracker", "--http", "127.0.0.1:0"]).done();
    }

    /// So slow that they are under way while a test looks at them.
    fn start_slow_peers(&self) {
        self.minibit(&["start", "peers", "--upload", "1 KiB/s"]).done();
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.minibit(&["status", "--json"]).stdout()).unwrap()
    }

    /// What happens in other programs is no event here.
    #[track_caller]
    #[allow(clippy::disallowed_methods)]
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < until, "never came true: {what}; {status}\n{}", self.logs());
            std::thread::sleep(PAUSE);
        }
    }

    #[track_caller]
    fn until_complete(&self) {
        self.until("every peer is complete", |status| {
            status["peers"].as_array().unwrap().iter().all(|peer| peer["complete"] == true)
        });
    }

    /// The file is rebuilt after its last piece is there.
    #[track_caller]
    fn until_rebuilt(&self, peers: u32) {
        self.until_complete();
        for peer in 1..=peers {
            let file = self.folder.path(&format!("peers/peer_{peer}/story.txt"));
            self.until("the file is rebuilt", |_| file.exists());
            assert!(fs::read(file).unwrap() == self.story, "peer_{peer} has another story");
        }
    }

    fn logs(&self) -> String {
        self.minibit(&["logs"]).stdout()
    }

    /// Of a peer, counted from 1.
    fn pid(&self, peer: usize) -> String {
        self.status()["peers"][peer - 1]["pid"].to_string()
    }

    fn tracker_pid(&self) -> String {
        self.status()["tracker"]["pid"].to_string()
    }

    fn state_file(&self) -> String {
        fs::read_to_string(self.folder.path(".minibit-swarm/state.toml")).unwrap()
    }

    fn write_state_file(&self, state: &str) {
        fs::write(self.folder.path(".minibit-swarm/state.toml"), state).unwrap();
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        // Where nothing runs there is nothing to stop.
        self.minibit(&["stop", "--within", "3 s"]);
    }
}

fn signal(name: &str, pid: &str) {
    assert!(
        Command::new("kill").args([&format!("-{name}"), pid]).status().unwrap().success(),
        "{name} {pid}"
    );
}

/// A zombie does not run either: somebody has not taken note of its end yet.
fn runs(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap().stdout;
    let state = String::from_utf8(state).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// So many ports in a row, still held. They lie below those that the system chooses by itself, and no two calls try
/// the same, so nobody else gets them.
fn free_ports(count: u16) -> Vec<TcpListener> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + (std::process::id() % 1_000) as u16 * 12;
    let bind = |first: u16| -> io::Result<Vec<TcpListener>> {
        (first..first + count).map(|port| TcpListener::bind(("127.0.0.1", port))).collect()
    };
    let row = |_| -> Option<Vec<TcpListener>> {
        let first = start + TAKEN.fetch_add(count, Ordering::Relaxed);
        bind(first).ok()
    };
    (0..100).find_map(row).expect("some ports in a row are free")
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    port_of(&free_ports(1)[0])
}

#[test]
fn a_split_file_is_brought_together_watched_and_cleaned_up_by_hand() {
    let swarm = Swarm::split("3");
    swarm.start_tracker();
    let started = swarm.minibit(&["start", "peers"]);
    assert!(
        started.done().contains("3 peers of story.txt.torrent ask http://127.0.0.1:"),
        "{}",
        started.stdout()
    );
    assert_eq!(started.stderr(), "");
    swarm.until_rebuilt(3);

    let table = swarm.minibit(&["status"]).done();
    let peer_2 = table.lines().find(|line| line.contains("peer_2")).unwrap();
    assert!(peer_2.contains("40/40") && peer_2.contains("100") && peer_2.contains("seeding"), "{table}");
    assert!(table.contains("runs\n") && table.contains("3 of 3 peers have the whole file"), "{table}");

    let told = swarm.minibit(&["logs", "2"]).done();
    for sentence in [
        "listens on 127.0.0.1:",
        "holds 1",
        "the tracker names ",
        "connected to peer_",
        "unchoked peer_",
        ": in the last 20 s it gave ",
        "got block ",
        " from peer_",
        " is right; has 40 of 40 pieces, 100 %",
        "complete: 40 of 40 pieces",
        "the file is whole: ./peers/peer_2/story.txt",
    ] {
        assert!(told.contains(sentence), "{sentence:?} is not in:\n{told}");
    }
    assert!(told.lines().all(|line| line.contains(" peer_2 ")), "{told}");
    let everybody = swarm.logs();
    for name in [" tracker ", " peer_1 ", " peer_2 ", " peer_3 "] {
        assert!(everybody.contains(name), "{name}");
    }
    let times: Vec<&str> = everybody.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(times.is_sorted(), "in the order in which it happened");
    assert_eq!(swarm.minibit(&["logs", "-n", "4"]).done().lines().count(), 4);

    let pids: Vec<String> = (1..=3).map(|peer| swarm.pid(peer)).chain([swarm.tracker_pid()]).collect();
    let stopped = swarm.minibit(&["stop"]).done();
    for name in ["peer_1", "peer_2", "peer_3", "tracker"] {
        assert!(stopped.contains(&format!("{name} stopped\n")), "{stopped}");
    }
    assert!(stopped.ends_with("tracker stopped\n"), "peers can still tell it: {stopped}");
    assert!(!pids.iter().any(|pid| runs(pid)));
    assert!(swarm.minibit(&["status"]).done().contains("stopped"));
    assert!(swarm.minibit(&["logs", "peer_1"]).done().contains("has left"), "the log stays until cleanup");
    let tracker = swarm.minibit(&["logs", "tracker"]).done();
    for sentence in
        [" tracker  peer_2 came, lacks ", " peer_2 is complete; told of ", " tracker  peer_3 left\n"]
    {
        assert!(tracker.contains(sentence), "{sentence:?} is not in:\n{tracker}");
    }
    assert_eq!(swarm.minibit(&["stop"]).done(), "nothing to stop in .: nothing runs\n");

    let removed = swarm.minibit(&["cleanup"]).done();
    assert!(removed.contains("./peers") && removed.contains("./.minibit-swarm"), "{removed}");
    assert_eq!(swarm.folder.everything().len(), 1, "only the user's file is left");
}

#[test]
fn peers_may_be_started_before_their_tracker() {
    let swarm = Swarm::split("3");
    let (port, udp) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{port}/announce");
    swarm.minibit(&["start", "peers", "--tracker", &url]).done();
    swarm.until("everybody waits", |status| {
        let peers = status["peers"].as_array().unwrap();
        peers.iter().all(|peer| peer["state"] == "waiting for the tracker")
    });
    assert!(swarm.minibit(&["status"]).done().contains("none was started here; the peers ask http://"));
    let elsewhere = swarm.minibit(&["start", "tracker", "--udp", &format!("127.0.0.1:{udp}")]);
    assert!(elsewhere.stderr().contains("ask another tracker"), "{}", elsewhere.stderr());
    elsewhere.done();
    swarm.minibit(&["stop", "tracker"]).done();

    let here = swarm.minibit(&["start", "tracker", "--http", &format!("127.0.0.1:{port}")]);
    assert_eq!(here.stderr(), "");
    here.done();
    swarm.until_rebuilt(3);
    assert!(swarm.logs().contains("asks the tracker again: "), "{}", swarm.logs());
}

#[test]
fn peers_of_a_tracker_that_only_ipv6_reaches_share_over_ipv6() {
    let swarm = Swarm::split("2");
    swarm.minibit(&["start", "tracker", "--http", "[::1]:0", "--udp", "[::1]:0"]).done();
    let started = swarm.minibit(&["start", "peers"]).done();
    assert!(started.contains("peer_1 listens on [::1]:"), "{started}");
    swarm.until_rebuilt(2);
}

#[test]
fn peers_ask_the_trackers_that_their_torrent_names() {
    let swarm = Swarm::split("2");
    let port = free_port();
    let (nobody, url) =
        (format!("http://127.0.0.1:{}/announce", free_port()), format!("udp://127.0.0.1:{port}/announce"));
    swarm.minibit(&["split", "story.txt", "--peers", "2", "--tracker", &nobody, "--tracker", &url]).done();
    let started = swarm.minibit(&["start", "peers"]);
    assert!(started.done().contains(&format!("ask {nobody} {url}\n")), "{}", started.stdout());
    assert_eq!(started.stderr(), "", "they were told whom to ask");
    let tracker = swarm.minibit(&["start", "tracker", "--udp", &format!("127.0.0.1:{port}")]);
    assert_eq!(tracker.stderr(), "");
    tracker.done();
    swarm.until_rebuilt(2);
}

#[test]
fn peers_are_as_many_as_asked_for_with_the_policy_asked_for_and_newcomers_start_with_nothing() {
    let swarm = Swarm::split("2");
    swarm.minibit(&["start", "tracker", "--udp", "127.0.0.1:0", "--http", "127.0.0.1:0"]).done();
    let port = port_of(&free_ports(3)[0]);
    let policy = ["--picker", "random", "--choker", "unchoke-all", "--set", "policy.unchoke_slots=2"];
    let peers = ["start", "peers", "--peers", "3", "--port", &port.to_string()];
    let started = swarm.minibit(&[&peers[..], &policy].concat()).done();
    assert!(started.contains(&format!("peer_3 listens on 127.0.0.1:{}", port + 2)), "{started}");
    assert!(started.contains("ask http://127.0.0.1:") && started.contains(" udp://127.0.0.1:"), "{started}");
    swarm.until_rebuilt(3);
    assert!(swarm.logs().contains("peer_3   holds 0 of 40 pieces\n"), "{}", swarm.logs());
}

#[test]
fn peers_that_are_to_leave_when_complete_do_so_at_once_where_they_are() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.minibit(&["start", "peers"]).done();
    swarm.until_rebuilt(2);
    swarm.minibit(&["stop", "peers"]).done();
    let started = swarm.minibit(&["start", "peers", "--on-complete", "leave"]).done();
    assert!(started.contains("peer_2 has the whole file already, and has left\n"), "{started}");
    let table = swarm.minibit(&["status"]).done();
    assert!(table.contains("2 of 2 peers have the whole file") && table.contains("left"), "{table}");
    assert_eq!(swarm.minibit(&["stop"]).done(), "tracker stopped\n");
    let told = swarm.minibit(&["logs", "-f", "2"]).done();
    assert!(told.contains("the file is whole: ./peers/peer_2/story.txt"), "{told}");
}

#[test]
fn whoever_follows_hears_what_happens_until_the_end() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.start_slow_peers();
    let logs = swarm.folder.start(&["logs", "--follow"]);
    logs.says_somewhere("got block ");
    let watch = swarm.folder.start(&["status", "--watch"]);
    watch.says_somewhere("downloading");
    swarm.minibit(&["stop"]).done();
    logs.says_somewhere("has left");
    assert_eq!(logs.code(), 0);
    watch.says_somewhere("stopped");
    assert_eq!(watch.code(), 0);
}

#[test]
fn the_scripts_are_the_same_commands() {
    let swarm = Swarm::split("2");
    let script = |name: &str, more: &[&str]| {
        let minibit = swarm.folder.command(&[]);
        let mut command = Command::new(format!("{}/scripts/unix/{name}.sh", env!("CARGO_MANIFEST_DIR")));
        command.args(more).current_dir(swarm.folder.path("")).env("MINIBIT", minibit.get_program());
        Ran::of(command)
    };
    script("start_tracker", &["--http", "127.0.0.1:0"]).done();
    script("start_tracker", &[]).fails(2, "runs already");
    script("start_peers", &["--peers", "2"]).done();
    swarm.until_rebuilt(2);
    assert!(script("stop_all", &[]).done().ends_with("tracker stopped\n"));
    script("cleanup", &[]).done();
    assert_eq!(swarm.folder.everything().len(), 1, "only the user's file is left");
}

#[test]
fn whoever_does_not_listen_to_the_end_changes_nothing() {
    let swarm = Swarm::split("3");
    let unheard = |command: &str| {
        let script = format!("set -o pipefail; \"$0\" {command} | true");
        let minibit = swarm.folder.command(&[]);
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).arg(minibit.get_program()).current_dir(swarm.folder.path(""));
        Ran::of(bash).done();
    };
    unheard("start tracker --http 127.0.0.1:0");
    unheard("start peers");
    swarm.until_rebuilt(3);
    unheard("logs");
    unheard("logs --follow");
    unheard("status");
    unheard("stop");
    let status = swarm.status();
    let peers = status["peers"].as_array().unwrap();
    assert!(peers.iter().chain([&status["tracker"]]).all(|member| member["state"] == "stopped"), "{status}");
}
