//! A typed message through bytes and back. Drivers in virtual time move [`Message`] values; with this they can move
//! what a socket would have carried, which proves that the codec loses nothing a peer acts on.

use bytes::{Bytes, BytesMut};

use crate::wire::codec::{Codec, WireError};
use crate::wire::message::{Message, Payload};

const CORRUPT: u8 = 0xFF;

/// What the far end decodes from our bytes. A virtual payload travels as as many zeros, the first byte set where it
/// is corrupt, and arrives virtual again; a bitfield arrives raw.
///
/// An error means that one of our own messages would have cost us the connection.
pub fn round_trip(codec: &Codec, message: &Message) -> Result<Message, WireError> {
    let mut buffer = BytesMut::new();
    let virtual_payload = matches!(message, Message::Piece { payload: Payload::Virtual { .. }, .. });
    codec.encode(&materialise(message), &mut buffer);
    let arrived = codec.decode(&mut buffer)?.expect("the buffer holds one whole message");
    debug_assert!(buffer.is_empty(), "one message in, one message out");
    Ok(if virtual_payload { dematerialise(arrived) } else { arrived })
}

fn materialise(message: &Message) -> Message {
    match message {
        Message::Piece { block, payload: Payload::Virtual { length, corrupt } } => {
            let mut bytes = vec![0; *length as usize];
            if let (true, Some(first)) = (*corrupt, bytes.first_mut()) {
                *first = CORRUPT;
            }
            Message::Piece { block: *block, payload: Payload::Bytes(Bytes::from(bytes)) }
        }
        other => other.clone(),
    }
}

fn dematerialise(message: Message) -> Message {
    match message {
        Message::Piece { block, payload: Payload::Bytes(bytes) } => {
            let corrupt = bytes.first() == Some(&CORRUPT);
            Message::Piece { block, payload: Payload::Virtual { length: block.length, corrupt } }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Block, PieceIndex};
    use crate::torrent::bitfield::Bitfield;
    use crate::wire::message::BitfieldPayload;

    fn codec() -> Codec {
        Codec::new(9, 1024)
    }

    #[test]
    fn virtual_payloads_arrive_virtual_and_keep_their_corruption() {
        let block = Block { piece: PieceIndex(3), begin: 1024, length: 1000 };
        for corrupt in [false, true] {
            let message = Message::Piece { block, payload: Payload::Virtual { length: 1000, corrupt } };
            assert_eq!(round_trip(&codec(), &message), Ok(message));
        }
    }

    #[test]
    fn real_payloads_and_small_messages_arrive_as_they_are() {
        let block = Block { piece: PieceIndex(3), begin: 0, length: 3 };
        for message in [
            Message::Piece { block, payload: Payload::Bytes(Bytes::from_static(b"\xFFab")) },
            Message::KeepAlive,
            Message::Cancel(block),
        ] {
            assert_eq!(round_trip(&codec(), &message), Ok(message));
        }
    }

    #[test]
    fn our_bitfield_arrives_as_bytes_that_say_the_same() {
        let mut field = Bitfield::empty(9);
        field.insert(PieceIndex(8));
        let sent = Message::Bitfield(BitfieldPayload::Set(field.clone()));
        let Ok(Message::Bitfield(BitfieldPayload::Raw(bytes))) = round_trip(&codec(), &sent) else {
            panic!("no raw bitfield");
        };
        assert_eq!(Bitfield::from_wire(&bytes, 9), Ok(field));
    }

    #[test]
    fn a_message_above_the_far_ends_cap_is_an_error() {
        let block = Block { piece: PieceIndex(0), begin: 0, length: 100_000 };
        let message = Message::Piece { block, payload: Payload::Virtual { length: 100_000, corrupt: false } };
        assert!(matches!(round_trip(&codec(), &message), Err(WireError::Oversized { .. })));
    }
}
