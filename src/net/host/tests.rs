use super::*;

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::id::{Block, InfoHash, PeerId, PieceIndex};
use crate::net::alarm::Alarm;
use crate::net::announce::{TimeOuts, TrackerUrl, announce};
use crate::net::greeting::GREETING_TIMEOUT;
use crate::net::store::PieceHashes;
use crate::net::tracker_server::{Limits, Listen, TrackerServer};
use crate::peer::policy::Policy;
use crate::peer::{Neighbours, Setup};
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::Layout;
use crate::tracker::{Settings, Tracker};
use crate::units::Rate;
use crate::wire::announce::{AnnounceEvent, AnnounceRequest};
use crate::wire::handshake::{Handshake, Reserved};
use crate::wire::message::{BitfieldPayload, Message, Payload};

const INFO_HASH: InfoHash = InfoHash([7; 20]);
const PATIENCE: Duration = Duration::from_secs(20);

/// Eight pieces of four blocks.
fn layout() -> Layout {
    Layout::new(32 << 10, 4 << 10, 1 << 10).unwrap()
}

fn content() -> Bytes {
    (0..layout().total()).map(|at| (at % 251) as u8 ^ (at >> 10) as u8).collect()
}

fn hashes() -> PieceHashes {
    content().chunks(4 << 10).map(|piece| PieceHash::of([piece])).collect()
}

fn peer_id(number: u8) -> PeerId {
    PeerId::minibit([number; 12])
}

/// A host in the hands of a test.
struct Running {
    handle: HostHandle,
    task: JoinHandle<HostEnd>,
    records: mpsc::Receiver<Vec<Record>>,
    seen: Vec<Event>,
    addr: SocketAddr,
    store: Arc<Store>,
}

async fn host(number: u8, have: Bitfield, links: Links, trackers: Vec<TrackerUrl>) -> Running {
    let store = Store::in_memory(layout(), hashes());
    for piece in have.iter() {
        let begin = layout().piece_offset(piece) as usize;
        store.write(piece, content().slice(begin..begin + (4 << 10))).unwrap();
    }
    host_on(store, number, have, links, trackers).await
}

async fn host_on(
    store: Store,
    number: u8,
    have: Bitfield,
    links: Links,
    trackers: Vec<TrackerUrl>,
) -> Running {
    let address = crate::net::loopback::LoopbackRange::reserve(1).address(0);
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let store = Arc::new(store);
    let (records, received) = mpsc::channel(64);
    let peer = Setup {
        index: PeerIndex(u32::from(number)),
        random_seed: 1,
        peer_id: peer_id(number),
        addr,
        info_hash: INFO_HASH,
        layout: layout(),
        have,
        policy: Policy::default(),
        uploads: true,
        neighbours: Neighbours::FromTracker { dial: None },
        schedule: None,
        trackers: vec![1; trackers.len()],
    };
    let (handle, task) = start(HostSetup {
        peer,
        listener,
        clock: Clock::start(1.0),
        alarm: Alarm::start().unwrap(),
        links,
        contacts: Arc::default(),
        trackers,
        store: store.clone(),
        records,
        loopback_only: true,
    });
    Running { handle, task, records: received, seen: Vec::new(), addr, store }
}

impl Running {
    /// Waits until the host has reported such an event.
    async fn see(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let watch = async {
            loop {
                if let Some(event) = self.seen.iter().find(|event| wanted(event)) {
                    return event.clone();
                }
                let records = self.records.recv().await.expect("the host ended too early");
                self.seen.extend(records.into_iter().map(|record| record.event));
            }
        };
        match timeout(PATIENCE, watch).await {
            Ok(event) => event,
            Err(_) => panic!("it never came; seen: {:#?}", self.seen),
        }
    }

    async fn sees_end_of_connection(&mut self) -> CloseReason {
        let event = self.see(|event| matches!(event, Event::Disconnected { .. })).await;
        let Event::Disconnected { reason, .. } = event else { unreachable!("just matched") };
        reason
    }

    async fn stop(mut self) -> HostEnd {
        self.handle.stop();
        while self.records.recv().await.is_some() {}
        self.task.await.unwrap()
    }
}

/// A remote that says what it is told to.
struct Remote {
    stream: TcpStream,
    buffer: BytesMut,
    codec: Codec,
}

