//! Many peers that were served once and are idle now.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::BytesMut;
use minibit::id::{Block, PeerId, PieceIndex};
use minibit::torrent::metainfo::Metainfo;
use minibit::wire::codec::{Codec, PIECE_HEADER};
use minibit::wire::handshake::{Handshake, Reserved};
use minibit::wire::message::Message;

use super::PATIENCE;
use crate::command::{Folder, Running};

const PEERS: u32 = 500;
/// What one idle connection may cost a peer, its socket in the system apart.
const MOST_BYTES_EACH: u64 = 32 * 1024;
const BLOCK: Block = Block { piece: PieceIndex(0), begin: 0, length: 16 * 1024 };

/// Shakes hands and takes one block.
fn visit(addr: SocketAddr, torrent: &Metainfo, number: u32) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let peer_id = PeerId::minibit(format!("{number:012}").into_bytes().try_into().unwrap());
    let reserved = Reserved::announcing(false, false);
    let handshake = Handshake { reserved, info_hash: torrent.info_hash, peer_id };
    let mut said = BytesMut::from(&handshake.encode()[..]);
    let codec = Codec::new(torrent.layout.pieces(), BLOCK.length);
    codec.encode(&Message::Interested, &mut said);
    stream.write_all(&said).unwrap();
    // Its handshake, its bitfield of one byte, the unchoke, and the block.
    let mut heard = vec![0; Handshake::LENGTH + 6 + 5 + PIECE_HEADER + BLOCK.length as usize];
    stream.read_exact(&mut heard[..Handshake::LENGTH + 6 + 5]).unwrap();
    said.clear();
    codec.encode(&Message::Request(BLOCK), &mut said);
    stream.write_all(&said).unwrap();
    stream.read_exact(&mut heard[Handshake::LENGTH + 6 + 5..]).unwrap();
    stream
}

#[test]
fn five_hundred_idle_peers_cost_a_seed_little() {
    let folder = Folder::new();
    folder.file("content.bin", [7; 64 * 1024]);
    let all = ["--choker", "unchoke-all", "--set", "policy.max_connections=1000", "--piece-size", "16KiB"];
    let seed = folder.start(&[&["seed", "content.bin"], &all[..]].concat());
    let addr: SocketAddr = seed.says("listening on ").parse().unwrap();
    let torrent = Metainfo::parse(&std::fs::read(folder.path("content.bin.torrent")).unwrap()).unwrap();
    let _first = visit(addr, &torrent, PEERS);
    let before = seed.resident();
    let _idle: Vec<TcpStream> = (0..PEERS).map(|number| visit(addr, &torrent, number)).collect();
    let each = seed.resident().saturating_sub(before) / u64::from(PEERS);
    println!("{each} bytes a connection");
    assert!(each < MOST_BYTES_EACH, "{each} bytes a connection");
}

#[test]
fn a_peer_whose_output_nobody_takes_serves_and_ends_as_before() {
    let folder = Folder::new();
    folder.file("content.bin", [7; 64 * 1024]);
    folder.minibit(&["seed", "content.bin", "--piece-size", "16KiB", "--for", "50 ms"]).done();
    let torrent = Metainfo::parse(&std::fs::read(folder.path("content.bin.torrent")).unwrap()).unwrap();
    let (_reader, stderr) = std::io::pipe().unwrap();
    let mut filler = stderr.try_clone().unwrap();
    // Ends with the reader.
    std::thread::spawn(move || while filler.write_all(&[b'.'; 4_096]).is_ok() {});
    let all = ["--choker", "unchoke-all", "--peer", "127.0.0.1:1"];
    let peer = ["peer", "content.bin.torrent", "--dir", "."];
    let peer = Running::start(folder.command(&[&peer[..], &all].concat()), stderr.into());
    let addr: SocketAddr = peer.says("listening on ").parse().unwrap();
    // Each of them is a line on stderr when it has gone.
    (0..200).for_each(|number| drop(visit(addr, &torrent, number)));
    visit(addr, &torrent, 200);
    peer.interrupt();
    assert_eq!(peer.code(), 130);
}
