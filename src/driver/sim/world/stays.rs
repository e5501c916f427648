//! The stays of a peer on its host: arrival, crash, leaving, and the end of the run.

use crate::driver::sim::connection::{LinkId, Side};
use crate::driver::sim::event::Event;
use crate::driver::sim::world::{INFO_HASH, World};
use crate::event;
use crate::id::PeerIndex;
use crate::peer::{Input, Peer, Setup};
use crate::scenario::population::virtual_addr;

impl World {
    pub(super) fn arrive(&mut self, peer: PeerIndex) {
        let (random_seed, layout, policy, now) =
            (self.random_seed, self.layout, self.policy.clone(), self.now);
        let host = self.host_mut(peer);
        let setup = Setup {
            index: peer,
            random_seed,
            peer_id: host.plan.peer_id,
            addr: host.plan.virtual_addr,
            info_hash: INFO_HASH,
            layout,
            have: host.have.clone(),
            policy,
            uploads: host.plan.uploads,
            neighbours: host.plan.place.at_stay(host.stay, virtual_addr),
            schedule: host.plan.schedule.clone(),
            trackers: vec![1],
        };
        host.arrive(Peer::new(setup, now), now);
        let (stay, crash) = (host.stay, host.plan.crash_after(host.stay));
        let abort = host.plan.abort_after(stay);
        let pieces = host.have.count();
        let bytes = host.have.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        self.record(peer, event::Event::Arrived { pieces, bytes });
        if let Some(after) = crash {
            self.schedule(now + after, peer, Event::Crash { peer, stay });
        }
        if let Some(after) = abort {
            self.schedule(now + after, peer, Event::Abort { peer, stay });
        }
        self.leave_if_done(peer);
        self.set_timer(peer);
    }

    pub(super) fn crash(&mut self, peer: PeerIndex, stay: u32) {
        if !self.is_here(peer, stay) {
            return;
        }
        self.take_words(peer);
        self.note_haves(peer);
        let links: Vec<(LinkId, Side)> = self.host(peer).links().collect();
        for (link, side) in links {
            self.close_end(link, side);
        }
        self.depart(peer, event::Event::Crashed);
        if let Some(after) = self.host(peer).plan.rejoin {
            self.schedule(self.now + after, peer, Event::Arrive { peer });
        }
    }

    /// Gives up, unless it has everything by now.
    pub(super) fn abort(&mut self, peer: PeerIndex, stay: u32) {
        if self.is_here(peer, stay) && !self.host(peer).peer.as_deref().is_some_and(Peer::is_complete) {
            self.leave(peer, stay);
        }
    }

    pub(super) fn leave(&mut self, peer: PeerIndex, stay: u32) {
        if !self.is_here(peer, stay) {
            return;
        }
        self.take_words(peer);
        self.note_haves(peer);
        let now = self.now;
        let mut actions = Vec::new();
        if let Some(state) = self.host_mut(peer).peer.as_deref_mut() {
            state.handle(now, Input::Leave, &mut actions);
        }
        for action in actions {
            self.carry_out(peer, action);
        }
        self.depart(peer, event::Event::Left);
    }

    pub(super) fn depart(&mut self, peer: PeerIndex, end: event::Event) {
        self.record(peer, end);
        self.inboxes.clear(peer);
        self.words[peer.0 as usize].clear();
        let totals = self.host_mut(peer).depart().map(|state| state.totals()).unwrap_or_default();
        self.record(peer, event::Event::Totals(totals));
    }

    /// Records what the peers that are still here add up to: the run is over.
    pub(in crate::driver::sim) fn finish(&mut self) {
        for peer in self.everybody() {
            if let Some(totals) = self.host(peer).peer.as_deref().map(Peer::totals) {
                self.record(peer, event::Event::Totals(totals));
            }
        }
    }

    pub(super) fn leave_if_done(&mut self, peer: PeerIndex) {
        let content = self.layout.total();
        if let Some(wait) = self.host(peer).wants_to_leave(self.now, content) {
            let host = self.host_mut(peer);
            host.leaving = true;
            let stay = host.stay;
            self.schedule(self.now + wait, peer, Event::Leave { peer, stay });
        }
    }
}
