//! A simulated connection: two ends, one latency, and the rule that a choke never overtakes a block.

use crate::event::CloseReason;
use crate::id::{ConnId, PeerIndex};
use crate::time::Span;
use crate::wire::message::Message;

/// Names a connection for as long as the run lasts; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u32);

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Dialling,
    Answering,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Dialling => Side::Answering,
            Side::Answering => Side::Dialling,
        }
    }
}

/// What arrives at one end of a connection beside blocks.
#[derive(Clone, Debug)]
pub(super) enum Delivery {
    Message(Message),
    Closed(CloseReason),
}

impl Delivery {
    /// Must not overtake a block that left before it.
    pub(super) fn follows_blocks(&self) -> bool {
        matches!(self, Delivery::Closed(_) | Delivery::Message(Message::Choke))
    }
}

/// A connection between two hosts.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    ends: [End; 2],
    /// One way: the sum of both ends' latencies.
    pub(super) latency: Span,
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) host: PeerIndex,
    /// The host's stay for which the connection was made.
    pub(super) stay: u32,
    /// Set while the connection is open at this end.
    pub(super) conn: Option<ConnId>,
    /// Blocks on their way to this end: in service at the other end's uplink, in flight, or queued at the downlink.
    pub(super) coming: u32,
    /// What arrived here but must not overtake those blocks, in order.
    held: Vec<Delivery>,
}

impl Connection {
    /// A connection that is being dialled: open at neither end.
    pub(super) fn new(dialling: (PeerIndex, u32), answering: (PeerIndex, u32), latency: Span) -> Connection {
        let end = |(host, stay)| End { host, stay, conn: None, coming: 0, held: Vec::new() };
        Connection { ends: [end(dialling), end(answering)], latency }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }
}

impl End {
    /// Takes in a control delivery: returned if it may act now, kept if it has to wait for blocks under way.
    /// A choke or the end of the connection waits; what follows something that waits waits behind it.
    pub(super) fn admit(&mut self, delivery: Delivery) -> Option<Delivery> {
        if self.held.is_empty() && (self.coming == 0 || !delivery.follows_blocks()) {
            return Some(delivery);
        }
        self.held.push(delivery);
        None
    }

    /// A block has come through, or never will: what was waiting for the last one may act now.
    pub(super) fn block_settled(&mut self) -> Vec<Delivery> {
        self.coming -= 1;
        if self.coming == 0 { std::mem::take(&mut self.held) } else { Vec::new() }
    }
}
