//! The extension protocol (BEP 10), where both ends announced it: how many requests the remote keeps, where it listens,
//! and peer exchange (BEP 11), which names to each remote whom we are connected to, at most once a minute. What a
//! remote tells us is an address to try and nothing more.

use std::net::SocketAddr;

use crate::event::CloseReason;
use crate::id::ConnId;
use crate::peer::Peer;
use crate::peer::connection::FarEnd;
use crate::peer::receive::MAX_QUEUED_REQUESTS;
use crate::peer::seam::{Action, Direction};
use crate::time::{Span, Time};
use crate::wire::extended::{ExtendedHandshake, Flags, HANDSHAKE, PEER_EXCHANGE, PeerExchange};
use crate::wire::message::Message;

/// BEP 11: no more than one message a minute.
const EXCHANGE_EVERY: Span = Span::from_secs(60);
/// From one remote no more addresses are taken: nobody is to fill our memory with whom it likes.
const MOST_LEARNT: u32 = 200;

impl FarEnd {
    /// Where the remote can be connected to, as far as we know.
    fn listens_at(&self) -> Option<SocketAddr> {
        match self.peer.direction {
            Direction::Outgoing => Some(self.peer.addr),
            Direction::Incoming => {
                let port = self.extended.as_ref()?.said.port?;
                Some(SocketAddr::new(self.peer.addr.ip(), port))
            }
        }
    }

    /// The id under which the remote takes in peer exchange.
    fn exchange_id(&self) -> Option<u8> {
        self.extended.as_ref()?.said.peer_exchange.filter(|id| *id != 0)
    }
}

impl Peer {
    /// Follows what says which pieces we have.
    pub(super) fn introduce_extensions(&mut self, now: Time, conn: ConnId, actions: &mut Vec<Action>) {
        if !self.connections.far_end(conn).is_some_and(|end| end.peer.features.extended) {
            return;
        }
        let handshake = ExtendedHandshake {
            peer_exchange: self.policy.peer_exchange.then_some(PEER_EXCHANGE),
            port: Some(self.addr.port()).filter(|port| *port != 0),
            requests: Some(MAX_QUEUED_REQUESTS as u32),
        };
        let message = Message::Extended { id: HANDSHAKE, payload: handshake.encode() };
        self.send(now, conn, message, actions);
    }

    /// Messages under ids that we never named are passed over, as BEP 10 wants it.
    pub(super) fn extended_from(
        &mut self,
        now: Time,
        conn: ConnId,
        id: u8,
        payload: &[u8],
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        let Some(end) = self.connections.far_end_mut(conn) else { return Ok(()) };
        if !end.peer.features.extended {
            return Err(CloseReason::UnexpectedMessage);
        }
        match id {
            HANDSHAKE => {
                let said = ExtendedHandshake::parse(payload).map_err(|_| CloseReason::MalformedMessage)?;
                let extended = end.extended.get_or_insert_default();
                extended.hear(said);
                let requests_kept = extended.said.requests.unwrap_or(u32::MAX);
                if let Some(connection) = self.connections.get_mut(conn) {
                    connection.requests_kept = requests_kept;
                }
                if self.policy.peer_exchange {
                    self.next_exchange = self.next_exchange.min(now);
                    self.exchange_peers(now, actions);
                }
                Ok(())
            }
            PEER_EXCHANGE if self.policy.peer_exchange => self.exchange_from(now, conn, payload, actions),
            _ => Ok(()),
        }
    }

    fn exchange_from(
        &mut self,
        now: Time,
        conn: ConnId,
        payload: &[u8],
        actions: &mut Vec<Action>,
    ) -> Result<(), CloseReason> {
        let message = PeerExchange::parse(payload).map_err(|_| CloseReason::MalformedMessage)?;
        let Some(end) = self.connections.far_end_mut(conn) else { return Ok(()) };
        let extended = end.extended.get_or_insert_default();
        let room = MOST_LEARNT.saturating_sub(extended.learnt) as usize;
        let addresses: Vec<SocketAddr> = message.added.iter().map(|(peer, _)| *peer).take(room).collect();
        extended.learnt += addresses.len() as u32;
        self.dialer.learn(&addresses, self.addr);
        self.dial(now, actions);
        Ok(())
    }

    /// Tells everybody whose turn it is of whoever came and went. To be called when `next_exchange` has come.
    pub(super) fn exchange_peers(&mut self, now: Time, actions: &mut Vec<Action>) {
        let listening: Vec<(SocketAddr, Flags)> = self.connected_listeners();
        self.next_exchange = Time::NEVER;
        for conn in self.connections.open.clone().iter() {
            let Some(end) = self.connections.far_end_mut(conn) else { continue };
            let (Some(id), own) = (end.exchange_id(), end.listens_at()) else { continue };
            let Some(extended) = &mut end.extended else { continue };
            if extended.next <= now {
                extended.next = now + EXCHANGE_EVERY;
                let news = extended.news(&listening, own);
                if !news.added.is_empty() || !news.dropped.is_empty() {
                    let message = Message::Extended { id, payload: news.encode() };
                    self.next_exchange = self.next_exchange.min(now + EXCHANGE_EVERY);
                    self.send(now, conn, message, actions);
                    continue;
                }
            }
            self.next_exchange = self.next_exchange.min(extended.next);
        }
    }

    /// Everybody we are connected to and whose address is known, ascending.
    fn connected_listeners(&self) -> Vec<(SocketAddr, Flags)> {
        let listener = |(conn, end): (ConnId, &FarEnd)| {
            let seed = self.connections.is_complete(conn);
            let reachable = end.peer.direction == Direction::Outgoing;
            Some((end.listens_at()?, Flags { seed, reachable }))
        };
        let mut listening: Vec<_> = self.connections.far_ends().filter_map(listener).collect();
        listening.sort_unstable_by_key(|(addr, _)| *addr);
        listening
    }
}
