//! A simulated host: one peer, its links, and a disk that only remembers which blocks are bad.

use std::collections::{BTreeMap, BTreeSet};

use crate::driver::sim::connection::{LinkId, Side};
use crate::fetch;
use crate::id::{Block, ConnId, PeerIndex, PieceIndex};
use crate::link::{Downlink, Uplink};
use crate::peer::{ConnSet, Expected, Peer, Verdict};
use crate::scenario::population::PeerPlan;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;
use crate::wire::message::Payload;

/// Room for connections is made for so many at a time: memory limits the number of hosts.
const ROOM: usize = 8;

/// One participant and the machine it runs on. What every event looks at comes first, in few cache lines: a host of a large
/// swarm lies in no cache.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Host {
    /// The block in service, and the number of its service (a service that was broken off has another number).
    pub(super) in_service: Option<(LinkId, Side, Block)>,
    pub(super) service: u32,
    /// Counts the stays; the first is 0.
    pub(super) stay: u32,
    /// It has been told to leave, or will be by an event that is scheduled.
    pub(super) leaving: bool,
    /// When the next `Event::Timer` of this stay is scheduled.
    pub(super) timer_at: Option<Time>,
    /// Present while the peer is. Behind a pointer, so that what tells whether it is there lies here.
    pub(super) peer: Option<Box<Peer>>,
    /// Bytes that left over all stays.
    pub(super) uploaded: u64,
    /// The connection behind each of the peer's numbers.
    slots: Vec<Option<Slot>>,
    /// By the same numbers, where HAVEs are sent; without a meaning where the other end is not open.
    fars: Vec<Far>,
    /// The connections whose other end is open.
    reached: ConnSet,
    /// Those at whose end here something waits for blocks.
    held_back: ConnSet,
    pub(super) uplink: Uplink,
    pub(super) downlink: Downlink,
    /// What is verified on its disk; outlives a crash.
    pub(super) have: Bitfield,
    corrupt: BTreeMap<PieceIndex, BTreeSet<u32>>,
    pub(super) plan: PeerPlan,
}

/// A connection as its host sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) link: LinkId,
    /// Which end of it we are.
    pub(super) side: Side,
}

/// The other end of a connection, and how far away it is: all that sending a HAVE takes, apart from the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Far {
    pub(super) host: PeerIndex,
    pub(super) conn: ConnId,
    pub(super) latency: Span,
}

impl Far {
    const NOWHERE: Far = Far { host: PeerIndex(u32::MAX), conn: ConnId(u32::MAX), latency: Span::ZERO };
}

impl Host {
    pub(super) fn new(plan: PeerPlan) -> Host {
        Host {
            have: plan.initial.clone(),
            peer: None,
            stay: 0,
            slots: Vec::new(),
            fars: Vec::new(),
            reached: ConnSet::default(),
            held_back: ConnSet::default(),
            uplink: Uplink::new(plan.upload),
            downlink: Downlink::new(plan.download, plan.arrival),
            in_service: None,
            service: 0,
            timer_at: None,
            uploaded: 0,
            leaving: false,
            corrupt: BTreeMap::new(),
            plan,
        }
    }

    /// The host and its peer, but for what lies behind pointers.
    pub(super) fn fetch(&self) {
        // One of every line.
        fetch::one(&self.in_service);
        fetch::one(&self.slots);
        fetch::one(&self.held_back);
        fetch::one(&self.have);
    }

    /// Its peer, once it is known whether there is one.
    pub(super) fn fetch_peer(&self, only_uploads: bool) {
        match &self.peer {
            Some(peer) if only_uploads => peer.fetch_for_upload(),
            Some(peer) => peer.fetch(),
            None => {}
        }
    }

    /// What sending and answering takes, once the host itself is there.
    pub(super) fn fetch_for(&self, conn: Option<ConnId>, expected: Expected) {
        let Some(conn) = conn else { return };
        self.fetch_slot(conn);
        match expected {
            Expected::Block(piece) if self.peer.as_deref().is_some_and(Peer::completes_pieces) => {
                fetch::all(&self.fars);
                fetch::at(self.have.words(), piece.0 as usize / 64);
            }
            Expected::Block(_) | Expected::Asking | Expected::Have => fetch::at(&self.fars, conn.0 as usize),
            Expected::Request(_) | Expected::Round | Expected::Upload | Expected::Word => {}
        }
    }

    pub(super) fn fetch_slot(&self, conn: ConnId) {
        fetch::at(&self.slots, conn.0 as usize);
    }

    /// A peer begins a stay on this host.
    pub(super) fn arrive(&mut self, peer: Peer, now: Time) {
        self.peer = Some(Box::new(peer));
        self.uplink = Uplink::new(self.plan.upload);
        self.downlink = Downlink::new(self.plan.download, now);
    }

