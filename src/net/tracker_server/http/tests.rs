//! The server over loopback: our own client, and clients that no server wishes for.

use std::net::Ipv4Addr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::*;
use crate::id::{InfoHash, PeerId};
use crate::net::announce::{AnnounceFailure, TimeOuts, TrackerUrl, announce};
use crate::net::clock::Clock;
use crate::net::tracker_server::{Listen, TrackerServer};
use crate::time::Span;
use crate::tracker::{Settings, Tracker};
use crate::wire::announce::reply::parse_response;
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, AnnounceResponse};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HASH: &str = "info_hash=%25aaaaaaaaaaaaaaaaaa%2b";

fn brisk() -> Limits {
    Limits { header_time: Duration::from_millis(400), ..Limits::default() }
}

fn server(clock: Clock, limits: Limits) -> TrackerServer {
    let settings = Settings { interval: Span::from_secs(30), peers_returned: 50 };
    let listen = Listen::http(SocketAddr::new(LOCALHOST, 0));
    TrackerServer::start(&listen, Tracker::new(settings, 1), clock, limits).unwrap()
}

fn addr(server: &TrackerServer) -> SocketAddr {
    server.listening().http[0]
}

/// Every address and port has its own peer id.
fn request(from: IpAddr, port: u16, event: AnnounceEvent) -> AnnounceRequest {
    let mut tail = *b"............";
    let IpAddr::V4(from) = from else { panic!("these tests use IPv4") };
    tail[..4].copy_from_slice(&from.octets());
    tail[4..6].copy_from_slice(&port.to_be_bytes());
    AnnounceRequest {
        info_hash: InfoHash(*b"%aaaaaaaaaaaaaaaaaa+"),
        peer_id: PeerId::minibit(tail),
        port,
        uploaded: 0,
        downloaded: 0,
        left: Some(5),
        event,
        num_want: None,
    }
}

async fn ask(server: &TrackerServer, from: IpAddr, port: u16, event: AnnounceEvent) -> AnnounceResponse {
    let url = TrackerUrl::http_at(addr(server));
    announce(&url, from, &request(from, port, event), TimeOuts::default()).await.unwrap()
}

/// Sends the bytes and reads until the server closes or falls silent for longer than it may.
async fn exchange(server: &TrackerServer, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr(server)).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server holds the connection");
    answer
}

async fn get(server: &TrackerServer, target: &str) -> (String, Vec<u8>) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answer = exchange(server, request.as_bytes()).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let status = String::from_utf8(answer[..end].to_vec()).unwrap();
    (status.lines().next().unwrap().to_owned(), answer[end + 4..].to_vec())
}

#[tokio::test]
async fn peers_find_each_other_at_their_own_addresses() {
    let server = server(Clock::start(1.0), Limits::default());
    let first = ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    assert_eq!(first.interval, Span::from_secs(30));
    assert_eq!(first.peers, []);
    let second = ask(&server, LOCALHOST, 7002, AnnounceEvent::Started).await;
    assert_eq!(second.peers, [SocketAddr::new(LOCALHOST, 7001)]);
    assert_eq!((second.complete, second.incomplete), (Some(0), Some(2)));
    let third = ask(&server, LOCALHOST, 7001, AnnounceEvent::Stopped).await;
    assert_eq!(third.incomplete, Some(1));
    server.stop().await;
}

/// Only Linux has all of 127/8 without being told.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_is_known_by_the_address_it_asks_from() {
    let server = server(Clock::start(1.0), Limits::default());
    ask(&server, "127.0.0.9".parse().unwrap(), 6881, AnnounceEvent::Started).await;
    let answer = ask(&server, "127.0.0.10".parse().unwrap(), 6881, AnnounceEvent::Started).await;
    assert_eq!(answer.peers, ["127.0.0.9:6881".parse().unwrap()]);
    server.stop().await;
}

#[tokio::test]
async fn a_silent_peer_is_forgotten_in_scenario_time() {
    let clock = Clock::start(1_000.0);
    let server = server(clock, Limits::default());
    ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    clock.sleep_until(clock.now() + Span::from_secs(61)).await;
    assert_eq!(ask(&server, LOCALHOST, 7002, AnnounceEvent::Started).await.peers, []);
    server.stop().await;
}

