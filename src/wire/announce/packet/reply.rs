//! What a UDP tracker answers. Written into a buffer that is used again and again; read by a peer that does not trust it.

use std::net::SocketAddr;

use super::{
    ANNOUNCE, CONNECT, ConnectionId, FAILED, Family, MAX_BYTES, PacketError, Reader, SCRAPE, TransactionId,
};
use crate::time::Span;
use crate::wire::announce::{AnnounceResponse, Refusal, SwarmCounts, whole_seconds};
use crate::wire::compact::{self, PEER4, PEER6};

/// Bytes of an answer to an announce before its peers.
const BEFORE_PEERS: usize = 20;

/// An answer as a peer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Connected {
        connection: ConnectionId,
    },
    Announced(AnnounceResponse),
    /// In the order in which the swarms were asked for.
    Scraped(Vec<SwarmCounts>),
    Failed(Refusal),
}

pub fn write_connected(transaction: TransactionId, connection: ConnectionId, packet: &mut Vec<u8>) {
    head(CONNECT, transaction, packet);
    packet.extend_from_slice(&connection.0.to_be_bytes());
}

/// Names the peers of the asker's family, as many as fit; counts that are not known are written as 0.
pub fn write_announced(
    transaction: TransactionId,
    response: &AnnounceResponse,
    family: Family,
    packet: &mut Vec<u8>,
) {
    head(ANNOUNCE, transaction, packet);
    let interval = u32::try_from(whole_seconds(response.interval)).unwrap_or(u32::MAX);
    for number in [interval, response.incomplete.unwrap_or(0), response.complete.unwrap_or(0)] {
        packet.extend_from_slice(&number.to_be_bytes());
    }
    let (each, of_family): (usize, fn(&SocketAddr) -> bool) = match family {
        Family::V4 => (PEER4, SocketAddr::is_ipv4),
        Family::V6 => (PEER6, SocketAddr::is_ipv6),
    };
    let peers = response.peers.iter().filter(|peer| of_family(peer));
    peers.take((MAX_BYTES - BEFORE_PEERS) / each).for_each(|peer| compact::write(*peer, packet));
}

pub fn write_scraped(
    transaction: TransactionId,
    swarms: impl IntoIterator<Item = SwarmCounts>,
    packet: &mut Vec<u8>,
) {
    head(SCRAPE, transaction, packet);
    for counts in swarms {
        for number in [counts.complete, counts.downloaded, counts.incomplete] {
            packet.extend_from_slice(&number.to_be_bytes());
        }
    }
}

pub fn write_failed(transaction: TransactionId, reason: &str, packet: &mut Vec<u8>) {
    head(FAILED, transaction, packet);
    packet.extend_from_slice(reason.as_bytes());
}

/// Begins the packet anew.
fn head(action: u32, transaction: TransactionId, packet: &mut Vec<u8>) {
    packet.clear();
    packet.extend_from_slice(&action.to_be_bytes());
    packet.extend_from_slice(&transaction.0.to_be_bytes());
}

/// Reads an answer to somebody who asked in `family`, and which request it answers.
pub fn parse_reply(packet: &[u8], family: Family) -> Result<(TransactionId, Reply), PacketError> {
    let mut reader = Reader::new(packet);
    let (action, transaction) = (reader.u32()?, TransactionId(reader.u32()?));
    let reply = match action {
        CONNECT => Reply::Connected { connection: ConnectionId(reader.u64()?) },
        ANNOUNCE => Reply::Announced(announced(&mut reader, family)?),
        SCRAPE => Reply::Scraped(scraped(reader.rest)?),
        FAILED => Reply::Failed(Refusal::heard(reader.rest, None)),
        other => return Err(PacketError::UnknownAction(other)),
    };
    Ok((transaction, reply))
}

fn announced(reader: &mut Reader<'_>, family: Family) -> Result<AnnounceResponse, PacketError> {
    let (interval, incomplete, complete) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let mut peers = Vec::new();
    let whole = match family {
        Family::V4 => compact::read::<PEER4>(reader.rest, &mut peers),
        Family::V6 => compact::read::<PEER6>(reader.rest, &mut peers),
    };
    if !whole {
        return Err(PacketError::BrokenRow);
    }
    Ok(AnnounceResponse {
        interval: Span::from_secs(interval.into()),
        min_interval: None,
        complete: Some(complete),
        incomplete: Some(incomplete),
        peers,
    })
}

