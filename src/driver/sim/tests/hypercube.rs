//! The oracle is as fast as the theorem says is possible, and no policy is faster.

use super::*;
use crate::peer::policy::{PickerPolicy, Policy};
use crate::scenario::{Cohort, Content, ContentSource, Overlay, StartWith};
use crate::torrent::layout::Layout;

/// One server and `peers` others with equal uplinks, of which a piece takes a second.
fn scenario(peers: u32, pieces: u32, blocks_in_piece: u32, picker: PickerPolicy) -> Scenario {
    let upload = Some(Rate::from_bits_per_second(8 * 1_000));
    let server = Cohort { start_with: StartWith::All, upload, ..testing::cohort("server", 1) };
    let others = Cohort { start_with: StartWith::Nothing, upload, ..testing::cohort("peer", peers) };
    let layout = Layout::new(u64::from(pieces) * 1_000, 1_000, 1_000 / blocks_in_piece).unwrap();
    Scenario {
        content: Content { source: ContentSource::Synthetic, layout },
        overlay: Overlay::FullMesh,
        policy: Policy { picker, unchoke_slots: 1, optimistic_slots: 0, ..Policy::default() },
        ..testing::scenario(vec![server, others])
    }
}

fn ended_at(scenario: &Scenario) -> Time {
    let options = Options { check: true, ..Options::default() };
    let mut records: Vec<Record> = Vec::new();
    let outcome = run(scenario, 1, &options, &mut records, &Control::default()).expect("invariants");
    assert_eq!(outcome.ended, Ended::Complete);
    outcome.at
}

#[test]
fn the_schedule_is_done_in_exactly_the_rounds_of_the_theorem() {
    for (peers, pieces, rounds) in [(1, 5, 5), (3, 1, 2), (7, 4, 6), (15, 16, 19), (31, 32, 36)] {
        for blocks in [1, 4] {
            let scenario = scenario(peers, pieces, blocks, PickerPolicy::Hypercube);
            assert_eq!(
                ended_at(&scenario),
                Time::ZERO + Span::from_secs(rounds),
                "{peers} peers, {pieces} pieces"
            );
        }
    }
}

#[test]
fn no_policy_is_faster_than_the_schedule() {
    for picker in [PickerPolicy::RarestFirst, PickerPolicy::Random, PickerPolicy::Sequential] {
        assert!(ended_at(&scenario(7, 4, 1, picker)) >= Time::ZERO + Span::from_secs(6), "{picker:?}");
        assert!(ended_at(&scenario(15, 16, 1, picker)) >= Time::ZERO + Span::from_secs(19), "{picker:?}");
    }
}

#[test]
fn with_latency_the_schedule_is_followed_later() {
    let mut scenario = scenario(7, 4, 1, PickerPolicy::Hypercube);
    scenario.cohorts.iter_mut().for_each(|cohort| cohort.latency = Span::from_millis(20));
    let at = ended_at(&scenario);
    assert!(at > Time::ZERO + Span::from_secs(6) && at < Time::ZERO + Span::from_secs(8), "{at}");
}
