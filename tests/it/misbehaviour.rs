//! What a peer does about remotes that break the rules: the connection goes, with a reason, and nothing else does.

use std::net::SocketAddr;

use bytes::Bytes;
use minibit::event::{BlockFate, CloseReason, Event};
use minibit::id::{ConnId, PeerIndex, PieceIndex};
use minibit::peer::{Action, Direction, Features, Input, RemotePeer, Verdict};
use minibit::time::Span;
use minibit::torrent::bitfield::Bitfield;
use minibit::torrent::layout::Layout;
use minibit::wire::message::{BitfieldPayload, Message, Payload};

use crate::one_peer::{Bench, CONN, PIECES, block, data, raw};

#[test]
fn a_later_bitfield_means_a_have_for_every_piece_in_it_and_takes_nothing_back() {
    let mut bench = Bench::with(5);
    bench.receive(Message::Have(PieceIndex(0)));
    // Pieces 7 and 9 instead of two messages, and no word of piece 0.
    bench.receive(raw(&[0b0000_0001, 0b0100_0000]));
    assert_eq!(bench.close_reason(), None);
    let sent: Vec<&Action> =
        bench.actions.iter().filter(|action| matches!(action, Action::Send { .. })).collect();
    assert!(matches!(sent[..], [Action::Send { message: Message::Interested, .. }]), "{sent:?}");
    let held = (0..PIECES).filter(|piece| bench.peer.availability(PieceIndex(*piece)) == 1);
    assert_eq!(held.collect::<Vec<_>>(), [0, 7, 9]);
    bench.receive(raw(&[0xFF, 0xC0]));
    assert_eq!((bench.close_reason(), bench.peer.availability(PieceIndex(9))), (None, 1));

    // The last piece makes two complete peers of us.
    let mut bench = Bench::with(PIECES);
    bench.receive(raw(&[0, 0]));
    bench.receive(raw(&[0xFF, 0xC0]));
    assert_eq!(bench.close_reason(), Some(CloseReason::BothComplete));
}

#[test]
fn a_peer_with_too_many_unverified_bytes_opens_no_further_piece() {
    // Five pieces of 32 MiB in two blocks, no verdict ever: after two pieces it may only finish what it started.
    let layout = Layout::new(160 << 20, 32 << 20, 16 << 20).unwrap();
    let mut bench = Bench::new(layout, Bitfield::empty(5));
    bench.receive(Message::Bitfield(BitfieldPayload::Set(Bitfield::full(5))));
    bench.receive(Message::Unchoke);
    let mut asked = bench.requested();
    let first = asked[0].piece;
    let mut stored = 0;
    while let Some(next) = asked.pop() {
        let payload = Payload::Virtual { length: next.length, corrupt: false };
        bench.receive(Message::Piece { block: next, payload });
        stored += u64::from(next.length);
        asked.extend(bench.requested());
    }
    assert!((64 << 20..=128 << 20).contains(&stored), "{stored} bytes without a verdict");
    // A verdict makes room.
    bench.input(Input::Verified { piece: first, verdict: Verdict::Good { digests: vec![] } });
    assert!(!bench.requested().is_empty());
}

