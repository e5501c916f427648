//! BEP 6, where both ends announced it: what is said first, and that every request is answered.

use minibit::event::CloseReason;
use minibit::id::{Block, ConnId, PieceIndex};
use minibit::peer::{Action, Features, Input};
use minibit::time::Span;
use minibit::torrent::bitfield::Bitfield;
use minibit::torrent::layout::Layout;
use minibit::wire::message::Message;

use crate::one_peer::{Bench, CONN, PIECES, block, data, raw};

/// A peer that has the first `pieces` of ten pieces of two 8-byte blocks.
fn fast(pieces: u32) -> Bench {
    let mut have = Bitfield::empty(PIECES);
    for piece in 0..pieces {
        have.insert(PieceIndex(piece));
    }
    Bench::speaking(Features { fast: true, extended: false }, Layout::new(160, 16, 8).unwrap(), have)
}

fn sent(bench: &Bench) -> Vec<Message> {
    let message = |action: &Action| match action {
        Action::Send { message, .. } => Some(message.clone()),
        _ => None,
    };
    bench.actions.iter().filter_map(message).collect()
}

/// A seed that has unchoked its remote, which asked for so many blocks.
fn asked_for(blocks: u32) -> (Bench, Vec<Block>) {
    let mut bench = fast(PIECES);
    bench.receive(Message::HaveNone);
    bench.receive(Message::Interested);
    assert_eq!(sent(&bench), [Message::Unchoke]);
    let asked: Vec<Block> = (0..blocks).map(|number| block(number / 2, number % 2 * 8, 8)).collect();
    for block in &asked {
        bench.receive(Message::Request(*block));
    }
    (bench, asked)
}

#[test]
fn the_first_message_is_one_byte_for_all_or_nothing() {
    assert_eq!(sent(&fast(0)), [Message::HaveNone]);
    assert_eq!(sent(&fast(PIECES)), [Message::HaveAll]);
    assert!(matches!(sent(&fast(3))[..], [Message::Bitfield(_)]));
}

#[test]
fn have_all_and_have_none_say_what_a_bitfield_would() {
    let mut bench = fast(3);
    bench.receive(Message::HaveAll);
    assert_eq!(sent(&bench), [Message::Interested]);
    assert_eq!(bench.peer.availability(PieceIndex(9)), 1);
    let mut bench = fast(3);
    bench.receive(Message::HaveNone);
    assert!(bench.actions.is_empty());
    bench.receive(Message::Have(PieceIndex(9)));
    assert_eq!(sent(&bench), [Message::Interested]);
}

#[test]
fn have_all_comes_later_too_from_one_that_has_just_got_everything() {
    let mut bench = fast(3);
    bench.receive(Message::HaveNone);
    bench.receive(Message::HaveAll);
    assert_eq!((bench.close_reason(), sent(&bench)), (None, vec![Message::Interested]));
    assert_eq!(bench.peer.availability(PieceIndex(9)), 1);
}

#[test]
fn two_complete_peers_part() {
    let mut bench = fast(PIECES);
    bench.receive(Message::HaveAll);
    assert_eq!(bench.close_reason(), Some(CloseReason::BothComplete));
}

#[test]
fn what_breaks_the_extension_costs_the_connection() {
    let cases = [
        (vec![Message::HaveAll, Message::HaveNone], CloseReason::LateHaveNone),
        (vec![Message::HaveNone, raw(&[0])], CloseReason::BadBitfield),
        (vec![Message::HaveNone, Message::AllowedFast(PieceIndex(PIECES))], CloseReason::BadPieceIndex),
        (vec![Message::HaveNone, Message::SuggestPiece(PieceIndex(PIECES))], CloseReason::BadPieceIndex),
        (vec![Message::HaveNone, Message::Reject(block(9, 0, 8))], CloseReason::UnrequestedReject),
    ];
    for (messages, expected) in cases {
        let mut bench = fast(5);
        for message in &messages {
            assert_eq!(bench.close_reason(), None, "{messages:?}: closed too early");
            bench.receive(message.clone());
        }
        assert_eq!(bench.close_reason(), Some(expected), "{messages:?}");
    }
}

#[test]
fn offers_are_taken_note_of_and_do_no_harm() {
    let mut bench = fast(5);
    for message in
        [Message::HaveAll, Message::AllowedFast(PieceIndex(9)), Message::SuggestPiece(PieceIndex(8))]
    {
        bench.receive(message);
        assert_eq!(bench.close_reason(), None);
    }
    assert!(bench.requested().is_empty(), "choked is choked");
}

