//! What keeps other people's clients connected, rule by rule, as their sources have it:
//!
//! | rule | where it is tested |
//! |---|---|
//! | no message longer than 9 + block size, 64 KiB or the bitfield; refused before it is buffered | `wire::codec`: hostile lengths, the cap, a dripped message |
//! | unknown messages and wrong lengths end the connection; `port` is heard and ignored | `wire::codec`; `net::host`: a hostile remote; `misbehaviour`: odd but legal |
//! | nothing is sent that was not negotiated, and what comes unasked ends the connection | here; `misbehaviour`: every broken rule |
//! | requests begin at multiples of 16 KiB, and only the last is shorter | here; `torrent::layout`: every block |
//! | nothing is asked for before a bitfield or a have | here; `driver::sim::invariants::requests` |
//! | at most 250 requests are out, and no more than the remote's `reqq` | here; `peer::pipeline`; `extension_protocol`: no more is asked for |
//! | 500 requests are taken | here; `fast_extension`: beyond the queue |
//! | a bitfield has the exact length and no spare bits | `torrent::bitfield`: wrong lengths; `misbehaviour`: every broken rule |
//! | who alone sends a bad piece is banned at the second, who has a part in them at the fifth at the latest, an honest peer never | `bad_data`; `peer::blame`; `driver::sim::invariants::bans` |
//! | a keepalive after 100 s | `misbehaviour`: whoever hears nothing from us |
//! | an encrypted handshake is refused at once | `net::host`: an encrypted handshake |
//! | rqbit, which hangs up after ten silent seconds, gets a minute in scenarios | `tests/processes`: settings are what a client says |
//! | no peer exchange in a private torrent | `extension_protocol`: who may not exchange; `foreground`: a private torrent; `driver::real_time::original` |

use minibit::event::CloseReason;
use minibit::id::{Block, PieceIndex};
use minibit::peer::{Action, Features, Input, Verdict};
use minibit::torrent::bitfield::Bitfield;
use minibit::torrent::layout::Layout;
use minibit::wire::message::{BitfieldPayload, Message, Payload};

use crate::one_peer::{Bench, block};

const BLOCK: u32 = 16 << 10;

/// Pieces of 256 KiB, the last of 77 bytes.
fn odd() -> Layout {
    Layout::new((3 << 20) + 77, 256 << 10, BLOCK).unwrap()
}

fn leecher(layout: Layout) -> Bench {
    let pieces = layout.pieces();
    Bench::new(layout, Bitfield::empty(pieces))
}

#[test]
fn every_request_is_a_block_of_16_kib_at_its_place_or_the_exact_tail() {
    let mut bench = leecher(odd());
    bench.receive(Message::Bitfield(BitfieldPayload::Set(Bitfield::full(odd().pieces()))));
    bench.receive(Message::Unchoke);
    let (mut asked, mut all) = (bench.requested(), Vec::new());
    while let Some(next) = asked.pop() {
        all.push(next);
        let payload = Payload::Virtual { length: next.length, corrupt: false };
        bench.receive(Message::Piece { block: next, payload });
        asked.extend(bench.requested());
        let verify = bench.actions.iter().find_map(|action| match action {
            Action::Verify { piece, .. } => Some(*piece),
            _ => None,
        });
        if let Some(piece) = verify {
            bench.input(Input::Verified { piece, verdict: Verdict::Good { digests: vec![] } });
            asked.extend(bench.requested());
        }
    }
    assert!(bench.peer.have().is_full(), "{} requests", all.len());
    let (whole, tail): (Vec<&Block>, Vec<&Block>) = all.iter().partition(|block| block.length == BLOCK);
    assert!(whole.iter().all(|block| block.begin % BLOCK == 0), "{whole:?}");
    assert_eq!((whole.len(), tail), (192, vec![&block(12, 0, 77)]));
}

#[test]
fn nothing_is_asked_for_before_the_remote_says_that_it_has_it() {
    let mut bench = leecher(odd());
    bench.receive(Message::Unchoke);
    assert_eq!(bench.requested(), []);
    bench.receive(Message::Have(PieceIndex(7)));
    let asked = bench.requested();
    assert!(!asked.is_empty() && asked.iter().all(|block| block.piece == PieceIndex(7)), "{asked:?}");
}

#[test]
fn no_more_than_250_requests_are_out_however_fast_the_remote_is() {
    let layout = Layout::new(256 << 20, 256 << 10, BLOCK).unwrap();
    let mut bench = leecher(layout);
    bench.receive(Message::Bitfield(BitfieldPayload::Set(Bitfield::full(1024))));
    bench.receive(Message::Unchoke);
    // Everything comes at once, so the rate is without bounds.
    let (mut out, mut most) = (bench.requested(), 0);
    for _ in 0..2_000 {
        most = most.max(out.len());
        let next = out.remove(0);
        let payload = Payload::Virtual { length: next.length, corrupt: false };
        bench.receive(Message::Piece { block: next, payload });
        out.extend(bench.requested());
    }
    assert_eq!(most, 250);
}

#[test]
fn five_hundred_requests_are_taken_from_a_remote_without_the_fast_extension() {
    let layout = Layout::new(16 << 20, 256 << 10, BLOCK).unwrap();
    let mut bench = Bench::new(layout, Bitfield::full(64));
    bench.receive(Message::Interested);
    for number in 0..500 {
        bench.receive(Message::Request(block(number / 16, number % 16 * BLOCK, BLOCK)));
        assert_eq!(bench.close_reason(), None, "request {number}");
    }
    bench.receive(Message::Request(block(500 / 16, 500 % 16 * BLOCK, BLOCK)));
    assert_eq!(bench.close_reason(), Some(CloseReason::TooManyRequests));
}

/// Which of BEP 6 and BEP 10 a message is of.
fn beyond_bep_3(message: &Message) -> Features {
    let fast = matches!(
        message,
        Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::SuggestPiece(_)
            | Message::AllowedFast(_)
    );
    Features { fast, extended: matches!(message, Message::Extended { .. }) }
}

#[test]
fn nothing_is_sent_that_was_not_negotiated() {
    let both = [false, true];
    for (fast, extended) in both.into_iter().flat_map(|fast| both.map(|extended| (fast, extended))) {
        for pieces in [0, 5, 13] {
            let have: Bitfield = {
                let mut have = Bitfield::empty(13);
                (0..pieces).for_each(|piece| {
                    have.insert(PieceIndex(piece));
                });
                have
            };
            let mut bench = Bench::speaking(Features { fast, extended }, odd(), have);
            let mut sent = Vec::new();
            let mut note = |bench: &Bench| {
                sent.extend(bench.actions.iter().filter_map(|action| match action {
                    Action::Send { message, .. } => Some(beyond_bep_3(message)),
                    _ => None,
                }));
            };
            note(&bench);
            let mut request = block(0, 0, BLOCK);
            // Refused while choked, served, taken back, and refused for what is not there.
            for step in 0..5 {
                let message = match step {
                    0 | 2 => Message::Request(request),
                    1 => Message::Interested,
                    3 => Message::Cancel(request),
                    _ => {
                        request = block(12, 0, 77);
                        Message::Request(request)
                    }
                };
                bench.receive(message);
                note(&bench);
            }
            assert!(fast || sent.iter().all(|features| !features.fast), "{pieces} pieces");
            assert!(extended || sent.iter().all(|features| !features.extended), "{pieces} pieces");
            assert_eq!(fast, sent.iter().any(|features| features.fast), "{pieces} pieces");
            assert_eq!(extended, sent.iter().any(|features| features.extended), "{pieces} pieces");
        }
    }
}
