use super::*;
use crate::driver::Stranded;
use crate::event::Totals;
use crate::id::{Block, PieceIndex};
use crate::time::Span;
use crate::torrent::bitfield::Bitfield;
use crate::units::Rate;

fn layout() -> Layout {
    Layout::new(40, 10, 10).unwrap()
}

fn participant(name: &str, pieces: &[u32], bytes_per_second: u64) -> Participant {
    let mut initial = Bitfield::empty(4);
    pieces.iter().for_each(|piece| {
        initial.insert(PieceIndex(*piece));
    });
    let upload = Some(Rate::from_bits_per_second(bytes_per_second * 8));
    let cohort = name.split('-').next().unwrap().to_owned();
    Participant::new(name.to_owned(), cohort, initial, (upload, None), &layout())
}

/// A seed of 10 B/s and two leechers of 5 B/s.
fn swarm() -> Vec<Participant> {
    vec![
        participant("seed-1", &[0, 1, 2, 3], 10),
        participant("leecher-1", &[0], 5),
        participant("leecher-2", &[], 5),
    ]
}

fn secs(secs: u64) -> Time {
    Time::ZERO + Span::from_secs(secs)
}

fn arrived() -> Event {
    Event::Arrived { pieces: 0, bytes: 0 }
}

fn block(piece: u32) -> Block {
    Block { piece: PieceIndex(piece), begin: 0, length: 10 }
}

fn downloaded(from: u32, piece: u32, fate: BlockFate) -> Event {
    Event::Downloaded { from: Some(PeerIndex(from)), block: block(piece), fate }
}

fn fold(records: &[(u64, u32, Event)], ended: Ended, at: u64) -> RunMetrics {
    let participants = swarm();
    let mut fold = RunFold::new(&participants);
    for (at, peer, event) in records {
        fold.record(&Record { at: secs(*at), peer: PeerIndex(*peer), event: event.clone() });
    }
    fold.finish(&layout(), &Outcome { ended, at: secs(at), pace: None, clients: Vec::new() })
}

#[test]
fn times_run_from_arrival_and_bytes_are_told_apart_by_source_and_fate() {
    let metrics = fold(
        &[
            (0, 0, arrived()),
            (1, 1, arrived()),
            (2, 0, Event::Uploaded { to: Some(PeerIndex(1)), block: block(1) }),
            (3, 1, downloaded(0, 1, BlockFate::Useful)),
            (4, 1, downloaded(2, 2, BlockFate::Useful)),
            (4, 1, downloaded(2, 2, BlockFate::Duplicate)),
            (5, 1, Event::Downloaded { from: None, block: block(3), fate: BlockFate::Unrequested }),
            (6, 1, Event::Completed),
            (9, 1, Event::Totals(Totals { messages_sent: 7, messages_received: 8 })),
        ],
        Ended::Interrupted,
        9,
    );
    let leecher = &metrics.peers[1];
    assert_eq!((leecher.arrived, leecher.finished_at), (Some(secs(1)), Some(secs(6))));
    assert_eq!(leecher.completion(), Some(Span::from_secs(5)));
    assert_eq!(leecher.observed, Some(Span::from_secs(5)));
    assert_eq!((leecher.initial_bytes, leecher.downloaded_bytes), (10, Some(40)));
    assert_eq!((leecher.from_seeds_bytes, leecher.duplicate_bytes), (Some(10), Some(20)));
    assert_eq!((leecher.messages_sent, leecher.messages_received), (Some(7), Some(8)));
    let seed = &metrics.peers[0];
    assert_eq!((seed.completed, seed.completion(), seed.end), (true, None, End::Complete));
    assert_eq!((seed.uploaded_bytes, seed.observed), (Some(10), Some(Span::from_secs(9))));
}

#[test]
fn a_peer_that_never_came_is_reported_as_unfinished() {
    let metrics = fold(&[(0, 0, arrived()), (0, 1, arrived())], Ended::TimeLimit, 5);
    let absent = &metrics.peers[2];
    assert_eq!((absent.arrived, absent.observed, absent.end), (None, None, End::Limit));
    assert_eq!((metrics.summary.unfinished, metrics.summary.mean_completion), (2, None));
}

