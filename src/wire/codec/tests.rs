//! The codec against proptest, every split point and hostile bytes.

use super::*;
use crate::torrent::bitfield::Bitfield;
use proptest::prelude::*;

fn codec() -> Codec {
    Codec::new(1_000, 16 * 1024)
}

/// Everything that is in the buffer, then the error if there was one.
fn drain(codec: Codec, buffer: &mut BytesMut) -> (Vec<Message>, Option<WireError>) {
    let mut messages = Vec::new();
    loop {
        match codec.decode(buffer) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

fn encoded(messages: &[Message]) -> BytesMut {
    let mut buffer = BytesMut::new();
    messages.iter().for_each(|message| codec().encode(message, &mut buffer));
    buffer
}

fn decode_bytes(bytes: &[u8]) -> Result<Option<Message>, WireError> {
    codec().decode(&mut BytesMut::from(bytes))
}

fn a_block() -> impl Strategy<Value = Block> {
    (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(piece, begin, length)| Block {
        piece: PieceIndex(piece),
        begin,
        length,
    })
}

fn a_piece() -> impl Strategy<Value = Message> {
    (any::<u32>(), any::<u32>(), bytes_up_to(300)).prop_map(|(piece, begin, data)| Message::Piece {
        block: Block { piece: PieceIndex(piece), begin, length: data.len() as u32 },
        payload: Payload::Bytes(data),
    })
}

fn bytes_up_to(most: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..=most).prop_map(Bytes::from)
}

fn a_message() -> impl Strategy<Value = Message> {
    let index = || any::<u32>().prop_map(PieceIndex);
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        index().prop_map(Message::Have),
        index().prop_map(Message::SuggestPiece),
        index().prop_map(Message::AllowedFast),
        a_block().prop_map(Message::Request),
        a_block().prop_map(Message::Cancel),
        a_block().prop_map(Message::Reject),
        a_piece(),
        any::<u16>().prop_map(Message::Port),
        bytes_up_to(200).prop_map(|bytes| Message::Bitfield(BitfieldPayload::Raw(bytes))),
        (any::<u8>(), bytes_up_to(200)).prop_map(|(id, payload)| Message::Extended { id, payload }),
    ]
}

