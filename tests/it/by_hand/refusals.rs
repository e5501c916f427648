//! What cannot work is refused: nothing is left running, and the message says what to do.

use std::fs::{self, File};

use super::{Swarm, free_port, free_ports, port_of, runs, signal};
use crate::command::Folder;

#[test]
fn what_runs_already_is_not_started_again() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.start_slow_peers();
    let before = swarm.state_file();
    swarm.minibit(&["start", "tracker", "--http", "127.0.0.1:0"]).fails(2, "`minibit stop tracker` ends it");
    swarm.minibit(&["start", "peers"]).fails(2, "2 of 2 peers run already; `minibit status` shows them");
    assert_eq!(swarm.state_file(), before);

    let (one, other) = (swarm.pid(1), swarm.pid(2));
    signal("KILL", &other);
    swarm.until("it is gone", |status| status["peers"][1]["running"] == false);
    swarm.minibit(&["start", "peers"]).fails(2, "1 of 2 peers run already");
    assert!(runs(&one));
}

#[test]
fn files_are_not_taken_away_from_those_who_run() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    swarm.start_slow_peers();
    swarm
        .minibit(&["cleanup"])
        .fails(2, "tracker, peer_1 and peer_2 still run; end them first: minibit stop");
    swarm.minibit(&["split", "story.txt", "--peers", "2"]).fails(2, "peer_1 and peer_2 still run");
    assert!(swarm.folder.path("peers/peer_2/blocks").exists());

    // A tracker serves the next split as well.
    swarm.minibit(&["stop", "peers"]).done();
    swarm.minibit(&["split", "story.txt", "--peers", "3"]).done();
    swarm.minibit(&["cleanup"]).fails(2, "tracker still runs; end it first");
    swarm.minibit(&["start", "peers"]).done();
    swarm.until_rebuilt(3);
}

#[test]
fn a_port_that_is_taken_is_named_and_nobody_is_left_running() {
    let swarm = Swarm::split("3");
    let mut row = free_ports(3);
    let holder = row.remove(1);
    let taken = port_of(&holder);
    drop(row);
    swarm
        .minibit(&["start", "tracker", "--http", &format!("127.0.0.1:{taken}")])
        .fails(1, "another program listens there; stop it or choose another port");
    swarm.minibit(&["status"]).fails(2, "nothing was started");

    swarm.start_tracker();
    let refused = swarm.minibit(&["start", "peers", "--port", &(taken - 1).to_string()]);
    refused.fails(1, &format!("peer_2: cannot listen on 127.0.0.1:{taken}"));
    refused.fails(1, "note: no peer was left running\nnote: --port decides where they listen");
    assert_eq!(swarm.status()["peers"].as_array().unwrap().len(), 0, "all or none");
    drop(holder);
    swarm.minibit(&["start", "peers"]).done();
    swarm.until_rebuilt(3);
    swarm.minibit(&["start", "peers", "--port", "65535"]).fails(2, "run already");
    swarm.minibit(&["stop", "peers"]).done();
    swarm.minibit(&["start", "peers", "--port", "65535"]).fails(2, "choose a smaller --port");
}

#[test]
fn what_was_never_started_can_be_neither_shown_nor_told() {
    let folder = Folder::new();
    folder.minibit(&["start", "peers"]).fails(2, "minibit split FILE --peers 5");
    folder.minibit(&["start", "tracker", "--out", "nowhere"]).fails(2, "there is no such folder");
    folder.minibit(&["status"]).fails(2, "minibit start tracker");
    folder.minibit(&["logs"]).fails(2, "minibit start tracker");
    assert_eq!(folder.minibit(&["stop"]).done(), "nothing to stop in .\n");
    assert!(folder.everything().is_empty(), "asking changes nothing");
    folder.minibit(&["start"]).fails(2, "tracker");
}