#[test]
fn every_broken_rule_costs_the_connection_and_says_why() {
    let cases: Vec<(&str, Vec<Message>, CloseReason)> = vec![
        ("short bitfield", vec![raw(&[0xFF])], CloseReason::BadBitfield),
        ("long bitfield", vec![raw(&[0, 0, 0])], CloseReason::BadBitfield),
        ("spare bits", vec![raw(&[0, 0x20])], CloseReason::BadBitfield),
        ("second bitfield, short", vec![raw(&[0, 0]), raw(&[0])], CloseReason::BadBitfield),
        ("have of no piece", vec![Message::Have(PieceIndex(PIECES))], CloseReason::BadPieceIndex),
        ("request of no piece", vec![Message::Request(block(PIECES, 0, 8))], CloseReason::BadRequest),
        ("request of nothing", vec![Message::Request(block(0, 0, 0))], CloseReason::BadRequest),
        ("request beyond the piece", vec![Message::Request(block(0, 9, 8))], CloseReason::BadRequest),
        (
            "request that overflows",
            vec![Message::Request(block(0, u32::MAX, u32::MAX))],
            CloseReason::BadRequest,
        ),
        (
            "request for what we lack",
            vec![Message::Request(block(9, 0, 8))],
            CloseReason::RequestForMissingPiece,
        ),
        ("fast extension unasked", vec![Message::HaveAll], CloseReason::UnexpectedMessage),
        (
            "extended message unasked",
            vec![Message::Extended { id: 0, payload: Bytes::new() }],
            CloseReason::UnexpectedMessage,
        ),
        ("blocks nobody asked for", vec![data(block(9, 0, 8)); 65], CloseReason::UnrequestedBlocks),
    ];
    for (name, messages, expected) in cases {
        let mut bench = Bench::with(5);
        for message in messages {
            assert_eq!(bench.close_reason(), None, "{name}: closed too early");
            bench.receive(message);
        }
        assert_eq!(bench.close_reason(), Some(expected), "{name}");
        assert!(bench.peer.connections().next().is_none(), "{name}");
        bench.receive(Message::Interested);
        assert!(bench.actions.is_empty(), "{name}: a closed connection still acts");
    }
}

#[test]
fn odd_but_legal_messages_do_no_harm() {
    let mut bench = Bench::with(5);
    for message in [
        Message::KeepAlive,
        raw(&[0, 0]),
        Message::Port(6881),
        Message::Have(PieceIndex(3)),
        Message::Have(PieceIndex(3)),
        Message::NotInterested,
        Message::Cancel(block(0, 0, 8)),
        Message::Request(block(0, 1, 3)),
        data(block(0, 0, 8)),
        Message::Unchoke,
        Message::Choke,
        Message::Choke,
    ] {
        bench.receive(message.clone());
        assert_eq!(bench.close_reason(), None, "{message:?}");
    }
    assert_eq!(bench.peer.availability(PieceIndex(3)), 1);
}

#[test]
fn whoever_hears_nothing_from_us_gets_a_keepalive_within_two_minutes() {
    let mut bench = Bench::with(0);
    let keepalives = |bench: &Bench| {
        let keepalive = |action: &&Action| matches!(action, Action::Send { message: Message::KeepAlive, .. });
        bench.actions.iter().filter(keepalive).count()
    };
    for (after, expected) in [(99, 0), (1, 1), (99, 0), (1, 1)] {
        bench.now += Span::from_secs(after);
        bench.input(Input::Timeout);
        assert_eq!(keepalives(&bench), expected, "at {}", bench.now);
        // The remote's own keepalive is why it is not idle.
        bench.receive(Message::KeepAlive);
    }
}

#[test]
fn ourselves_strangers_twice_and_too_many_are_turned_away() {
    let mut bench = Bench::with(0);
    let own = RemotePeer {
        addr: SocketAddr::from(([10, 0, 0, 1], 6881)),
        peer_id: bench.peer.peer_id(),
        direction: Direction::Outgoing,
        features: Features::default(),
        index: None,
    };
    bench.input(Input::Connected { conn: ConnId(1), remote: Box::new(own) });
    assert_eq!(bench.close_reason(), Some(CloseReason::SelfConnection));

    for name in 3..42 {
        bench.connect(ConnId(u32::from(name)), name);
        assert_eq!(bench.close_reason(), None);
    }
    bench.connect(ConnId(100), 100);
    assert_eq!(bench.close_reason(), Some(CloseReason::TooManyConnections));
}

#[test]
fn a_second_connection_to_the_same_peer_replaces_the_first_only_while_it_is_young() {
    let closed = |second: Direction, after: Span, name: u8| {
        let mut bench = Bench::with(0);
        bench.connect(ConnId(1), name);
        bench.now += after;
        bench.connect_as(ConnId(2), name, second);
        let closed = bench.actions.iter().find_map(|action| match action {
            Action::Close { conn, reason: CloseReason::AlreadyConnected } => Some(*conn),
            _ => None,
        });
        closed.expect("one of the two is closed")
    };
    let (at_once, later) = (Span::from_millis(100), Span::from_secs(30));
    // Our peer id begins with a hyphen, 0x2d: smaller than 0x30, greater than 0x20.
    assert_eq!(closed(Direction::Outgoing, at_once, 0x30), ConnId(2));
    assert_eq!(closed(Direction::Outgoing, at_once, 0x20), ConnId(1));
    assert_eq!(closed(Direction::Outgoing, later, 0x30), ConnId(2));
    assert_eq!(closed(Direction::Outgoing, later, 0x20), ConnId(2));
    // Who dials again has lost the first.
    assert_eq!(closed(Direction::Incoming, later, 0x30), ConnId(1));
}