impl Remote {
    async fn call(addr: SocketAddr, number: u8) -> Remote {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let handshake =
            Handshake { reserved: Reserved::default(), info_hash: INFO_HASH, peer_id: peer_id(number) };
        stream.write_all(&handshake.encode()).await.unwrap();
        let mut answer = [0; Handshake::LENGTH];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(Handshake::parse(&answer).unwrap().info_hash, INFO_HASH);
        Remote::greeted(stream)
    }

    fn greeted(stream: TcpStream) -> Remote {
        let codec = Codec::new(layout().pieces(), layout().largest_request());
        Remote { stream, buffer: BytesMut::new(), codec }
    }

    async fn say(&mut self, messages: &[Message]) {
        let mut bytes = BytesMut::new();
        messages.iter().for_each(|message| self.codec.encode(message, &mut bytes));
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// `None` when the host has closed the connection.
    async fn hear(&mut self) -> Option<Message> {
        let read = async {
            loop {
                if let Some(message) = self.codec.decode(&mut self.buffer).unwrap() {
                    return Some(message);
                }
                if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        timeout(PATIENCE, read).await.expect("the host says nothing")
    }

    /// Sends every block it is asked for, spoilt by `spoil`, until the host closes the connection.
    async fn serve(mut self, spoil: impl Fn(Block) -> bool) {
        self.say(&[Message::Bitfield(BitfieldPayload::Set(Bitfield::full(8))), Message::Unchoke]).await;
        while let Some(message) = self.hear().await {
            if let Message::Request(block) = message {
                let begin = layout().piece_offset(block.piece) as usize + block.begin as usize;
                let mut data = content()[begin..begin + block.length as usize].to_vec();
                data[5] ^= u8::from(spoil(block));
                let payload = Payload::Bytes(data.into());
                let mut bytes = BytesMut::new();
                self.codec.encode(&Message::Piece { block, payload }, &mut bytes);
                if self.stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn callers_that_say_nothing_keep_nobody_out() {
    let host = host(1, Bitfield::full(8), Links::default(), vec![]).await;
    let mut silent = Vec::new();
    // Some more than are awaited at a time.
    for _ in 0..150 {
        silent.push(TcpStream::connect(host.addr).await.unwrap());
    }
    // Well below the ten seconds after which the silent ones are given up.
    let called = tokio::time::timeout(Duration::from_secs(5), Remote::call(host.addr, 2)).await;
    let mut remote = called.expect("the oldest of the silent ones makes room");
    assert!(remote.hear().await.is_some());
    host.stop().await;
}

#[tokio::test]
async fn a_hostile_remote_is_dropped_with_the_reason_recorded() {
    let request = |piece, begin, length| Message::Request(Block { piece: PieceIndex(piece), begin, length });
    let encoded = |message: Message| {
        let mut bytes = BytesMut::new();
        Codec::new(8, 1 << 14).encode(&message, &mut bytes);
        bytes.to_vec()
    };
    let cases = [
        (vec![0xFF; 4], CloseReason::OversizedMessage),
        (vec![0x80, 0, 0, 0], CloseReason::OversizedMessage),
        (vec![0, 1, 0, 1], CloseReason::OversizedMessage),
        (vec![0, 0, 0, 1, 99], CloseReason::MalformedMessage),
        (vec![0, 0, 0, 2, 0, 0], CloseReason::MalformedMessage),
        (encoded(Message::Bitfield(BitfieldPayload::Raw(vec![0; 2].into()))), CloseReason::BadBitfield),
        (encoded(request(0, 4 << 10, 1)), CloseReason::BadRequest),
        (encoded(request(8, 0, 1)), CloseReason::BadRequest),
        (encoded(Message::Have(PieceIndex(8))), CloseReason::BadPieceIndex),
        (encoded(Message::HaveAll), CloseReason::UnexpectedMessage),
    ];
    for (bytes, reason) in cases {
        let mut host = host(1, Bitfield::full(8), Links::default(), vec![]).await;
        let mut remote = Remote::call(host.addr, 2).await;
        remote.stream.write_all(&bytes).await.unwrap();
        assert_eq!(host.sees_end_of_connection().await, reason, "{bytes:?}");
        while remote.hear().await.is_some() {}
        assert!(host.stop().await.have.is_full());
    }
}

#[tokio::test]
async fn callers_without_our_handshake_are_recorded_and_do_no_harm() {
    let mut host = host(1, Bitfield::full(8), Links::default(), vec![]).await;
    let other =
        Handshake { reserved: Reserved::default(), info_hash: InfoHash([8; 20]), peer_id: peer_id(2) };
    for bytes in [&b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody\r\n\r\n"[..], &other.encode()]
    {
        let mut stream = TcpStream::connect(host.addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        assert_eq!(host.sees_end_of_connection().await, CloseReason::BadHandshake);
        host.seen.clear();
        assert_eq!(stream.read(&mut [0; 68]).await.unwrap_or(0), 0, "it must not be answered");
    }
    Remote::call(host.addr, 2).await;
    host.see(|event| matches!(event, Event::Connected { .. })).await;
    host.stop().await;
}

/// An encrypted connection (MSE) begins with a key of 96 random bytes and up to 512 more: whoever tries it comes back with a
/// plain handshake as soon as it is refused.
#[tokio::test]
async fn an_encrypted_handshake_is_refused_at_once_whatever_its_key_begins_with() {
    let mut host = host(1, Bitfield::full(8), Links::default(), vec![]).await;
    let key = |first: &[u8]| [first, &vec![0xA5; 96 - first.len()]].concat();
    for first in [&[0xC7][..], &[19], b"\x13BitTorrent protoco"] {
        let mut stream = TcpStream::connect(host.addr).await.unwrap();
        let began = Instant::now();
        stream.write_all(&key(first)).await.unwrap();
        assert_eq!(stream.read(&mut [0; 68]).await.unwrap_or(0), 0, "it must not be answered");
        assert!(began.elapsed() < GREETING_TIMEOUT / 2, "it waited for {:?}", began.elapsed());
        assert_eq!(host.sees_end_of_connection().await, CloseReason::BadHandshake);
        host.seen.clear();
    }
    Remote::call(host.addr, 2).await;
    host.see(|event| matches!(event, Event::Connected { .. })).await;
    host.stop().await;
}

#[tokio::test]
async fn a_connection_to_itself_is_noticed_by_the_peer_id() {
    let mut host = host(1, Bitfield::full(8), Links::default(), vec![]).await;
    let mut remote = Remote::call(host.addr, 1).await;
    assert_eq!(remote.hear().await, None);
    assert!(!host.seen.iter().any(|event| matches!(event, Event::Connected { .. })));
    host.records.close();
    host.handle.stop();
    host.task.await.unwrap();
}

#[tokio::test]
async fn corrupt_blocks_never_count_and_their_sender_is_banned() {
    let mut host = host(1, Bitfield::empty(8), Links::default(), vec![]).await;
    let remote = Remote::call(host.addr, 2).await;
    let spoiling = tokio::spawn(remote.serve(|_| true));
    host.see(|event| matches!(event, Event::PieceFailed { .. })).await;
    assert_eq!(host.sees_end_of_connection().await, CloseReason::Banned);
    spoiling.await.unwrap();
    assert!(host.store.scan().is_empty());
    // An honest remote is welcome all the same, and brings everything.
    let serving = tokio::spawn(Remote::call(host.addr, 3).await.serve(|_| false));
    host.see(|event| *event == Event::Completed).await;
    assert!(host.store.scan().is_full());
    let end = host.stop().await;
    assert!(end.have.is_full() && end.failed.is_none());
    serving.await.unwrap();
}

#[tokio::test]
async fn a_store_that_cannot_be_written_ends_the_host_with_the_reason() {
    let folder = tempfile::TempDir::new().unwrap();
    let blocks = folder.path().join("blocks");
    let store = Store::in_blocks(layout(), hashes(), &blocks).unwrap();
    std::fs::remove_dir(&blocks).unwrap();
    std::fs::write(&blocks, "in the way").unwrap();
    let mut host = host_on(store, 1, Bitfield::empty(8), Links::default(), vec![]).await;
    tokio::spawn(Remote::call(host.addr, 2).await.serve(|_| false));
    host.see(|event| matches!(event, Event::StorageFailed { .. })).await;
    let end = host.task.await.unwrap();
    assert!(end.have.is_empty());
    let reason = end.failed.unwrap();
    assert!(reason.contains("cannot write") && reason.contains("block_"), "{reason}");
}

#[tokio::test]
async fn a_host_that_leaves_finishes_the_block_it_has_begun() {
    // A block takes a quarter of a second.
    let links = Links { upload: Some(Rate::from_bits_per_second(8 * 4096)), ..Links::default() };
    let mut host = host(1, Bitfield::full(8), links, vec![]).await;
    let mut remote = Remote::call(host.addr, 2).await;
    remote.say(&[Message::Interested]).await;
    let block = |index: u32| Block { piece: PieceIndex(0), begin: index << 10, length: 1 << 10 };
    while remote.hear().await != Some(Message::Unchoke) {}
    remote.say(&[Message::Request(block(0)), Message::Request(block(1))]).await;
    host.see(|event| matches!(event, Event::Uploaded { .. })).await;
    host.handle.leave();
    let first = remote.hear().await;
    assert!(matches!(first, Some(Message::Piece { block: came, .. }) if came == block(0)), "{first:?}");
    assert_eq!(remote.hear().await, None);
    assert_eq!(host.sees_end_of_connection().await, CloseReason::Leaving);
    host.records.close();
    host.task.await.unwrap();
}

#[tokio::test]
async fn an_uplink_keeps_its_rate_on_the_wire() {
    let rate = Some(Rate::from_bits_per_second(8 * 64 * 1024));
    let links = Links { upload: rate, ..Links::default() };
    let mut host = host(1, Bitfield::full(8), links, vec![]).await;
    let mut remote = Remote::call(host.addr, 2).await;
    remote.say(&[Message::Interested]).await;
    while remote.hear().await != Some(Message::Unchoke) {}
    let began = Instant::now();
    let blocks =
        (0..32).map(|at| Block { piece: PieceIndex(at / 4), begin: (at % 4) << 10, length: 1 << 10 });
    remote.say(&blocks.map(Message::Request).collect::<Vec<_>>()).await;
    for _ in 0..32 {
        assert!(matches!(remote.hear().await, Some(Message::Piece { .. })));
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(500), "32 KiB at 64 KiB/s came within {took:?}");
    host.see(|event| matches!(event, Event::Uploaded { .. })).await;
    assert!(host.stop().await.lateness.latest_timer() > Span::ZERO);
}

#[tokio::test]
async fn two_hosts_and_a_liar_meet_at_a_tracker_and_the_content_comes_whole() {
    let tracker = TrackerServer::start(
        &Listen::http((std::net::Ipv4Addr::LOCALHOST, 0).into()),
        Tracker::new(Settings { interval: Span::from_secs(30), peers_returned: 50 }, 1),
        Clock::start(1.0),
        Limits::default(),
    )
    .unwrap();
    let url = tracker.urls().next().unwrap();
    let liar = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = AnnounceRequest {
        info_hash: INFO_HASH,
        peer_id: peer_id(9),
        port: liar.local_addr().unwrap().port(),
        uploaded: 0,
        downloaded: 0,
        left: Some(0),
        event: AnnounceEvent::Started,
        num_want: None,
    };
    let from = liar.local_addr().unwrap().ip();
    announce(&url, from, &request, TimeOuts::default()).await.unwrap();
    let mut seed = host(1, Bitfield::full(8), Links::default(), vec![url.clone()]).await;
    seed.see(|event| matches!(event, Event::Announced { .. })).await;
    let lying = tokio::spawn(async move {
        loop {
            let (mut stream, _) = liar.accept().await.unwrap();
            let mut bytes = [0; Handshake::LENGTH];
            if stream.read_exact(&mut bytes).await.is_err() {
                continue;
            }
            let mut theirs = Handshake::parse(&bytes).unwrap();
            theirs.peer_id = peer_id(9);
            stream.write_all(&theirs.encode()).await.unwrap();
            tokio::spawn(Remote::greeted(stream).serve(|block| block.begin == 0));
        }
    });
    let mut leecher = host(2, Bitfield::empty(8), Links::default(), vec![url]).await;
    leecher.see(|event| *event == Event::Completed).await;
    assert!(leecher.store.scan().is_full());
    assert_eq!(leecher.store.content_hash().unwrap(), PieceHash::of([content()]).0);
    leecher.handle.leave();
    while leecher.records.recv().await.is_some() {}
    assert!(leecher.task.await.unwrap().have.is_full());
    seed.stop().await;
    lying.abort();
    tracker.stop().await;
}
