//! HAVEs: told to many, heeded by few.

use smallvec::SmallVec;

use crate::driver::sim::connection::Delivery;
use crate::driver::sim::event::Event;
use crate::driver::sim::host::{Far, Host};
use crate::driver::sim::queue::{Key, Queue};
use crate::driver::sim::world::World;
use crate::id::{PeerIndex, PieceIndex};
use crate::peer::{ConnSet, Have, Input};
use crate::time::Time;
use crate::wire::message::Message;

impl World {
    /// A peer tells these connections that it has a piece now.
    pub(super) fn send_haves(&mut self, peer: PeerIndex, piece: PieceIndex, to: &ConnSet) {
        let host = &self.hosts[peer.0 as usize];
        let to_others = host.unreached(to);
        let to = to.without(&to_others);
        if self.paths.is_some() {
            self.send_haves_unevenly(peer, piece, &to);
        } else {
            self.send_haves_evenly(peer, piece, &to);
        }
        // Before the other end is open there is no inbox to put it in.
        for conn in to_others.iter() {
            if let Some((link, side)) = self.host(peer).link(conn) {
                self.send(link, side.other(), Delivery::Message(Message::Have(piece)));
            }
        }
    }

    /// Each takes as long as its path does. Apart from everything else, so that the loop has the registers to itself.
    #[inline(never)]
    fn send_haves_evenly(&mut self, peer: PeerIndex, piece: PieceIndex, to: &ConnSet) {
        let (now, always) = (self.now, self.have_events);
        let mut noticed: SmallVec<[Far; 64]> = SmallVec::new();
        let mut post_box = self.inboxes.post_box();
        for far in self.hosts[peer.0 as usize].fars(to) {
            let have = Have { at: now + far.latency, conn: far.conn, piece };
            if post_box.post(far.host, have) || always {
                noticed.push(*far);
            }
        }
        for far in noticed {
            self.posted(Have { at: now + far.latency, conn: far.conn, piece }, peer, far.host);
        }
    }

    /// Each takes its own time, or is lost.
    fn send_haves_unevenly(&mut self, peer: PeerIndex, piece: PieceIndex, to: &ConnSet) {
        for conn in to.iter() {
            let Some((link, side)) = self.host(peer).link(conn) else { continue };
            let (Some(far), Some(at)) = (self.host(peer).far(conn), self.crossing(link, side.other())) else {
                continue;
            };
            let have = Have { at, conn: far.conn, piece };
            if self.inboxes.post(far.host, have) || self.have_events {
                self.posted(have, peer, far.host);
            }
        }
    }

    /// A HAVE was posted about which something is to be done: it is heeded, or there is no room for a further one. Rare, and
    /// kept out of the loop over all HAVEs.
    #[inline(never)]
    fn posted(&mut self, have: Have, from: PeerIndex, to: PeerIndex) {
        if self.have_events || self.inboxes.heeds(to, have.conn) {
            let key = self.queue.have(have.at, from.0, to.0);
            self.queue.insert(key, Event::Wake { peer: to, conn: have.conn });
        }
        if self.inboxes.is_full(to) {
            self.note(to, false);
        }
        if self.inboxes.is_full(to) {
            self.inboxes.make_room();
        }
    }

    /// A HAVE came that the peer heeds.
    pub(super) fn wake(&mut self, peer: PeerIndex) {
        if self.host(peer).peer.is_some() {
            self.touched.push(peer);
            self.take_words(peer);
            self.note_haves(peer);
            self.settle(peer);
        }
    }

    /// Hands over what has come, where it may make a difference to what this input brings about.
    pub(super) fn note_haves_for(&mut self, peer: PeerIndex, input: &Input) {
        let state = self.hosts[peer.0 as usize].peer.as_deref();
        if self.codec.is_some() || state.is_none_or(|state| state.asks_for_haves(input)) {
            self.note_haves(peer);
        }
    }

    /// Hands over the HAVEs that came since the peer asked for them last, each with its own time.
    pub(super) fn note_haves(&mut self, peer: PeerIndex) {
        self.note(peer, true);
    }

