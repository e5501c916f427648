//! A tracker's answers both ways, and the hostile ones.

use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::id::InfoHash;
use crate::time::Span;
use crate::wire::announce::{AnnounceResponse, MAX_REASON, Refusal, RetryIn, ScrapeResponse, SwarmCounts};
use proptest::prelude::*;

const SECOND: Span = Span::from_secs(1);

fn parse(body: &[u8]) -> AnnounceResponse {
    parse_response(body).expect("a valid answer").expect("no refusal")
}

fn error(body: &[u8]) -> ReplyError {
    parse_response(body).expect_err("a hostile answer")
}

fn refused(reason: &str, retry_in: Option<RetryIn>) -> Refusal {
    Refusal { reason: reason.into(), retry_in }
}

fn an_address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
    (prop_oneof![v4, v6], 1u16..).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn a_response() -> impl Strategy<Value = AnnounceResponse> {
    let counts = (any::<Option<u32>>(), any::<Option<u32>>());
    let spans = (0u64..1 << 33, prop::option::of(0u64..1 << 33));
    (spans, counts, prop::collection::vec(an_address(), 0..40)).prop_map(
        |((interval, min_interval), (complete, incomplete), peers)| AnnounceResponse {
            interval: SECOND * interval,
            min_interval: min_interval.map(|seconds| SECOND * seconds),
            complete,
            incomplete,
            peers,
        },
    )
}

proptest! {
    #[test]
    fn an_answer_with_peer_dictionaries_round_trips(response in a_response()) {
        prop_assert_eq!(parse_response(&write_response(&response, PeersForm::Dictionaries(&[]))), Ok(Ok(response)));
    }

    #[test]
    fn a_compact_answer_round_trips_with_the_two_families_apart(response in a_response()) {
        let mut expected = response.clone();
        expected.peers.sort_by_key(SocketAddr::is_ipv6);
        prop_assert_eq!(parse_response(&write_response(&response, PeersForm::Compact)), Ok(Ok(expected)));
    }

    #[test]
    fn a_scrape_round_trips(files in prop::collection::btree_map(any::<[u8; 20]>(), any::<[u32; 3]>(), 0..20)) {
        let files = files.into_iter().map(|(hash, [complete, downloaded, incomplete])| {
            (InfoHash(hash), SwarmCounts { complete, downloaded, incomplete })
        });
        let response = ScrapeResponse { files: files.collect() };
        prop_assert_eq!(parse_scrape(&write_scrape(&response)), Ok(Ok(response)));
    }

    #[test]
    fn random_bytes_never_panic(
        bytes: Vec<u8>,
        plausible in "d?(8:interval|5:peers|6:peers6|5:files|14:failure reason|8:retry in|[0-9]{1,3}:|i-?[0-9]{1,20}e|[dlei:]){0,30}",
    ) {
        for body in [&bytes[..], plausible.as_bytes()] {
            let _ = parse_response(body);
            let _ = parse_scrape(body);
        }
    }

    #[test]
    fn a_flipped_byte_never_panics(response in a_response(), at: prop::sample::Index, byte: u8) {
        let mut body = write_response(&response, PeersForm::Dictionaries(&[]));
        *at.get_mut(&mut body) = byte;
        let _ = parse_response(&body);
    }

    #[test]
    fn a_cut_answer_is_an_error(response in a_response(), at: prop::sample::Index) {
        let body = write_response(&response, PeersForm::Compact);
        prop_assert!(parse_response(&body[..at.index(body.len())]).is_err());
    }
}

#[test]
fn answers_have_the_bytes_of_the_specifications() {
    let response = AnnounceResponse {
        interval: Span::from_millis(1_800_001),
        min_interval: None,
        complete: Some(1),
        incomplete: Some(2),
        peers: vec!["127.0.0.2:6881".parse().unwrap()],
    };
    assert_eq!(
        write_response(&response, PeersForm::Compact),
        b"d8:completei1e10:incompletei2e8:intervali1801e5:peers6:\x7F\0\0\x02\x1A\xE1e"
    );
    assert_eq!(
        write_response(&response, PeersForm::Dictionaries(&[])),
        b"d8:completei1e10:incompletei2e8:intervali1801e5:peersld2:ip9:127.0.0.24:porti6881eeee"
    );
    let counts = SwarmCounts { complete: 1, downloaded: 2, incomplete: 3 };
    assert_eq!(
        write_scrape(&ScrapeResponse { files: vec![(InfoHash([b'h'; 20]), counts)] }),
        b"d5:filesd20:hhhhhhhhhhhhhhhhhhhhd8:completei1e10:downloadedi2e10:incompletei3eeee"
    );
}

#[test]
fn an_answer_of_a_foreign_tracker_is_understood() {
    let body =
        b"d8:completei1e10:downloadedi0e10:incompletei1e8:intervali1813e12:min intervali906e5:peers12:\
                 \x7F\0\0\x01\x1A\xE1\x7F\0\0\x01\0\0e";
    let response = parse(body);
    assert_eq!(response.interval, SECOND * 1813);
    assert_eq!(response.min_interval, Some(SECOND * 906));
    assert_eq!(response.peers, ["127.0.0.1:6881".parse().unwrap()], "port 0 cannot be dialled");
    let named = b"d8:intervali1e5:peersld2:ip11:example.org7:peer id3:abc4:porti1eed2:ip3:::14:porti2eeee";
    assert_eq!(parse(named).peers, ["[::1]:2".parse().unwrap()], "names are not looked up");
    assert_eq!(parse(b"d8:intervali1ee").peers, []);
}

