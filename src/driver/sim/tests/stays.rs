//! Coming and going: who gives up, who comes back, who has given enough.

use super::*;
use crate::event::Event;
use crate::scenario::{Arrival, OnComplete, StartWith};

/// A seed and twenty leechers that need about a minute.
fn swarm() -> Scenario {
    let mut seed = testing::cohort("seed", 1);
    seed.start_with = StartWith::All;
    seed.upload = Some(Rate::from_bits_per_second(8 * 16_000));
    let mut leecher = testing::cohort("leecher", 20);
    leecher.start_with = StartWith::Nothing;
    leecher.upload = Some(Rate::from_bits_per_second(8 * 4_000));
    testing::scenario(vec![seed, leecher])
}

fn run_of(scenario: &Scenario) -> (Outcome, Vec<Record>) {
    let mut records: Vec<Record> = Vec::new();
    let options = Options { check: true, ..Options::default() };
    let outcome = run(scenario, 1, &options, &mut records, &Control::default()).expect("invariants");
    (outcome, records)
}

fn of(records: &[Record], wanted: &Event) -> Vec<(PeerIndex, Time)> {
    records.iter().filter(|record| record.event == *wanted).map(|record| (record.peer, record.at)).collect()
}

#[test]
fn whoever_gives_up_leaves_incomplete_and_whoever_is_complete_stays() {
    let mut scenario = swarm();
    scenario.cohorts[1].abort_every = Some(Span::from_secs(60));
    scenario.cohorts[1].arrival = Arrival::Over(Span::from_secs(120));
    let (outcome, records) = run_of(&scenario);
    assert_eq!(outcome.ended, Ended::Complete, "nobody who stays lacks anything");
    let (left, completed) = (of(&records, &Event::Left), of(&records, &Event::Completed));
    assert_eq!(left.len() + completed.len(), 20);
    assert!(left.len() > 3 && completed.len() > 3, "{} left, {} completed", left.len(), completed.len());
    assert!(left.iter().all(|(peer, _)| completed.iter().all(|(other, _)| peer != other)));
}

#[test]
fn a_peer_comes_back_with_exactly_what_it_had_verified() {
    let mut scenario = swarm();
    scenario.cohorts[1].crash_every = Some(Span::from_secs(20));
    scenario.cohorts[1].rejoin = Some(Span::from_secs(7));
    let (_, records) = run_of(&scenario);
    let mut returned_with_some = 0;
    for peer in (1..21).map(PeerIndex) {
        let (mut verified, mut crashed) = (0, None);
        for record in records.iter().filter(|record| record.peer == peer) {
            match record.event {
                Event::PieceVerified { .. } => verified += 1,
                Event::Crashed => crashed = Some(record.at),
                Event::Arrived { pieces, .. } => {
                    assert_eq!(pieces, verified, "peer {peer} at {}", record.at);
                    if let Some(at) = crashed {
                        assert_eq!(record.at, at + Span::from_secs(7));
                        returned_with_some += usize::from(pieces > 0);
                    }
                }
                _ => {}
            }
        }
    }
    assert!(returned_with_some > 10, "{returned_with_some} came back with something");
}

#[test]
fn the_first_seed_leaves_at_its_time_or_when_it_has_given_enough() {
    let left_after = |on_complete| {
        let mut scenario = swarm();
        scenario.cohorts[0].on_complete = on_complete;
        let (_, records) = run_of(&scenario);
        let uploads = records.iter().filter(|record| record.peer == PeerIndex(0));
        let uploaded: u64 = uploads
            .map(|record| match record.event {
                Event::Uploaded { block, .. } => u64::from(block.length),
                _ => 0,
            })
            .sum();
        (of(&records, &Event::Left), uploaded * 10 / scenario.content.layout.total())
    };
    let at = Time::ZERO + Span::from_secs(30);
    assert_eq!(left_after(OnComplete::LeaveAt(at)).0, [(PeerIndex(0), at)]);
    let (left, tenths) = left_after(OnComplete::LeaveAtShareRatio { thousandths: 1_500 });
    // A block more may be on its way when it has given enough.
    assert!(left.len() == 1 && (15..=16).contains(&tenths), "{tenths} tenths");
    let mean = OnComplete::LeaveAfterMean(Span::from_secs(2));
    assert_eq!(left_after(mean).0.len(), 1);
}

#[test]
fn a_free_rider_downloads_and_gives_nothing() {
    let mut scenario = swarm();
    let free = crate::scenario::Behaviour::FreeRider;
    scenario.cohorts[1].count = 15;
    scenario.cohorts.push(crate::scenario::Cohort {
        name: "free".to_owned(),
        count: 5,
        behaviour: free,
        ..scenario.cohorts[1].clone()
    });
    let (outcome, records) = run_of(&scenario);
    assert_eq!((outcome.ended, of(&records, &Event::Completed).len()), (Ended::Complete, 20));
    let gives = |record: &Record| matches!(record.event, Event::Uploaded { .. } | Event::Unchoked { .. });
    let givers: std::collections::BTreeSet<PeerIndex> =
        records.iter().filter(|record| gives(record)).map(|record| record.peer).collect();
    assert_eq!(givers, (0..16).map(PeerIndex).collect());
    let announces = |record: &Record| matches!(record.event, Event::Announced { .. });
    assert!((16..21).all(|free| records.iter().any(|record| record.peer.0 == free && announces(record))));
}
