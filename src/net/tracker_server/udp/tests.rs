//! The port over loopback, packet by packet.

use std::net::Ipv4Addr;

use tokio::time::timeout;

use crate::id::{InfoHash, PeerId};
use crate::net::announce::{AnnounceFailure, TimeOuts, TrackerUrl, announce};
use crate::net::clock::Clock;
use crate::net::tracker_server::{Limits, Listen, TrackerServer};
use crate::time::Span;
use crate::tracker::{Settings, Tracker};
use crate::wire::announce::packet::{
    ConnectionId, Reply, parse_reply, write_announce, write_connect, write_scrape,
};
use crate::wire::announce::{AnnounceEvent, AnnounceResponse, SwarmCounts};

use super::*;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SWARM: InfoHash = InfoHash([7; 20]);
const TRANSACTION: TransactionId = TransactionId(0x0102_0304);

fn server_at(ip: IpAddr) -> TrackerServer {
    let settings = Settings { interval: Span::from_secs(30), peers_returned: 50 };
    let listen = Listen::udp(SocketAddr::new(ip, 0));
    TrackerServer::start(&listen, Tracker::new(settings, 1), Clock::start(1.0), Limits::default()).unwrap()
}

fn server() -> TrackerServer {
    server_at(LOCALHOST)
}

fn url(server: &TrackerServer) -> TrackerUrl {
    server.urls().next().unwrap()
}