#[tokio::test]
async fn foreign_forms_of_a_query_are_answered() {
    let server = server(Clock::start(1.0), Limits::default());
    ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    let (status, body) = get(
        &server,
        &format!("/announce?{HASH}&peer_id=-XX0001-%FF%fEcdefghijkl&port=7002&ip=203.0.113.7&left=-1"),
    )
    .await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(body, b"d8:completei0e10:incompletei2e8:intervali30e5:peers6:\x7F\0\0\x01\x1B\x59e");
    let (_, body) = get(
        &server,
        &format!("/announce?{HASH}&peer_id=-YY0001-abcdefghijkl&port=7003&compact=0&no_peer_id=1"),
    )
    .await;
    let response = parse_response(&body).unwrap().unwrap();
    assert!(body.windows(10).any(|ten| ten == b"5:peersld2"), "{}", body.escape_ascii());
    assert_eq!(response.peers.len(), 2);
    assert!(response.peers.iter().all(|peer| peer.ip() == LOCALHOST), "ip= is ignored: {response:?}");
    let (_, body) =
        get(&server, &format!("/announce?{HASH}&peer_id=-ZZ0001-abcdefghijkl&port=7004&compact=0&numwant=9"))
            .await;
    let entry = b"d2:ip9:127.0.0.17:peer id20:-YY0001-abcdefghijkl4:porti7003ee";
    assert!(body.windows(entry.len()).any(|bytes| bytes == entry), "{}", body.escape_ascii());
    assert_eq!(parse_response(&body).unwrap().unwrap().peers.len(), 3);
    let (status, body) =
        get(&server, "/scrape?info_hash=%25aaaaaaaaaaaaaaaaaa+&info_hash=bbbbbbbbbbbbbbbbbbbb").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(body, b"d5:filesd20:%aaaaaaaaaaaaaaaaaa+d8:completei0e10:downloadedi0e10:incompletei4eeee");
    server.stop().await;
}