#[test]
fn messages_that_a_stay_has_not_told_are_unknown_and_not_none() {
    let totals = |sent| Event::Totals(Totals { messages_sent: sent, messages_received: 1 });
    let (seed_leaves, seed_told) = ((9, 0, Event::Left), (9, 0, totals(5)));
    let killed = [(0, 0, arrived()), (1, 1, arrived()), (3, 1, Event::Crashed)];
    let returned = [(4, 1, arrived()), (8, 1, Event::Left), (8, 1, totals(2))];
    let records = [&killed[..], &returned[..], &[seed_leaves, seed_told][..]].concat();
    let metrics = fold(&records, Ended::Complete, 9);
    let sent: Vec<Option<u64>> = metrics.peers.iter().map(|row| row.messages_sent).collect();
    assert_eq!(sent, [Some(5), None, Some(0)], "who never came has sent nothing");
    assert_eq!(metrics.peers[1].messages_received, None);
    assert_eq!((metrics.summary.messages_sent, metrics.summary.messages_per_peer()), (None, None));
    let told = fold(&[(0, 0, arrived()), (9, 0, totals(5))], Ended::Complete, 9).summary;
    assert_eq!(told.messages_sent, Some(5));
}

#[test]
fn a_crashed_peer_that_comes_back_stays_one_row_and_adds_up() {
    let totals = Event::Totals(Totals { messages_sent: 2, messages_received: 3 });
    let records = [
        (1, 1, arrived()),
        (2, 1, downloaded(0, 1, BlockFate::Useful)),
        (3, 1, Event::Crashed),
        (3, 1, totals.clone()),
        (5, 1, arrived()),
        (6, 1, downloaded(0, 2, BlockFate::Useful)),
        (7, 1, Event::Completed),
        (8, 1, Event::Crashed),
        (8, 1, totals),
    ];
    let metrics = fold(&records, Ended::Complete, 8);
    let leecher = &metrics.peers[1];
    assert_eq!((leecher.arrived, leecher.finished_at), (Some(secs(1)), Some(secs(7))));
    assert_eq!((leecher.downloaded_bytes, leecher.messages_sent), (Some(20), Some(4)));
    assert_eq!(leecher.end, End::Complete);
    let gone = fold(&records[..3], Ended::Complete, 8);
    assert_eq!((gone.peers[1].end, gone.peers[1].observed), (End::Crashed, Some(Span::from_secs(2))));
}

#[test]
fn the_last_end_of_an_unfinished_peer_is_its_end() {
    let failed = Event::Failed { reason: "disk full".into() };
    for (event, end) in [(Event::Left, End::Left), (failed, End::Failed), (Event::Crashed, End::Crashed)] {
        let metrics = fold(&[(0, 1, arrived()), (1, 1, event)], Ended::TimeLimit, 2);
        assert_eq!(metrics.peers[1].end, end);
    }
    let stranded = Ended::Stranded(Stranded { pieces: vec![PieceIndex(3)], peers: vec![PeerIndex(1)] });
    let metrics = fold(&[(0, 1, arrived())], stranded, 2);
    assert_eq!(metrics.peers[1].end, End::Stranded);
    assert_eq!((metrics.summary.stranded, metrics.summary.stranded_pieces), (2, 1));
}

#[test]
fn the_timeline_counts_who_is_there_and_who_has_everything() {
    let records = [
        (0, 0, arrived()),
        (0, 1, arrived()),
        (1, 2, arrived()),
        (2, 1, Event::PieceVerified { piece: PieceIndex(1) }),
        (2, 1, Event::Completed),
        (3, 1, Event::Left),
        (4, 0, Event::Left),
    ];
    let metrics = fold(&records, Ended::Interrupted, 5);
    let at = |secs: u64| {
        let sample = metrics.timeline.iter().rfind(|sample| sample.at <= self::secs(secs)).unwrap();
        (sample.counts.leechers, sample.counts.seeds, sample.counts.departures, sample.counts.completed)
    };
    assert_eq!(
        [at(0), at(1), at(2), at(3), at(4)],
        [(1, 1, 0, 0), (2, 1, 0, 0), (1, 2, 0, 1), (1, 1, 1, 1), (1, 0, 2, 1)]
    );
    assert_eq!(metrics.timeline.last().map(|sample| sample.at), Some(secs(5)));
}

