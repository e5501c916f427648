//! Bytes that no well-meaning client sends, on a peer's listening port: the peer stays, and stays small.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use minibit::rng::{Entity, Purpose, Stream};
use minibit::torrent::metainfo::Metainfo;
use serde_json::Value;

use crate::command::{Folder, Running};
use crate::proc::{resident, wait_for};

const RANDOM: usize = 10_000;
const RANDOM_SEED: u64 = 20_260_101;
/// For an answer that may not come.
const WAIT: Duration = Duration::from_secs(5);
/// At a time.
const CALLERS: usize = 8;
const PIECES: u32 = 40;
const PIECE: u32 = 1024;

/// A peer with some of the pieces, and where it listens.
struct Victim {
    folder: Folder,
    peer: Running,
    addr: SocketAddr,
    info_hash: [u8; 20],
    tracker: String,
    _tracker: Running,
}

impl Victim {
    fn start() -> Victim {
        let folder = Folder::new();
        folder.file("story.txt", vec![b'x'; (PIECES * PIECE) as usize]);
        folder.minibit(&["split", "story.txt", "--peers", "2", "--block-size", "1 KiB"]).done();
        let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0"]);
        let url = tracker.says("listening on ");
        let torrent = "peers/story.txt.torrent";
        let place = ["peer", torrent, "--dir", "peers/peer_1", "--tracker", &url];
        let peer = folder.start(&[&place[..], &["--records", "records.jsonl"]].concat());
        let addr = peer.says("listening on ").parse().unwrap();
        let info_hash = Metainfo::parse(&fs::read(folder.path(torrent)).unwrap()).unwrap().info_hash.0;
        Victim { folder, peer, addr, info_hash, tracker: url, _tracker: tracker }
    }

    fn handshake(&self, peer_id: [u8; 20]) -> Vec<u8> {
        self.handshake_with([0; 8], peer_id)
    }

    /// Of a remote that speaks the fast extension (BEP 6) and the extension protocol (BEP 10).
    fn extended_handshake(&self, peer_id: [u8; 20]) -> Vec<u8> {
        self.handshake_with([0, 0, 0, 0, 0, 0x10, 0, 0x04], peer_id)
    }

    fn handshake_with(&self, reserved: [u8; 8], peer_id: [u8; 20]) -> Vec<u8> {
        [&b"\x13BitTorrent protocol"[..], &reserved, &self.info_hash, &peer_id].concat()
    }

    fn send_all(&self, inputs: &[Vec<u8>]) {
        let addr = self.addr;
        std::thread::scope(|scope| {
            for part in inputs.chunks(inputs.len().div_ceil(CALLERS)) {
                scope.spawn(move || part.iter().for_each(|input| send(addr, input)));
            }
        });
    }