#[test]
fn refusals_round_trip_and_win_over_everything_else() {
    for retry_in in [None, Some(RetryIn::Minutes(5)), Some(RetryIn::Never)] {
        let refusal = refused("unregistered torrent", retry_in);
        let body = write_refusal(&refusal);
        assert_eq!(parse_response(&body), Ok(Err(refusal.clone())));
        assert_eq!(parse_scrape(&body), Ok(Err(refusal)));
    }
    let both = b"d14:failure reason4:full8:intervali5e5:peers0:e";
    assert_eq!(parse_response(both), Ok(Err(refused("full", None))));
    let odd = b"d14:failure reason4:full8:retry ini-5ee";
    assert_eq!(parse_response(odd), Ok(Err(refused("full", None))));
}

#[test]
fn a_refusals_text_is_bounded_and_harmless() {
    let reason = |text: &[u8]| {
        let body = [format!("d14:failure reason{}:", text.len()).as_bytes(), text, b"e"].concat();
        parse_response(&body).unwrap().unwrap_err().reason
    };
    assert_eq!(&*reason("não: \"x\"".as_bytes()), "não: \"x\"");
    assert_eq!(&*reason("a\x1B[2Jb\n\u{202E}c\u{200B}".as_bytes()), "a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}c\u{FFFD}");
    assert_eq!(&*reason(b"\xFF"), "\u{FFFD}");
    assert_eq!(reason(&[b'x'; 5_000]).chars().count(), MAX_REASON);
}

#[test]
fn hostile_intervals_are_refused_or_saturate() {
    let interval = |text: &str| parse_response(format!("d8:intervali{text}e5:peers0:e").as_bytes());
    assert_eq!(interval("0").unwrap().unwrap().interval, Span::ZERO, "the announcer clamps it");
    assert_eq!(interval("9223372036854775807").unwrap().unwrap().interval, Span::MAX);
    assert_eq!(interval("-1"), Err(ReplyError::BadValue("interval")));
    for hostile in
        ["9223372036854775808", "999999999999999999999999999999", "-0", "00", "01", "", "1.5", "0x1"]
    {
        assert!(matches!(interval(hostile), Err(ReplyError::Bencode(_))), "{hostile}");
    }
    assert_eq!(error(b"d5:peers0:e"), ReplyError::Missing("interval"));
    assert_eq!(error(b"d8:interval2:30e"), ReplyError::BadValue("interval"));
}

#[test]
fn broken_peers_are_refused() {
    let each = |key, length, each| ReplyError::BrokenPeers { key, length, each };
    assert_eq!(error(b"d8:intervali1e5:peers7:1234567e"), each("peers", 7, 6));
    assert_eq!(error(b"d8:intervali1e6:peers65:12345e"), each("peers6", 5, 18));
    assert_eq!(error(b"d8:intervali1e5:peersi1ee"), ReplyError::BadValue("peers"));
    assert_eq!(error(b"d8:intervali1e5:peersli1eee"), ReplyError::BadValue("a peer"));
    assert_eq!(error(b"d8:intervali1e5:peersldeee"), ReplyError::Missing("a peer's ip"));
    assert_eq!(error(b"d8:intervali1e5:peersld2:ip3:::1eee"), ReplyError::Missing("a peer's port"));
    let port = b"d8:intervali1e5:peersld2:ip3:::14:porti65536eeee";
    assert_eq!(error(port), ReplyError::BadValue("a peer's port"));
}

#[test]
fn hostile_bencode_is_refused_on_a_small_stack() {
    let nested: [Vec<u8>; 4] = [
        vec![b'l'; 1_000_000],
        b"d1:a".repeat(250_000),
        [&b"d8:intervali1e5:peers"[..], &vec![b'l'; 1_000_000]].concat(),
        [&b"d1:x"[..], &b"l".repeat(100), &b"e".repeat(100), b"e"].concat(),
    ];
    let refused = move || {
        nested.iter().all(|body| matches!(error(body), ReplyError::Bencode(_) | ReplyError::BadValue(_)))
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(refused).unwrap();
    assert!(thread.join().unwrap());
}

#[test]
fn loose_bencode_is_refused() {
    for body in [
        &b""[..],
        b"i1e",
        b"le",
        b"4:spam",
        b"d8:intervali1ee ",
        b"d8:intervali1eede",
        b"d5:peers0:8:intervali1ee",
        b"d8:intervali1e8:intervali1ee",
        b"d8:intervali1e5:peers99999999999999999999:e",
        b"d8:intervali1e5:peers100:e",
        b"d8:intervali1e",
        b"<html>not a tracker</html>",
    ] {
        assert!(parse_response(body).is_err(), "{}", body.escape_ascii());
    }
}

#[test]
fn an_answer_above_a_mebibyte_is_refused_unread() {
    let long = vec![b'd'; MAX_BODY + 1];
    assert_eq!(error(&long), ReplyError::TooLong(MAX_BODY + 1));
}

#[test]
fn absurd_counts_are_unknown() {
    let response = parse(b"d8:completei-1e10:incompletei99999999999e8:intervali1ee");
    assert_eq!((response.complete, response.incomplete), (None, None));
}