    /// The stay is over: memory, connections and links are gone, the disk remains.
    pub(super) fn depart(&mut self) -> Option<Box<Peer>> {
        self.stay += 1;
        self.in_service = None;
        self.service = self.service.wrapping_add(1);
        self.timer_at = None;
        self.leaving = false;
        self.corrupt.clear();
        self.slots.clear();
        self.fars.clear();
        self.reached = ConnSet::default();
        self.held_back = ConnSet::default();
        self.peer.take()
    }

    /// The lowest number that is not in use, now in use for this connection.
    pub(super) fn open(&mut self, slot: Slot) -> ConnId {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if free == self.slots.len() {
            if self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact(ROOM);
                self.fars.reserve_exact(ROOM);
            }
            self.slots.push(None);
            self.fars.push(Far::NOWHERE);
        }
        self.slots[free] = Some(slot);
        ConnId(free as u32)
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        self.slots[conn.0 as usize] = None;
        self.reached.remove(conn);
        self.held_back.remove(conn);
    }

    pub(super) fn slot(&self, conn: ConnId) -> Option<Slot> {
        self.slots.get(conn.0 as usize).copied().flatten()
    }

    /// The other end of this connection is open now.
    pub(super) fn reach(&mut self, conn: ConnId, far: Far) {
        self.fars[conn.0 as usize] = far;
        self.reached.insert(conn);
    }

    /// The other end of this connection is closed now.
    pub(super) fn lose(&mut self, conn: ConnId) {
        self.reached.remove(conn);
    }

    /// Whose HAVEs come on this connection. Of one whose other end has been closed since, what is still on its way.
    pub(super) fn told_by(&self, conn: ConnId) -> PeerIndex {
        self.fars[conn.0 as usize].host
    }

    /// Something that came on this connection waits for blocks, or no longer.
    pub(super) fn hold_back(&mut self, conn: ConnId, holds: bool) {
        if holds { self.held_back.insert(conn) } else { self.held_back.remove(conn) }
    }

    pub(super) fn holds_back(&self, conn: ConnId) -> bool {
        self.held_back.contains(conn)
    }

    /// The other ends of these connections, which are all open.
    pub(super) fn fars(&self, conns: &ConnSet) -> impl Iterator<Item = &Far> {
        let fars = &self.fars[..];
        conns.iter().map(move |conn| &fars[conn.0 as usize])
    }

    /// Those of `conns` whose other end is not open.
    pub(super) fn unreached(&self, conns: &ConnSet) -> ConnSet {
        conns.without(&self.reached)
    }

    /// The other end, while it is open.
    pub(super) fn far(&self, conn: ConnId) -> Option<Far> {
        self.reached.contains(conn).then(|| self.fars[conn.0 as usize])
    }

    pub(super) fn link(&self, conn: ConnId) -> Option<(LinkId, Side)> {
        self.slot(conn).map(|slot| (slot.link, slot.side))
    }

    /// The open connections.
    pub(super) fn links(&self) -> impl Iterator<Item = (LinkId, Side)> + '_ {
        self.slots.iter().flatten().map(|slot| (slot.link, slot.side))
    }

    /// Remembers whether a block is bad.
    pub(super) fn store(&mut self, block: Block, payload: &Payload) {
        if matches!(payload, Payload::Virtual { corrupt: true, .. }) {
            self.corrupt.entry(block.piece).or_default().insert(block.begin);
        } else if let Some(bad) = self.corrupt.get_mut(&block.piece) {
            bad.remove(&block.begin);
        }
    }

    /// Judges a piece as hash and disk would.
    pub(super) fn verify(&mut self, piece: PieceIndex, layout: Layout, digests: bool) -> Verdict {
        let bad = self.corrupt.remove(&piece).unwrap_or_default();
        let digest = |index: u32| u64::from(bad.contains(&(index * layout.block_size())));
        let all = || (0..layout.blocks_in(piece)).map(digest).collect();
        if bad.is_empty() {
            self.have.insert(piece);
            Verdict::Good { digests: if digests { all() } else { Vec::new() } }
        } else {
            Verdict::Bad { digests: all() }
        }
    }

    /// How long a block occupies the uplink from `now` on.
    pub(super) fn serve(&mut self, now: Time, block: Block) -> Time {
        self.uplink.serve(now, block.length)
    }

    /// Whether it is now time to leave of its own will, and how long to wait with it.
    pub(super) fn wants_to_leave(&self, now: Time, content: u64) -> Option<Span> {
        let complete = self.peer.as_deref().is_some_and(Peer::is_complete);
        if self.leaving || !complete {
            return None;
        }
        self.plan.leaves_after(self.stay, now, self.uploaded, content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn what_every_event_looks_at_fills_four_lines() {
        let lines = [
            offset_of!(Host, peer),
            offset_of!(Host, slots),
            offset_of!(Host, held_back),
            offset_of!(Host, have),
        ];
        assert_eq!(lines.map(|offset| offset / fetch::LINE), [0, 1, 2, 3], "one of each is asked for");
    }
}
