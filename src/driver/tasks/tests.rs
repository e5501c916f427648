use super::*;

use std::collections::BTreeSet;
use std::fs;

use crate::driver::Ended;
use crate::driver::sim;
use crate::event::{Event, Record};
use crate::id::{PeerIndex, PieceIndex};
use crate::scenario::testing::{cohort, scenario};
use crate::scenario::{Cohort, Distribution, OnComplete, Overlay, Protocol, StartWith};
use crate::time::Time;
use crate::torrent::layout::Layout;
use crate::units::Rate;

fn carried_out(plan: &Scenario, options: &Options<'_>) -> (Outcome, Vec<Record>) {
    let mut records = Vec::new();
    let outcome = run(plan, 1, options, &mut records, &Control::default()).unwrap();
    (outcome, records)
}

fn completed(records: &[Record]) -> BTreeSet<PeerIndex> {
    records.iter().filter(|record| record.event == Event::Completed).map(|record| record.peer).collect()
}

fn seed_and_leechers(leechers: u32) -> Vec<Cohort> {
    let seed = Cohort { start_with: StartWith::All, ..cohort("seed", 1) };
    vec![seed, Cohort { start_with: StartWith::Nothing, ..cohort("leecher", leechers) }]
}

fn bytes_per_second(bytes: u64) -> Option<Rate> {
    Some(Rate::from_bits_per_second(8 * bytes))
}

#[test]
fn peers_share_what_they_have_until_all_have_everything_as_in_virtual_time() {
    let plan = scenario(vec![cohort("peer", 5)]);
    let (outcome, records) = carried_out(&plan, &Options::default());
    assert_eq!(outcome.ended, Ended::Complete, "{records:#?}");
    let mut simulated = Vec::new();
    sim::run(&plan, 1, &sim::Options::default(), &mut simulated, &Control::default()).unwrap();
    assert_eq!(completed(&records), completed(&simulated));
    let pieces = |records: &[Record]| -> BTreeSet<(PeerIndex, PieceIndex)> {
        let verified = records.iter().filter_map(|record| match record.event {
            Event::PieceVerified { piece } => Some((record.peer, piece)),
            _ => None,
        });
        verified.collect()
    };
    assert_eq!(pieces(&records), pieces(&simulated));
    let totals = records.iter().filter(|record| matches!(record.event, Event::Totals(_))).count();
    assert_eq!(totals, 5);
    assert!(!outcome.pace.unwrap().degraded, "a run without rates cannot be");
}

#[test]
fn shaped_links_with_latency_take_about_as_long_as_in_virtual_time() {
    let mut cohorts = seed_and_leechers(4);
    for cohort in &mut cohorts {
        cohort.upload = bytes_per_second(16 << 10);
        cohort.download = bytes_per_second(64 << 10);
        cohort.latency = Span::from_millis(200);
    }
    let plan = Scenario { time_scale: 20.0, ..scenario(cohorts) };
    let (outcome, records) = carried_out(&plan, &Options::default());
    assert_eq!(outcome.ended, Ended::Complete);
    assert_eq!(completed(&records).len(), 4);
    let simulated = {
        let mut ignored: Vec<Record> = Vec::new();
        sim::run(&plan, 1, &sim::Options::default(), &mut ignored, &Control::default()).unwrap()
    };
    // The seed needs ten seconds for one copy; order and timers differ between the drivers, the capacity does not.
    let (real, virtual_time) = (outcome.at.as_secs_f64(), simulated.at.as_secs_f64());
    assert!(real >= 10.0, "{real} s is faster than the seed's uplink");
    assert!((0.5..2.0).contains(&(real / virtual_time)), "{real} s against {virtual_time} s");
}

