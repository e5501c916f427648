//! Words that wait instead of being events, at their limits: a peer is asked for more than it takes, or has more connections
//! than sets of its words know.

use std::path::Path;

use super::*;
use crate::event::{CloseReason, Event};
use crate::scenario::file::{Overrides, from_text};

/// Slow uplinks, and pipelines that fill the queues of requests to the brim.
const CROWDED: &str = r#"
title = "crowded"
driver = "sim"
time_limit = "1500 ms"
[content]
size = "1500 kB"
block_size = "1 kB"
[policy]
choker = "unchoke-all"
[policy.pipeline]
min = 600
max = 1000
[peers.slow]
count = 4
start_with = "share"
upload = "20 kB/s"
latency = "50 ms"
[peers.fast]
count = 4
start_with = "share"
latency = "10 ms"
"#;

/// Requests to one peer on paths of very different lengths: some wait there while others, under way as events, fill its queue.
const FAR_AND_NEAR: &str = r#"
title = "far and near"
driver = "sim"
time_limit = "12 s"
[content]
size = "3866880 B"
block_size = "256 B"
piece_size = "256 B"
[overlay]
kind = "full-mesh"
[policy]
choker = "unchoke-all"
round = "5 s"
unchoke_slots = 4
[policy.pipeline]
min = 2
max = 600
time = "8 s"
rate_window = "4 s"
[peers.seed]
count = 1
start_with = "all"
upload = "79616 B/s"
latency = "0 s"
[peers.near]
count = 3
start_with = "nothing"
upload = "12800 B/s"
latency = "100 ms"
arrival = "over 10 s"
on_complete = "leave"
[peers.far]
count = 1
start_with = "nothing"
upload = "12800 B/s"
latency = "3 s"
arrival = "over 20 s"
"#;

/// More than 64 connections a peer, and few slots.
const MANY: &str = r#"
title = "many"
driver = "sim"
time_limit = "10 min"
[content]
size = "192 KiB"
piece_size = "16 KiB"
[overlay]
kind = "full-mesh"
[policy]
unchoke_slots = 2
optimistic_slots = 1
[peers.seed]
count = 1
start_with = "all"
upload = "200 kB/s"
latency = "10 ms"
[peers.leecher]
count = 74
start_with = "nothing"
upload = "100 kB/s"
latency = "25 ms"
"#;

/// The records of a run, the same whether words wait or not.
fn records(text: &str, random_seed: u64) -> Vec<Record> {
    let file = from_text(Path::new("words.toml"), text.to_owned(), &Overrides::default());
    let scenario = file.expect("a scenario without a mistake").cases.swap_remove(0).scenario;
    let of = |nothing_waits| {
        let options = Options { nothing_waits, ..Options::default() };
        let mut records: Vec<Record> = Vec::new();
        let outcome = run(&scenario, random_seed, &options, &mut records, &Control::default());
        outcome.unwrap_or_else(|error| panic!("random seed {random_seed}: {error}"));
        records
    };
    let (waiting, events) = (of(false), of(true));
    assert!(waiting == events, "{}, random seed {random_seed}", scenario.title);
    waiting
}

fn refused(records: &[Record]) -> usize {
    let refused = |record: &&Record| {
        matches!(record.event, Event::Disconnected { reason: CloseReason::TooManyRequests, .. })
    };
    records.iter().filter(refused).count()
}

#[test]
fn a_request_too_many_is_refused_at_the_same_moment_whether_requests_wait_or_not() {
    for random_seed in 1..3 {
        assert!(refused(&records(CROWDED, random_seed)) > 0, "random seed {random_seed}: nobody is refused");
    }
    let far_and_near = (2..6).map(|random_seed| refused(&records(FAR_AND_NEAR, random_seed)));
    assert!(far_and_near.sum::<usize>() > 0, "nobody is refused");
}

#[test]
fn of_more_than_64_connections_the_last_wake_their_peer() {
    for random_seed in 1..3 {
        records(MANY, random_seed);
    }
}