#[test]
fn a_request_while_choked_or_for_what_we_lack_is_rejected() {
    let mut bench = fast(5);
    bench.receive(Message::HaveNone);
    for wanted in [block(0, 0, 8), block(9, 0, 8)] {
        bench.receive(Message::Request(wanted));
        assert_eq!(sent(&bench), [Message::Reject(wanted)]);
    }
}

#[test]
fn a_choke_rejects_whatever_is_queued() {
    let (mut bench, asked) = asked_for(3);
    // Nobody else wants anything: the slot is lost with the interest.
    bench.receive(Message::NotInterested);
    let rejects = asked.iter().map(|block| Message::Reject(*block));
    let expected: Vec<Message> = std::iter::once(Message::Choke).chain(rejects).collect();
    assert_eq!(sent(&bench), expected);
}

#[test]
fn a_cancel_is_answered_by_a_reject_unless_the_block_is_on_its_way() {
    let (mut bench, asked) = asked_for(2);
    let mut actions = Vec::new();
    let served = bench.peer.next_upload(bench.now, &|_| true, &mut actions).unwrap();
    assert_eq!(served, (CONN, asked[0]));
    bench.receive(Message::Cancel(asked[0]));
    assert!(sent(&bench).is_empty(), "its block is the answer");
    bench.receive(Message::Cancel(asked[1]));
    assert_eq!(sent(&bench), [Message::Reject(asked[1])]);
}

#[test]
fn beyond_the_queue_requests_are_rejected_and_the_connection_stays() {
    let mut have = Bitfield::full(1);
    have.insert(PieceIndex(0));
    let layout = Layout::new(1 << 14, 1 << 14, 1 << 14).unwrap();
    let mut bench = Bench::speaking(Features { fast: true, extended: false }, layout, have);
    bench.receive(Message::HaveNone);
    bench.receive(Message::Interested);
    for begin in 0..500 {
        bench.receive(Message::Request(block(0, begin, 1)));
        assert!(sent(&bench).is_empty());
    }
    bench.receive(Message::Request(block(0, 500, 1)));
    assert_eq!(sent(&bench), [Message::Reject(block(0, 500, 1))]);
    assert_eq!(bench.close_reason(), None);
}

#[test]
fn a_choke_takes_back_no_request_of_ours_and_a_reject_frees_its_block_for_others() {
    let mut bench = fast(0);
    bench.receive(Message::HaveAll);
    bench.receive(Message::Unchoke);
    let asked = bench.requested();
    assert!(!asked.is_empty());
    let other = ConnId(1);
    bench.connect(other, 3);
    bench.input(Input::Received { conn: other, message: Message::HaveAll });
    bench.input(Input::Received { conn: other, message: Message::Unchoke });
    let elsewhere = bench.requested();
    assert!(asked.iter().all(|block| !elsewhere.contains(block)), "not asked for twice");

    bench.receive(Message::Choke);
    assert!(bench.requested().is_empty(), "they may still come");
    let (first, rest) = asked.split_first().unwrap();
    bench.receive(data(*first));
    assert!(
        bench.actions.iter().any(|action| matches!(action, Action::Store { block, .. } if block == first))
    );
    for block in rest {
        bench.receive(Message::Reject(*block));
        assert_eq!(bench.close_reason(), None);
    }
    // The other has room for more as soon as a block of its own has come.
    let mut again = bench.requested();
    bench.input(Input::Received { conn: other, message: data(elsewhere[0]) });
    again.extend(bench.requested());
    assert!(again.contains(&rest[0]), "{again:?} instead of {rest:?}");
}

#[test]
fn who_neither_answers_nor_rejects_is_snubbed_and_owes_nothing_any_more() {
    let mut bench = fast(0);
    bench.receive(Message::HaveAll);
    bench.receive(Message::Unchoke);
    let asked = bench.requested();
    bench.receive(Message::Choke);
    bench.now += Span::from_secs(61);
    bench.input(Input::Timeout);
    let cancelled = asked.iter().filter(|block| sent(&bench).contains(&Message::Cancel(**block)));
    assert_eq!(cancelled.count(), asked.len());
    bench.receive(Message::Reject(asked[0]));
    assert_eq!(bench.close_reason(), None, "the answer to the cancel");
}