/// Every port has its own peer id.
fn request(port: u16, event: AnnounceEvent) -> AnnounceRequest {
    let mut tail = *b"............";
    tail[..2].copy_from_slice(&port.to_be_bytes());
    AnnounceRequest {
        info_hash: SWARM,
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
    announce(&url(server), from, &request(port, event), TimeOuts::default()).await.unwrap()
}

/// A socket that speaks to the server alone.
struct Stranger(UdpSocket);

impl Stranger {
    async fn of(server: &TrackerServer, from: IpAddr) -> Stranger {
        let socket = UdpSocket::bind((from, 0)).await.unwrap();
        socket.connect(server.listening().udp[0]).await.unwrap();
        Stranger(socket)
    }

    async fn say(&self, packet: &[u8]) {
        self.0.send(packet).await.unwrap();
    }

    /// The bytes of the next answer.
    async fn hear(&self) -> Vec<u8> {
        let mut packet = vec![0; MAX_PACKET];
        let length = timeout(Duration::from_secs(30), self.0.recv(&mut packet)).await.expect("an answer");
        packet.truncate(length.unwrap());
        packet
    }

    async fn ask(&self, packet: &[u8]) -> Reply {
        self.say(packet).await;
        let (transaction, reply) = parse_reply(&self.hear().await, Family::V4).unwrap();
        assert_eq!(transaction, TRANSACTION);
        reply
    }

    async fn connect(&self) -> ConnectionId {
        match self.ask(&write_connect(TRANSACTION)).await {
            Reply::Connected { connection } => connection,
            other => panic!("an id expected, not {other:?}"),
        }
    }

    /// Whatever was said before was not answered: the next answer is that to a connect.
    async fn heard_nothing(&self) {
        self.connect().await;
    }
}

#[tokio::test]
async fn peers_find_each_other_at_their_own_addresses() {
    let server = server();
    let first = ask(&server, LOCALHOST, 7001, AnnounceEvent::Started).await;
    assert_eq!((first.interval, first.peers), (Span::from_secs(30), vec![]));
    let second = ask(&server, LOCALHOST, 7002, AnnounceEvent::Completed).await;
    assert_eq!(second.peers, [SocketAddr::new(LOCALHOST, 7001)]);
    assert_eq!((second.complete, second.incomplete), (Some(1), Some(1)));
    let third = ask(&server, LOCALHOST, 7001, AnnounceEvent::Stopped).await;
    assert_eq!((third.complete, third.incomplete), (Some(1), Some(0)));
    server.stop().await;
}

#[tokio::test]
async fn over_ipv6_the_answer_names_ipv6_peers() {
    let localhost: IpAddr = "::1".parse().unwrap();
    let Ok(probe) = UdpSocket::bind((localhost, 0)).await else {
        return println!("SKIPPED: no IPv6 here");
    };
    drop(probe);
    let server = server_at(localhost);
    ask(&server, localhost, 7001, AnnounceEvent::Started).await;
    let answer = ask(&server, localhost, 7002, AnnounceEvent::Started).await;
    assert_eq!(answer.peers, [SocketAddr::new(localhost, 7001)]);
    server.stop().await;
}

#[tokio::test]
async fn a_scrape_is_answered_in_the_order_of_its_questions() {
    let server = server();
    ask(&server, LOCALHOST, 7001, AnnounceEvent::Completed).await;
    let stranger = Stranger::of(&server, LOCALHOST).await;
    let id = stranger.connect().await;
    let nobody = InfoHash([1; 20]);
    let reply = stranger.ask(&write_scrape(id, TRANSACTION, &[nobody, SWARM, nobody, SWARM])).await;
    let (known, unknown) =
        (SwarmCounts { complete: 1, downloaded: 1, incomplete: 0 }, SwarmCounts::default());
    assert_eq!(reply, Reply::Scraped(vec![unknown, known, unknown, known]));
    server.stop().await;
}

#[tokio::test]
async fn options_after_an_announce_are_tolerated() {
    let server = server();
    let stranger = Stranger::of(&server, LOCALHOST).await;
    let id = stranger.connect().await;
    let plain = write_announce(id, TRANSACTION, &request(7001, AnnounceEvent::Started));
    for options in [&b"\x02\x09/announce\x01\x01\x00"[..], b"\x02\xFFcut off", b"\x77", &[2; 1_500]] {
        let reply = stranger.ask(&[&plain[..], options].concat()).await;
        assert!(matches!(reply, Reply::Announced(_)), "{reply:?} after {}", options.escape_ascii());
    }
    server.stop().await;
}

#[tokio::test]
async fn who_has_not_proved_its_address_gets_no_more_bytes_than_it_sent() {
    let server = server();
    let (here, elsewhere) =
        (Stranger::of(&server, LOCALHOST).await, Stranger::of(&server, "127.0.0.9".parse().unwrap()).await);
    let foreign = here.connect().await;
    let request = request(7001, AnnounceEvent::Started);
    for forged in [ConnectionId(0), ConnectionId(u64::MAX), foreign] {
        let asked = write_announce(forged, TRANSACTION, &request);
        let scraped = write_scrape(forged, TRANSACTION, &[SWARM]);
        for packet in [asked, scraped] {
            elsewhere.say(&packet).await;
            let answer = elsewhere.hear().await;
            assert!(answer.len() <= 32 && answer.len() <= packet.len(), "{} bytes", answer.len());
            let Ok((TRANSACTION, Reply::Failed(refusal))) = parse_reply(&answer, Family::V4) else {
                panic!("{}", answer.escape_ascii())
            };
            assert_eq!(&*refusal.reason, UNKNOWN_ID);
        }
    }
    let connect = write_connect(TRANSACTION);
    elsewhere.say(&connect).await;
    assert_eq!(elsewhere.hear().await.len(), connect.len());
    server.stop().await;
}

#[tokio::test]
async fn rubbish_is_answered_with_silence() {
    let server = server();
    let stranger = Stranger::of(&server, LOCALHOST).await;
    let id = stranger.connect().await;
    let announce = write_announce(id, TRANSACTION, &request(7001, AnnounceEvent::Started));
    let mut unknown = write_connect(TRANSACTION);
    unknown[11] = 3;
    for rubbish in [
        &[][..],
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        &announce[..97],
        &write_scrape(id, TRANSACTION, &[]),
        &unknown,
        &[0xFF; 2_000],
        &[0; 60_000],
    ] {
        stranger.say(rubbish).await;
        stranger.heard_nothing().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_reaches_the_client_with_its_text() {
    let server = server();
    let nowhere = request(0, AnnounceEvent::Started);
    let error = announce(&url(&server), LOCALHOST, &nowhere, TimeOuts::default()).await.unwrap_err();
    assert!(matches!(error.failure, AnnounceFailure::Refused(_)));
    assert!(error.to_string().contains("refused: port 0 cannot be connected to"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_dual_stack_port_knows_an_ipv4_peer_as_one() {
    let Ok(probe) = UdpSocket::bind("[::]:0").await else { return println!("SKIPPED: no IPv6 here") };
    let heard = probe.local_addr().unwrap().port();
    let Ok(sender) = UdpSocket::bind((LOCALHOST, 0)).await else { panic!("no loopback") };
    if sender.send_to(b"x", (LOCALHOST, heard)).await.is_err()
        || timeout(Duration::from_secs(1), probe.recv(&mut [0; 1])).await.is_err()
    {
        return println!("SKIPPED: an IPv6 port here hears no IPv4");
    }
    let server = server_at("::".parse().unwrap());
    let port = server.listening().udp[0].port();
    let url = TrackerUrl::udp_at(SocketAddr::new(LOCALHOST, port));
    for (announced, told) in [(7001, None), (7002, Some("127.0.0.1:7001".parse().unwrap()))] {
        let request = request(announced, AnnounceEvent::Started);
        let answer = announce(&url, LOCALHOST, &request, TimeOuts::default()).await.unwrap();
        assert_eq!(answer.peers, Vec::from_iter(told));
    }
    server.stop().await;
}
