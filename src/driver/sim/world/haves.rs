//! HAVEs: told to many, heeded by few.

use std::collections::VecDeque;
use std::hint::black_box;

use smallvec::SmallVec;

use crate::driver::sim::connection::Delivery;
use crate::driver::sim::event::Event;
use crate::driver::sim::inbox::Have;
use crate::driver::sim::world::World;
use crate::id::{PeerIndex, PieceIndex};
use crate::peer::{ConnSet, Input};
use crate::wire::message::Message;

impl World {
    /// A peer tells these connections that it has a piece now.
    pub(super) fn send_haves(&mut self, peer: PeerIndex, piece: PieceIndex, to: &ConnSet) {
        let mut targets: SmallVec<[(PeerIndex, Have); 64]> = SmallVec::new();
        for conn in to.iter() {
            let Some(slot) = self.host(peer).slot(conn) else { continue };
            // Before the other end is open there is no inbox to put it in.
            match slot.far.filter(|_| !self.have_events) {
                Some((remote, conn)) => {
                    let key = self.queue.stamp(self.now + slot.latency, peer.0);
                    targets.push((remote, Have { key, conn, piece }));
                }
                None => self.send(slot.link, slot.side.other(), Delivery::Message(Message::Have(piece))),
            }
        }
        // Look first: the inboxes lie anywhere, and this waits for their memory once instead of once for each.
        let looked = targets.iter().map(|(remote, ..)| self.inboxes[remote.0 as usize].waiting());
        black_box(looked.fold(0, |all, one| all ^ one));
        for (remote, have) in targets {
            if self.inboxes[remote.0 as usize].post(have) {
                self.queue.insert(have.key, Event::Wake { peer: remote });
            }
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
        let mut due = std::mem::take(&mut self.due);
        self.inboxes[peer.0 as usize].take_due(self.position, &mut due);
        if !due.is_empty() {
            if let Some(state) = &self.host(peer).peer {
                let ahead = due.iter().map(|have| state.look_ahead(have.conn, have.piece));
                black_box(ahead.fold(0, |all, one| all ^ one));
            }
            self.effort.haves += due.len() as u64;
            let mut actions = std::mem::take(&mut self.actions);
            for Have { key, conn, piece } in due.drain(..) {
                let Some(state) = self.host_mut(peer).peer.as_mut() else { continue };
                if !state.heeded_haves().contains(conn) {
                    state.note_have(key.at(), conn, piece);
                    continue;
                }
                state.handle(key.at(), Input::Received { conn, message: Message::Have(piece) }, &mut actions);
                debug_assert!(
                    actions.is_empty() || key.at() == self.now,
                    "peer {peer} acts on a HAVE too late"
                );
                for action in actions.drain(..) {
                    self.carry_out(peer, action, &mut VecDeque::new());
                }
            }
            self.actions = actions;
        }
        self.due = due;
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
        inbox.heed(state.heeded_haves(), |key| queue.insert(key, Event::Wake { peer }));
    }
}
