//! Whole swarms on loopback sockets, unshaped: how fast the machine alone is.
#![allow(clippy::disallowed_types)] // wall time is what is measured

use std::path::Path;
use std::time::{Duration, Instant};

use minibit::driver::tasks::{self, Options};
use minibit::driver::{Control, Ended};
use minibit::event::{Event, Record};
use minibit::scenario::Scenario;
use minibit::scenario::file::{Overrides, from_text};

fn scenario(text: &str) -> Scenario {
    let file = from_text(Path::new("sockets.toml"), text.to_owned(), &Overrides::default());
    file.unwrap_or_else(|error| panic!("{}", error.render(false))).base
}

/// Runs the scenario and tells how many peers had something to complete, and how long it took on the wall.
fn complete(scenario: &Scenario) -> (usize, Duration) {
    let mut records: Vec<Record> = Vec::new();
    let began = Instant::now();
    let outcome = tasks::run(scenario, 1, &Options::default(), &mut records, &Control::default()).unwrap();
    let took = began.elapsed();
    assert_eq!(outcome.ended, Ended::Complete);
    (records.iter().filter(|record| record.event == Event::Completed).count(), took)
}

#[test]
fn the_handout_s_five_peers_and_fifty_blocks_take_under_a_second() {
    let handout = scenario(
        r#"
        title = "Hand-out"
        driver = "tasks"
        [content]
        size = "50 KiB"
        block_size = "1 KiB"
        [peers.peer]
        count = 5
        "#,
    );
    let (completed, took) = complete(&handout);
    assert_eq!(completed, 5);
    println!("5 peers, 50 blocks of 1 KiB: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn ten_peers_and_a_mebibyte_in_small_blocks_take_under_three_seconds() {
    let mebibyte = scenario(
        r#"
        title = "A mebibyte"
        driver = "tasks"
        [content]
        size = "1 MiB"
        block_size = "1 KiB"
        [peers.peer]
        count = 10
        "#,
    );
    let (completed, took) = complete(&mebibyte);
    assert_eq!(completed, 10);
    println!("10 peers, 1 MiB in blocks of 1 KiB: {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

/// One seed and one peer that has nothing.
fn one_to_one(content: &str, upload: &str) -> Scenario {
    scenario(&format!(
        r#"
        title = "One to one"
        driver = "tasks"
        time_limit = "60 s"
        [content]
        {content}
        [peers.seed]
        count = 1
        start_with = "all"
        {upload}
        [peers.leecher]
        count = 1
        start_with = "nothing"
        "#
    ))
}

#[test]
fn an_uploader_goes_on_when_its_remote_has_asked_for_everything() {
    for content in [
        "size = \"16 MiB\"\nblock_size = \"16 KiB\"\npiece_size = \"16 MiB\"",
        "size = \"4 MiB\"\nblock_size = \"256 KiB\"\npiece_size = \"4 MiB\"",
    ] {
        let (completed, took) = complete(&one_to_one(content, ""));
        assert_eq!(completed, 1);
        // Without room being noticed, the rest comes in choking rounds of ten seconds.
        assert!(took < Duration::from_secs(8), "{content}: {took:?}");
    }
}

#[test]
fn blocks_larger_than_what_a_connection_may_have_waiting_keep_the_rate() {
    let content = "size = \"4 MiB\"\nblock_size = \"128 KiB\"\npiece_size = \"4 MiB\"";
    let (completed, took) = complete(&one_to_one(content, "upload = \"2 MiB/s\""));
    assert_eq!(completed, 1);
    assert!(took < Duration::from_secs(6), "two seconds' worth of uplink took {took:?}");
}