fn scraped(rows: &[u8]) -> Result<Vec<SwarmCounts>, PacketError> {
    let (rows, rest) = rows.as_chunks::<12>();
    if !rest.is_empty() {
        return Err(PacketError::BrokenRow);
    }
    let read = |row: &[u8; 12]| {
        let mut reader = Reader::new(row);
        Ok(SwarmCounts { complete: reader.u32()?, downloaded: reader.u32()?, incomplete: reader.u32()? })
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    const TRANSACTION: TransactionId = TransactionId(0x0102_0304);

    fn a_response() -> impl Strategy<Value = AnnounceResponse> {
        let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
        let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
        let peer = (prop_oneof![v4, v6], 1u16..).prop_map(|(ip, port)| SocketAddr::new(ip, port));
        (any::<[u32; 3]>(), prop::collection::vec(peer, 0..500)).prop_map(
            |([interval, complete, incomplete], peers)| AnnounceResponse {
                interval: Span::from_secs(interval.into()),
                min_interval: None,
                complete: Some(complete),
                incomplete: Some(incomplete),
                peers,
            },
        )
    }

    proptest! {
        #[test]
        fn an_announced_round_trips_with_the_peers_of_the_askers_family(response in a_response(), v6: bool) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let mut packet = vec![7; 9];
            write_announced(TRANSACTION, &response, family, &mut packet);
            prop_assert!(packet.len() <= MAX_BYTES);
            let mut expected = response.clone();
            expected.peers.retain(|peer| peer.is_ipv6() == v6);
            expected.peers.truncate(if v6 { 67 } else { 202 });
            prop_assert_eq!(parse_reply(&packet, family), Ok((TRANSACTION, Reply::Announced(expected))));
        }

        #[test]
        fn a_scraped_round_trips(rows in prop::collection::vec(any::<[u32; 3]>(), 0..80)) {
            let counts = |[complete, downloaded, incomplete]: [u32; 3]| SwarmCounts { complete, downloaded, incomplete };
            let rows: Vec<SwarmCounts> = rows.into_iter().map(counts).collect();
            let mut packet = Vec::new();
            write_scraped(TRANSACTION, rows.iter().copied(), &mut packet);
            prop_assert_eq!(parse_reply(&packet, Family::V4), Ok((TRANSACTION, Reply::Scraped(rows))));
        }

        #[test]
        fn no_answer_panics(packet: Vec<u8>, action in 0u8..6, v6: bool) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let _ = parse_reply(&packet, family);
            let _ = parse_reply(&[&[0, 0, 0, action][..], &packet].concat(), family);
        }
    }

    #[test]
    fn answers_read_as_bep_15_writes_them() {
        let mut packet = Vec::new();
        write_connected(TRANSACTION, ConnectionId(9), &mut packet);
        assert_eq!(packet, b"\0\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\x09");
        write_failed(TRANSACTION, "no", &mut packet);
        assert_eq!(packet, b"\0\0\0\x03\x01\x02\x03\x04no");
        let peers = vec!["127.0.0.1:6881".parse().unwrap(), "[::1]:6881".parse().unwrap()];
        let interval = Span::from_millis(1_500);
        let response =
            AnnounceResponse { interval, min_interval: None, complete: Some(1), incomplete: Some(2), peers };
        let front = b"\0\0\0\x01\x01\x02\x03\x04\0\0\0\x02\0\0\0\x02\0\0\0\x01";
        write_announced(TRANSACTION, &response, Family::V4, &mut packet);
        assert_eq!(packet, [&front[..], b"\x7F\0\0\x01\x1A\xE1"].concat());
        write_announced(TRANSACTION, &response, Family::V6, &mut packet);
        assert_eq!(packet, [&front[..], &[0; 15], b"\x01\x1A\xE1"].concat());
    }

    #[test]
    fn hostile_answers_are_errors_or_harmless() {
        let parse = |packet: &[u8]| parse_reply(packet, Family::V4);
        assert_eq!(parse(b"\0\0\0\x01"), Err(PacketError::TooShort(4)));
        assert_eq!(parse(b"\0\0\0\x01\0\0\0\0\0\0\0\x02"), Err(PacketError::TooShort(12)));
        assert_eq!(parse(&[&[0, 0, 0, 1][..], &[0; 16], &[1; 7]].concat()), Err(PacketError::BrokenRow));
        assert_eq!(parse(&[&[0, 0, 0, 2][..], &[0; 4], &[1; 13]].concat()), Err(PacketError::BrokenRow));
        assert_eq!(parse(&[9; 20]), Err(PacketError::UnknownAction(0x0909_0909)));
        let nobody = parse(&[&[0, 0, 0, 1][..], &[0; 16], &[1, 1, 1, 1, 0, 0]].concat());
        let Ok((_, Reply::Announced(response))) = nobody else { panic!("{nobody:?}") };
        assert_eq!(response.peers, [], "nobody listens on port 0");
        let shouted = parse(&[&[0, 0, 0, 3, 0, 0, 0, 0][..], b"\x1B[2J", &[b'x'; 2_000]].concat());
        let Ok((_, Reply::Failed(refusal))) = shouted else { panic!("{shouted:?}") };
        assert!(refusal.reason.len() < 1_000 && !refusal.reason.contains('\x1B'));
    }
}
