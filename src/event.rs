//! What happened: the only thing a driver may report. Metrics, tables, CSVs and logs are all folds over records.

#[cfg(feature = "cli")]
pub mod json;

use serde::{Deserialize, Serialize};

use crate::id::{Block, PeerIndex, PieceIndex};
use crate::time::Time;

/// One thing that happened to one peer, at true scenario time (a host's own clock may drift).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    pub at: Time,
    pub peer: PeerIndex,
    pub event: Event,
}

/// The far end of a connection, as far as the run knows it; `None` is somebody who is not part of the population.
pub type Remote = Option<PeerIndex>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    // Reported by the driver, which owns arrivals and ends.
    /// The peer joined with this much verified content; again after every rejoin.
    Arrived {
        pieces: u32,
        bytes: u64,
    },
    /// It announced `stopped` and closed its connections.
    Left,
    /// It vanished without a word.
    Crashed,
    /// Its driver could not carry it on (an I/O error, a dead process).
    Failed {
        reason: Box<str>,
    },
    /// What one stay of the peer added up to. Follows `Left`, `Crashed`, `Failed` or the end of the run, once a stay.
    Totals(Totals),

    // Reported by the peer.
    Connected {
        remote: Remote,
    },
    Disconnected {
        remote: Remote,
        reason: CloseReason,
    },
    /// We let the remote download from us.
    Unchoked {
        remote: Remote,
        optimistic: bool,
    },
    Choked {
        remote: Remote,
    },
    Requested {
        from: Remote,
        block: Block,
    },
    /// A block left for the remote (handed to the uplink).
    Uploaded {
        to: Remote,
        block: Block,
    },
    Downloaded {
        from: Remote,
        block: Block,
        fate: BlockFate,
    },
    /// Nothing came from the remote for the snub time although it unchoked us and owes us blocks.
    Snubbed {
        remote: Remote,
    },
    PieceVerified {
        piece: PieceIndex,
    },
    /// The hash of a piece was wrong; `bytes` of it are lost.
    PieceFailed {
        piece: PieceIndex,
        bytes: u32,
    },
    /// The piece could not be written or read back; it counts as missing again.
    StorageFailed {
        piece: PieceIndex,
    },
    Banned {
        remote: Remote,
    },
    /// Every piece is verified. Emitted once, and not by a peer that starts complete.
    Completed,
    /// The tracker answered with this many peers.
    Announced {
        peers: u32,
    },
    AnnounceFailed {
        reason: Box<str>,
    },

    // Reported by the driver for a client that does not tell of single blocks. Last, so that digests stay comparable.
    /// What it has moved since it was last asked.
    Traffic(Box<Traffic>),
}

/// Payload bytes that a foreign client counts; `None` is what it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Traffic {
    pub downloaded: Option<u64>,
    pub uploaded: Option<u64>,
    /// The part of `downloaded` that was of no use.
    pub wasted: Option<u64>,
}

/// What became of a received block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockFate {
    Useful,
    /// Somebody else was faster (endgame, a snubbed connection that woke up).
    Duplicate,
    /// We had not asked this remote for it, or no longer.
    Unrequested,
}

/// Sums over one stay. Payload is counted where it crosses the peer, so that sent and received can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Totals {
    /// Peer wire messages, handshakes and tracker traffic apart.
    pub messages_sent: u64,
    pub messages_received: u64,
}

/// Why a connection was given up. The display form is what logs and results show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum CloseReason {
    #[error("the remote closed the connection")]
    ClosedByRemote,
    #[error("leaving the swarm")]
    Leaving,
    #[error("connected to itself")]
    SelfConnection,
    #[error("already connected to this peer")]
    AlreadyConnected,
    #[error("connection limit reached")]
    TooManyConnections,
    #[error("nothing came for long, and others may have more")]
    Turnover,
    #[error("both ends are complete")]
    BothComplete,
    #[error("nothing received for the idle time")]
    Idle,
    #[error("banned for corrupt pieces")]
    Banned,
    #[error("bitfield of the wrong length or with spare bits set")]
    BadBitfield,
    #[error("`have none` after the first message")]
    LateHaveNone,
    #[error("a piece index outside the torrent")]
    BadPieceIndex,
    #[error("a request outside its piece or above the block limit")]
    BadRequest,
    #[error("a request for a piece we do not have")]
    RequestForMissingPiece,
    #[error("too many requests queued")]
    TooManyRequests,
    #[error("too many blocks nobody asked for")]
    UnrequestedBlocks,
    #[error("a reject of a request that was never sent")]
    UnrequestedReject,
    #[error("a message of an extension that was not negotiated")]
    UnexpectedMessage,
    #[error("a message longer than allowed")]
    OversizedMessage,
    #[error("a malformed message")]
    MalformedMessage,
    #[error("the handshake was for another torrent or broken")]
    BadHandshake,
    #[error("the remote does not read what we send")]
    NotReading,
}

impl CloseReason {
    /// Every reason once.
    pub const ALL: [CloseReason; 22] = [
        CloseReason::ClosedByRemote,
        CloseReason::Leaving,
        CloseReason::SelfConnection,
        CloseReason::AlreadyConnected,
        CloseReason::TooManyConnections,
        CloseReason::Turnover,
        CloseReason::BothComplete,
        CloseReason::Idle,
        CloseReason::Banned,
        CloseReason::BadBitfield,
        CloseReason::LateHaveNone,
        CloseReason::BadPieceIndex,
        CloseReason::BadRequest,
        CloseReason::RequestForMissingPiece,
        CloseReason::TooManyRequests,
        CloseReason::UnrequestedBlocks,
        CloseReason::UnrequestedReject,
        CloseReason::UnexpectedMessage,
        CloseReason::OversizedMessage,
        CloseReason::MalformedMessage,
        CloseReason::BadHandshake,
        CloseReason::NotReading,
    ];
}