#[test]
fn uplink_use_is_what_was_received_over_what_could_be_sent_until_the_last_completion() {
    // 10 B/s for 2 s, then 15 B/s for 2 s: 50 bytes could be sent, 20 are received.
    let records = [
        (0, 0, arrived()),
        (2, 1, arrived()),
        (3, 1, downloaded(0, 1, BlockFate::Useful)),
        (4, 1, downloaded(0, 2, BlockFate::Useful)),
        (4, 1, Event::Completed),
        (9, 1, Event::Left),
    ];
    assert_eq!(fold(&records, Ended::Complete, 9).summary.uplink_utilisation(), Some(0.4));
    assert_eq!(fold(&records[..4], Ended::TimeLimit, 9).summary.uplink_utilisation(), None);
}

#[test]
fn a_cohort_is_told_by_its_own_peers_and_by_what_they_gave_whom() {
    // The seed gives 20 bytes, leecher-1 10 to its like, and leecher-2 nothing; in 4 s the leechers could give 40.
    let records = [
        (0, 0, arrived()),
        (0, 1, arrived()),
        (0, 2, arrived()),
        (1, 1, downloaded(0, 1, BlockFate::Useful)),
        (2, 2, downloaded(0, 1, BlockFate::Useful)),
        (3, 2, downloaded(1, 2, BlockFate::Useful)),
        (4, 1, Event::Completed),
        (9, 2, downloaded(1, 3, BlockFate::Duplicate)),
    ];
    let metrics = fold(&records, Ended::TimeLimit, 10);
    let [seed, leechers] = &metrics.cohorts[..] else { panic!("{:?}", metrics.cohorts) };
    assert_eq!((seed.cohort.as_str(), leechers.cohort.as_str()), ("seed", "leecher"));
    assert_eq!((seed.own_share(), leechers.own_share()), (Some(0.0), Some(1.0)));
    assert_eq!((seed.given_bytes, leechers.given_bytes), (20, 20));
    assert_eq!(seed.metric("uplink_utilisation"), Some(Some(0.5)));
    assert_eq!(leechers.metric("uplink_utilisation"), Some(Some(0.25)));
    assert_eq!(metrics.summary.leecher_utilisation(), Some(0.25));
    assert_eq!(leechers.metric("mean_completion_s"), Some(Some(4.0)));
    assert_eq!((leechers.summary.unfinished, leechers.metric("bound_s")), (1, None));
}

#[test]
fn availability_counts_living_peers_and_says_what_only_seeds_hold() {
    let verified = |piece| Event::PieceVerified { piece: PieceIndex(piece) };
    // leecher-1 comes with piece 0. The seed leaves at 4 s with piece 3, which nobody else has.
    let records = [
        (0, 0, arrived()),
        (0, 1, arrived()),
        (1, 2, arrived()),
        (2, 1, verified(1)),
        (3, 2, verified(2)),
        (4, 0, Event::Left),
        (5, 2, Event::StorageFailed { piece: PieceIndex(2) }),
        (6, 2, verified(2)),
        (7, 2, Event::Crashed),
        (8, 2, arrived()),
    ];
    let metrics = fold(&records, Ended::TimeLimit, 9);
    let at = |secs: u64| {
        let sample = metrics.timeline.iter().rfind(|sample| sample.at <= self::secs(secs)).unwrap();
        (sample.counts.availability_min, sample.counts.copies, sample.counts.only_with_seeds)
    };
    assert_eq!([at(0), at(2), at(3)], [(1, 5, 3), (1, 6, 2), (1, 7, 1)]);
    assert_eq!([at(4), at(5), at(6), at(7), at(8)], [(0, 3, 0), (0, 2, 0), (0, 3, 0), (0, 2, 0), (0, 3, 0)]);
    assert_eq!(metrics.summary.metric("availability_min"), Some(Some(0.0)));
    // 5 5 6 7 3 2 3 2 3 copies of 4 pieces, a second each.
    assert_eq!(metrics.summary.metric("availability_mean"), Some(Some(1.0)));
}