    fn records(&self) -> Vec<Value> {
        let records = fs::read_to_string(self.folder.path("records.jsonl")).unwrap();
        // The last line may be half written.
        records.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Why connections ended.
    fn reasons(&self) -> BTreeSet<String> {
        let records = self.records().into_iter();
        records.filter_map(|line| line["reason"].as_str().map(str::to_owned)).collect()
    }

    fn wait_for_connections(&self, count: usize) {
        wait_for("connections", || {
            let records = self.records().into_iter();
            (records.filter(|line| line["event"] == "connected").count() >= count).then_some(())
        });
    }

    /// Who comes now is served as if nothing had been.
    fn still_serves(self) {
        let torrent = "peers/story.txt.torrent";
        let other =
            self.folder.start(&["peer", torrent, "--dir", "peers/peer_2", "--tracker", &self.tracker]);
        other.says("complete: ");
        self.peer.says("complete: ");
        self.peer.interrupt();
        assert_eq!(self.peer.code(), 130);
    }
}

/// Sends the bytes as somebody new, and listens until the peer has had enough.
fn send(addr: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(addr).expect("the peer accepts connections");
    stream.set_read_timeout(Some(WAIT)).unwrap();
    // A peer that hangs up early is right to.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read_to_end(&mut Vec::new());
}

fn message(id: u8, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 1).to_be_bytes()[..], &[id], payload].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// What follows a good handshake, one class of mischief after the other.
fn messages() -> Vec<Vec<u8>> {
    let edges = [0, 1, PIECE - 1, PIECES, 1 << 31, u32::MAX];
    let (interested, have_nothing) = (message(2, b""), message(5, &[0; 5]));
    let mut all = Vec::new();
    // Lengths that promise too much, or too little, for every kind of message.
    for length in [1, 2, 5, (1 << 14) + 10, 1 << 20, i32::MAX as u32, 1 << 31, u32::MAX] {
        for id in [0, 1, 4, 5, 6, 7, 8, 20] {
            all.push([words(&[length]), vec![id], vec![7; 40]].concat());
        }
    }
    // Every edge of a request, a block, a cancel and a `have`.
    for one in edges {
        all.push(message(4, &words(&[one])));
        for other in edges {
            all.push([interested.clone(), message(6, &words(&[one, other, PIECE]))].concat());
            all.push(message(7, &words(&[one, other, 9, 9, 9])));
        }
        all.push(message(6, &words(&[0, 0, one])));
        all.push(message(8, &words(&[one, one, one])));
    }
    // Bitfields of every wrong length, twice, too late, with spare bits.
    all.extend((0..8).map(|length| message(5, &vec![0xFF; length])));
    all.push([have_nothing.clone(), have_nothing.clone()].concat());
    all.push([message(4, &words(&[3])), have_nothing].concat());
    // Kinds of messages that nobody agreed to or that do not exist, and kinds with too much in them.
    all.extend([9, 13, 14, 15, 16, 17, 20, 21, 99, 255].map(|id| message(id, b"d1:ai0ee")));
    all.extend((0..4).map(|id| message(id, b"more")));
    all.push(message(20, &[&b"\0"[..], &vec![b'l'; 100_000]].concat()));
    // The same again and again.
    all.push(vec![0; 40_000]);
    all.push(message(4, &words(&[3])).repeat(20_000));
    all.push([message(1, b""), message(0, b"")].concat().repeat(5_000));
    all.push([interested.clone(), message(3, b"")].concat().repeat(5_000));
    all.push([interested.clone(), message(6, &words(&[0, 0, PIECE])).repeat(20_000)].concat());
    all.push(message(7, &[words(&[0, 0]), vec![9; PIECE as usize]].concat()).repeat(200));
    all
}

/// The same for who has announced the fast extension and the extension protocol.
fn extended_messages() -> Vec<Vec<u8>> {
    let edges = [0, 1, PIECE - 1, PIECES, 1 << 31, u32::MAX];
    let (interested, have_none) = (message(2, b""), message(15, b""));
    let mut all = vec![
        [message(14, b""), message(15, b"")].concat(),
        [have_none.clone(), message(14, b"")].concat(),
        [have_none.clone(), message(5, &[0; 5])].concat(),
        message(14, b"").repeat(5_000),
        [have_none, interested.clone(), message(6, &words(&[0, 0, PIECE])).repeat(20_000)].concat(),
    ];
    for one in edges {
        all.extend([13, 17].map(|id| message(id, &words(&[one]))));
        all.extend(edges.map(|other| message(16, &words(&[one, other, PIECE]))));
        all.push([interested.clone(), message(6, &words(&[one, 0, PIECE])), message(0, b"")].concat());
    }
    // Handshakes and lists of peers that are broken, boundless, or lie about themselves.
    let said: [&[u8]; 12] = [
        b"",
        b"d",
        b"i1e",
        b"d1:mi1ee",
        b"d1:md6:ut_pexi999999999999ee1:pi-1e4:reqqi0ee",
        b"d1:md6:ut_pexi1ee1:pi70000e4:reqqi99999999999999999999ee",
        b"d5:added6:\x7f\0\0\x01\0\x01e",
        b"d5:added7:1234567e",
        b"d5:added99999999999:e",
        b"d7:droppedi1ee",
        b"d6:added65:12345e",
        b"d7:added.f3:\xff\xff\xffe",
    ];
    for id in [0, 1, 2, 255] {
        all.extend(said.map(|said| message(20, &[&[id], said].concat())));
        all.push(message(20, &[&[id], &vec![b'l'; 60_000][..]].concat()));
        all.push(message(20, &[&[id], &b"d5:added0:e"[..]].concat()).repeat(5_000));
    }
    all
}

