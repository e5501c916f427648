//! The peer wire's messages as typed values (BEP 3, 6, 10). Bytes are the codec's business.

use bytes::Bytes;

use crate::id::{Block, PieceIndex};
use crate::torrent::bitfield::Bitfield;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have(PieceIndex),
    Bitfield(BitfieldPayload),
    Request(Block),
    Piece {
        block: Block,
        payload: Payload,
    },
    Cancel(Block),
    /// A DHT port (BEP 5): tolerated, never sent.
    Port(u16),
    // The fast extension (BEP 6), only where both ends announced it.
    SuggestPiece(PieceIndex),
    HaveAll,
    HaveNone,
    Reject(Block),
    AllowedFast(PieceIndex),
    /// The extension protocol (BEP 10): sub-id and payload.
    Extended {
        id: u8,
        payload: Bytes,
    },
}

/// A bitfield before anybody compared it with the torrent: raw from a remote, or one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BitfieldPayload {
    /// BEP 3's bytes, still to be checked against the number of pieces.
    Raw(Bytes),
    Set(Bitfield),
}

/// The data of a block: real bytes on sockets, only their number in virtual time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    Bytes(Bytes),
    /// `corrupt` stands for bytes that will fail the piece's hash.
    Virtual {
        length: u32,
        corrupt: bool,
    },
}

impl Payload {
    /// Bytes of data.
    pub fn length(&self) -> usize {
        match self {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Virtual { length, .. } => *length as usize,
        }
    }
}