#[test]
fn nobody_of_that_name_and_no_such_policy() {
    let swarm = Swarm::split("2");
    swarm.minibit(&["start", "peers", "--picker", "rarest"]).fails(2, "rarest-first");
    swarm.minibit(&["start", "peers", "--upload", "3 kb/s"]).fails(2, "kB/s");
    assert!(!swarm.folder.path(".minibit-swarm").exists(), "refused before anything is done");
    let url = format!("http://127.0.0.1:{}/announce", free_port());
    swarm.minibit(&["start", "peers", "--tracker", &url]).done();
    swarm
        .minibit(&["logs", "peer_9"])
        .fails(2, "nobody called peer_9 was started here, only peer_1 to peer_2\n");
    swarm.minibit(&["stop", "peers"]).done();
    swarm.minibit(&["cleanup"]).done();
    swarm.start_tracker();
    swarm.minibit(&["logs", "1"]).fails(2, "nobody called 1 was started here, only tracker\n");
}

#[test]
fn two_that_would_change_the_swarm_do_not_meet() {
    let swarm = Swarm::split("2");
    swarm.start_tracker();
    let lock = File::open(swarm.folder.path(".minibit-swarm/lock")).unwrap();
    lock.lock().unwrap();
    for command in [&["start", "peers"][..], &["stop"], &["cleanup"]] {
        swarm.minibit(command).fails(2, "is at work in ./.minibit-swarm; wait for it and try again");
    }
    swarm.minibit(&["status"]).done();
    drop(lock);
    swarm.minibit(&["stop"]).done();
}

#[test]
fn a_folder_of_somebody_else_and_a_broken_state_file_are_left_alone() {
    let swarm = Swarm::split("2");
    swarm.folder.file(".minibit-swarm/state.toml", "mine");
    let before = swarm.folder.everything();
    swarm.minibit(&["start", "tracker", "--http", "127.0.0.1:0"]).fails(2, "move it away");
    for blind in ["status", "logs"] {
        let why = ".minibit-swarm was not made by MiniBit, or its state.toml is broken";
        swarm.minibit(&[blind]).fails(2, &format!("nothing is known of what was started in .: ./{why}"));
    }
    swarm.minibit(&["stop"]).fails(2, "state.toml");
    swarm.minibit(&["split", "story.txt", "--peers", "2", "--distribution", "disjoint"]).done();
    assert_eq!(before, swarm.folder.everything());
    let cleaned = swarm.minibit(&["cleanup"]);
    cleaned.done();
    let left = "left alone: ./.minibit-swarm (not made by MiniBit, or its state.toml is broken)\n";
    assert!(cleaned.stderr().contains(left), "{}", cleaned.stderr());
    assert_eq!(fs::read(swarm.folder.path(".minibit-swarm/state.toml")).unwrap(), b"mine");

    swarm.folder.file(".minibit-swarm/state.toml", "generator = \"minibit\"\npeers = 3\n");
    swarm
        .minibit(&["start", "tracker", "--http", "127.0.0.1:0"])
        .fails(2, "end the processes it names by hand");
    swarm.minibit(&["stop"]).fails(2, "end the processes it names by hand");
}

#[test]
fn files_of_the_user_among_those_of_the_swarm_stay_and_are_named() {
    let swarm = Swarm::split("1");
    swarm.start_tracker();
    swarm.minibit(&["stop"]).done();
    swarm.folder.file(".minibit-swarm/notes.txt", "mine");
    let cleaned = swarm.minibit(&["cleanup"]);
    cleaned.done();
    assert!(cleaned.stderr().contains("left alone: ./.minibit-swarm/notes.txt"), "{}", cleaned.stderr());
    let left: Vec<_> = swarm.folder.everything().into_keys().collect();
    assert_eq!(
        left,
        [".minibit-swarm", ".minibit-swarm/notes.txt", "story.txt"].map(std::path::PathBuf::from)
    );
}

#[test]
fn links_in_the_place_of_its_files_lead_nowhere() {
    let swarm = Swarm::split("1");
    let canary = swarm.folder.file("canary", "mine");
    swarm.folder.file(".minibit-swarm/state.toml", "generator = \"minibit\"\n");
    for name in ["tracker.log", "peer_1.log", "peer_1.jsonl", "state.tmp"] {
        std::os::unix::fs::symlink(&canary, swarm.folder.path(&format!(".minibit-swarm/{name}"))).unwrap();
    }
    swarm.start_tracker();
    swarm.minibit(&["start", "peers"]).done();
    swarm.until_rebuilt(1);
    assert_eq!(fs::read(canary).unwrap(), b"mine");
}
