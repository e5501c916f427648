//! Both ways in lead to the same tracker.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::id::{InfoHash, PeerId};
use crate::net::announce::{TimeOuts, announce};
use crate::time::Span;
use crate::tracker::Settings;
use crate::wire::announce::{AnnounceEvent, AnnounceRequest};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANY: SocketAddr = SocketAddr::new(LOCALHOST, 0);

fn start(listen: &Listen) -> io::Result<TrackerServer> {
    let settings = Settings { interval: Span::from_secs(30), peers_returned: 50 };
    TrackerServer::start(listen, Tracker::new(settings, 1), Clock::start(1.0), Limits::default())
}

fn request(port: u16) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([port as u8; 20]),
        port,
        uploaded: 0,
        downloaded: 0,
        left: Some(1),
        event: AnnounceEvent::Started,
        num_want: None,
    }
}

async fn metrics(server: &TrackerServer, host: &str) -> String {
    let mut stream = TcpStream::connect(server.listening().http[0]).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn who_asks_over_http_finds_who_asked_over_udp_and_both_are_counted() {
    let server = start(&Listen { http: vec![ANY], udp: vec![ANY, ANY] }).unwrap();
    let urls: Vec<TrackerUrl> = server.urls().collect();
    assert_eq!(urls.len(), 3);
    for (told, (port, url)) in (7_001..).zip(&urls).enumerate() {
        let answer = announce(url, LOCALHOST, &request(port), TimeOuts::default()).await.unwrap();
        assert_eq!(answer.peers.len(), told, "{url}");
    }
    let refused = announce(&urls[1], LOCALHOST, &request(0), TimeOuts::default()).await;
    assert!(refused.is_err());
    let text = metrics(&server, "localhost:1").await;
    assert!(text.contains("\r\ncontent-type: text/plain; version=0.0.4"), "{text}");
    for line in [
        "minibit_tracker_announces_total{transport=\"http\"} 1",
        "minibit_tracker_announces_total{transport=\"udp\"} 2",
        "minibit_tracker_connects_total{transport=\"udp\"} 3",
        "minibit_tracker_errors_total{transport=\"udp\",reason=\"refused\"} 1",
        "minibit_tracker_peers 3",
        "minibit_tracker_torrents 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing:\n{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn metrics_are_for_those_who_ask_by_address() {
    let server = start(&Listen::http(ANY)).unwrap();
    for host in ["127.0.0.1", "127.0.0.1:6969", "[::1]:6969", "localhost", "10.0.0.5:80"] {
        assert!(metrics(&server, host).await.starts_with("HTTP/1.1 200 "), "{host}");
    }
    for host in ["attacker.example:6969", "localhost.attacker.example", "127.0.0.1.nip.io", "", "a b"] {
        assert!(metrics(&server, host).await.starts_with("HTTP/1.1 403 "), "{host:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_told_with_advice_and_leaves_nothing_behind() {
    let server = start(&Listen { http: vec![ANY], udp: vec![ANY] }).unwrap();
    let Listen { http, udp } = server.listening().clone();
    for taken in [Listen { http: http.clone(), udp: vec![] }, Listen { http: vec![ANY], udp: udp.clone() }] {
        let error = start(&taken).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.starts_with("tracker cannot listen on 127.0.0.1:"), "{text}");
        assert!(text.contains("stop it or choose another port"), "{text}");
    }
    server.stop().await;
    start(&Listen { http, udp }).unwrap().stop().await;
}
