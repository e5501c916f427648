//! Requests that wait instead of being events, where a peer is asked for more than it takes.

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

#[test]
fn a_request_too_many_is_refused_at_the_same_moment_whether_requests_wait_or_not() {
    let file = from_text(Path::new("crowded.toml"), CROWDED.to_owned(), &Overrides::default());
    let scenario = file.expect("a scenario without a mistake").cases.swap_remove(0).scenario;
    for random_seed in 1..3 {
        let of = |nothing_waits| {
            let options = Options { nothing_waits, ..Options::default() };
            let mut records: Vec<Record> = Vec::new();
            let outcome = run(&scenario, random_seed, &options, &mut records, &Control::default());
            outcome.unwrap_or_else(|error| panic!("random seed {random_seed}: {error}"));
            records
        };
        let (waiting, events) = (of(false), of(true));
        let refused = |record: &&Record| {
            matches!(record.event, Event::Disconnected { reason: CloseReason::TooManyRequests, .. })
        };
        assert!(waiting.iter().filter(refused).count() > 0, "random seed {random_seed}: nobody is refused");
        assert!(waiting == events, "random seed {random_seed}");
    }
}
