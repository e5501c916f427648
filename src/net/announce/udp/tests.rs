//! The client against fake trackers that lose, delay and garble whatever they like.

use super::*;
use crate::id::{InfoHash, PeerId};
use crate::net::announce::{AnnounceError, TimeOuts, TrackerUrl, announce as announce_to};
use crate::time::Span;
use crate::wire::announce::AnnounceEvent;
use crate::wire::announce::packet::{
    ConnectionId, Request, parse_request, write_announced, write_connected, write_failed, write_scraped,
};

const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ID: ConnectionId = ConnectionId(77);
/// Sent again soon, and given up late.
const BRISK: TimeOuts = TimeOuts {
    connect: Duration::ZERO,
    http: Duration::ZERO,
    packet: Duration::from_millis(20),
    udp: Duration::from_secs(60),
};

fn request() -> AnnounceRequest {
    AnnounceRequest {
        info_hash: InfoHash([0x25; 20]),
        peer_id: PeerId::minibit([0xFF; 12]),
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: Some(0),
        event: AnnounceEvent::Started,
        num_want: None,
    }
}

/// What the client makes of a tracker that answers its packet number `n` with the packets `answer(n, request)`; and how
/// many packets it sent.
async fn asked(
    time_outs: TimeOuts,
    mut answer: impl FnMut(usize, Request) -> Vec<Vec<u8>>,
) -> (Result<AnnounceResponse, AnnounceError>, usize) {
    let socket = UdpSocket::bind((LOCALHOST, 0)).await.unwrap();
    let tracker = TrackerUrl::udp_at(socket.local_addr().unwrap());
    let mut packets = 0;
    let serve = async {
        let mut packet = [0; 200];
        loop {
            let (length, from) = socket.recv_from(&mut packet).await.unwrap();
            let request = parse_request(&packet[..length]).unwrap();
            packets += 1;
            for reply in answer(packets, request) {
                socket.send_to(&reply, from).await.unwrap();
            }
        }
    };
    let request = request();
    let outcome = tokio::select! {
        outcome = announce_to(&tracker, LOCALHOST, &request, time_outs) => outcome,
        () = serve => unreachable!(),
    };
    (outcome, packets)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = Vec::new();
    write(&mut packet);
    packet
}

fn connected(transaction: TransactionId) -> Vec<u8> {
    written(|packet| write_connected(transaction, ID, packet))
}

fn announced(transaction: TransactionId) -> Vec<u8> {
    let response = AnnounceResponse {
        interval: Span::from_secs(30),
        min_interval: None,
        complete: Some(1),
        incomplete: Some(1),
        peers: vec!["127.0.0.1:6881".parse().unwrap()],
    };
    written(|packet| write_announced(transaction, &response, Family::V4, packet))
}

fn honest(request: &Request) -> Vec<u8> {
    match request {
        Request::Connect { transaction } => connected(*transaction),
        Request::Announce { connection, transaction, .. } => {
            assert_eq!(*connection, ID);
            announced(*transaction)
        }
        Request::Scrape { .. } => panic!("nobody scrapes"),
    }
}

#[tokio::test]
async fn an_announce_takes_two_packets() {
    let (outcome, packets) = asked(TimeOuts::default(), |_, request| vec![honest(&request)]).await;
    let response = outcome.unwrap();
    assert_eq!(response.interval, Span::from_secs(30));
    assert_eq!(response.peers, ["127.0.0.1:6881".parse().unwrap()]);
    assert_eq!(packets, 2);
}

#[tokio::test]
async fn lost_packets_are_sent_again() {
    let lossy = |n, request| if [1, 2, 4].contains(&n) { vec![] } else { vec![honest(&request)] };
    let (outcome, packets) = asked(BRISK, lossy).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(packets, 5);
}

#[tokio::test]
async fn what_is_no_answer_to_the_last_packet_is_as_good_as_none() {
    let garbling = |_, request: Request| {
        let (Request::Connect { transaction }
        | Request::Announce { transaction, .. }
        | Request::Scrape { transaction, .. }) = request;
        let other = TransactionId(transaction.0 ^ 1);
        vec![
            vec![],
            vec![0; 7],
            connected(other),
            announced(other),
            written(|packet| write_failed(other, "not for you", packet)),
            written(|packet| write_scraped(transaction, [], packet)),
            [announced(transaction), vec![1]].concat(),
            honest(&request),
        ]
    };
    let (outcome, packets) = asked(TimeOuts::default(), garbling).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(packets, 2);
}

#[tokio::test]
async fn an_error_at_either_step_is_a_refusal_with_its_text() {
    for step in [1, 2] {
        let refusing = |n, request: Request| match request {
            Request::Connect { transaction } | Request::Announce { transaction, .. } if n == step => {
                vec![written(|packet| write_failed(transaction, "full\x07", packet))]
            }
            _ => vec![honest(&request)],
        };
        let error = asked(TimeOuts::default(), refusing).await.0.unwrap_err();
        assert!(error.to_string().ends_with("refused: full\u{FFFD}"), "{error}");
    }
}

#[tokio::test]
async fn silence_ends_by_the_total_time_out_or_after_eight_repeats() {
    let brief = TimeOuts { udp: Duration::from_millis(100), ..BRISK };
    let (outcome, packets) = asked(brief, |_, _| vec![]).await;
    let failure = outcome.unwrap_err().failure;
    assert!(matches!(failure, AnnounceFailure::TimedOut(_)), "{failure:?}");
    assert!((2..=3).contains(&packets), "20 + 40 + 80 ms: {packets} packets");

    let hasty = TimeOuts { packet: Duration::from_micros(50), ..BRISK };
    let (outcome, packets) = asked(hasty, |_, _| vec![]).await;
    let failure = outcome.unwrap_err().failure;
    assert!(matches!(failure, AnnounceFailure::Silence), "{failure:?}");
    assert_eq!(packets, 9);
}

/// Only Linux tells a UDP socket for sure that nobody listens at the other end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_tracker_that_is_down_is_known_at_once() {
    let socket = UdpSocket::bind((LOCALHOST, 0)).await.unwrap();
    let tracker = TrackerUrl::udp_at(socket.local_addr().unwrap());
    drop(socket);
    let outcome = announce_to(&tracker, LOCALHOST, &request(), TimeOuts::default()).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.failure, AnnounceFailure::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("is the tracker running?"), "{error}");
}