    /// The same, and those that come at this very moment only if `now_too`: the peer may act on such a one, which is for its own
    /// step.
    fn note(&mut self, peer: PeerIndex, now_too: bool) {
        let waiting = self.inboxes.waiting_mut(peer);
        if waiting.is_empty() {
            return;
        }
        if let Some(state) = self.hosts[peer.0 as usize].peer.as_deref_mut()
            && self.codec.is_none()
            && !state.minds_the_order_of_haves()
        {
            // Whoever heeds a HAVE was woken for it when it came.
            let left = state.note_haves(waiting, self.now);
            self.effort.haves += (waiting.len() - left) as u64;
            let is_order_asked = waiting[..left].iter().any(|have| have.at == self.now);
            self.inboxes.leave(peer, left);
            if !is_order_asked || !now_too {
                return;
            }
        }
        self.note_in_order(peer, now_too);
    }

    /// The same where the order matters, or where what happens at this very moment is concerned.
    fn note_in_order(&mut self, peer: PeerIndex, now_too: bool) {
        let mut due = std::mem::take(&mut self.due);
        self.take_due(peer, now_too, &mut due);
        self.put_in_order(peer, &mut due);
        self.effort.haves += due.len() as u64;
        if let Some(state) = self.hosts[peer.0 as usize].peer.as_deref_mut() {
            let heeded = state.heeded_haves();
            // What has to be bytes in between is not only noted.
            if self.codec.is_none() && !due.iter().any(|have| heeded.contains(have.conn)) {
                state.note_haves(&mut due, Time::NEVER);
            } else {
                self.hand_over_haves(peer, &due);
            }
        }
        due.clear();
        self.due = due;
    }

    /// Takes what has come from the inbox.
    fn take_due(&mut self, peer: PeerIndex, now_too: bool, due: &mut Vec<Have>) {
        let (now, position) = (self.now, self.position);
        let (host, queue) = (&self.hosts[peer.0 as usize], &self.queue);
        let has_come = |have: &Have| now_too && place(host, queue, peer, have) <= position;
        self.inboxes.take_due(peer, now, has_come, due);
    }

    fn put_in_order(&self, peer: PeerIndex, due: &mut [Have]) {
        let place = |have: &Have| place(self.host(peer), &self.queue, peer, have);
        // Only within an instant is anything else looked up.
        due.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| place(one).cmp(&place(other))));
    }

    /// Where the peer may act on some of them.
    fn hand_over_haves(&mut self, peer: PeerIndex, due: &[Have]) {
        let mut actions = std::mem::take(&mut self.actions);
        for Have { at, conn, piece } in due.iter().copied() {
            let message = self.in_transit(Message::Have(piece));
            let Some(state) = self.host_mut(peer).peer.as_deref_mut() else { continue };
            state.handle(at, Input::Received { conn, message }, &mut actions);
            debug_assert!(actions.is_empty() || at == self.now, "peer {peer} acts on a HAVE too late");
            for action in actions.drain(..) {
                self.carry_out(peer, action);
            }
        }
        self.actions = actions;
    }

    /// The same for everybody, and of words: the run is over.
    pub(in crate::driver::sim) fn note_everything(&mut self) {
        for peer in self.everybody() {
            self.take_words(peer);
            self.note_haves(peer);
        }
    }

    /// Sees to it that the peer is woken for the HAVEs under way that it would act on.
    pub(super) fn heed_haves(&mut self, peer: PeerIndex) {
        let Some(state) = self.hosts[peer.0 as usize].peer.as_deref() else { return };
        let (inboxes, queue) = (&mut self.inboxes, &mut self.queue);
        let host = &self.hosts[peer.0 as usize];
        inboxes.heed(peer, state.heeded_haves(), |have| {
            let key = place(host, queue, peer, have);
            queue.insert(key, Event::Wake { peer, conn: have.conn });
        });
    }
}

/// The place in the order of all events of a HAVE that waits for this host.
fn place(host: &Host, queue: &Queue<Event>, peer: PeerIndex, have: &Have) -> Key {
    queue.have(have.at, host.told_by(have.conn).0, peer.0)
}