#[test]
fn fairness_is_jains_index_over_what_leechers_gave_for_what_they_took() {
    let gave = |from: u32, to: u32| {
        let event = Event::Uploaded { to: Some(PeerIndex(to)), block: block(1) };
        [(1, from, event), (1, to, downloaded(from, 1, BlockFate::Useful))]
    };
    let fairness = |gifts: &[(u32, u32)]| {
        let records: Vec<_> = gifts.iter().flat_map(|(from, to)| gave(*from, *to)).collect();
        fold(&records, Ended::TimeLimit, 2).summary.metric("fairness").unwrap()
    };
    assert_eq!(fairness(&[(1, 2), (2, 1)]), Some(1.0));
    assert_eq!(fairness(&[(1, 2), (0, 1)]), Some(0.5));
    assert_eq!(fairness(&[(0, 1), (0, 2)]), None);
    assert_eq!(fairness(&[]), None);
}

#[test]
fn the_bound_of_a_run_looks_at_the_peers_that_came() {
    // leecher-2 fetches 40 bytes, all of them only at the seed: 4 s at 10 B/s after arrivals at 0 and 1.
    let records = [(0, 0, arrived()), (1, 2, arrived()), (6, 2, Event::Completed)];
    let metrics = fold(&records, Ended::Complete, 6);
    assert_eq!(metrics.summary.bound, Some(secs(4)));
    assert_eq!(metrics.summary.last_over_bound(), Some(1.5));
    assert!(!metrics.summary.is_below_bound());
    let impossible =
        fold(&[(0, 0, arrived()), (0, 2, arrived()), (1, 2, Event::Completed)], Ended::Complete, 1);
    assert!(impossible.summary.is_below_bound());
}

#[test]
fn a_summary_takes_means_over_those_that_had_something_to_fetch() {
    let records = [
        (0, 0, arrived()),
        (0, 1, arrived()),
        (0, 2, arrived()),
        (3, 1, Event::Completed),
        (6, 2, Event::Completed),
    ];
    let summary = fold(&records, Ended::Complete, 6).summary;
    assert_eq!((summary.peers, summary.leechers, summary.completers, summary.unfinished), (3, 2, 2, 0));
    assert_eq!(summary.mean_completion, Some(Span::from_millis(4_500)));
    assert_eq!(summary.metric("last_completion_s"), Some(Some(6.0)));
    assert_eq!(summary.metric("share_from_seeds"), Some(None));
    assert_eq!(summary.metric("nonsense"), None);
}

#[test]
fn metrics_survive_their_stored_form() {
    let metrics = fold(&[(0, 0, arrived()), (1, 2, arrived()), (6, 2, Event::Completed)], Ended::Complete, 6);
    let text = toml::to_string(&metrics).unwrap();
    assert_eq!(toml::from_str::<RunMetrics>(&text).unwrap(), metrics);
}

#[test]
fn what_came_from_seeds_is_blank_only_where_somebody_unknown_may_have_been_one() {
    let from_seeds = |foreign: u32, from: Option<u32>| {
        let mut participants = swarm();
        participants[foreign as usize].foreign = true;
        let mut fold = RunFold::new(&participants);
        let from = from.map(PeerIndex);
        let event = Event::Downloaded { from, block: block(3), fate: BlockFate::Useful };
        fold.record(&Record { at: secs(1), peer: PeerIndex(1), event });
        let outcome = Outcome { ended: Ended::Complete, at: secs(2), pace: None, clients: Vec::new() };
        fold.finish(&layout(), &outcome).peers[1].from_seeds_bytes
    };
    // 0 is the seed, 2 the other leecher.
    assert_eq!(from_seeds(0, Some(0)), Some(10));
    assert_eq!(from_seeds(0, Some(2)), Some(0));
    assert_eq!(from_seeds(0, None), None);
    assert_eq!(from_seeds(2, None), Some(0));
    // Who is foreign does not tell.
    assert_eq!(from_seeds(1, Some(0)), None);
}
