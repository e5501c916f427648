//! What the next events will touch, asked for before they happen ([`crate::fetch`]). A swarm of thousands lies in no
//! cache, and what an event needs hangs together: its parcel names the connection, that the number at the host's end,
//! and behind that lies what is kept of it. So each link of the chain is asked for some events before the next one
//! is: nothing here waits for memory.
//!
//! Nothing depends on it: where an event comes between, or turns out to mean nothing, the look ahead was in vain.

use crate::driver::sim::connection::{Delivery, LinkId, Side};
use crate::driver::sim::event::{Event, Parcel};
use crate::driver::sim::host::Host;
use crate::driver::sim::world::World;
use crate::fetch;
use crate::id::{ConnId, PeerIndex};
use crate::peer::Expected;
use crate::wire::message::Message;

/// So many events ahead the parcel and the host are asked for,
const PARCEL: usize = 4;
/// the connection that the parcel names,
const CONNECTION: usize = 2;
/// what the peer keeps of it, and what it will need for what comes. Just before the event it is what lies behind that.
const STATE: usize = 1;

/// What an event is expected to bring to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    peer: PeerIndex,
    conn: Option<ConnId>,
    what: Expected,
}

impl World {
    pub(super) fn look_ahead(&mut self) {
        if let Some(event) = self.queue.ahead(PARCEL) {
            self.fetch_parcel(event);
        }
        if let Some(event) = self.queue.ahead(CONNECTION) {
            self.fetch_connection(event);
        }
        // What was the second event is the first by now, unless another came between.
        if let Some(expectation) = &self.expected {
            self.fetch_rest(expectation);
        }
        self.expected = self.queue.ahead(STATE).and_then(|event| self.expectation(event));
        if let Some(expectation) = &self.expected {
            self.fetch_state(expectation);
        }
    }

    fn fetch_parcel(&self, event: &Event) {
        if let Event::Arrival { parcel, .. } = event {
            self.parcels.fetch(*parcel);
        }
        let Some(peer) = event.peer() else { return };
        self.host(peer).fetch();
        self.inboxes.fetch(peer);
        fetch::at(&self.words, peer.0 as usize);
    }

    fn fetch_connection(&self, event: &Event) {
        let Some(peer) = event.peer() else { return };
        let link = match event {
            Event::Arrival { parcel, .. } => self.parcels.get(*parcel).and_then(end_of).map(|(link, _)| link),
            Event::UplinkFree { .. } => self.host(peer).in_service.map(|(link, ..)| link),
            _ => None,
        };
        self.host(peer).fetch_peer(matches!(event, Event::UplinkFree { .. }));
        self.words[peer.0 as usize].fetch_waiting();
        if let Some(link) = link {
            self.connections.fetch(link);
        }
    }

    fn fetch_state(&self, &Expectation { peer, conn, what }: &Expectation) {
        let (host, index) = (self.host(peer), peer.0 as usize);
        host.fetch_for(conn, what);
        self.course.fetch(index);
        if what.asks_for_haves() {
            self.inboxes.fetch_waiting(peer);
        }
        let Some(state) = &host.peer else { return };
        state.fetch_for(conn, what);
        for word in self.words[index].waiting() {
            state.fetch_for_word(word.conn, word.asked());
        }
        if what == Expected::Upload {
            host.fetch_slot(state.next_served());
        }
    }

    fn fetch_rest(&self, &Expectation { peer, conn, what }: &Expectation) {
        let (host, index) = (self.host(peer), peer.0 as usize);
        let Some(state) = &host.peer else { return };
        state.fetch_rest_for(conn, what);
        let asking = self.words[index].waiting().iter().filter(|word| word.asked().is_some());
        asking.for_each(|word| state.fetch_rest_for_request(word.conn));
        if what.asks_for_haves() {
            state.fetch_for_haves(self.inboxes.waiting(peer), what);
        }
        match what {
            Expected::Block(piece) => {
                if state.completes_pieces() {
                    self.course.fetch_piece(index, piece);
                }
                self.fetch_listener(host, conn);
            }
            Expected::Asking | Expected::Have => self.fetch_listener(host, conn),
            Expected::Upload => {
                if let Some((link, _)) = host.link(state.next_served()) {
                    self.connections.fetch(link);
                }
            }
            Expected::Request(_) | Expected::Round | Expected::Word => {}
        }
    }

    /// Where the next word on this connection will wait.
    fn fetch_listener(&self, host: &Host, conn: Option<ConnId>) {
        if let Some(far) = conn.and_then(|conn| host.far(conn)) {
            fetch::at(&self.words, far.host.0 as usize);
        }
    }

    fn expectation(&self, event: &Event) -> Option<Expectation> {
        let (peer, conn, what) = match event {
            Event::Arrival { peer, parcel } => {
                let parcel = self.parcels.get(*parcel)?;
                let (link, side) = end_of(parcel)?;
                (*peer, self.connections[link].end(side).conn, expected(parcel))
            }
            Event::UplinkFree { peer, .. } | Event::Word { peer } => (*peer, None, Expected::Upload),
            Event::Timer { peer, .. } => (*peer, None, Expected::Round),
            Event::Wake { peer, conn } => (*peer, Some(*conn), Expected::Have),
            _ => return None,
        };
        Some(Expectation { peer, conn, what })
    }
}

/// The end of a connection that a parcel is for.
fn end_of(parcel: &Parcel) -> Option<(LinkId, Side)> {
    match parcel {
        Parcel::Control { link, to, .. }
        | Parcel::Block { link, to, .. }
        | Parcel::BlockThrough { link, to, .. } => Some((*link, *to)),
        Parcel::NoAnswer { .. } | Parcel::Announce { .. } | Parcel::AnnounceAnswer { .. } => None,
    }
}

fn expected(parcel: &Parcel) -> Expected {
    match parcel {
        Parcel::Block { block, .. } | Parcel::BlockThrough { block, .. } => Expected::Block(block.piece),
        Parcel::Control { delivery: Delivery::Message(Message::Request(block)), .. } => {
            Expected::Request(block.piece)
        }
        Parcel::Control { delivery: Delivery::Message(Message::Unchoke), .. } => Expected::Asking,
        _ => Expected::Word,
    }
}
