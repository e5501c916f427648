//! What a peer sends to a UDP tracker.

use super::{ANNOUNCE, CONNECT, ConnectionId, PROTOCOL, PacketError, Reader, SCRAPE, TransactionId};
use crate::id::{InfoHash, PeerId};
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, MAX_SCRAPED};

/// A request as a tracker reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Connect { transaction: TransactionId },
    Announce { connection: ConnectionId, transaction: TransactionId, request: AnnounceRequest },
    Scrape { connection: ConnectionId, transaction: TransactionId, info_hashes: Vec<InfoHash> },
}

pub fn write_connect(transaction: TransactionId) -> Vec<u8> {
    head(PROTOCOL, CONNECT, transaction)
}

/// The tracker takes the address from the packet, so none is said; the key is the end of the peer id. An unknown `left`
/// is written as −1.
pub fn write_announce(
    connection: ConnectionId,
    transaction: TransactionId,
    request: &AnnounceRequest,
) -> Vec<u8> {
    let mut packet = head(connection.0, ANNOUNCE, transaction);
    packet.extend_from_slice(&request.info_hash.0);
    packet.extend_from_slice(&request.peer_id.0);
    for counter in [request.downloaded, request.left.unwrap_or(u64::MAX), request.uploaded] {
        packet.extend_from_slice(&counter.to_be_bytes());
    }
    let event: u32 = match request.event {
        AnnounceEvent::None => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    packet.extend_from_slice(&event.to_be_bytes());
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(&request.peer_id.0[16..]);
    let num_want = request.num_want.map_or(-1, |wanted| i32::try_from(wanted).unwrap_or(i32::MAX));
    packet.extend_from_slice(&num_want.to_be_bytes());
    packet.extend_from_slice(&request.port.to_be_bytes());
    packet
}

/// Asks for the first [`MAX_SCRAPED`] of these swarms.
pub fn write_scrape(
    connection: ConnectionId,
    transaction: TransactionId,
    info_hashes: &[InfoHash],
) -> Vec<u8> {
    let mut packet = head(connection.0, SCRAPE, transaction);
    info_hashes.iter().take(MAX_SCRAPED).for_each(|info_hash| packet.extend_from_slice(&info_hash.0));
    packet
}

fn head(first: u64, action: u32, transaction: TransactionId) -> Vec<u8> {
    let mut packet = Vec::with_capacity(98);
    packet.extend_from_slice(&first.to_be_bytes());
    packet.extend_from_slice(&action.to_be_bytes());
    packet.extend_from_slice(&transaction.0.to_be_bytes());
    packet
}

/// Reads a request. What follows an announce (options of BEP 41, or anything else) is skipped, and so are the swarms of
/// a scrape beyond [`MAX_SCRAPED`]; odd counters and events are taken as unknown.
pub fn parse_request(packet: &[u8]) -> Result<Request, PacketError> {
    let mut reader = Reader::new(packet);
    let (first, action, transaction) = (reader.u64()?, reader.u32()?, TransactionId(reader.u32()?));
    let connection = ConnectionId(first);
    match action {
        CONNECT if first != PROTOCOL => Err(PacketError::NotTheProtocol),
        CONNECT => Ok(Request::Connect { transaction }),
        ANNOUNCE => {
            let request = announce(&mut reader)?;
            Ok(Request::Announce { connection, transaction, request })
        }
        SCRAPE => {
            let (rows, _) = reader.rest.as_chunks::<20>();
            let info_hashes: Vec<_> = rows.iter().take(MAX_SCRAPED).map(|hash| InfoHash(*hash)).collect();
            if info_hashes.is_empty() {
                return Err(PacketError::TooShort(packet.len()));
            }
            Ok(Request::Scrape { connection, transaction, info_hashes })
        }
        other => Err(PacketError::UnknownAction(other)),
    }
}

fn announce(reader: &mut Reader<'_>) -> Result<AnnounceRequest, PacketError> {
    let (info_hash, peer_id) = (InfoHash(reader.bytes()?), PeerId(reader.bytes()?));
    let (downloaded, left, uploaded) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let event = match reader.u32()? {
        1 => AnnounceEvent::Completed,
        2 => AnnounceEvent::Started,
        3 => AnnounceEvent::Stopped,
        _ => AnnounceEvent::None,
    };
    // An address could send the swarm to a third party; the key is of no use where the address is the name.
    let _address_and_key: [u8; 8] = reader.bytes()?;
    let num_want = i32::from_be_bytes(reader.bytes()?);
    Ok(AnnounceRequest {
        info_hash,
        peer_id,
        port: reader.u16()?,
        uploaded,
        downloaded,
        left: Some(left).filter(|left| i64::try_from(*left).is_ok()),
        event,
        num_want: u32::try_from(num_want).ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRANSACTION: TransactionId = TransactionId(0x0102_0304);

    fn a_request() -> impl Strategy<Value = AnnounceRequest> {
        let event = prop_oneof![
            Just(AnnounceEvent::None),
            Just(AnnounceEvent::Started),
            Just(AnnounceEvent::Completed),
            Just(AnnounceEvent::Stopped),
        ];
        let counters = (any::<u64>(), any::<u64>(), prop::option::of(..1u64 << 63));
        let num_want = prop::option::of(..1u32 << 31);
        (any::<[u8; 20]>(), any::<[u8; 20]>(), any::<u16>(), counters, event, num_want).prop_map(
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
        fn an_announce_round_trips_whatever_follows_it(
            connection: u64, transaction: u32, request in a_request(), options: Vec<u8>,
        ) {
            let (connection, transaction) = (ConnectionId(connection), TransactionId(transaction));
            let mut packet = write_announce(connection, transaction, &request);
            prop_assert_eq!(packet.len(), 98);
            packet.extend(options);
            let expected = Request::Announce { connection, transaction, request };
            prop_assert_eq!(parse_request(&packet), Ok(expected));
        }

        #[test]
        fn a_scrape_round_trips(
            connection: u64, transaction: u32, hashes in prop::collection::vec(any::<[u8; 20]>(), 1..100),
            rest in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let (connection, transaction) = (ConnectionId(connection), TransactionId(transaction));
            let mut info_hashes: Vec<InfoHash> = hashes.into_iter().map(InfoHash).collect();
            let mut packet = write_scrape(connection, transaction, &info_hashes);
            packet.extend(rest);
            info_hashes.truncate(MAX_SCRAPED);
            let expected = Request::Scrape { connection, transaction, info_hashes };
            prop_assert_eq!(parse_request(&packet), Ok(expected));
        }

        #[test]
        fn no_packet_panics_and_a_broken_off_one_is_none(packet: Vec<u8>, action in 0u8..5, request in a_request()) {
            let _ = parse_request(&packet);
            let head = [&[0, 0, 4, 23, 39, 16, 25, 128, 0, 0, 0, action][..], &packet].concat();
            let _ = parse_request(&head);
            let whole = write_announce(ConnectionId(1), TRANSACTION, &request);
            for length in 0..whole.len() {
                prop_assert_eq!(parse_request(&whole[..length]), Err(PacketError::TooShort(length)));
            }
        }
    }

    #[test]
    fn a_connect_reads_as_bep_15_writes_it() {
        let packet = write_connect(TRANSACTION);
        assert_eq!(packet, [0, 0, 4, 23, 39, 16, 25, 128, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(parse_request(&packet), Ok(Request::Connect { transaction: TRANSACTION }));
        let mut other = packet.clone();
        other[7] = 0;
        assert_eq!(parse_request(&other), Err(PacketError::NotTheProtocol));
        assert_eq!(parse_request(&packet[..15]), Err(PacketError::TooShort(15)));
    }

    #[test]
    fn an_announce_reads_as_bep_15_writes_it() {
        let request = AnnounceRequest {
            info_hash: InfoHash([0xAA; 20]),
            peer_id: PeerId::minibit(*b"abcdefghijkl"),
            port: 6881,
            uploaded: 3,
            downloaded: 1,
            left: Some(2),
            event: AnnounceEvent::Started,
            num_want: None,
        };
        let packet = write_announce(ConnectionId(7), TRANSACTION, &request);
        let mut expected = b"\0\0\0\0\0\0\0\x07\0\0\0\x01\x01\x02\x03\x04".to_vec();
        expected.extend([0xAA; 20]);
        expected.extend(b"-MB0001-abcdefghijkl");
        expected.extend(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x02\0\0\0\0");
        expected.extend(b"ijkl\xFF\xFF\xFF\xFF\x1A\xE1");
        assert_eq!(packet, expected);
    }

    #[test]
    fn odd_counters_and_events_are_unknown_and_never_an_error() {
        let plain = AnnounceRequest {
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([2; 20]),
            port: 1,
            uploaded: 0,
            downloaded: 0,
            left: None,
            event: AnnounceEvent::None,
            num_want: Some(u32::MAX),
        };
        let mut packet = write_announce(ConnectionId(0), TRANSACTION, &plain);
        packet[83] = 4;
        let Ok(Request::Announce { request, .. }) = parse_request(&packet) else { panic!("no announce") };
        assert_eq!(request, AnnounceRequest { num_want: Some(i32::MAX as u32), ..plain });
    }

    #[test]
    fn unknown_kinds_and_scrapes_of_nothing_are_refused() {
        let mut packet = write_connect(TRANSACTION);
        packet[11] = 9;
        assert_eq!(parse_request(&packet), Err(PacketError::UnknownAction(9)));
        let nothing = write_scrape(ConnectionId(1), TRANSACTION, &[]);
        assert_eq!(parse_request(&nothing), Err(PacketError::TooShort(16)));
    }
}
