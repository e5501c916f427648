//! The client against fake trackers that answer whatever a hostile one would.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::id::{InfoHash, PeerId};
use crate::net::announce::{TimeOuts, announce as announce_to};
use crate::time::Span;
use crate::wire::announce::{AnnounceEvent, Refusal, RetryIn};

const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// For answers that must not need it.
const PATIENT: TimeOuts = TimeOuts {
    connect: Duration::from_secs(60),
    http: Duration::from_secs(60),
    packet: Duration::from_secs(60),
    udp: Duration::from_secs(60),
};
const BRIEF: TimeOuts = TimeOuts { http: Duration::from_millis(200), ..PATIENT };

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

/// What the client makes of a tracker that reads one request's head, sends `answer` and then falls silent.
async fn answered(answer: Vec<u8>) -> Result<AnnounceResponse, AnnounceFailure> {
    answered_within(PATIENT, answer).await
}

async fn answered_within(time_outs: TimeOuts, answer: Vec<u8>) -> Result<AnnounceResponse, AnnounceFailure> {
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let tracker = TrackerUrl::http_at(listener.local_addr().unwrap());
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let _ = stream.write_all(&answer).await;
        std::future::pending::<Infallible>().await
    };
    let request = request();
    let outcome = tokio::select! {
        outcome = announce_to(&tracker, LOCALHOST, &request, time_outs) => outcome,
        never = serve => match never {},
    };
    outcome.map_err(|error| error.failure)
}

fn http(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[tokio::test]
async fn a_good_answer_counts_without_the_connections_end() {
    let response = answered(http(b"d8:intervali30e5:peers6:\x7F\0\0\x01\x1A\xE1e")).await.unwrap();
    assert_eq!(response.interval, Span::from_secs(30));
    assert_eq!(response.peers, ["127.0.0.1:6881".parse().unwrap()]);
}

#[tokio::test]
async fn a_chunked_answer_counts() {
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nd8\r\nE\r\n:intervali30ee\r\n0\r\n\r\n";
    assert_eq!(answered(chunked.to_vec()).await.unwrap().interval, Span::from_secs(30));
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let outcome = answered(http(b"d14:failure reason4:full8:retry in5:nevere")).await;
    let Err(AnnounceFailure::Refused(refusal)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal, Refusal { reason: "full".into(), retry_in: Some(RetryIn::Never) });
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect"] {
        let answer = format!("HTTP/1.1 {status}\r\nLocation: /announce\r\nContent-Length: 0\r\n\r\n");
        let outcome = answered(answer.into_bytes()).await;
        assert!(matches!(outcome, Err(AnnounceFailure::Redirect(_))), "{outcome:?}");
    }
    let outcome = answered(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    assert!(matches!(outcome, Err(AnnounceFailure::Status(StatusCode::NOT_FOUND))), "{outcome:?}");
}

#[tokio::test]
async fn compressed_answers_are_refused_unread() {
    let bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n\x1F\x8B";
    assert!(matches!(answered(bomb.to_vec()).await, Err(AnnounceFailure::Compressed)));
}

#[tokio::test]
async fn a_body_above_a_mebibyte_is_given_up() {
    let claimed = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    let sent = [&claimed[..], &vec![b'x'; 2 * MAX_BODY]].concat();
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b'x'; 2 * MAX_BODY]].concat();
    for body in [sent, endless] {
        let outcome = answered(body).await;
        assert!(matches!(outcome, Err(AnnounceFailure::Http(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn broken_http_and_broken_bencode_are_errors() {
    let overflow = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx".to_vec();
    let signed = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx".to_vec();
    let long_head = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; 2 * MAX_HEAD]].concat();
    for broken in [overflow, signed, long_head, b"SSH-2.0-OpenSSH\r\n".to_vec()] {
        let outcome = answered(broken.clone()).await;
        assert!(
            matches!(outcome, Err(AnnounceFailure::Http(_))),
            "{} {outcome:?}",
            broken[..40].escape_ascii()
        );
    }
    for body in [&b"d8:intervali30e5:peers7:1234567e"[..], b"d8:intervali-1ee", b"", &[b'l'; 100_000]] {
        let outcome = answered(http(body)).await;
        assert!(matches!(outcome, Err(AnnounceFailure::Reply(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn silence_and_half_answers_end_by_the_time_out() {
    for answer in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nd8:interval"] {
        let outcome = answered_within(BRIEF, answer.to_vec()).await;
        assert!(matches!(outcome, Err(AnnounceFailure::TimedOut(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_tracker_that_is_down_is_told_with_its_url() {
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let tracker = TrackerUrl::http_at(listener.local_addr().unwrap());
    drop(listener);
    let error = announce_to(&tracker, LOCALHOST, &request(), PATIENT).await.unwrap_err();
    assert!(matches!(error.failure, AnnounceFailure::Connect { .. }));
    let text = error.to_string();
    assert!(text.starts_with(&format!("tracker {tracker}: cannot connect from 127.0.0.1")), "{text}");
}

#[tokio::test]
async fn a_tracker_of_the_other_ip_version_cannot_be_reached() {
    let tracker = TrackerUrl::parse("http://[::1]:9/announce").unwrap();
    let failure = announce_to(&tracker, LOCALHOST, &request(), PATIENT).await.unwrap_err().failure;
    assert!(matches!(failure, AnnounceFailure::Unresolved { .. }), "{failure:?}");
}
