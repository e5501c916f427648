//! Processes that die, numbers that are given anew, machines that are started anew: the state file is never trusted.

use std::process::Command;

use super::{Swarm, free_port, runs, signal};

#[test]
fn a_killed_peer_is_noticed_and_the_others_go_on() {
    let swarm = Swarm::split("3");
    swarm.minibit(&["stop"]).done();
    // Whatever one of them has, another has too.
    swarm
        .minibit(&["split", "story.txt", "--peers", "3", "--distribution", "fixed", "--pieces-each", "40"])
        .done();
    std::fs::remove_dir_all(swarm.folder.path("peers/peer_1/blocks")).unwrap();
    swarm.start_tracker();
    swarm.minibit(&["start", "peers", "--upload", "8 KiB/s"]).done();
    signal("KILL", &swarm.pid(2));
    let status = swarm.until("it is gone", |status| status["peers"][1]["running"] == false);
    assert_eq!(status["peers"][1]["state"], "gone: its process is gone");
    swarm.minibit(&["status"]).fails(1, "");
    swarm.until_rebuilt(1);

    let stopped = swarm.minibit(&["stop"]).done();
    assert!(stopped.contains("peer_2 had ended before: its process is gone\n"), "{stopped}");
    assert!(stopped.contains("peer_1 stopped\n") && stopped.contains("peer_3 stopped\n"), "{stopped}");
    swarm.minibit(&["status"]).fails(1, "");
}

#[test]
fn a_killed_tracker_is_started_again_and_everybody_is_registered_again() {
    let swarm = Swarm::split("2");
    let http = format!("127.0.0.1:{}", free_port());
    let tracker = ["start", "tracker", "--http", &http, "--interval", "1 s"];
    swarm.minibit(&tracker).done();
    swarm.start_slow_peers();
    swarm.until("they are under way", |status| status["peers"][0]["state"] == "downloading");
    signal("KILL", &swarm.tracker_pid());
    swarm.until("it is gone", |status| status["tracker"]["running"] == false);
    swarm.minibit(&["status"]).fails(1, "");

    let again = swarm.minibit(&tracker);
    assert!(again.stderr().contains("note: tracker of an earlier start"), "{}", again.stderr());
    again.done();
    swarm.until("everybody has announced again", |_| {
        let told = swarm.minibit(&["logs", "tracker"]).done();
        ["peer_1 is still there", "peer_2 is still there"].iter().all(|registered| told.contains(registered))
    });
    let status = swarm.status();
    assert!(status["peers"].as_array().unwrap().iter().all(|peer| peer["connections"] == 1), "{status}");
}

#[test]
fn a_peer_that_does_not_leave_is_killed_and_that_is_said() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.start_slow_peers();
    let pid = swarm.pid(1);
    signal("STOP", &pid);
    let stopped = swarm.minibit(&["stop", "peers", "--within", "3 s"]).done();
    assert!(stopped.contains("peer_1 did not leave within 3 s and was killed\n"), "{stopped}");
    assert!(stopped.contains("peer_2 stopped\n"), "{stopped}");
    assert!(!runs(&pid));
    assert_eq!(swarm.status()["peers"][0]["state"], "killed by stop");
    assert_eq!(swarm.status()["tracker"]["running"], true, "only the peers were to end");
}

#[test]
fn a_number_that_another_process_has_now_is_not_touched() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.start_slow_peers();
    let (pid, mut other) = (swarm.pid(1), Command::new("sleep").arg("120").spawn().unwrap());
    signal("KILL", &pid);
    swarm.until("it is gone", |status| status["peers"][0]["running"] == false);
    let reused = other.id().to_string();
    swarm.write_state_file(
        &swarm.state_file().replace(&format!("pid = {pid}\n"), &format!("pid = {reused}\n")),
    );

    let status = swarm.status();
    assert_eq!(status["peers"][0]["state"], "gone: its process is gone, and another one has its number now");
    let stopped = swarm.minibit(&["stop"]).done();
    assert!(
        stopped.contains("peer_1 had ended before: its process is gone, and another one has"),
        "{stopped}"
    );
    assert!(other.try_wait().unwrap().is_none(), "it is nobody's to end");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_state_file_of_before_the_machine_was_started_anew_is_noticed_and_started_over() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.start_slow_peers();
    let pids = [swarm.pid(1), swarm.pid(2), swarm.tracker_pid()];
    let state = swarm.state_file();
    let boot = state.lines().find(|line| line.starts_with("boot = ")).unwrap();
    swarm.write_state_file(&state.replace(boot, "boot = \"another start of the machine\""));

    assert_eq!(swarm.status()["peers"][1]["state"], "gone: the machine was started anew since");
    swarm.minibit(&["status"]).fails(1, "");
    let stopped = swarm.minibit(&["stop", "peers"]).done();
    assert!(stopped.contains("peer_1 had ended before: the machine was started anew since\n"), "{stopped}");
    assert!(pids.iter().all(|pid| runs(pid)), "numbers of another start mean nothing, even these");
    pids.iter().for_each(|pid| signal("KILL", pid));

    let started = swarm.minibit(&["start", "tracker", "--http", "127.0.0.1:0"]);
    started.done();
    let note = "note: tracker of an earlier start";
    assert!(started.stderr().contains(note) && started.stderr().contains("anew"), "{}", started.stderr());
    swarm.minibit(&["start", "peers"]).done();
    swarm.until_rebuilt(2);
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_started_is_apart_from_the_shell() {
    let swarm = Swarm::split("1");
    swarm.start_tracker();
    let pid = swarm.tracker_pid();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let group = stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap();
    assert_eq!(group, pid, "Ctrl-C in the shell reaches the shell's own group");
    for (descriptor, file) in [("0", "pipe:["), ("1", "/tracker.log"), ("2", "/tracker.log")] {
        let open = std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).unwrap();
        assert!(open.to_string_lossy().contains(file), "{descriptor}: {}", open.display());
    }
}

#[test]
fn a_start_that_is_killed_leaves_nobody_running() {
    let swarm = Swarm::split("40");
    // Nobody else's: it tells these peers from those of other tests.
    let url = format!("http://127.0.0.1:{}/announce", free_port());
    let start = swarm.folder.start(&["start", "peers", "--tracker", &url]);
    let state_file = swarm.folder.path(".minibit-swarm/state.toml");
    let has_begun = |_| std::fs::read_to_string(&state_file).unwrap_or_default().contains("peer_2");
    assert!((0..1_000_000).any(has_begun), "nobody was started");
    signal("KILL", &start.pid().to_string());
    let theirs = || {
        let listed = Command::new("ps").args(["-ww", "-eo", "stat=,args="]).output().unwrap().stdout;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        listed.lines().filter(|line| line.contains(&url) && !line.starts_with('Z')).count()
    };
    swarm.until("they are gone", |_| theirs() == 0);
    assert!(swarm.status()["peers"].as_array().unwrap().len() < 40, "it was killed half-way");
    swarm.minibit(&["status"]).fails(1, "");
    swarm.minibit(&["start", "peers", "--tracker", &url]).done();
}
