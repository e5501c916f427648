//! Words on their way: which of them wait instead of being events, and when those are handed over.

use crate::driver::sim::connection::{Delivery, LinkId, Side};
use crate::driver::sim::event::Event;
use crate::driver::sim::host::Far;
use crate::driver::sim::words::{Saying, Word};
use crate::driver::sim::world::World;
use crate::id::{ConnId, PeerIndex};
use crate::peer::{Input, Peer};

impl World {
    /// A peer says something small to another.
    pub(super) fn say(
        &mut self,
        peer: PeerIndex,
        conn: ConnId,
        (link, side): (LinkId, Side),
        saying: Saying,
    ) {
        let waits = |far: &Far| self.words_wait && self.words[far.host.0 as usize].may_wait(far.conn, saying);
        let Some(far) = self.host(peer).far(conn).filter(waits) else {
            return self.send(link, side.other(), Delivery::Message(saying.message()));
        };
        let at = match self.paths {
            Some(_) => self.crossing(link, side.other()),
            None => Some(self.now + far.latency),
        };
        let Some(at) = at else { return };
        let key = self.queue.stamp(at, peer.0);
        self.words[far.host.0 as usize].post(key, far.conn, saying);
    }

    /// A word came that the receiver may do something about, though it might not have when it set out.
    pub(super) fn spoken_to(&mut self, peer: PeerIndex) {
        if self.host(peer).peer.is_some() {
            self.touched.push(peer);
            self.take_words(peer);
            self.settle(peer);
        }
    }

    /// Hands over the words that came since this was done last, each with its own time. To be called before anything
    /// else happens to the peer or to its ends of connections.
    #[inline]
    pub(super) fn take_words(&mut self, peer: PeerIndex) {
        let mut some = false;
        while let Some(word) = self.words[peer.0 as usize].next_due(self.position) {
            self.take_word(peer, word);
            some = true;
        }
        if some {
            self.heed_crowd(peer);
        }
    }

    fn take_word(&mut self, peer: PeerIndex, Word { key, conn, saying, woken }: Word) {
        let message = saying.message();
        if self.host(peer).holds_back(conn) {
            // Something that came before it waits for a block: so does this.
            if let Some((link, side)) = self.host(peer).link(conn) {
                self.control((link, side), 0, Delivery::Message(message), key.at());
            }
            return;
        }
        let input = Input::Received { conn, message };
        if woken {
            // To act on it, perhaps.
            self.note_haves_for(peer, &input);
            return self.perform(peer, input);
        }
        let Some(state) = self.hosts[peer.0 as usize].peer.as_deref_mut() else { return };
        let mut actions = std::mem::take(&mut self.actions);
        state.handle(key.at(), input, &mut actions);
        debug_assert!(actions.is_empty(), "peer {peer} does something about {saying:?}: {actions:?}");
        for action in actions.drain(..) {
            self.carry_out(peer, action);
        }
        self.actions = actions;
    }

    /// Sees to it that the peer is woken for the words under way that it would act on.
    pub(super) fn heed_words(&mut self, peer: PeerIndex) {
        let Some(state) = self.hosts[peer.0 as usize].peer.as_deref() else { return };
        let (words, queue) = (&mut self.words[peer.0 as usize], &mut self.queue);
        words.be_unmoved(state.unmoved(), |key| queue.insert(key, Event::Word { peer }));
        self.heed_crowd(peer);
    }

    /// Where the next request may be one too many, each comes as an event: it is refused at its own time.
    #[inline]
    fn heed_crowd(&mut self, peer: PeerIndex) {
        if self.host(peer).peer.as_deref().is_some_and(Peer::is_crowded) {
            let queue = &mut self.queue;
            self.words[peer.0 as usize].crowd(|key| queue.insert(key, Event::Word { peer }));
        }
    }

    /// The uplink has nothing to do: the peer is woken for the requests under way.
    pub(super) fn heed_requests(&mut self, peer: PeerIndex) {
        let queue = &mut self.queue;
        self.words[peer.0 as usize].be_idle(|key| queue.insert(key, Event::Word { peer }));
    }
}
