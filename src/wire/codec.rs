//! The peer wire's bytes: a length, an id, a body (BEP 3, 6, 10). Incremental and pure: it is given a buffer and
//! takes whole messages out of it. Which messages are welcome when, and whether an index exists, is the peer's
//! business; here only the form counts.

use bytes::{BufMut, Bytes, BytesMut};

use crate::event::CloseReason;
use crate::id::{Block, PieceIndex};
use crate::wire::message::{BitfieldPayload, Message, Payload};

/// Bytes of the length in front of every message.
const PREFIX: usize = 4;
/// Bytes of a `piece` message in front of its data, the prefix and the id included.
pub const PIECE_HEADER: usize = PREFIX + 9;
/// Messages up to this length are taken from anybody: room for extended messages.
const ALWAYS_ALLOWED: u32 = 64 * 1024;

mod id {
    pub const CHOKE: u8 = 0;
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const NOT_INTERESTED: u8 = 3;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const PORT: u8 = 9;
    pub const SUGGEST_PIECE: u8 = 0x0D;
    pub const HAVE_ALL: u8 = 0x0E;
    pub const HAVE_NONE: u8 = 0x0F;
    pub const REJECT: u8 = 0x10;
    pub const ALLOWED_FAST: u8 = 0x11;
    pub const EXTENDED: u8 = 20;
}

/// Why bytes are no message. The stream is lost after it: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("a message of {length} bytes where {cap} are allowed")]
    Oversized { length: u32, cap: u32 },
    #[error("message {id} with a length of {length}")]
    WrongLength { id: u8, length: u32 },
    #[error("unknown message {id}")]
    UnknownMessage { id: u8 },
}

impl WireError {
    /// What the end of the connection is recorded as.
    pub fn close_reason(self) -> CloseReason {
        match self {
            WireError::Oversized { .. } => CloseReason::OversizedMessage,
            WireError::WrongLength { .. } | WireError::UnknownMessage { .. } => CloseReason::MalformedMessage,
        }
    }
}

/// Encoder and decoder for one torrent's connections. Stateless: what is unfinished stays in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    cap: u32,
    largest_block: u32,
}

impl Codec {
    /// For a torrent of `pieces` pieces whose blocks have at most `largest_block` bytes.
    pub fn new(pieces: u32, largest_block: u32) -> Codec {
        let piece = largest_block.saturating_add(9);
        let bitfield = 1 + pieces.div_ceil(8);
        Codec { cap: piece.max(bitfield).max(ALWAYS_ALLOWED), largest_block }
    }

    /// The longest message that is accepted, in bytes without the prefix.
    pub fn cap(&self) -> u32 {
        self.cap
    }

    /// The block whose data begins behind [`PIECE_HEADER`] bytes of `buffer`, all of its data or only the first of it; `None`
    /// where the buffer begins with another message, or does not show yet.
    pub fn begun_block(&self, buffer: &[u8]) -> Result<Option<Block>, WireError> {
        let Some(header) = buffer.first_chunk::<PIECE_HEADER>() else {
            return Ok(None);
        };
        let (length, id) = (word(header, 0), header[PREFIX]);
        if length == 0 || id != id::PIECE {
            return Ok(None);
        }
        self.check_cap(length)?;
        self.check_length(id, length)?;
        let body = &header[PREFIX + 1..];
        Ok(Some(Block { piece: index(body), begin: word(body, 4), length: length - 9 }))
    }

