//! A simulated connection: two ends, one latency, and the rule that a choke never overtakes a block.

use std::collections::VecDeque;

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
    /// Blocks that the other end's uplink has begun to send here.
    pub(super) begun: u64,
    /// Those of them that have come through, or never will.
    settled: u64,
    /// What arrived here but must not overtake blocks that were begun before it: how many, and what, in order.
    held: VecDeque<(u64, Delivery)>,
}

impl Connection {
    /// A connection that is being dialled: open at neither end.
    pub(super) fn new(dialling: (PeerIndex, u32), answering: (PeerIndex, u32), latency: Span) -> Connection {
        let end = |(host, stay)| End { host, stay, conn: None, begun: 0, settled: 0, held: VecDeque::new() };
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
    /// Takes in a control delivery that set out after `after` blocks were begun: returned if it may act now, kept if
    /// it has to wait for some of them. A choke or the end of the connection waits; what follows something that waits
    /// waits behind it.
    pub(super) fn admit(&mut self, after: u64, delivery: Delivery) -> Option<Delivery> {
        let after = if delivery.follows_blocks() { after } else { 0 };
        if self.held.is_empty() && after <= self.settled {
            return Some(delivery);
        }
        self.held.push_back((after, delivery));
        None
    }

    /// A block has come through, or never will: what was waiting for it, and for no later one, may act now.
    pub(super) fn block_settled(&mut self) -> Vec<Delivery> {
        self.settled += 1;
        let still = self.held.iter().position(|(after, _)| *after > self.settled).unwrap_or(self.held.len());
        self.held.drain(..still).map(|(_, delivery)| delivery).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::Message;

    fn end() -> End {
        Connection::new((PeerIndex(0), 0), (PeerIndex(1), 0), Span::ZERO).end(Side::Answering).clone()
    }

    fn message(delivery: &Delivery) -> &Message {
        match delivery {
            Delivery::Message(message) => message,
            Delivery::Closed(reason) => panic!("closed: {reason}"),
        }
    }

    #[test]
    fn a_choke_waits_for_the_blocks_before_it_and_not_for_later_ones() {
        let mut end = end();
        end.begun = 5;
        assert!(end.admit(2, Delivery::Message(Message::Interested)).is_some(), "control overtakes blocks");
        assert!(end.admit(2, Delivery::Message(Message::Choke)).is_none());
        assert!(end.admit(2, Delivery::Message(Message::Unchoke)).is_none(), "nothing overtakes the choke");
        assert!(end.block_settled().is_empty());
        let released = end.block_settled();
        assert_eq!(released.iter().map(message).collect::<Vec<_>>(), [&Message::Choke, &Message::Unchoke]);
        assert!(end.admit(5, Delivery::Message(Message::Choke)).is_none());
    }
}