#[test]
fn a_block_of_the_wrong_length_is_not_stored() {
    let mut bench = Bench::with(0);
    bench.receive(raw(&[0xFF, 0xC0]));
    bench.receive(Message::Unchoke);
    let asked = bench.requested()[0];
    let short = Message::Piece { block: asked, payload: Payload::Bytes(Bytes::from_static(&[1])) };
    let actions = bench.receive(short);
    assert!(!actions.iter().any(|action| matches!(action, Action::Store { .. })), "{actions:?}");
}

#[test]
fn a_peer_that_alone_sends_bad_pieces_is_banned_at_the_second_and_stays_out() {
    let mut bench = Bench::with(0);
    bench.receive(raw(&[0xFF, 0xC0]));
    bench.receive(Message::Unchoke);
    let mut asked = bench.requested();
    let mut failures = 0;
    while failures < 2 {
        let next = asked.remove(0);
        bench.receive(data(next));
        asked.extend(bench.requested());
        let verify = bench.actions.iter().find_map(|action| match action {
            Action::Verify { piece, .. } => Some(*piece),
            _ => None,
        });
        if let Some(piece) = verify {
            bench.input(Input::Verified { piece, verdict: Verdict::Bad { digests: vec![1, 2] } });
            asked.extend(bench.requested());
            failures += 1;
        }
    }
    assert_eq!(bench.close_reason(), Some(CloseReason::Banned));
    assert!(bench.actions.contains(&Action::Emit(Event::Banned { remote: Some(PeerIndex(2)) })));
    bench.connect(CONN, 2);
    assert_eq!(bench.close_reason(), Some(CloseReason::Banned));
}

#[test]
fn a_late_answer_to_a_cancelled_request_is_a_duplicate_and_no_offence() {
    let mut bench = Bench::with(9);
    bench.receive(raw(&[0xFF, 0xC0]));
    bench.receive(Message::Unchoke);
    let asked = bench.requested();
    bench.connect(ConnId(1), 3);
    bench.input(Input::Received { conn: ConnId(1), message: raw(&[0xFF, 0xC0]) });
    bench.input(Input::Received { conn: ConnId(1), message: Message::Unchoke });
    let doubled = bench.requested()[0];
    assert!(asked.contains(&doubled), "the endgame asks for a block that is asked for already");
    bench.input(Input::Received { conn: ConnId(1), message: data(doubled) });
    let cancel = Action::Send { conn: CONN, message: Message::Cancel(doubled) };
    assert!(bench.actions.contains(&cancel), "{:?}", bench.actions);
    bench.receive(data(doubled));
    let duplicate =
        Event::Downloaded { from: Some(PeerIndex(2)), block: doubled, fate: BlockFate::Duplicate };
    assert!(bench.actions.contains(&Action::Emit(duplicate)), "{:?}", bench.actions);
    assert_eq!(bench.close_reason(), None);
}

#[test]
fn a_block_that_we_have_sent_again_and_again_is_an_offence() {
    let mut bench = Bench::with(5);
    for _ in 0..=64 {
        assert_eq!(bench.close_reason(), None);
        bench.receive(data(block(0, 0, 8)));
    }
    assert_eq!(bench.close_reason(), Some(CloseReason::UnrequestedBlocks));
}