    /// Takes the first message out of `buffer`; `None` while it is incomplete.
    ///
    /// A length is judged as soon as its four bytes are there, and the id with the fifth, so a caller that decodes
    /// after every read never buffers more than one allowed message and what one read added.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Message>, WireError> {
        let Some(prefix) = buffer.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix);
        self.check_cap(length)?;
        if length == 0 {
            let _ = buffer.split_to(PREFIX);
            return Ok(Some(Message::KeepAlive));
        }
        let Some(&id) = buffer.get(PREFIX) else {
            return Ok(None);
        };
        self.check_length(id, length)?;
        let whole = PREFIX + length as usize;
        if buffer.len() < whole {
            return Ok(None);
        }
        let body = buffer.split_to(whole).freeze().slice(PREFIX + 1..);
        Ok(Some(parse(id, body)))
    }

    fn check_cap(&self, length: u32) -> Result<(), WireError> {
        let cap = self.cap;
        if length > cap { Err(WireError::Oversized { length, cap }) } else { Ok(()) }
    }

    /// Which lengths (id included) each message may have: BEP 3, 5, 6, 10.
    fn check_length(&self, id: u8, length: u32) -> Result<(), WireError> {
        let right = match id {
            id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED => length == 1,
            id::HAVE_ALL | id::HAVE_NONE => length == 1,
            id::HAVE | id::SUGGEST_PIECE | id::ALLOWED_FAST => length == 5,
            id::REQUEST | id::CANCEL | id::REJECT => length == 13,
            id::PORT => length == 3,
            // Whether a bitfield fits the torrent is the peer's to judge.
            id::BITFIELD => true,
            // Nobody asks for more at a time, so nobody needs memory for more.
            id::PIECE => length >= 9 && length - 9 <= self.largest_block,
            id::EXTENDED => length >= 2,
            _ => return Err(WireError::UnknownMessage { id }),
        };
        if right { Ok(()) } else { Err(WireError::WrongLength { id, length }) }
    }

    /// Appends the message to `buffer`.
    ///
    /// A virtual payload has no bytes: to send one is a mistake of ours, and zeros go out in its place.
    pub fn encode(&self, message: &Message, buffer: &mut BytesMut) {
        match message {
            Message::KeepAlive => buffer.put_u32(0),
            Message::Choke => put_head(buffer, id::CHOKE, 0),
            Message::Unchoke => put_head(buffer, id::UNCHOKE, 0),
            Message::Interested => put_head(buffer, id::INTERESTED, 0),
            Message::NotInterested => put_head(buffer, id::NOT_INTERESTED, 0),
            Message::Have(piece) => put_index(buffer, id::HAVE, *piece),
            Message::Bitfield(BitfieldPayload::Raw(bytes)) => put_bytes(buffer, id::BITFIELD, bytes),
            Message::Bitfield(BitfieldPayload::Set(field)) => {
                put_bytes(buffer, id::BITFIELD, &field.to_wire());
            }
            Message::Request(block) => put_block(buffer, id::REQUEST, *block),
            Message::Piece { block, payload } => put_piece(buffer, *block, payload),
            Message::Cancel(block) => put_block(buffer, id::CANCEL, *block),
            Message::Port(port) => {
                put_head(buffer, id::PORT, 2);
                buffer.put_u16(*port);
            }
            Message::SuggestPiece(piece) => put_index(buffer, id::SUGGEST_PIECE, *piece),
            Message::HaveAll => put_head(buffer, id::HAVE_ALL, 0),
            Message::HaveNone => put_head(buffer, id::HAVE_NONE, 0),
            Message::Reject(block) => put_block(buffer, id::REJECT, *block),
            Message::AllowedFast(piece) => put_index(buffer, id::ALLOWED_FAST, *piece),
            Message::Extended { id, payload } => {
                put_head(buffer, id::EXTENDED, 1 + payload.len());
                buffer.put_u8(*id);
                buffer.put_slice(payload);
            }
        }
    }

    /// All of a `piece` message but its data, so that the data can be written from where it lies.
    pub fn encode_piece_header(&self, block: Block) -> [u8; PIECE_HEADER] {
        let mut header = [0; PIECE_HEADER];
        let mut rest = &mut header[..];
        rest.put_u32(message_length(9 + block.length as usize));
        rest.put_u8(id::PIECE);
        rest.put_u32(block.piece.0);
        rest.put_u32(block.begin);
        header
    }
}

/// The body's length must have passed [`Codec::check_length`].
fn parse(id: u8, body: Bytes) -> Message {
    match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE => Message::Have(index(&body)),
        id::BITFIELD => Message::Bitfield(BitfieldPayload::Raw(body)),
        id::REQUEST => Message::Request(block(&body)),
        id::PIECE => parse_piece(&body),
        id::CANCEL => Message::Cancel(block(&body)),
        id::PORT => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        id::SUGGEST_PIECE => Message::SuggestPiece(index(&body)),
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT => Message::Reject(block(&body)),
        id::ALLOWED_FAST => Message::AllowedFast(index(&body)),
        id::EXTENDED => Message::Extended { id: body[0], payload: body.slice(1..) },
        _ => unreachable!("check_length lets no unknown id pass"),
    }
}

fn parse_piece(body: &Bytes) -> Message {
    let data = body.slice(8..);
    // The prefix is a u32 and counts the data.
    let block = Block { piece: index(body), begin: word(body, 4), length: data.len() as u32 };
    Message::Piece { block, payload: Payload::Bytes(data) }
}

fn word(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}

fn index(body: &[u8]) -> PieceIndex {
    PieceIndex(word(body, 0))
}

fn block(body: &[u8]) -> Block {
    Block { piece: index(body), begin: word(body, 4), length: word(body, 8) }
}

fn message_length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("layouts keep blocks and bitfields far below 4 GiB")
}

fn put_head(buffer: &mut BytesMut, id: u8, body: usize) {
    buffer.put_u32(message_length(1 + body));
    buffer.put_u8(id);
}

fn put_bytes(buffer: &mut BytesMut, id: u8, bytes: &[u8]) {
    put_head(buffer, id, bytes.len());
    buffer.put_slice(bytes);
}

fn put_index(buffer: &mut BytesMut, id: u8, piece: PieceIndex) {
    put_head(buffer, id, 4);
    buffer.put_u32(piece.0);
}

fn put_block(buffer: &mut BytesMut, id: u8, block: Block) {
    put_head(buffer, id, 12);
    buffer.put_u32(block.piece.0);
    buffer.put_u32(block.begin);
    buffer.put_u32(block.length);
}

fn put_piece(buffer: &mut BytesMut, block: Block, payload: &Payload) {
    debug_assert_eq!(payload.length(), block.length as usize, "a payload as long as its block says");
    put_head(buffer, id::PIECE, 8 + payload.length());
    buffer.put_u32(block.piece.0);
    buffer.put_u32(block.begin);
    match payload {
        Payload::Bytes(bytes) => buffer.put_slice(bytes),
        Payload::Virtual { length, .. } => {
            debug_assert!(false, "virtual payload on a real wire");
            buffer.put_bytes(0, *length as usize);
        }
    }
}

#[cfg(test)]
mod tests;