#[tokio::test]
async fn unusable_requests_are_told_why() {
    let server = server(Clock::start(1.0), Limits::default());
    for (target, status, body) in [
        ("/announce", "200 OK", "d14:failure reason15:port is missing8:retry in5:nevere"),
        (
            "/announce?port=1&info_hash=x",
            "200 OK",
            "d14:failure reason35:info_hash has 1 bytes instead of 208:retry in5:nevere",
        ),
        ("/scrape", "200 OK", "d14:failure reason20:info_hash is missing8:retry in5:nevere"),
        ("/", "404 Not Found", "a tracker: /announce, /scrape and /metrics\n"),
        ("/announce/../etc", "404 Not Found", "a tracker: /announce, /scrape and /metrics\n"),
    ] {
        let (line, answer) = get(&server, target).await;
        assert_eq!(line, format!("HTTP/1.1 {status}"), "{target}");
        assert_eq!(String::from_utf8(answer).unwrap(), body, "{target}");
    }
    let posted =
        exchange(&server, b"POST /announce HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
            .await;
    assert!(posted.starts_with(b"HTTP/1.1 405"), "{}", posted.escape_ascii());
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_reaches_the_client_with_its_text() {
    let server = server(Clock::start(1.0), Limits::default());
    let nowhere = request(LOCALHOST, 0, AnnounceEvent::Started);
    let url = TrackerUrl::http_at(addr(&server));
    let error = announce(&url, LOCALHOST, &nowhere, TimeOuts::default()).await.unwrap_err();
    assert!(matches!(error.failure, AnnounceFailure::Refused(_)));
    assert!(error.to_string().ends_with("refused: port must be a number from 1 to 65535"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn hostile_heads_are_dropped() {
    let server = server(Clock::start(1.0), brisk());
    let long_line = [&b"GET /announce?"[..], &[b'a'; 2 * MAX_HEAD], b" HTTP/1.1\r\n\r\n"].concat();
    let long_header = [&b"GET / HTTP/1.1\r\nX: "[..], &[b'a'; 10_000], b"\r\n\r\n"].concat();
    let many_headers = [&b"GET / HTTP/1.1\r\n"[..], &b"A: b\r\n".repeat(1_000), b"\r\n"].concat();
    let no_line_end = vec![b'G'; 20_000];
    let not_http = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0\r\n\r\n".to_vec();
    for head in
        [long_line, long_header, many_headers, no_line_end, not_http, Vec::new(), b"GET / HT".to_vec()]
    {
        let answer = exchange(&server, &head).await;
        let refused = answer.is_empty() || answer.starts_with(b"HTTP/1.1 4");
        assert!(
            refused,
            "{} is answered {}",
            head[..head.len().min(20)].escape_ascii(),
            answer.escape_ascii()
        );
    }
    ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    server.stop().await;
}

#[tokio::test]
async fn a_header_that_drips_in_is_cut_off_at_its_deadline() {
    let server = server(Clock::start(1.0), brisk());
    let mut stream = TcpStream::connect(addr(&server)).await.unwrap();
    let connected_at = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let drip = async {
        for byte in b"GET /announce?".iter().cycle() {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = reader.read_to_end(&mut answer) => {}
        () = drip => {}
    }
    let lasted = connected_at.elapsed();
    assert!(lasted >= Duration::from_millis(390) && lasted < Duration::from_secs(5), "{lasted:?}");
    server.stop().await;
}

#[tokio::test]
async fn an_idle_kept_connection_is_closed() {
    let server = server(Clock::start(1.0), brisk());
    let answer =
        exchange(&server, format!("GET /scrape?{HASH} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", answer.escape_ascii());
    server.stop().await;
}

#[tokio::test]
async fn five_hundred_slow_clients_hold_nobody_up() {
    let server = server(Clock::start(1.0), Limits::default());
    let mut slow = Vec::new();
    for _ in 0..500 {
        let mut stream = TcpStream::connect(addr(&server)).await.unwrap();
        stream.write_all(b"GET /announce?info_hash=").await.unwrap();
        slow.push(stream);
    }
    let mut times = Vec::new();
    for port in 1..=100 {
        let asked_at = Instant::now();
        ask(&server, LOCALHOST, port, AnnounceEvent::Started).await;
        times.push(asked_at.elapsed());
    }
    times.sort();
    // Far below a header's deadline, far above what a busy machine needs.
    assert!(times[98] < Duration::from_secs(1), "p99 {:?}", times[98]);
    let stopping_at = Instant::now();
    server.stop().await;
    assert!(stopping_at.elapsed() < Duration::from_secs(5), "slow clients held the stop up");
}

#[tokio::test]
async fn where_all_places_are_taken_the_oldest_connection_makes_room() {
    let server = server(Clock::start(1.0), Limits { connections: 2, ..Limits::default() });
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(TcpStream::connect(addr(&server)).await.unwrap());
    }
    // The header's deadline is ten seconds away for all of them.
    let began = Instant::now();
    for _ in 0..10 {
        ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(silent[0].read(&mut [0; 1]).await.unwrap_or(0), 0, "the first one is closed");
    server.stop().await;
}

#[tokio::test]
async fn two_hundred_peers_at_once_are_all_answered() {
    let server = server(Clock::start(1.0), Limits::default());
    let url = TrackerUrl::http_at(addr(&server));
    let mut announces = JoinSet::new();
    for port in 1..=200 {
        let url = url.clone();
        announces.spawn(async move {
            announce(&url, LOCALHOST, &request(LOCALHOST, port, AnnounceEvent::Started), TimeOuts::default())
                .await
        });
    }
    while let Some(outcome) = announces.join_next().await {
        outcome.unwrap().unwrap();
    }
    let last = ask(&server, LOCALHOST, 201, AnnounceEvent::Started).await;
    assert_eq!((last.incomplete, last.peers.len()), (Some(201), 50));
    server.stop().await;
}

#[tokio::test]
async fn after_the_stop_nothing_is_left() {
    let server = server(Clock::start(1.0), Limits::default());
    let addr = addr(&server);
    let mut idle = TcpStream::connect(addr).await.unwrap();
    ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    let tasks = server.tasks.clone();
    server.stop().await;
    assert!(tasks.is_empty());
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0, "the idle connection is closed");
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_dropped_server_stops_too() {
    let server = server(Clock::start(1.0), Limits::default());
    let tasks = server.tasks.clone();
    drop(server);
    timeout(Duration::from_secs(5), tasks.wait()).await.unwrap();
}
