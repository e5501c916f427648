//! Dials, answers, control messages and the end of connections.

use std::net::SocketAddr;

use crate::driver::sim::connection::{Connection, Delivery, LinkId, Side};
use crate::driver::sim::event::{Event, Parcel};
use crate::driver::sim::host::{Far, Slot};
use crate::driver::sim::world::World;
use crate::driver::sim::world::paths::TIME_OUT;
use crate::event::CloseReason;
use crate::id::{ConnId, PeerIndex};
use crate::link::Uplink;
use crate::peer::{Direction, Features, Input, RemotePeer};
use crate::time::Time;
use crate::wire::message::Message;
use crate::wire::round_trip::round_trip;

impl World {
    /// A control message, or the end of the connection, sets out for the other end.
    pub(super) fn send(&mut self, link: LinkId, to: Side, delivery: Delivery) {
        let Some(at) = self.crossing(link, to) else { return };
        let connection = &self.connections[link];
        let (from, end) = (connection.end(to.other()).host, connection.end(to));
        let (receiver, after) = (end.host, end.begun);
        self.connections.expect(link);
        self.dispatch(at, from, receiver, Parcel::Control { link, to, after, delivery });
    }

    /// Something came at `at`, and acts now or behind the blocks that it must not overtake.
    pub(super) fn control(&mut self, (link, to): (LinkId, Side), after: u32, delivery: Delivery, at: Time) {
        let end = self.connections[link].end_mut(to);
        let (peer, conn) = (end.host, end.conn);
        match end.admit(after, delivery) {
            Some(delivery) => self.deliver(link, to, delivery),
            None => {
                let Some(conn) = conn else { return };
                let host = self.host_mut(peer);
                host.hold_back(conn, true);
                // Those blocks may take longer than a connection may be silent, and it is not.
                if let Some(state) = host.peer.as_deref_mut() {
                    state.heard(conn, at);
                }
            }
        }
    }

    pub(super) fn deliver(&mut self, link: LinkId, to: Side, delivery: Delivery) {
        let end = self.connections[link].end(to);
        let (peer, Some(conn)) = (end.host, end.conn) else { return };
        match delivery {
            Delivery::Message(message) => {
                let message = self.in_transit(message);
                self.input(peer, Input::Received { conn, message });
            }
            Delivery::Closed(reason) => {
                self.take_words(peer);
                self.note_haves(peer);
                self.connections[link].end_mut(to).conn = None;
                self.end_closed(link, to, conn);
                self.break_off(peer, link);
                self.input(peer, Input::Closed { conn, reason });
            }
        }
    }

    /// With `through_codec`, what a message is after it was bytes; otherwise the message as it is.
    pub(super) fn in_transit(&self, message: Message) -> Message {
        match &self.codec {
            Some(codec) => round_trip(codec, &message).expect("our own messages are well-formed"),
            None => message,
        }
    }

    pub(super) fn dial(&mut self, peer: PeerIndex, addr: SocketAddr) {
        let (now, host) = (self.now, self.host(peer));
        let dialling = (peer, host.stay);
        let Some(target) = self.addresses.get(&addr).copied() else {
            let (peer, stay) = dialling;
            let at = now + host.plan.latency * 2;
            self.dispatch(at, peer, peer, Parcel::NoAnswer { peer, stay, addr });
            return;
        };
        let latency = host.plan.latency + self.host(target).plan.latency;
        let stay = self.host(target).stay;
        let link = self.connections.insert(Connection::new(dialling, (target, stay), latency));
        self.begin_paths(link);
        match self.crossing(link, Side::Answering) {
            Some(at) => {
                self.connections.expect(link);
                self.schedule(at, peer, Event::Knock { link });
            }
            None => self.dial_times_out(link),
        }
    }

    /// A dial or its answer is lost: whoever dialled hears nothing, for as long as a socket waits.
    fn dial_times_out(&mut self, link: LinkId) {
        let connection = &self.connections[link];
        let (dialling, target) = (connection.end(Side::Dialling), connection.end(Side::Answering).host);
        let (peer, stay, addr) = (dialling.host, dialling.stay, self.host(target).plan.virtual_addr);
        self.dispatch(self.now + TIME_OUT, peer, peer, Parcel::NoAnswer { peer, stay, addr });
        self.connections.closed(link);
    }