#[test]
fn block_directories_are_rebuilt_into_the_original_by_everybody() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut plan = scenario(vec![cohort("peer", 4)]);
    plan.content.layout = Layout::new(100_000, 4096, 1024).unwrap();
    let options = Options { stores: Stores::Blocks, work: Some(folder.path()), ..Options::default() };
    let (outcome, _) = carried_out(&plan, &options);
    assert_eq!(outcome.ended, Ended::Complete);
    let original = plan.content.load(1).unwrap();
    for peer in 1..=4 {
        let own = folder.path().join(format!("peers/peer_{peer}"));
        assert_eq!(fs::read(own.join(plan.content.name())).unwrap(), original);
        assert_eq!(fs::read(own.join("blocks/block_97.bin")).unwrap(), original[99_328..]);
    }
}

#[test]
fn single_files_end_as_the_original_and_a_temporary_folder_is_gone_afterwards() {
    let folder = tempfile::TempDir::new().unwrap();
    let plan = scenario(seed_and_leechers(3));
    let options = Options { stores: Stores::Files, work: Some(folder.path()), ..Options::default() };
    assert_eq!(carried_out(&plan, &options).0.ended, Ended::Complete);
    let original = plan.content.load(1).unwrap();
    for peer in 1..=4 {
        let file = folder.path().join(format!("peers/peer_{peer}")).join(plan.content.name());
        assert_eq!(fs::read(file).unwrap(), original);
    }
    let before = temporary_folders();
    let nowhere = Options { stores: Stores::Files, ..Options::default() };
    assert_eq!(carried_out(&plan, &nowhere).0.ended, Ended::Complete);
    assert_eq!(temporary_folders(), before);
}

/// Of runs of this process that no other test makes.
fn temporary_folders() -> usize {
    let own = format!("minibit-run-{}-", std::process::id());
    let entries = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).count()
}

#[test]
fn peers_started_before_their_tracker_find_each_other_once_it_is_there() {
    let plan = Scenario { time_scale: 50.0, ..scenario(seed_and_leechers(3)) };
    let options = Options { tracker_after: Span::from_secs(10), ..Options::default() };
    let (outcome, records) = carried_out(&plan, &options);
    assert_eq!(outcome.ended, Ended::Complete);
    assert!(records.iter().any(|record| matches!(record.event, Event::AnnounceFailed { .. })));
    assert!(outcome.at >= Time::ZERO + Span::from_secs(10));
}

#[test]
fn a_tracker_over_udp_does_as_well_even_where_it_comes_late() {
    let seeds = seed_and_leechers(3);
    let plan = Scenario { time_scale: 50.0, tracker_protocol: Protocol::Udp, ..scenario(seeds) };
    let late = Options { tracker_after: Span::from_secs(5), ..Options::default() };
    let (outcome, records) = carried_out(&plan, &late);
    assert_eq!(outcome.ended, Ended::Complete);
    assert!(records.iter().any(|record| matches!(record.event, Event::AnnounceFailed { .. })));
}

#[test]
fn a_seed_leaves_after_its_copies_and_the_others_are_on_their_own() {
    let mut cohorts = seed_and_leechers(4);
    cohorts[0].upload = bytes_per_second(64 << 10);
    cohorts[0].on_complete = OnComplete::LeaveAfterCopies(2);
    cohorts[1].upload = bytes_per_second(8 << 10);
    let plan = Scenario { time_scale: 20.0, ..scenario(cohorts) };
    let (outcome, records) = carried_out(&plan, &Options::default());
    // Whether two copies leave every piece behind is a matter of who asked for what; either way the run ends by itself.
    assert!(matches!(outcome.ended, Ended::Complete | Ended::Stranded(_)), "{:?}", outcome.ended);
    let seed = records.iter().filter(|record| record.peer == PeerIndex(0));
    let uploaded: u64 = seed
        .clone()
        .filter_map(|record| match record.event {
            Event::Uploaded { block, .. } => Some(u64::from(block.length)),
            _ => None,
        })
        .sum();
    assert!(((2 * 160) << 10..=(2 * 160 + 32) << 10).contains(&uploaded), "{uploaded} bytes");
    assert_eq!(seed.filter(|record| record.event == Event::Left).count(), 1);
}

