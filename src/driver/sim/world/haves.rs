//! HAVEs: told to many, heeded by few.

use std::collections::VecDeque;
use std::hint::black_box;

use crate::driver::sim::connection::Delivery;
use crate::driver::sim::event::Event;
use crate::driver::sim::host::Far;
use crate::driver::sim::inbox::Have;
use crate::driver::sim::world::World;
use crate::id::{ConnId, PeerIndex, PieceIndex};
use crate::peer::{ConnSet, Input};
use crate::time::Time;
use crate::wire::message::Message;

impl World {
    /// A peer tells these connections that it has a piece now.
    pub(super) fn send_haves(&mut self, peer: PeerIndex, piece: PieceIndex, to: &ConnSet) {
        for conn in to.iter() {
            match self.host(peer).far(conn) {
                Some(far) => {
                    let arrives = self.have_crossing(peer, conn, far.latency);
                    arrives.into_iter().for_each(|at| self.post_have(at, peer, far, piece));
                }
                // Before the other end is open there is no inbox to put it in.
                None => {
                    if let Some((link, side)) = self.host(peer).link(conn) {
                        self.send(link, side.other(), Delivery::Message(Message::Have(piece)));
                    }
                }
            }
        }
    }

    fn post_have(&mut self, at: Time, from: PeerIndex, to: Far, piece: PieceIndex) {
        let heeded = self.inboxes[to.host.0 as usize].post(Have { at, conn: to.conn, piece });
        if heeded || self.have_events {
            let key = self.queue.have(at, from.0, to.host.0);
            self.queue.insert(key, Event::Wake { peer: to.host });
        }
    }

    /// A HAVE came that the peer heeds.
    pub(super) fn wake(&mut self, peer: PeerIndex) {
        if self.host(peer).peer.is_some() {
            self.touched.push(peer);
            self.note_haves(peer);
            self.settle(peer);
        }
    }

    /// Hands over the HAVEs that came since the peer was stepped last, each with its own time.
    pub(super) fn note_haves(&mut self, peer: PeerIndex) {
        if self.inboxes[peer.0 as usize].is_empty() {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        self.take_due(peer, &mut due);
        self.effort.haves += due.len() as u64;
        let mut actions = std::mem::take(&mut self.actions);
        // What has to be bytes in between is not only noted.
        let noted = self.codec.is_none();
        for Have { at, conn, piece } in due.drain(..) {
            let Some(state) = self.host_mut(peer).peer.as_mut() else { continue };
            if noted && !state.heeded_haves().contains(conn) {
                state.note_have(at, conn, piece);
                continue;
            }
            let message = self.in_transit(Message::Have(piece));
            let Some(state) = self.host_mut(peer).peer.as_mut() else { continue };
            state.handle(at, Input::Received { conn, message }, &mut actions);
            debug_assert!(actions.is_empty() || at == self.now, "peer {peer} acts on a HAVE too late");
            for action in actions.drain(..) {
                self.carry_out(peer, action, &mut VecDeque::new());
            }
        }
        (self.due, self.actions) = (due, actions);
    }

    /// Takes what has come from the inbox, in the order in which it came.
    fn take_due(&mut self, peer: PeerIndex, due: &mut Vec<Have>) {
        let (host, queue, connections) = (&self.hosts[peer.0 as usize], &self.queue, &self.connections);
        let (now, position) = (self.now, self.position);
        let place = |conn: ConnId| {
            let (link, side) = host.link(conn).expect("what waits for a closed connection is forgotten");
            queue.have(now, connections[link].end(side.other()).host.0, peer.0)
        };
        self.inboxes[peer.0 as usize].take_due(now, |conn| place(conn) <= position, due);
        let of_an_instant = |conn: ConnId| host.link(conn).map(|_| place(conn));
        due.sort_by(|one, other| {
            one.at.cmp(&other.at).then_with(|| of_an_instant(one.conn).cmp(&of_an_instant(other.conn)))
        });
        if let Some(state) = &host.peer {
            let ahead = due.iter().map(|have| state.look_ahead(have.conn, have.piece));
            black_box(ahead.fold(0, |all, one| all ^ one));
        }
    }

    /// The same for everybody: the run is over.
    pub(in crate::driver::sim) fn note_all_haves(&mut self) {
        for peer in self.everybody() {
            self.note_haves(peer);
        }
    }

    /// Sees to it that the peer is woken for the HAVEs under way that it would act on.
    pub(super) fn heed_haves(&mut self, peer: PeerIndex) {
        let Some(state) = self.hosts[peer.0 as usize].peer.as_ref() else { return };
        let (inbox, queue) = (&mut self.inboxes[peer.0 as usize], &mut self.queue);
        let (hosts, connections) = (&self.hosts, &self.connections);
        inbox.heed(state.heeded_haves(), |have| {
            let link = hosts[peer.0 as usize].link(have.conn);
            let (link, side) = link.expect("what waits for a closed connection is forgotten");
            let key = queue.have(have.at, connections[link].end(side.other()).host.0, peer.0);
            queue.insert(key, Event::Wake { peer });
        });
    }
}