    pub(super) fn knock(&mut self, link: LinkId) {
        let connection = &self.connections[link];
        let (peer, stay) = (connection.end(Side::Dialling).host, connection.end(Side::Dialling).stay);
        let target = connection.end(Side::Answering).host;
        let (addr, present) = (self.host(target).plan.virtual_addr, self.host(target).peer.is_some());
        match self.crossing(link, Side::Dialling) {
            Some(at) if present => {
                self.connections.expect(link);
                self.schedule(at, target, Event::Answer { link });
            }
            Some(at) => self.dispatch(at, target, peer, Parcel::NoAnswer { peer, stay, addr }),
            None => self.dial_times_out(link),
        }
        if !present {
            return;
        }
        let stay = self.host(target).stay;
        let conn = self.begin_end(link, Side::Answering);
        self.connections[link].end_mut(Side::Answering).stay = stay;
        let remote = self.remote(peer, Direction::Incoming);
        self.input(target, Input::Connected { conn, remote });
    }

    pub(super) fn answer(&mut self, link: LinkId) {
        let connection = &self.connections[link];
        let (peer, stay) = (connection.end(Side::Dialling).host, connection.end(Side::Dialling).stay);
        let target = connection.end(Side::Answering).host;
        if !self.is_here(peer, stay) {
            self.send(link, Side::Answering, Delivery::Closed(CloseReason::ClosedByRemote));
            return;
        }
        let conn = self.begin_end(link, Side::Dialling);
        let remote = self.remote(target, Direction::Outgoing);
        self.input(peer, Input::Connected { conn, remote });
    }

    /// This end of the connection opens; if the other is open already, both know each other from now on.
    fn begin_end(&mut self, link: LinkId, side: Side) -> ConnId {
        let connection = &self.connections[link];
        let (here, there, latency) = (connection.end(side), connection.end(side.other()), connection.latency);
        let (host, remote, other) = (here.host, there.host, there.conn);
        let conn = self.host_mut(host).open(Slot { link, side });
        self.connections[link].end_mut(side).conn = Some(conn);
        if let Some(other) = other {
            self.host_mut(host).reach(conn, Far { host: remote, conn: other, latency });
            self.host_mut(remote).reach(other, Far { host, conn, latency });
        }
        conn
    }

    /// This end of the connection was closed: nothing finds it any more.
    fn end_closed(&mut self, link: LinkId, side: Side, conn: ConnId) {
        let connection = &self.connections[link];
        let (host, far) = (connection.end(side).host, connection.end(side.other()));
        let (remote, other) = (far.host, far.conn);
        self.host_mut(host).close(conn);
        self.inboxes.forget(host, conn);
        self.words[host.0 as usize].forget(conn);
        if let Some(other) = other {
            self.host_mut(remote).lose(other);
        }
    }

    fn remote(&self, peer: PeerIndex, direction: Direction) -> Box<RemotePeer> {
        let plan = &self.host(peer).plan;
        // All follow the same policy.
        let features =
            Features { fast: self.policy.fast_extension, extended: self.policy.extension_protocol };
        let (addr, peer_id) = (plan.virtual_addr, plan.peer_id);
        Box::new(RemotePeer { addr, peer_id, direction, features, index: Some(peer) })
    }

    /// This side closes the connection; the other end hears of it after whatever is on its way there.
    pub(super) fn close_end(&mut self, link: LinkId, side: Side) {
        let end = self.connections[link].end_mut(side);
        let Some(conn) = end.conn.take() else { return };
        let peer = end.host;
        self.end_closed(link, side, conn);
        self.break_off(peer, link);
        self.send(link, side.other(), Delivery::Closed(CloseReason::ClosedByRemote));
        self.connections.closed(link);
    }

    /// The block in service for a connection that is gone is lost, and the uplink free.
    pub(super) fn break_off(&mut self, peer: PeerIndex, link: LinkId) {
        let Some((served, side, block)) = self.host(peer).in_service else { return };
        if served != link {
            return;
        }
        self.lose(block);
        let host = self.host_mut(peer);
        host.in_service = None;
        host.service = host.service.wrapping_add(1);
        host.uplink = Uplink::new(host.plan.upload);
        self.take_words(self.connections[link].end(side.other()).host);
        let waiting = self.block_settled(link, side.other());
        for delivery in waiting {
            self.deliver(link, side.other(), delivery);
        }
    }
}
