//! Links on which a block takes longer than a connection may be silent.

use super::*;
use crate::event::{CloseReason, Event};
use crate::scenario::StartWith;
use crate::torrent::layout::Layout;

/// A seed with one slot and three leechers who take turns in it; at 20 B/s a block takes 410 s.
fn swarm(upload: u64, download: u64) -> Scenario {
    let rate = |bytes: u64| Some(Rate::from_bits_per_second(8 * bytes));
    let mut seed = testing::cohort("seed", 1);
    seed.start_with = StartWith::All;
    seed.upload = rate(upload);
    let mut leecher = testing::cohort("leecher", 3);
    leecher.start_with = StartWith::Nothing;
    leecher.upload = rate(0);
    leecher.download = rate(download);
    let mut scenario = testing::scenario(vec![seed, leecher]);
    scenario.content.layout = Layout::new(64 << 10, 8 << 10, 8 << 10).unwrap();
    scenario.policy.unchoke_slots = 1;
    scenario.policy.optimistic_slots = 0;
    scenario.time_limit = Span::from_secs(40_000);
    scenario
}

#[test]
fn a_choke_that_waits_for_a_long_block_does_not_silence_its_connection() {
    for (upload, download) in [(20, 1 << 20), (1 << 20, 20)] {
        let (scenario, mut records) = (swarm(upload, download), Vec::<Record>::new());
        let options = Options { check: true, ..Options::default() };
        let outcome = run(&scenario, 1, &options, &mut records, &Control::default()).expect("invariants");
        let lost =
            |record: &&Record| matches!(record.event, Event::Disconnected { reason: CloseReason::Idle, .. });
        assert_eq!(records.iter().filter(lost).count(), 0, "{upload} B/s up, {download} B/s down");
        assert_eq!(outcome.ended, Ended::Complete, "{upload} B/s up, {download} B/s down");
    }
}
