//! A block on its way: pulled onto the uplink, across the path, through the downlink.

use crate::driver::sim::connection::{Delivery, LinkId, Side};
use crate::driver::sim::event::{Event, Parcel};
use crate::driver::sim::world::World;
use crate::id::{Block, PeerIndex};
use crate::peer::Input;
use crate::wire::message::{Message, Payload};

impl World {
    /// Hands the uplink its next block whenever it is idle.
    pub(super) fn pump(&mut self, peer: PeerIndex) {
        let now = self.now;
        if self.host(peer).in_service.is_some() {
            return;
        }
        let mut actions = std::mem::take(&mut self.actions);
        let state = self.host_mut(peer).peer.as_deref_mut();
        let next = state.and_then(|state| state.next_upload(now, &|_| true, &mut actions));
        for action in actions.drain(..) {
            self.carry_out(peer, action);
        }
        self.actions = actions;
        let Some((conn, block)) = next else {
            self.host_mut(peer).uplink.rest();
            self.heed_requests(peer);
            return;
        };
        let Some((link, side)) = self.host(peer).link(conn) else { return };
        let host = self.host_mut(peer);
        host.in_service = Some((link, side, block));
        host.service = host.service.wrapping_add(1);
        let (free_at, service) = (host.serve(now, block), host.service);
        self.words[peer.0 as usize].be_busy();
        self.flow.underway += u64::from(block.length);
        self.connections[link].end_mut(side.other()).begun += 1;
        self.schedule(free_at, peer, Event::UplinkFree { peer, service });
    }

    pub(super) fn uplink_free(&mut self, peer: PeerIndex, service: u32) {
        if self.host(peer).service != service {
            return;
        }
        self.take_words(peer);
        let Some((link, side, block)) = self.host_mut(peer).in_service.take() else { return };
        self.host_mut(peer).uploaded += u64::from(block.length);
        let corrupt = self.fault.corrupts(peer, block);
        let payload = Payload::Virtual { length: block.length, corrupt };
        let to = side.other();
        match self.crossing(link, to) {
            Some(at) => {
                self.connections.expect(link);
                let receiver = self.connections[link].end(to).host;
                self.dispatch(at, peer, receiver, Parcel::Block { link, to, block, payload });
            }
            None => self.lose(block),
        }
        self.pump(peer);
        self.leave_if_done(peer);
    }

    pub(super) fn block_arrives(&mut self, link: LinkId, to: Side, block: Block, payload: Payload) {
        let end = self.connections[link].end(to);
        if end.conn.is_none() {
            self.lose(block);
            return;
        }
        let (peer, now) = (end.host, self.now);
        let through = self.host_mut(peer).downlink.carry(now, block.length);
        if through == now {
            self.block_through(link, to, block, payload);
        } else {
            self.connections.expect(link);
            self.dispatch(through, peer, peer, Parcel::BlockThrough { link, to, block, payload });
        }
    }

    pub(super) fn block_through(&mut self, link: LinkId, to: Side, block: Block, payload: Payload) {
        let end = self.connections[link].end(to);
        let (peer, Some(conn)) = (end.host, end.conn) else {
            self.lose(block);
            return;
        };
        self.take_words(peer);
        let waiting = self.block_settled(link, to);
        self.flow.underway -= u64::from(block.length);
        let message = self.in_transit(Message::Piece { block, payload });
        self.input(peer, Input::Received { conn, message });
        for delivery in waiting {
            self.deliver(link, to, delivery);
        }
    }

    /// A block has come through to this side, or never will; returns what waited for it and for no other.
    pub(super) fn block_settled(&mut self, link: LinkId, to: Side) -> Vec<Delivery> {
        let end = self.connections[link].end_mut(to);
        let held_back = end.holds_back();
        let released = end.block_settled();
        if held_back
            && !end.holds_back()
            && let (peer, Some(conn)) = (end.host, end.conn)
        {
            self.host_mut(peer).hold_back(conn, false);
        }
        released
    }

    pub(super) fn lose(&mut self, block: Block) {
        self.flow.underway -= u64::from(block.length);
        self.flow.lost += u64::from(block.length);
    }
}
