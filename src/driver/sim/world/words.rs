//! Requests on their way: which of them wait instead of being events, and when those are handed over.

use crate::driver::sim::connection::{Delivery, LinkId, Side};
use crate::driver::sim::event::Event;
use crate::driver::sim::host::Far;
use crate::driver::sim::words::Request;
use crate::driver::sim::world::World;
use crate::id::{Block, ConnId, PeerIndex};
use crate::peer::Input;
use crate::wire::message::Message;

impl World {
    /// A peer asks for a block.
    pub(super) fn send_request(
        &mut self,
        peer: PeerIndex,
        conn: ConnId,
        (link, side): (LinkId, Side),
        block: Block,
    ) {
        let waits = |far: &Far| self.requests_wait && self.requests[far.host.0 as usize].may_wait();
        let Some(far) = self.host(peer).far(conn).filter(waits) else {
            return self.send(link, side.other(), Delivery::Message(Message::Request(block)));
        };
        let at = match self.paths {
            Some(_) => self.crossing(link, side.other()),
            None => Some(self.now + far.latency),
        };
        let Some(at) = at else { return };
        let key = self.queue.stamp(at, peer.0);
        self.requests[far.host.0 as usize].post(key, far.conn, block);
    }

    /// A request came while the uplink had nothing to do, after it had set out for a busy one.
    pub(super) fn asked(&mut self, peer: PeerIndex) {
        if self.host(peer).peer.is_some() {
            self.touched.push(peer);
            self.take_requests(peer);
            self.settle(peer);
        }
    }

    /// Hands over the requests that came since this was done last, each with its own time. To be called before
    /// anything else happens to the peer or to its ends of connections.
    #[inline]
    pub(super) fn take_requests(&mut self, peer: PeerIndex) {
        while let Some(request) = self.requests[peer.0 as usize].next_due(self.position) {
            self.take_request(peer, request);
        }
    }

    fn take_request(&mut self, peer: PeerIndex, Request { key, conn, block, .. }: Request) {
        let message = Message::Request(block);
        if self.host(peer).holds_back(conn) {
            // Something that came before it waits for a block: so does this.
            if let Some((link, side)) = self.host(peer).link(conn) {
                self.control(link, side, 0, Delivery::Message(message));
            }
            return;
        }
        let Some(state) = self.hosts[peer.0 as usize].peer.as_mut() else { return };
        let mut actions = std::mem::take(&mut self.actions);
        state.handle(key.at(), Input::Received { conn, message }, &mut actions);
        if state.is_crowded() {
            self.requests[peer.0 as usize].crowd();
        }
        debug_assert!(actions.is_empty(), "peer {peer} does something about a request: {actions:?}");
        for action in actions.drain(..) {
            self.carry_out(peer, action);
        }
        self.actions = actions;
    }

    /// The uplink has nothing to do: the peer is woken for what is under way.
    pub(super) fn heed_requests(&mut self, peer: PeerIndex) {
        let queue = &mut self.queue;
        self.requests[peer.0 as usize].be_idle(|key| queue.insert(key, Event::Asked { peer }));
    }
}