#[test]
fn the_pipeline_of_a_slow_remote_stays_short_through_a_choke() {
    let layout = Layout::new(1_000, 1, 1).unwrap();
    let mut bench = Bench::new(layout, Bitfield::empty(1_000));
    bench.receive(Message::Bitfield(BitfieldPayload::Set(Bitfield::full(1_000))));
    bench.receive(Message::Unchoke);
    let mut asked = bench.requested();
    for _ in 0..20 {
        bench.now += Span::from_millis(500);
        let next = asked.remove(0);
        bench.receive(data(next));
        asked.extend(bench.requested());
    }
    bench.receive(Message::Choke);
    bench.now += Span::from_millis(10);
    bench.receive(Message::Unchoke);
    assert_eq!(bench.requested().len(), 2, "two blocks a second are no reason to ask for hundreds");
}

#[test]
fn a_piece_lost_on_disk_is_fetched_again_and_requests_for_it_are_no_offence() {
    let mut bench = Bench::with(10);
    bench.receive(Message::KeepAlive);
    bench.input(Input::ReadFailed { piece: PieceIndex(4) });
    assert!(bench.actions.contains(&Action::Emit(Event::StorageFailed { piece: PieceIndex(4) })));
    assert!(!bench.peer.is_complete());
    bench.receive(Message::Request(block(4, 0, 8)));
    assert_eq!(bench.close_reason(), None);
    bench.receive(Message::Have(PieceIndex(4)));
    bench.receive(Message::Unchoke);
    assert_eq!(bench.requested(), [block(4, 0, 8), block(4, 8, 8)]);
}

#[test]
fn a_remote_that_delivers_nothing_is_snubbed_and_another_is_asked_too() {
    let mut bench = Bench::with(9);
    bench.receive(raw(&[0xFF, 0xC0]));
    bench.receive(Message::Unchoke);
    let asked = bench.requested();
    assert_eq!(asked.len(), 2, "the last piece has two blocks");
    bench.now += Span::from_secs(60);
    bench.input(Input::Timeout);
    assert!(bench.actions.contains(&Action::Emit(Event::Snubbed { remote: Some(PeerIndex(2)) })));
    bench.connect(ConnId(1), 3);
    bench.input(Input::Received { conn: ConnId(1), message: raw(&[0xFF, 0xC0]) });
    bench.input(Input::Received { conn: ConnId(1), message: Message::Unchoke });
    assert_eq!(bench.requested().len(), 1, "one at a time from a second requester");
}

#[test]
fn a_snubbed_remote_gives_back_the_piece_that_it_alone_was_to_send_again() {
    let mut bench = Bench::with(9);
    bench.receive(raw(&[0xFF, 0xC0]));
    bench.receive(Message::Unchoke);
    for asked in bench.requested() {
        bench.receive(data(asked));
    }
    bench.input(Input::Verified { piece: PieceIndex(9), verdict: Verdict::Bad { digests: vec![1, 2] } });
    assert_eq!(bench.requested().len(), 2, "the only holder is asked once more");
    bench.connect(ConnId(1), 3);
    bench.input(Input::Received { conn: ConnId(1), message: raw(&[0xFF, 0xC0]) });
    bench.input(Input::Received { conn: ConnId(1), message: Message::Unchoke });
    assert_eq!(bench.requested(), [], "one connection at a time");
    bench.now += Span::from_secs(60);
    bench.input(Input::Timeout);
    let to_other =
        |action: &&Action| matches!(action, Action::Send { conn: ConnId(1), message: Message::Request(_) });
    assert_eq!(bench.actions.iter().filter(to_other).count(), 2, "{:?}", bench.actions);
}

#[test]
fn answers_to_requests_that_a_choke_took_back_are_no_offence_as_in_swarm_5035() {
    // The remote chokes, unchokes before our requests come there, answers them, and those after the unchoke too.
    let mut bench = Bench::with(0);
    bench.receive(Message::Bitfield(BitfieldPayload::Set(Bitfield::full(PIECES))));
    for _ in 0..100 {
        bench.receive(Message::Unchoke);
        let asked = bench.requested();
        assert!(!asked.is_empty());
        bench.receive(Message::Choke);
        for block in asked {
            let payload = Payload::Virtual { length: block.length, corrupt: false };
            bench.receive(Message::Piece { block, payload });
            assert_eq!(bench.close_reason(), None);
        }
    }
}
