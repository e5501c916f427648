//! What has to have a process of its own: it counts the process's open files and threads.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too
#![allow(clippy::disallowed_types)] // wall time is what is told

use std::path::Path;
use std::time::Instant;

use minibit::driver::tasks::{self, Options};
use minibit::driver::{Control, Ended, Outcome};
use minibit::event::{Event, Record};
use minibit::scenario::Scenario;
use minibit::scenario::file::{Overrides, from_text};

const SCENARIO: &str = r#"
title = "Two hundred peers"
driver = "tasks"
[content]
size = "16 MiB"
block_size = "16 KiB"
piece_size = "128 KiB"
[peers.seed]
count = 1
start_with = "all"
[peers.leecher]
count = 199
start_with = "nothing"
"#;

/// What the libraries keep for the life of the process (a socket for signals) is there after a first run.
const FIRST: &str = r#"
title = "Two peers"
driver = "tasks"
[content]
size = "1 KiB"
block_size = "1 KiB"
[peers.peer]
count = 2
"#;

fn scenario(text: &str) -> Scenario {
    from_text(Path::new("alone.toml"), text.to_owned(), &Overrides::default())
        .unwrap_or_else(|error| panic!("{}", error.render(false)))
        .base
}

fn run(scenario: &Scenario) -> (Outcome, Vec<Record>) {
    let mut records = Vec::new();
    let outcome = tasks::run(scenario, 1, &Options::default(), &mut records, &Control::default()).unwrap();
    assert_eq!(outcome.ended, Ended::Complete);
    (outcome, records)
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn two_hundred_peers_complete_sixteen_mebibytes_and_leave_no_task_or_socket_behind() {
    run(&scenario(FIRST));
    let before = (entries("/proc/self/fd"), entries("/proc/self/task"));
    let began = Instant::now();
    let (outcome, records) = run(&scenario(SCENARIO));
    println!("200 peers, 16 MiB each: {:?}, {:?}", began.elapsed(), outcome.pace);
    assert_eq!(records.iter().filter(|record| record.event == Event::Completed).count(), 199);
    let failures: Vec<&Record> = records
        .iter()
        .filter(|record| {
            matches!(
                record.event,
                Event::Failed { .. }
                    | Event::PieceFailed { .. }
                    | Event::StorageFailed { .. }
                    | Event::AnnounceFailed { .. }
                    | Event::Banned { .. }
            )
        })
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!((entries("/proc/self/fd"), entries("/proc/self/task")), before, "open files, threads");
}