fn crafted(victim: &Victim) -> Vec<Vec<u8>> {
    let whole = victim.handshake(*b"-XX0001-hostile-peer");
    // Broken off after every fifth byte, with every byte of the protocol's name wrong in turn, and of another torrent.
    let mut all: Vec<Vec<u8>> = (0..whole.len()).step_by(5).map(|length| whole[..length].to_vec()).collect();
    all.extend((0..20).chain([28, 47]).map(|at| {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x80;
        wrong
    }));
    for (number, message) in messages().into_iter().enumerate() {
        let mut peer_id = *b"-XX0001-hostile-0000";
        peer_id[16..].copy_from_slice(format!("{number:04}").as_bytes());
        all.push([victim.handshake(peer_id), message].concat());
    }
    for (number, message) in extended_messages().into_iter().enumerate() {
        let mut peer_id = *b"-XX0001-hostile+0000";
        peer_id[16..].copy_from_slice(format!("{number:04}").as_bytes());
        all.push([victim.extended_handshake(peer_id), message].concat());
    }
    all
}

/// Most of them say a good handshake first: they get further.
fn random(victim: &Victim) -> Vec<Vec<u8>> {
    let mut stream = Stream::new(RANDOM_SEED, Entity::Scenario, Purpose::Content);
    let mut input = |number: usize| {
        let mut bytes = [0; 600];
        stream.fill(&mut bytes);
        let length = usize::from(u16::from_be_bytes([bytes[598], bytes[599]])) % 598;
        let mut peer_id = [0; 20];
        peer_id.copy_from_slice(&bytes[..20]);
        match number % 5 {
            0 => bytes[..length].to_vec(),
            1 => [&b"\x13BitTorrent protocol"[..], &bytes[..length]].concat(),
            2 => [&victim.handshake(peer_id)[..], &bytes[..length]].concat(),
            3 => [&victim.extended_handshake(peer_id)[..], &bytes[..length]].concat(),
            // Lengths and kinds that make sense, so that what is inside is looked at.
            _ => {
                let mut all = victim.extended_handshake(peer_id);
                for part in bytes[..length].chunks(18) {
                    all.extend(message(part[0] % 22, &part[1..]));
                }
                all
            }
        }
    };
    (0..RANDOM).map(&mut input).collect()
}

#[test]
fn hostile_bytes_neither_stop_a_peer_nor_make_it_grow() {
    let victim = Victim::start();
    let crafted = crafted(&victim);
    assert!(crafted.len() >= 200, "{}", crafted.len());
    victim.send_all(&crafted);
    let before = resident(victim.peer.pid());
    victim.send_all(&random(&victim));
    victim.send_all(&crafted);
    let grown = resident(victim.peer.pid()).saturating_sub(before);
    // Nothing is kept of who has gone: this is what the allocator may round up to.
    assert!(grown < 4 << 20, "{grown} bytes, random seed {RANDOM_SEED}");
    let reasons = victim.reasons();
    assert!(reasons.len() >= 10, "not much was tried: {reasons:#?}");
    victim.still_serves();
}

#[test]
fn who_only_occupies_a_connection_costs_less_than_64_kib() {
    let victim = Victim::start();
    let promises = |id: u8| [&words(&[1 << 14])[..], &[id], &[7; 12_000]].concat();
    let holding = |number: u8| {
        let mut peer_id = *b"-XX0001-hostile-0000";
        peer_id[19] = number;
        let whole = victim.handshake(peer_id);
        let bytes = match number % 5 {
            // Half a handshake; a handshake and silence; a long message that never ends; one that is far too long;
            // requests without ever reading an answer.
            0 => whole[..40].to_vec(),
            1 => whole,
            2 => [whole, promises(7)].concat(),
            3 => [whole, promises(20)].concat(),
            _ => {
                let asking = message(6, &words(&[0, 0, PIECE])).repeat(200);
                [whole, message(2, b""), asking].concat()
            }
        };
        let mut stream = TcpStream::connect(victim.addr).unwrap();
        stream.write_all(&bytes).unwrap();
        stream
    };
    // Whoever is first pays for what all share.
    let warm: Vec<TcpStream> = (0..10).map(holding).collect();
    victim.wait_for_connections(8);
    drop(warm);
    let before = resident(victim.peer.pid());
    let held: Vec<TcpStream> = (100..140).map(holding).collect();
    victim.wait_for_connections(8 + 32);
    let grown = resident(victim.peer.pid()).saturating_sub(before) / held.len() as u64;
    assert!(grown < 64 << 10, "{grown} bytes a connection");
    drop(held);
    victim.still_serves();
}
