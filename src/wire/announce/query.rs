//! The query of an HTTP announce or scrape (BEP 3, 23, 48): written by a peer, read by a tracker. Read byte by byte,
//! because clients send raw and escaped bytes in every mixture; unknown parameters, `ip=` among them, are ignored.

use std::fmt::Write;

use crate::id::{InfoHash, PeerId};
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, MAX_SCRAPED, percent};

/// An announce as a tracker reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceQuery {
    pub request: AnnounceRequest,
    /// BEP 23: peers as a string; also where the client does not say. As dictionaries otherwise.
    pub compact: bool,
    /// Dictionaries may leave the peers' ids out.
    pub no_peer_id: bool,
}

/// What is wrong with a query; the text is sent as the `failure reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{parameter} has {length} bytes instead of 20")]
    NotTwentyBytes { parameter: &'static str, length: usize },
    #[error("{0} is not percent-encoded properly")]
    BadEscape(&'static str),
    #[error("port must be a number from 1 to 65535")]
    BadPort,
}

/// The query, without a leading `?`, that announces `request` and asks for compact peers.
pub fn write_announce(request: &AnnounceRequest) -> String {
    let mut query = String::with_capacity(256);
    query.push_str("info_hash=");
    percent::encode(&request.info_hash.0, &mut query);
    query.push_str("&peer_id=");
    percent::encode(&request.peer_id.0, &mut query);
    let mut number = |name: &str, value: u64| {
        write!(query, "&{name}={value}").expect("a String takes every text");
    };
    number("port", u64::from(request.port));
    number("uploaded", request.uploaded);
    number("downloaded", request.downloaded);
    if let Some(left) = request.left {
        number("left", left);
    }
    number("compact", 1);
    if let Some(num_want) = request.num_want {
        number("numwant", u64::from(num_want));
    }
    match request.event {
        AnnounceEvent::None => {}
        AnnounceEvent::Started => query.push_str("&event=started"),
        AnnounceEvent::Completed => query.push_str("&event=completed"),
        AnnounceEvent::Stopped => query.push_str("&event=stopped"),
    }
    query
}

/// Reads an announce. Odd counters are taken as unknown or zero, because such clients exist; a request without a
/// usable hash, id or port is refused.
pub fn parse_announce(query: &[u8]) -> Result<AnnounceQuery, QueryError> {
    let number = |name| first(query, name).and_then(decimal);
    let port = first(query, "port").ok_or(QueryError::Missing("port"))?;
    let port = decimal(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    let request = AnnounceRequest {
        info_hash: InfoHash(twenty_bytes(query, "info_hash")?),
        peer_id: PeerId(twenty_bytes(query, "peer_id")?),
        port: port.ok_or(QueryError::BadPort)?,
        uploaded: number("uploaded").unwrap_or(0),
        downloaded: number("downloaded").unwrap_or(0),
        left: number("left"),
        event: match first(query, "event") {
            Some(b"started") => AnnounceEvent::Started,
            Some(b"completed") => AnnounceEvent::Completed,
            Some(b"stopped") => AnnounceEvent::Stopped,
            _ => AnnounceEvent::None,
        },
        num_want: number("numwant").map(|wanted| u32::try_from(wanted).unwrap_or(u32::MAX)),
    };
    Ok(AnnounceQuery {
        request,
        compact: first(query, "compact") != Some(b"0"),
        no_peer_id: first(query, "no_peer_id") == Some(b"1"),
    })
}

/// The query, without a leading `?`, that asks for the counts of these swarms.
pub fn write_scrape(info_hashes: &[InfoHash]) -> String {
    let mut query = String::new();
    for info_hash in info_hashes {
        query.push_str(if query.is_empty() { "info_hash=" } else { "&info_hash=" });
        percent::encode(&info_hash.0, &mut query);
    }
    query
}

/// The swarms a scrape asks for, at most [`MAX_SCRAPED`]. To ask for all of them is refused.
pub fn parse_scrape(query: &[u8]) -> Result<Vec<InfoHash>, QueryError> {
    let hashes = values(query, "info_hash").take(MAX_SCRAPED);
    let hashes: Vec<_> =
        hashes.map(|value| exactly_twenty("info_hash", value).map(InfoHash)).collect::<Result<_, _>>()?;
    if hashes.is_empty() { Err(QueryError::Missing("info_hash")) } else { Ok(hashes) }
}

/// Every value of a parameter, still escaped.
fn values<'q>(query: &'q [u8], name: &str) -> impl Iterator<Item = &'q [u8]> {
    query
        .split(|byte| *byte == b'&')
        .filter_map(move |pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn first<'q>(query: &'q [u8], name: &str) -> Option<&'q [u8]> {
    values(query, name).next()
}