#[test]
fn who_leaves_on_completion_is_gone_and_the_others_still_get_everything() {
    let mut cohorts = seed_and_leechers(4);
    cohorts[0].upload = bytes_per_second(64 << 10);
    cohorts[1].on_complete = OnComplete::Leave;
    let plan = Scenario { time_scale: 20.0, ..scenario(cohorts) };
    let (outcome, records) = carried_out(&plan, &Options::default());
    assert_eq!((outcome.ended, completed(&records).len()), (Ended::Complete, 4));
    let left = records.iter().filter(|record| record.event == Event::Left).count();
    let totals = records.iter().filter(|record| matches!(record.event, Event::Totals(_))).count();
    assert!(left <= 4 && totals == 5, "{left} left, {totals} totals");
    for (at, record) in records.iter().enumerate().filter(|(_, record)| record.event == Event::Left) {
        let own = records[at + 1..].iter().filter(|later| later.peer == record.peer);
        assert!(own.clone().all(|later| matches!(later.event, Event::Totals(_))), "{own:#?}");
    }
}

#[test]
fn who_crashes_comes_back_with_what_it_had_and_completes() {
    let mut cohorts = seed_and_leechers(6);
    cohorts[0].upload = bytes_per_second(16 << 10);
    cohorts[1].crash_every = Some(Span::from_secs(8));
    cohorts[1].rejoin = Some(Span::from_secs(2));
    let plan = Scenario { time_scale: 40.0, ..scenario(cohorts) };
    let (outcome, records) = carried_out(&plan, &Options::default());
    assert_eq!(outcome.ended, Ended::Complete);
    assert!(records.iter().any(|record| record.event == Event::Crashed));
    let mut arrivals: Vec<(PeerIndex, u32)> = Vec::new();
    for record in &records {
        if let Event::Arrived { pieces, .. } = record.event {
            arrivals.push((record.peer, pieces));
        }
    }
    assert!(arrivals.len() > 7, "nobody came back");
    assert!(arrivals.iter().any(|(peer, pieces)| peer.0 > 0 && *pieces > 0), "with nothing: {arrivals:?}");
    for peer in 1..=6 {
        let own = arrivals.iter().filter(|(who, _)| who.0 == peer).map(|(_, pieces)| *pieces);
        assert!(own.is_sorted(), "verified pieces are lost: {arrivals:?}");
    }
}

#[test]
fn a_piece_without_a_holder_ends_the_run_and_says_who_lacks_what() {
    let mut cohorts = seed_and_leechers(2);
    cohorts[0].upload = bytes_per_second(32 << 10);
    cohorts[0].crash_every = Some(Span::from_millis(1));
    let plan = Scenario { time_scale: 50.0, ..scenario(cohorts) };
    let (outcome, _) = carried_out(&plan, &Options::default());
    let Ended::Stranded(stranded) = outcome.ended else { panic!("{:?}", outcome.ended) };
    assert_eq!(stranded.peers, [PeerIndex(1), PeerIndex(2)]);
    assert!(!stranded.pieces.is_empty());
}

#[test]
fn a_run_ends_at_its_limit_or_when_it_is_interrupted() {
    let mut cohorts = seed_and_leechers(2);
    cohorts[0].upload = bytes_per_second(1);
    let limit = Span::from_secs(2);
    let plan = Scenario { time_scale: 20.0, time_limit: limit, ..scenario(cohorts) };
    let (outcome, records) = carried_out(&plan, &Options::default());
    assert_eq!((outcome.ended, outcome.at), (Ended::TimeLimit, Time::ZERO + limit));
    assert_eq!(records.iter().filter(|record| matches!(record.event, Event::Totals(_))).count(), 3);
    let control = Control::default();
    control.interrupt();
    let mut records: Vec<Record> = Vec::new();
    let interrupted = run(&plan, 1, &Options::default(), &mut records, &control).unwrap();
    assert_eq!(interrupted.ended, Ended::Interrupted);
}

