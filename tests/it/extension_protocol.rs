//! BEP 10 and 11, where both ends announced them: how many requests the remote keeps, and who is named to whom.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use minibit::event::CloseReason;
use minibit::id::{ConnId, PieceIndex};
use minibit::peer::policy::Policy;
use minibit::peer::{Action, Direction, Features, Input};
use minibit::time::Span;
use minibit::torrent::bitfield::Bitfield;
use minibit::torrent::layout::Layout;
use minibit::wire::extended::{ExtendedHandshake, Flags, HANDSHAKE, PEER_EXCHANGE, PeerExchange};
use minibit::wire::message::{BitfieldPayload, Message};

use crate::one_peer::{Bench, CONN, PIECES};

/// The id under which the remotes of these tests take in peer exchange.
const THEIRS: u8 = 7;

fn extended() -> Bench {
    let features = Features { fast: false, extended: true };
    Bench::speaking(features, Layout::new(160, 16, 8).unwrap(), Bitfield::empty(PIECES))
}

fn address(name: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, name], port))
}

fn handshake(said: ExtendedHandshake) -> Message {
    Message::Extended { id: HANDSHAKE, payload: said.encode() }
}

fn exchange(names: std::ops::Range<u8>) -> Message {
    let added = names.map(|name| (address(name, 6881), Flags::default())).collect();
    let payload = PeerExchange { added, dropped: Vec::new() }.encode();
    Message::Extended { id: PEER_EXCHANGE, payload }
}

/// What `conn` was told of other peers just now.
fn told(bench: &Bench, to: ConnId) -> Vec<PeerExchange> {
    let message = |action: &Action| match action {
        Action::Send { conn, message: Message::Extended { id: THEIRS, payload } } if *conn == to => {
            Some(PeerExchange::parse(payload).unwrap())
        }
        _ => None,
    };
    bench.actions.iter().filter_map(message).collect()
}

fn dialled(bench: &Bench) -> Vec<SocketAddr> {
    let connect = |action: &Action| match action {
        Action::Connect { addr } => Some(*addr),
        _ => None,
    };
    bench.actions.iter().filter_map(connect).collect()
}

fn wait(bench: &mut Bench, seconds: u64) {
    bench.now += Span::from_secs(seconds);
    bench.input(Input::Timeout);
}

#[test]
fn the_handshake_names_our_port_our_queue_and_peer_exchange() {
    let bench = extended();
    let said = bench.actions.iter().find_map(|action| match action {
        Action::Send { message: Message::Extended { id: HANDSHAKE, payload }, .. } => {
            Some(ExtendedHandshake::parse(payload).unwrap())
        }
        _ => None,
    });
    let expected =
        ExtendedHandshake { peer_exchange: Some(PEER_EXCHANGE), port: Some(6881), requests: Some(500) };
    assert_eq!(said, Some(expected));
}

#[test]
fn no_more_is_asked_for_than_the_remote_keeps_and_a_handshake_is_no_first_message() {
    let mut bench = extended();
    bench.receive(handshake(ExtendedHandshake { requests: Some(1), ..ExtendedHandshake::default() }));
    bench.receive(Message::Bitfield(BitfieldPayload::Set(Bitfield::full(PIECES))));
    assert_eq!(bench.close_reason(), None);
    bench.receive(Message::Unchoke);
    assert_eq!(bench.requested().len(), 1);
}

#[test]
fn everybody_is_named_once_and_nobody_to_itself() {
    let (other, third) = (ConnId(1), ConnId(2));
    let mut bench = extended();
    bench.connect_as(other, 3, Direction::Outgoing);
    // CONN called us: only its handshake says where it listens.
    let wants = ExtendedHandshake { peer_exchange: Some(THEIRS), port: Some(7000), requests: None };
    bench.receive(handshake(wants));
    let reachable = Flags { seed: false, reachable: true };
    let news = |added: &[(SocketAddr, Flags)], dropped: &[SocketAddr]| {
        vec![PeerExchange { added: added.to_vec(), dropped: dropped.to_vec() }]
    };
    assert_eq!(told(&bench, CONN), news(&[(address(3, 6881), reachable)], &[]));
    let wants = ExtendedHandshake { peer_exchange: Some(THEIRS), ..ExtendedHandshake::default() };
    bench.input(Input::Received { conn: other, message: handshake(wants) });
    assert_eq!(told(&bench, other), news(&[(address(2, 7000), Flags::default())], &[]));
    assert!(told(&bench, CONN).is_empty(), "nothing new, and no minute gone");

    bench.connect_as(third, 4, Direction::Outgoing);
    wait(&mut bench, 59);
    assert!(told(&bench, CONN).is_empty(), "not twice in a minute");
    wait(&mut bench, 1);
    assert_eq!(told(&bench, CONN), news(&[(address(4, 6881), reachable)], &[]));
    bench.input(Input::Closed { conn: other, reason: CloseReason::ClosedByRemote });
    wait(&mut bench, 60);
    assert_eq!(told(&bench, CONN), news(&[], &[address(3, 6881)]));
}

