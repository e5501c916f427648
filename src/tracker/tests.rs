use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::id::PeerId;

const INTERVAL: Span = Span::from_secs(30);
const SWARM: InfoHash = InfoHash([7; 20]);

fn tracker(peers_returned: u32) -> Tracker {
    Tracker::new(Settings { interval: INTERVAL, peers_returned }, 1)
}

fn addr(peer: u32) -> SocketAddr {
    SocketAddr::new(std::net::Ipv4Addr::from(0x7f00_0000 + peer).into(), 6_881)
}

/// Odd peers at IPv6 addresses.
fn dual(peer: u32) -> SocketAddr {
    match peer % 2 {
        0 => addr(peer),
        _ => SocketAddr::new(std::net::Ipv6Addr::from(u128::from(peer)).into(), 6_881),
    }
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

fn request(peer: u32, event: AnnounceEvent, left: u64) -> AnnounceRequest {
    let mut peer_id = [0; 20];
    peer_id[..4].copy_from_slice(&peer.to_be_bytes());
    AnnounceRequest {
        info_hash: SWARM,
        peer_id: PeerId(peer_id),
        port: 6_881,
        uploaded: 0,
        downloaded: 0,
        left: Some(left),
        event,
        num_want: None,
    }
}

fn ask(tracker: &mut Tracker, now: Time, from: SocketAddr, request: AnnounceRequest) -> TrackerReply {
    ask_for(Families::Both, tracker, now, from, request)
}

fn ask_for(
    families: Families,
    tracker: &mut Tracker,
    now: Time,
    from: SocketAddr,
    request: AnnounceRequest,
) -> TrackerReply {
    let mut actions = Vec::new();
    let input = TrackerInput::Announce { from: RequestId(9), addr: from, request, families };
    tracker.handle(now, input, &mut actions);
    match actions.pop() {
        Some(TrackerAction::Reply { to: RequestId(9), reply }) if actions.is_empty() => reply,
        other => panic!("one reply to the asker expected, not {other:?}"),
    }
}

fn announce(
    tracker: &mut Tracker,
    now: Time,
    peer: u32,
    event: AnnounceEvent,
    left: u64,
) -> AnnounceResponse {
    match ask(tracker, now, addr(peer), request(peer, event, left)) {
        TrackerReply::Announce(response) => response,
        other => panic!("an answer expected, not {other:?}"),
    }
}

/// `peers` leechers that joined at 0 s.
fn swarm_of(peers: u32, peers_returned: u32) -> Tracker {
    let mut tracker = tracker(peers_returned);
    for peer in 0..peers {
        announce(&mut tracker, at(0), peer, AnnounceEvent::Started, 1);
    }
    tracker
}

fn counts(tracker: &Tracker) -> (u32, u32, u32) {
    let counts = tracker.counts(&SWARM).unwrap_or_default();
    (counts.complete, counts.incomplete, counts.downloaded)
}

#[test]
fn a_swarm_of_fewer_than_five_is_told_as_a_whole() {
    for (peers, told) in [(1, 0), (2, 1), (4, 3), (5, 2), (50, 2)] {
        let mut tracker = swarm_of(peers, 2);
        let answer = announce(&mut tracker, at(1), 0, AnnounceEvent::None, 1);
        assert_eq!(answer.peers.len(), told, "of {peers} peers");
    }
}

#[test]
fn the_asker_limits_the_answer_but_never_above_200() {
    for (num_want, told) in [(Some(0), 0), (Some(3), 3), (Some(u32::MAX), 200), (None, 200)] {
        let mut tracker = swarm_of(300, 1_000);
        let request = AnnounceRequest { num_want, ..request(0, AnnounceEvent::None, 1) };
        let TrackerReply::Announce(answer) = ask(&mut tracker, at(1), addr(0), request) else {
            panic!("refused")
        };
        assert_eq!(answer.peers.len(), told, "asked for {num_want:?}");
    }
}

#[test]
fn an_asker_with_two_addresses_is_told_neither() {
    let mut tracker = swarm_of(3, 50);
    let answer = ask(&mut tracker, at(1), addr(99), request(0, AnnounceEvent::Started, 1));
    let TrackerReply::Announce(answer) = answer else { panic!("refused") };
    let told: BTreeSet<_> = answer.peers.into_iter().collect();
    assert_eq!(told, [addr(1), addr(2)].into());
}

#[test]
fn completed_is_counted_once_however_often_it_is_told() {
    let mut tracker = swarm_of(3, 50);
    announce(&mut tracker, at(1), 0, AnnounceEvent::Completed, 0);
    announce(&mut tracker, at(2), 0, AnnounceEvent::Completed, 0);
    announce(&mut tracker, at(3), 0, AnnounceEvent::None, 0);
    announce(&mut tracker, at(3), 3, AnnounceEvent::Started, 0);
    assert_eq!(counts(&tracker), (2, 2, 1));
}

#[test]
fn stopped_is_forgotten_at_once_and_told_nobody() {
    let mut tracker = swarm_of(3, 50);
    let answer = announce(&mut tracker, at(1), 2, AnnounceEvent::Stopped, 1);
    assert_eq!((answer.peers.len(), answer.incomplete), (0, Some(2)));
    announce(&mut tracker, at(1), 77, AnnounceEvent::Stopped, 1);
    assert_eq!(counts(&tracker), (0, 2, 0));
}

#[test]
fn two_silent_intervals_end_an_entry() {
    let mut tracker = swarm_of(3, 50);
    announce(&mut tracker, at(20), 1, AnnounceEvent::None, 1);
    assert_eq!(tracker.deadline(), Some(at(60)));
    tracker.handle(at(59), TrackerInput::Timeout, &mut Vec::new());
    assert_eq!(counts(&tracker), (0, 3, 0), "an early timeout changes nothing");
    tracker.handle(at(60), TrackerInput::Timeout, &mut Vec::new());
    assert_eq!((counts(&tracker), tracker.deadline()), ((0, 1, 0), Some(at(80))));
    tracker.handle(at(80), TrackerInput::Timeout, &mut Vec::new());
    assert_eq!((tracker.counts(&SWARM), tracker.deadline()), (None, None));
}

#[test]
fn a_swarm_that_everybody_left_keeps_its_downloads() {
    let mut tracker = swarm_of(1, 50);
    announce(&mut tracker, at(1), 0, AnnounceEvent::Completed, 0);
    announce(&mut tracker, at(2), 0, AnnounceEvent::Stopped, 0);
    assert_eq!(counts(&tracker), (0, 0, 1));
    announce(&mut tracker, at(3), 1, AnnounceEvent::Started, 1);
    assert_eq!(counts(&tracker), (0, 1, 1));
}

#[test]
fn port_0_is_refused_and_not_remembered() {
    let mut tracker = tracker(50);
    let reply =
        ask(&mut tracker, at(0), SocketAddr::new(addr(1).ip(), 0), request(1, AnnounceEvent::Started, 1));
    let TrackerReply::Refused(refusal) = reply else { panic!("{reply:?}") };
    assert_eq!(refusal.retry_in, Some(RetryIn::Never), "it will not be better another time");
    assert_eq!(tracker.counts(&SWARM), None);
}

#[test]
fn an_answer_over_udp_names_the_askers_family_only() {
    let mut tracker = tracker(50);
    (0..12).for_each(|peer| {
        ask(&mut tracker, at(0), dual(peer), request(peer, AnnounceEvent::Started, 1));
    });
    for (families, asker, told) in
        [(Families::Askers, 0, 5), (Families::Askers, 1, 5), (Families::Both, 0, 11), (Families::Both, 1, 11)]
    {
        let asked = request(asker, AnnounceEvent::None, 1);
        let reply = ask_for(families, &mut tracker, at(1), dual(asker), asked);
        let TrackerReply::Announce(answer) = reply else { panic!("{reply:?}") };
        assert_eq!(answer.peers.len(), told, "{families:?}");
        let own = |peer: &SocketAddr| peer.is_ipv4() == dual(asker).is_ipv4();
        assert!(families == Families::Both || answer.peers.iter().all(own), "{answer:?}");
        assert!(!answer.peers.contains(&dual(asker)));
    }
    assert_eq!(tracker.peer_id(&SWARM, dual(3)), Some(request(3, AnnounceEvent::None, 1).peer_id));
    assert_eq!(tracker.peer_id(&SWARM, addr(3)), None);
    assert_eq!(tracker.load(), Load { swarms: 1, peers: 12 });
}

#[test]
fn above_the_limit_the_longest_silent_peer_makes_room() {
    let settings = Settings { interval: INTERVAL, peers_returned: 50 };
    let mut tracker = Tracker::with_limits(settings, Limits { swarms: 9, peers: 3 }, 1);
    for peer in 0..3 {
        announce(&mut tracker, at(u64::from(peer)), peer, AnnounceEvent::Started, 1);
    }
    announce(&mut tracker, at(3), 0, AnnounceEvent::None, 1);
    let answer = announce(&mut tracker, at(4), 3, AnnounceEvent::Started, 1);
    assert_eq!(answer.peers.into_iter().collect::<BTreeSet<_>>(), [addr(0), addr(2)].into());
}

#[test]
fn above_the_limit_a_swarm_is_refused_unless_an_empty_one_makes_room() {
    let settings = Settings { interval: INTERVAL, peers_returned: 50 };
    let mut tracker = Tracker::with_limits(settings, Limits { swarms: 1, peers: 9 }, 1);
    announce(&mut tracker, at(0), 0, AnnounceEvent::Completed, 0);
    let other = AnnounceRequest { info_hash: InfoHash([8; 20]), ..request(1, AnnounceEvent::Started, 1) };
    let reply = ask(&mut tracker, at(1), addr(1), other.clone());
    let TrackerReply::Refused(refusal) = reply else { panic!("{reply:?}") };
    assert_eq!(refusal.retry_in, Some(RetryIn::Minutes(1)), "when the next entry expires");
    announce(&mut tracker, at(2), 0, AnnounceEvent::Stopped, 0);
    let reply = ask(&mut tracker, at(3), addr(1), other);
    assert!(matches!(reply, TrackerReply::Announce(_)), "{reply:?}");
    assert_eq!(tracker.counts(&SWARM), None);
}

#[test]
fn a_scrape_names_the_swarms_the_tracker_knows() {
    let mut tracker = swarm_of(3, 50);
    announce(&mut tracker, at(1), 0, AnnounceEvent::Completed, 0);
    let mut actions = Vec::new();
    let info_hashes = vec![InfoHash([1; 20]), SWARM];
    tracker.handle(at(1), TrackerInput::Scrape { from: RequestId(5), info_hashes }, &mut actions);
    let counts = SwarmCounts { complete: 1, downloaded: 1, incomplete: 2 };
    let reply = TrackerReply::Scrape(ScrapeResponse { files: vec![(SWARM, counts)] });
    assert_eq!(actions, [TrackerAction::Reply { to: RequestId(5), reply }]);
}

#[test]
fn every_other_peer_is_told_equally_often_and_equally_early() {
    const OTHERS: u32 = 20;
    const ROUNDS: u32 = 4_000;
    let mut tracker = swarm_of(OTHERS + 1, 5);
    let mut told = BTreeMap::<SocketAddr, u32>::new();
    let mut first = BTreeMap::<SocketAddr, u32>::new();
    for _ in 0..ROUNDS {
        let peers = announce(&mut tracker, at(1), 11, AnnounceEvent::None, 1).peers;
        *first.entry(peers[0]).or_default() += 1;
        peers.into_iter().for_each(|peer| *told.entry(peer).or_default() += 1);
    }
    for (counts, expected) in [(told, f64::from(ROUNDS) / 4.0), (first, f64::from(ROUNDS) / 20.0)] {
        assert_eq!(counts.len(), OTHERS as usize);
        let chi_squared: f64 =
            counts.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        assert!(chi_squared < 43.8, "{chi_squared} is beyond the 99.9 % quantile at 19 degrees of freedom");
    }
}

#[test]
fn a_hundred_thousand_peers_come_ask_and_expire() {
    let mut tracker = swarm_of(100_000, 50);
    assert_eq!(announce(&mut tracker, at(30), 5, AnnounceEvent::None, 1).peers.len(), 50);
    tracker.handle(at(60), TrackerInput::Timeout, &mut Vec::new());
    assert_eq!(counts(&tracker), (0, 1, 0));
}

proptest! {
    /// Against a list of who announced what when.
    #[test]
    fn the_tracker_knows_exactly_the_living(
        random_seed: u64,
        steps in prop::collection::vec((0u64..25, 0u32..12, 0u8..5, any::<bool>()), 1..120),
    ) {
        let settings = Settings { interval: INTERVAL, peers_returned: 6 };
        let mut tracker = Tracker::new(settings, random_seed);
        let mut living = BTreeMap::<SocketAddr, (Time, bool)>::new();
        let mut now = at(0);
        for (later, peer, what, over_udp) in steps {
            now += Span::from_secs(later);
            living.retain(|_, (seen, _)| now.since(*seen) < INTERVAL * 2);
            let (event, left) = match what {
                0 => (AnnounceEvent::Started, 1),
                1 => (AnnounceEvent::None, 1),
                2 => (AnnounceEvent::Completed, 0),
                3 => (AnnounceEvent::None, 0),
                _ => (AnnounceEvent::Stopped, 1),
            };
            if event == AnnounceEvent::Stopped {
                living.remove(&dual(peer));
            } else {
                living.insert(dual(peer), (now, left == 0));
            }
            let families = if over_udp { Families::Askers } else { Families::Both };
            let mut copy = tracker.clone();
            let asked = request(peer, event, left);
            let reply = ask_for(families, &mut tracker, now, dual(peer), asked.clone());
            prop_assert_eq!(&ask_for(families, &mut copy, now, dual(peer), asked), &reply, "equal inputs");
            let TrackerReply::Announce(answer) = reply else { panic!("{reply:?}") };

            let told: BTreeSet<_> = answer.peers.iter().copied().collect();
            prop_assert_eq!(told.len(), answer.peers.len(), "somebody is named twice");
            prop_assert!(!told.contains(&dual(peer)), "the asker is in its own answer");
            prop_assert!(told.iter().all(|peer| living.contains_key(peer)), "somebody gone is named");
            let may_be_told =
                |other: &&SocketAddr| !over_udp || other.is_ipv4() == dual(peer).is_ipv4();
            prop_assert!(told.iter().all(|peer| may_be_told(&peer)), "of the other family");
            if event != AnnounceEvent::Stopped {
                prop_assert_eq!(told.len(), (living.keys().filter(may_be_told).count() - 1).min(6));
            }
            let seeds = living.values().filter(|(_, complete)| *complete).count() as u32;
            prop_assert_eq!(answer.complete, Some(seeds));
            prop_assert_eq!(answer.incomplete, Some(living.len() as u32 - seeds));
            prop_assert_eq!(tracker.deadline(), living.values().map(|(seen, _)| *seen + INTERVAL * 2).min());
        }
    }
}