proptest! {
    #[test]
    fn messages_round_trip(messages in prop::collection::vec(a_message(), 0..12)) {
        let mut buffer = encoded(&messages);
        prop_assert_eq!(drain(codec(), &mut buffer), (messages, None));
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn every_split_of_the_stream_gives_the_same_messages(messages in prop::collection::vec(a_message(), 1..5)) {
        let stream = encoded(&messages);
        for split in 0..=stream.len() {
            let mut buffer = BytesMut::from(&stream[..split]);
            let (mut seen, error) = drain(codec(), &mut buffer);
            prop_assert_eq!(error, None, "split at {}", split);
            buffer.extend_from_slice(&stream[split..]);
            let (rest, error) = drain(codec(), &mut buffer);
            prop_assert_eq!(error, None, "split at {}", split);
            seen.extend(rest);
            prop_assert_eq!(&seen, &messages, "split at {}", split);
        }
    }

    #[test]
    fn byte_by_byte_gives_the_same_messages(messages in prop::collection::vec(a_message(), 1..5)) {
        let mut buffer = BytesMut::new();
        let mut seen = Vec::new();
        for byte in encoded(&messages) {
            buffer.put_u8(byte);
            let (more, error) = drain(codec(), &mut buffer);
            prop_assert_eq!(error, None);
            seen.extend(more);
        }
        prop_assert_eq!(seen, messages);
    }

    #[test]
    fn random_bytes_never_panic_and_are_consumed_up_to_one_message(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        let (_, error) = drain(codec(), &mut buffer);
        if error.is_none() {
            prop_assert!(buffer.len() < PREFIX + codec().cap() as usize);
        }
    }

    #[test]
    fn plausible_prefixes_with_random_bodies_never_panic(
        length in 0u32..40, bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
        buffer.extend_from_slice(&bytes);
        let _ = drain(codec(), &mut buffer);
    }

    #[test]
    fn a_piece_header_and_its_data_are_the_whole_message(message in a_piece()) {
        let Message::Piece { block, payload: Payload::Bytes(data) } = &message else { unreachable!() };
        let mut parts = codec().encode_piece_header(*block).to_vec();
        parts.extend_from_slice(data);
        prop_assert_eq!(parts, encoded(std::slice::from_ref(&message)).to_vec());
    }
}

#[test]
fn messages_have_the_bytes_of_the_specifications() {
    let block = Block { piece: PieceIndex(1), begin: 2, length: 3 };
    let cases: [(Message, &[u8]); 9] = [
        (Message::KeepAlive, &[0, 0, 0, 0]),
        (Message::Unchoke, &[0, 0, 0, 1, 1]),
        (Message::Have(PieceIndex(0x01020304)), &[0, 0, 0, 5, 4, 1, 2, 3, 4]),
        (Message::Request(block), &[0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        (
            Message::Piece { block, payload: Payload::Bytes(Bytes::from_static(b"xyz")) },
            &[0, 0, 0, 12, 7, 0, 0, 0, 1, 0, 0, 0, 2, b'x', b'y', b'z'],
        ),
        (Message::Reject(block), &[0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        (Message::HaveAll, &[0, 0, 0, 1, 14]),
        (Message::Port(6881), &[0, 0, 0, 3, 9, 0x1A, 0xE1]),
        (Message::Extended { id: 0, payload: Bytes::from_static(b"de") }, &[0, 0, 0, 4, 20, 0, b'd', b'e']),
    ];
    for (message, bytes) in cases {
        assert_eq!(&encoded(std::slice::from_ref(&message))[..], bytes, "{message:?}");
        assert_eq!(decode_bytes(bytes), Ok(Some(message)));
    }
}

#[test]
fn our_own_bitfield_arrives_raw() {
    let mut field = Bitfield::empty(9);
    field.insert(PieceIndex(0));
    let mut buffer = encoded(&[Message::Bitfield(BitfieldPayload::Set(field))]);
    let raw = BitfieldPayload::Raw(Bytes::from_static(&[0x80, 0]));
    assert_eq!(codec().decode(&mut buffer), Ok(Some(Message::Bitfield(raw))));
}

#[test]
fn hostile_lengths_are_refused_with_their_fourth_byte() {
    let cap = codec().cap();
    for length in [u32::MAX, 1 << 31, cap + 1] {
        let bytes = length.to_be_bytes();
        assert_eq!(decode_bytes(&bytes[..3]), Ok(None));
        assert_eq!(decode_bytes(&bytes), Err(WireError::Oversized { length, cap }));
    }
    assert_eq!(decode_bytes(&cap.to_be_bytes()), Ok(None), "the cap itself is allowed");
}

#[test]
fn wrong_fixed_lengths_are_refused_with_their_fifth_byte() {
    let right = [(0, 1), (1, 1), (2, 1), (3, 1), (4, 5), (6, 13), (8, 13), (9, 3)];
    let fast = [(13, 5), (14, 1), (15, 1), (16, 13), (17, 5)];
    for (id, right) in right.into_iter().chain(fast) {
        for length in (1..=20u32).chain([codec().cap()]).filter(|length| *length != right) {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.push(id);
            assert_eq!(decode_bytes(&bytes), Err(WireError::WrongLength { id, length }));
        }
    }
    assert_eq!(decode_bytes(&[0, 0, 0, 8, 7]), Err(WireError::WrongLength { id: 7, length: 8 }));
    assert_eq!(decode_bytes(&[0, 0, 0, 1, 20]), Err(WireError::WrongLength { id: 20, length: 1 }));
}

#[test]
fn unknown_messages_are_refused_with_their_fifth_byte() {
    for id in (10..=12).chain([18, 19]).chain(21..=255) {
        assert_eq!(decode_bytes(&[0, 0, 0, 9, id]), Err(WireError::UnknownMessage { id }));
    }
}

#[test]
fn the_cap_follows_block_size_and_number_of_pieces_and_never_overflows() {
    assert_eq!(Codec::new(1_000, 16 * 1024).cap(), 64 * 1024);
    assert_eq!(Codec::new(1_000, 1 << 20).cap(), (1 << 20) + 9);
    assert_eq!(Codec::new(3_800_000, 16 * 1024).cap(), 475_001);
    assert_eq!(Codec::new(u32::MAX, u32::MAX).cap(), u32::MAX);
}

#[test]
fn a_dripped_oversized_message_buffers_nothing_more() {
    let mut buffer = BytesMut::new();
    let stream = [0xFF, 0xFF, 0xFF, 0xFF, 7, 0, 0];
    let dropped_after = stream.iter().position(|byte| {
        buffer.put_u8(*byte);
        codec().decode(&mut buffer).is_err()
    });
    assert_eq!(dropped_after, Some(3));
    assert!(buffer.capacity() <= 64, "capacity {}", buffer.capacity());
}

#[test]
fn a_block_longer_than_anybody_asks_for_is_refused_by_its_head() {
    let mut buffer = BytesMut::new();
    let block = Block { piece: PieceIndex(1), begin: 0, length: 16 * 1024 + 1 };
    buffer.extend_from_slice(&codec().encode_piece_header(block));
    let wrong = WireError::WrongLength { id: id::PIECE, length: 9 + block.length };
    assert_eq!(codec().begun_block(&buffer), Err(wrong));
    assert_eq!(codec().decode(&mut buffer), Err(wrong));
}
