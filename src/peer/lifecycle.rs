//! Coming and going: announces, dials, new connections, closed ones, leaving.

use std::net::SocketAddr;

use crate::event::{CloseReason, Event};
use crate::id::ConnId;
use crate::peer::connections::Connections;
use crate::peer::seam::{Action, Direction, RemotePeer};
use crate::peer::{Peer, emit};
use crate::time::{Span, Time};
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, AnnounceResponse};

/// Two peers that dial each other at the same time find out within a path's latency; after so long they did not.
const SETTLED_AFTER: Span = Span::from_secs(10);

impl Peer {
    pub(super) fn connected(
        &mut self,
        now: Time,
        conn: ConnId,
        remote: RemotePeer,
        actions: &mut Vec<Action>,
    ) {
        let dialled = remote.direction == Direction::Outgoing;
        if let Some(reason) = self.unwelcome(now, &remote, actions) {
            if dialled {
                self.dialer.refused(now, remote.addr, remote.peer_id);
            }
            if matches!(reason, CloseReason::SelfConnection | CloseReason::Banned) {
                self.dialer.forget(remote.addr);
            }
            actions.push(Action::Close { conn, reason });
            if dialled {
                self.dial(now, actions);
            }
            return;
        }
        self.dialer.connected(remote.addr, remote.peer_id, dialled);
        if self.connections.count() == 0 {
            self.resume_rounds(now);
        }
        emit(Event::Connected { remote: remote.index }, actions);
        self.connections.insert(conn, remote, now);
        self.heed_haves(conn);
        self.check_by(now + super::timers::KEEPALIVE_AFTER);
        self.introduce_pieces(now, conn, actions);
        self.introduce_extensions(now, conn, actions);
        self.announce_turn(now, actions);
    }

    /// Why this connection is not wanted. Both ends of two connections between the same two peers keep the same one:
    /// the newer where one end dialled both, because it has forgotten the older; otherwise the older where it has
    /// settled, and of two that were dialled at the same time the one whose dialling end has the greater peer id.
    fn unwelcome(
        &mut self,
        now: Time,
        remote: &RemotePeer,
        actions: &mut Vec<Action>,
    ) -> Option<CloseReason> {
        if remote.peer_id == self.peer_id {
            return Some(CloseReason::SelfConnection);
        }
        if self.blame.is_banned(remote.peer_id) {
            return Some(CloseReason::Banned);
        }
        let twin = self.connections.far_ends().find(|(_, other)| other.is(remote.peer_id));
        if let Some((twin, other)) = twin {
            let kept = if self.peer_id > remote.peer_id { Direction::Outgoing } else { Direction::Incoming };
            // Whoever was dialled does not know the dialler's own address, and dials it when a tracker names it.
            let settled = now.since(other.opened_at) >= SETTLED_AFTER;
            if remote.direction != other.peer.direction && (settled || remote.direction != kept) {
                return Some(CloseReason::AlreadyConnected);
            }
            self.close(now, twin, CloseReason::AlreadyConnected, actions);
            return None;
        }
        let full = self.dialer.is_full(self.connections.count());
        (full && !self.give_way(now, actions)).then_some(CloseReason::TooManyConnections)
    }

    pub(super) fn connect_failed(&mut self, now: Time, addr: SocketAddr, actions: &mut Vec<Action>) {
        self.dialer.failed(now, addr);
        self.dial(now, actions);
    }

    /// The remote or the driver closed the connection.
    pub(super) fn closed(&mut self, now: Time, conn: ConnId, reason: CloseReason, actions: &mut Vec<Action>) {
        self.drop_connection(now, conn, reason, actions);
        self.after_departure(now, actions);
    }

    /// We close the connection.
    pub(super) fn close(&mut self, now: Time, conn: ConnId, reason: CloseReason, actions: &mut Vec<Action>) {
        if self.drop_connection(now, conn, reason, actions) {
            actions.push(Action::Close { conn, reason });
            self.after_departure(now, actions);
        }
    }

    /// Forgets everything about a connection: its requests are free for others, its pieces no longer count.
    pub(super) fn drop_connection(
        &mut self,
        now: Time,
        conn: ConnId,
        reason: CloseReason,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(connection) = self.connections.get(conn) else { return false };
        for block in &connection.outstanding {
            self.picker.release(*block, conn);
        }
        self.picker.end_claims(conn);
        if connection.counted_as_seed {
            self.picker.leave_seed();
        } else {
            self.picker.leave(self.connections.pieces(conn, &mut Vec::new()));
        }
        let both_complete = self.have.is_full() && self.connections.is_complete(conn);
        let remote = connection.index;
        let Some(end) = self.connections.remove(conn) else { return false };
        self.heed_haves(conn);
        self.choker.closed(conn);
        let (addr, opened_at) = (end.peer.addr, end.opened_at);
        self.dialer.closed(now, addr, opened_at);
        if matches!(reason, CloseReason::Banned | CloseReason::SelfConnection) {
            self.dialer.forget(addr);
        }
        if both_complete {
            self.dialer.both_complete(addr);
        } else {
            let (left, enough) = (self.connections.count(), self.dialer.enough().unwrap_or(0));
            self.announcer.lost_connection(left as usize, enough as usize);
        }
        emit(Event::Disconnected { remote, reason }, actions);
        true
    }

    fn after_departure(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.fill_slots(now, actions);
        self.ask_all(now, actions);
        self.dial(now, actions);
    }

    /// Dials as many known addresses as there is room for.
    pub(super) fn dial(&mut self, now: Time, actions: &mut Vec<Action>) {
        while self.dialer.seeks(self.connections.count() + self.dialer.dialing()) {
            let connections = &self.connections;
            let connected = |addr, peer_id| {
                let mut remotes = connections.far_ends().map(|(_, end)| &end.peer);
                remotes.any(|remote| remote.addr == addr || Some(remote.peer_id) == peer_id)
            };
            let Some(addr) = self.dialer.next(now, connected) else { break };
            actions.push(Action::Connect { addr });
        }
        self.plan_search();
    }

    pub(super) fn announced(&mut self, now: Time, response: &AnnounceResponse, actions: &mut Vec<Action>) {
        self.announcer.succeeded(now, response);
        emit(Event::Announced { peers: response.peers.len() as u32 }, actions);
        self.dialer.learn(&response.peers, self.addr);
        self.make_room(now, actions);
        self.dial(now, actions);
    }

    pub(super) fn announce_failed(&mut self, now: Time, reason: Box<str>, actions: &mut Vec<Action>) {
        self.announcer.failed(now);
        emit(Event::AnnounceFailed { reason }, actions);
    }

    pub(super) fn announce(&mut self, tracker: usize, event: AnnounceEvent, actions: &mut Vec<Action>) {
        let request = Box::new(AnnounceRequest {
            info_hash: self.info_hash,
            peer_id: self.peer_id,
            port: self.addr.port(),
            uploaded: self.uploaded,
            downloaded: self.downloaded,
            left: Some(self.missing),
            event,
            num_want: self.dialer.wanted(),
        });
        actions.push(Action::Announce { tracker, request });
    }

    pub(super) fn leave(&mut self, actions: &mut Vec<Action>) {
        if let Some(tracker) = self.announcer.stop() {
            self.announce(tracker, AnnounceEvent::Stopped, actions);
        }
        for (conn, connection) in self.connections.iter() {
            let reason = CloseReason::Leaving;
            emit(Event::Disconnected { remote: connection.index, reason }, actions);
            actions.push(Action::Close { conn, reason });
        }
        self.connections = Connections::new(&self.layout);
        self.stopped = true;
    }
}