#[test]
fn runs_side_by_side_do_not_disturb_each_other() {
    let plan = Scenario { distribution: Distribution::Disjoint, ..scenario(vec![cohort("peer", 6)]) };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| carried_out(&plan, &Options::default()))).collect();
        for run in runs {
            let (outcome, records) = run.join().unwrap();
            assert_eq!((outcome.ended, completed(&records).len()), (Ended::Complete, 6));
        }
    });
}

#[test]
fn more_connections_than_files_are_refused_before_anything_starts() {
    let mut plan = scenario(seed_and_leechers(100_000));
    plan.policy.max_connections = 100_000;
    let mut records: Vec<Record> = Vec::new();
    let refused = run(&plan, 1, &Options::default(), &mut records, &Control::default()).unwrap_err();
    assert!(refused.to_string().contains("ulimit -n"), "{refused}");
    assert!(records.is_empty());
}

#[test]
fn what_sockets_cannot_do_is_refused_and_not_left_out() {
    let mut plan = scenario(seed_and_leechers(2));
    plan.cohorts[1].jitter = Span::from_millis(5);
    let refused = run(&plan, 1, &Options::default(), &mut Vec::new(), &Control::default());
    assert!(refused.unwrap_err().to_string().contains("peers.leecher.jitter is for virtual time only"));
}

/// Who was ever connected to whom, the lower index first.
fn connected(records: &[Record]) -> BTreeSet<(PeerIndex, PeerIndex)> {
    let pairs = records.iter().filter_map(|record| match record.event {
        Event::Connected { remote: Some(remote) } => Some((record.peer.min(remote), record.peer.max(remote))),
        _ => None,
    });
    pairs.collect()
}

#[test]
fn a_fixed_overlay_joins_the_same_peers_as_in_virtual_time_and_nobody_else() {
    let overlays = [
        (Overlay::FullMesh, 45),
        (Overlay::Star, 9),
        (Overlay::RandomRegular { degree: 3 }, 15),
        (Overlay::RandomRegular { degree: 2 }, 10),
    ];
    for (overlay, edges) in overlays {
        let mut plan = Scenario { overlay, ..scenario(seed_and_leechers(9)) };
        plan.policy.max_connections = 1;
        let (outcome, records) = carried_out(&plan, &Options::default());
        assert_eq!(outcome.ended, Ended::Complete, "{overlay:?}");
        let mut simulated = Vec::new();
        sim::run(&plan, 1, &sim::Options::default(), &mut simulated, &Control::default()).unwrap();
        assert_eq!(connected(&records), connected(&simulated), "{overlay:?}");
        assert_eq!(connected(&simulated).len(), edges, "{overlay:?}");
    }
}

#[test]
fn whoever_gives_up_leaves_and_the_first_seed_goes_at_its_share_ratio() {
    let mut cohorts = seed_and_leechers(6);
    cohorts[0].upload = bytes_per_second(64 << 10);
    cohorts[0].on_complete = OnComplete::LeaveAtShareRatio { thousandths: 1_200 };
    cohorts[1].upload = bytes_per_second(16 << 10);
    cohorts[1].abort_every = Some(Span::from_secs(8));
    // So that nobody is stranded.
    cohorts.push(Cohort {
        start_with: StartWith::All,
        upload: bytes_per_second(16 << 10),
        ..cohort("rest", 1)
    });
    let plan = Scenario { time_scale: 10.0, ..scenario(cohorts) };
    let (outcome, records) = carried_out(&plan, &Options::default());
    assert_eq!(outcome.ended, Ended::Complete);
    let left: BTreeSet<PeerIndex> =
        records.iter().filter(|record| record.event == Event::Left).map(|record| record.peer).collect();
    assert!(left.contains(&PeerIndex(0)), "the seed had given enough");
    let aborted = left.len() - 1;
    assert!(aborted > 0, "nobody gave up");
    assert_eq!(completed(&records).len() + aborted, 6);
}
