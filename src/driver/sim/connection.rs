//! A simulated connection: two ends, one latency, and the rule that a choke never overtakes a block.

use thin_vec::ThinVec;

use crate::event::CloseReason;
use crate::fetch;
use crate::id::{ConnId, PeerIndex};
use crate::time::Span;
use crate::wire::message::Message;

/// Names a connection for as long as either end is open or something is on its way over it; then used again.
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
    /// How much of what will still happen has to do with this connection.
    pending: u32,
    /// Over, and its number may be used again.
    vacant: bool,
}

/// All connections, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    all: Vec<Connection>,
    vacant: Vec<LinkId>,
    /// Perhaps over; looked at when nothing refers to them any more.
    ended: Vec<LinkId>,
}

impl Connections {
    pub(super) fn insert(&mut self, connection: Connection) -> LinkId {
        match self.vacant.pop() {
            Some(link) => {
                self.all[link.0 as usize] = connection;
                link
            }
            None => {
                self.all.push(connection);
                LinkId(u32::try_from(self.all.len() - 1).expect("fewer than 2^32 connections"))
            }
        }
    }

    /// A connection will be looked at soon.
    pub(super) fn fetch(&self, link: LinkId) {
        let at = link.0 as usize;
        fetch::at(&self.all, at);
        // It may begin in the middle of a line.
        fetch::at(&self.all, at + 1);
    }

    /// Something will still happen on this connection.
    pub(super) fn expect(&mut self, link: LinkId) {
        self[link].pending += 1;
    }

    /// That has happened now.
    pub(super) fn happened(&mut self, link: LinkId) {
        self[link].pending -= 1;
        self.closed(link);
    }

    /// An end has been closed, or was never opened.
    pub(super) fn closed(&mut self, link: LinkId) {
        if self[link].is_over() {
            self.ended.push(link);
        }
    }

    /// Makes the numbers of all that is over free. To be called when nobody holds one.
    pub(super) fn clear_away(&mut self) {
        while let Some(link) = self.ended.pop() {
            if self[link].is_over() && !std::mem::replace(&mut self[link].vacant, true) {
                self.vacant.push(link);
            }
        }
    }
}

impl std::ops::Index<LinkId> for Connections {
    type Output = Connection;

    fn index(&self, link: LinkId) -> &Connection {
        &self.all[link.0 as usize]
    }
}

impl std::ops::IndexMut<LinkId> for Connections {
    fn index_mut(&mut self, link: LinkId) -> &mut Connection {
        &mut self.all[link.0 as usize]
    }
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
    pub(super) begun: u32,
    /// Those of them that have come through, or never will.
    settled: u32,
    /// What arrived here but must not overtake blocks that were begun before it: how many, and what, in order.
    held: ThinVec<(u32, Delivery)>,
}

impl Connection {
    /// A connection that is being dialled: open at neither end.
    pub(super) fn new(dialling: (PeerIndex, u32), answering: (PeerIndex, u32), latency: Span) -> Connection {
        let end = |(host, stay)| End { host, stay, conn: None, begun: 0, settled: 0, held: ThinVec::new() };
        Connection { ends: [end(dialling), end(answering)], latency, pending: 0, vacant: false }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    /// Closed at both ends, with nothing on its way.
    fn is_over(&self) -> bool {
        self.pending == 0 && self.ends.iter().all(|end| end.conn.is_none())
    }
}

impl End {
    /// Takes in a control delivery that set out after `after` blocks were begun: returned if it may act now, kept if
    /// it has to wait for some of them. A choke or the end of the connection waits; what follows something that waits
    /// waits behind it, but for a HAVE, which means the same before and after a choke.
    pub(super) fn admit(&mut self, after: u32, delivery: Delivery) -> Option<Delivery> {
        if matches!(delivery, Delivery::Message(Message::Have(_))) {
            return Some(delivery);
        }
        let after = if delivery.follows_blocks() { after } else { 0 };
        if self.held.is_empty() && after <= self.settled {
            return Some(delivery);
        }
        self.held.push((after, delivery));
        None
    }

    /// Something arrived that has to wait for blocks.
    pub(super) fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }

    /// A block that is meant for this end is in service, on its way, or in the downlink.
    pub(super) fn awaits_blocks(&self) -> bool {
        self.settled < self.begun
    }

    /// A block has come through, or never will: what was waiting for it, and for no later one, may act now.
    pub(super) fn block_settled(&mut self) -> Vec<Delivery> {
        self.settled += 1;
        if self.held.is_empty() {
            return Vec::new();
        }
        let still = self.held.iter().position(|(after, _)| *after > self.settled).unwrap_or(self.held.len());
        let released = self.held.drain(..still).map(|(_, delivery)| delivery).collect();
        if self.held.is_empty() {
            // Given back: hardly any connection ever holds anything.
            self.held = ThinVec::new();
        }
        released
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_number_is_free_again_once_both_ends_are_closed_and_nothing_is_on_its_way() {
        let mut connections = Connections::default();
        let connection = || Connection::new((PeerIndex(0), 0), (PeerIndex(1), 0), Span::ZERO);
        let link = connections.insert(connection());
        connections.expect(link);
        connections[link].end_mut(Side::Answering).conn = Some(ConnId(3));
        connections.happened(link);
        connections.clear_away();
        assert_ne!(connections.insert(connection()), link, "one end is open");
        connections[link].end_mut(Side::Answering).conn = None;
        connections.expect(link);
        connections.closed(link);
        connections.clear_away();
        assert_ne!(connections.insert(connection()), link, "something is on its way");
        connections.happened(link);
        connections.closed(link);
        connections.clear_away();
        assert_eq!(connections.insert(connection()), link);
        assert_ne!(connections.insert(connection()), link, "free only once");
    }

    #[test]
    fn a_have_waits_for_nothing() {
        let mut end = end();
        end.begun = 1;
        assert!(end.admit(1, Delivery::Message(Message::Choke)).is_none());
        assert!(end.admit(1, Delivery::Message(Message::Have(crate::id::PieceIndex(0)))).is_some());
        assert!(end.admit(1, Delivery::Message(Message::NotInterested)).is_none());
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