#[test]
fn whom_a_remote_names_is_dialled_and_not_too_many_of_them() {
    let mut bench = extended();
    bench.receive(exchange(10..13));
    assert_eq!(dialled(&bench), [address(10, 6881), address(11, 6881), address(12, 6881)]);
    bench.receive(exchange(10..13));
    assert!(dialled(&bench).is_empty(), "known already");
}

#[test]
fn one_remote_cannot_fill_our_memory_with_addresses() {
    let mut bench = extended();
    let mut tried = BTreeSet::new();
    for first in (3..253).step_by(50) {
        bench.receive(exchange(first..first + 50));
        let mut open = dialled(&bench);
        // Nobody is there, which makes room for the next.
        while let Some(addr) = open.pop() {
            tried.insert(addr);
            bench.input(Input::ConnectFailed { addr });
            open.extend(dialled(&bench));
        }
    }
    assert_eq!(tried.len(), 200);
}

#[test]
fn who_takes_no_part_neither_tells_nor_listens() {
    let features = Features::default();
    let mut bench = Bench::speaking(features, Layout::new(160, 16, 8).unwrap(), Bitfield::empty(PIECES));
    bench.receive(exchange(10..13));
    assert_eq!(bench.close_reason(), Some(CloseReason::UnexpectedMessage));
    let mut bench = extended();
    bench.connect_as(ConnId(1), 3, Direction::Outgoing);
    // 0 takes it back.
    let wants = |id| ExtendedHandshake { peer_exchange: Some(id), ..ExtendedHandshake::default() };
    bench.receive(handshake(wants(0)));
    assert!(bench.actions.iter().all(|action| !matches!(action, Action::Send { .. })));
}

#[test]
fn unknown_extensions_are_passed_over_and_broken_bencoding_is_not() {
    let mut bench = extended();
    bench.receive(Message::Extended { id: 99, payload: b"anything".as_slice().into() });
    assert_eq!(bench.close_reason(), None);
    for id in [HANDSHAKE, PEER_EXCHANGE] {
        let mut bench = extended();
        bench.receive(Message::Extended { id, payload: b"d1:".as_slice().into() });
        assert_eq!(bench.close_reason(), Some(CloseReason::MalformedMessage));
    }
    bench.receive(Message::Have(PieceIndex(0)));
    assert_eq!(bench.close_reason(), None);
}

#[test]
fn who_may_not_exchange_peers_speaks_of_none() {
    // As in a private torrent: BEP 10 is spoken, BEP 11 is not.
    let mut bench = extended();
    bench.peer = {
        let policy = Policy { peer_exchange: false, extension_protocol: true, ..Policy::default() };
        Bench::setup(policy, Layout::new(160, 16, 8).unwrap(), Bitfield::empty(PIECES))
    };
    bench.connect(CONN, 2);
    let named = bench.actions.iter().find_map(|action| match action {
        Action::Send { message: Message::Extended { id: HANDSHAKE, payload }, .. } => {
            Some(ExtendedHandshake::parse(payload).unwrap().peer_exchange)
        }
        _ => None,
    });
    assert_eq!(named, Some(None), "its handshake names no id for it");
    bench.connect_as(ConnId(1), 3, Direction::Outgoing);
    let wants = ExtendedHandshake { peer_exchange: Some(THEIRS), ..ExtendedHandshake::default() };
    bench.receive(handshake(wants));
    wait(&mut bench, 60);
    assert!(told(&bench, CONN).is_empty(), "nobody is named to it");
    bench.receive(exchange(10..13));
    assert_eq!((dialled(&bench), bench.close_reason()), (vec![], None), "whom it names is passed over");
}

#[test]
fn who_has_nothing_says_so_to_those_who_would_take_silence_for_the_contrary() {
    let bitfields = |features: Features| {
        let bench = Bench::speaking(features, Layout::new(160, 16, 8).unwrap(), Bitfield::empty(PIECES));
        let bitfield = |action: &Action| match action {
            Action::Send { message: Message::Bitfield(BitfieldPayload::Set(pieces)), .. } => {
                Some(pieces.count())
            }
            _ => None,
        };
        bench.actions.iter().filter_map(bitfield).collect::<Vec<_>>()
    };
    assert_eq!(bitfields(Features { fast: false, extended: true }), [0], "rqbit's kind");
    assert!(bitfields(Features { fast: true, extended: true }).is_empty(), "`have none` says it");
    assert!(bitfields(Features::default()).is_empty(), "BEP 3 needs none");
}