fn twenty_bytes(query: &[u8], parameter: &'static str) -> Result<[u8; 20], QueryError> {
    exactly_twenty(parameter, first(query, parameter).ok_or(QueryError::Missing(parameter))?)
}

fn exactly_twenty(parameter: &'static str, value: &[u8]) -> Result<[u8; 20], QueryError> {
    let bytes = percent::decode(value).ok_or(QueryError::BadEscape(parameter))?;
    <[u8; 20]>::try_from(bytes).map_err(|bytes| QueryError::NotTwentyBytes { parameter, length: bytes.len() })
}

/// Digits only: no sign, no space, nothing beyond 64 bits.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDS: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb";

    fn parse(rest: &str) -> AnnounceQuery {
        parse_announce(format!("{IDS}&{rest}").as_bytes()).unwrap()
    }

    fn a_request() -> impl Strategy<Value = AnnounceRequest> {
        let event = prop_oneof![
            Just(AnnounceEvent::None),
            Just(AnnounceEvent::Started),
            Just(AnnounceEvent::Completed),
            Just(AnnounceEvent::Stopped),
        ];
        let counters = (any::<u64>(), any::<u64>(), any::<Option<u64>>());
        (any::<[u8; 20]>(), any::<[u8; 20]>(), 1u16.., counters, event, any::<Option<u32>>()).prop_map(
            |(info_hash, peer_id, port, (uploaded, downloaded, left), event, num_want)| AnnounceRequest {
                info_hash: InfoHash(info_hash),
                peer_id: PeerId(peer_id),
                port,
                uploaded,
                downloaded,
                left,
                event,
                num_want,
            },
        )
    }

    proptest! {
        #[test]
        fn an_announce_round_trips(request in a_request()) {
            let query = write_announce(&request);
            prop_assert_eq!(parse_announce(query.as_bytes()), Ok(AnnounceQuery { request, compact: true, no_peer_id: false }));
        }

        #[test]
        fn a_scrape_round_trips(hashes in prop::collection::vec(any::<[u8; 20]>(), 1..=MAX_SCRAPED)) {
            let hashes: Vec<_> = hashes.into_iter().map(InfoHash).collect();
            prop_assert_eq!(parse_scrape(write_scrape(&hashes).as_bytes()), Ok(hashes));
        }

        #[test]
        fn hostile_queries_never_panic(bytes: Vec<u8>, tail in "(info_hash|peer_id|port|left|numwant|%|=|&|[0-9]){0,40}") {
            let _ = parse_announce(&bytes);
            let _ = parse_scrape(&bytes);
            let _ = parse_announce(tail.as_bytes());
            let _ = parse_announce(format!("{IDS}&{tail}").as_bytes());
        }
    }

    #[test]
    fn an_announce_reads_as_bep_3_writes_it() {
        let request = AnnounceRequest {
            info_hash: InfoHash(*b"\x124Vx\x9A\xBC\xDE\xF1#Eg\x89\xAB\xCD\xEF\x124Vx\x9A"),
            peer_id: PeerId::minibit(*b"abcdefghijkl"),
            port: 6881,
            uploaded: 1,
            downloaded: 2,
            left: Some(3),
            event: AnnounceEvent::Started,
            num_want: Some(50),
        };
        assert_eq!(
            write_announce(&request),
            "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-MB0001-abcdefghijkl\
             &port=6881&uploaded=1&downloaded=2&left=3&compact=1&numwant=50&event=started"
        );
    }

    #[test]
    fn raw_bytes_mixed_case_and_an_escaped_percent_are_the_same_hash() {
        let hash = |text: &[u8]| {
            let query = [b"info_hash=", text, b"&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1"].concat();
            parse_announce(&query).map(|query| query.request.info_hash)
        };
        let expected = Ok(InfoHash(*b"%+\xAB\xCDaaaaaaaaaaaaaaaa"));
        assert_eq!(hash(b"%25%2B%AB%CDaaaaaaaaaaaaaaaa"), expected);
        assert_eq!(hash(b"%25+%aB%cd%61aaaaaaaaaaaaaaa"), expected);
        assert_eq!(hash(b"%25+\xAB\xCDaaaaaaaaaaaaaaaa"), expected);
    }

    #[test]
    fn odd_counters_are_unknown_and_never_an_error() {
        for odd in ["", "left=", "left=-1", "left=x", "left=99999999999999999999", "left=+1", "left=%31"] {
            assert_eq!(parse(&format!("port=1&{odd}")).request.left, None, "{odd}");
        }
        assert_eq!(parse("port=1&uploaded=-5").request.uploaded, 0);
        assert_eq!(parse("port=1&numwant=-1").request.num_want, None);
        assert_eq!(parse("port=1&numwant=2147483648").request.num_want, Some(1 << 31));
        assert_eq!(parse("port=1&numwant=99999999999").request.num_want, Some(u32::MAX));
        assert_eq!(parse("port=1&event=paused").request.event, AnnounceEvent::None);
    }

    #[test]
    fn foreign_addresses_and_unknown_parameters_change_nothing() {
        let plain = parse("port=6881&left=0");
        assert_eq!(parse("ip=203.0.113.9&ipv4=203.0.113.9:1&%zz&&x&=&key=%&port=6881&left=0"), plain);
        assert_eq!(
            parse("port=6881&left=0&port=1&left=7"),
            plain,
            "the first of a repeated parameter counts"
        );
    }

    #[test]
    fn peers_are_compact_unless_declined() {
        assert!(parse("port=1").compact);
        assert!(parse("port=1&compact=1").compact);
        assert!(!parse("port=1&compact=0").compact);
        assert!(!parse("port=1&compact=0").no_peer_id);
        assert!(parse("port=1&compact=0&no_peer_id=1").no_peer_id);
    }

    #[test]
    fn unusable_announces_say_what_is_wrong() {
        let error = |query: &str| parse_announce(query.as_bytes()).unwrap_err().to_string();
        assert_eq!(error(""), "port is missing");
        assert_eq!(error("port=1&peer_id=bbbbbbbbbbbbbbbbbbbb"), "info_hash is missing");
        assert_eq!(error("port=1&info_hash=aaaaaaaaaaaaaaaaaaaa"), "peer_id is missing");
        assert_eq!(error("port=1&info_hash=short"), "info_hash has 5 bytes instead of 20");
        assert_eq!(error("port=1&info_hash=%4"), "info_hash is not percent-encoded properly");
        for port in ["0", "65536", "-1", "x", ""] {
            assert_eq!(error(&format!("{IDS}&port={port}")), "port must be a number from 1 to 65535");
        }
    }

    #[test]
    fn a_scrape_is_capped_and_needs_a_hash() {
        let many = vec![InfoHash([7; 20]); MAX_SCRAPED + 1];
        assert_eq!(parse_scrape(write_scrape(&many).as_bytes()).unwrap().len(), MAX_SCRAPED);
        assert_eq!(parse_scrape(b""), Err(QueryError::Missing("info_hash")));
        assert!(parse_scrape(b"info_hash=short").is_err());
    }
}
