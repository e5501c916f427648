//! What can happen in the simulator: small events for the queue, and parcels for what needs room.

use std::net::SocketAddr;

use crate::driver::sim::connection::{Delivery, LinkId, Side};
use crate::fetch;
use crate::id::{Block, ConnId, PeerIndex};
use crate::wire::announce::{AnnounceRequest, AnnounceResponse};
use crate::wire::message::Payload;

/// Something that will happen. `stay` tells apart the stays of a peer that crashes and comes back. Twelve bytes: the
/// queue moves these about all the time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Arrive {
        peer: PeerIndex,
    },
    Crash {
        peer: PeerIndex,
        stay: u32,
    },
    Leave {
        peer: PeerIndex,
        stay: u32,
    },
    /// Leave, if it still lacks something.
    Abort {
        peer: PeerIndex,
        stay: u32,
    },
    /// The peer's deadline may have come.
    Timer {
        peer: PeerIndex,
        stay: u32,
    },
    /// A dial reaches the host it is meant for.
    Knock {
        link: LinkId,
    },
    /// The answer to a dial reaches the host that dialled.
    Answer {
        link: LinkId,
    },
    /// The last byte of a block has left the uplink.
    UplinkFree {
        peer: PeerIndex,
        service: u32,
    },
    /// A parcel comes to whom it is meant for: this peer, or the tracker for it.
    Arrival {
        peer: PeerIndex,
        parcel: ParcelId,
    },
    /// A HAVE comes on this connection that its receiver may act on.
    Wake {
        peer: PeerIndex,
        conn: ConnId,
    },
    /// A word comes that its receiver may do something about, though it might not have when the word set out.
    Word {
        peer: PeerIndex,
    },
    TrackerTimer,
}

impl Event {
    /// To whom it happens, where that is known without a look at anything else.
    //
    // Each has it at the same place, as layouts are now: hardly more than a load, and no branch on what nobody predicts.
    #[inline]
    pub(super) fn peer(&self) -> Option<PeerIndex> {
        match *self {
            Event::Arrive { peer }
            | Event::Crash { peer, .. }
            | Event::Leave { peer, .. }
            | Event::Abort { peer, .. }
            | Event::Timer { peer, .. }
            | Event::UplinkFree { peer, .. }
            | Event::Arrival { peer, .. }
            | Event::Wake { peer, .. }
            | Event::Word { peer } => Some(peer),
            Event::Knock { .. } | Event::Answer { .. } | Event::TrackerTimer => None,
        }
    }
}

/// What is on its way to somebody.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    /// Nobody was there.
    NoAnswer {
        peer: PeerIndex,
        stay: u32,
        addr: SocketAddr,
    },
    /// A control message or the end of the connection for this side; it set out after so many blocks.
    Control {
        link: LinkId,
        to: Side,
        after: u32,
        delivery: Delivery,
    },
    /// The last byte of a block reaches this side's downlink.
    Block {
        link: LinkId,
        to: Side,
        block: Block,
        payload: Payload,
    },
    /// The block has come through the downlink.
    BlockThrough {
        link: LinkId,
        to: Side,
        block: Block,
        payload: Payload,
    },
    Announce {
        peer: PeerIndex,
        stay: u32,
        tracker: usize,
        request: Box<AnnounceRequest>,
    },
    AnnounceAnswer {
        peer: PeerIndex,
        stay: u32,
        tracker: usize,
        answer: Result<Box<AnnounceResponse>, Box<str>>,
    },
}

/// Where a parcel waits until it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParcelId(u32);

/// All parcels under way. The place that became free last is used first, so that the few in flight stay close together.
#[derive(Clone, Debug, Default)]
pub(super) struct Parcels {
    places: Vec<Option<Parcel>>,
    free: Vec<u32>,
}

impl Parcels {
    pub(super) fn insert(&mut self, parcel: Parcel) -> ParcelId {
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(parcel);
                ParcelId(place)
            }
            None => {
                self.places.push(Some(parcel));
                ParcelId(self.places.len() as u32 - 1)
            }
        }
    }

    /// A parcel will be looked at soon.
    pub(super) fn fetch(&self, ParcelId(place): ParcelId) {
        fetch::at(&self.places, place as usize);
    }

    /// A parcel that is under way.
    pub(super) fn get(&self, ParcelId(place): ParcelId) -> Option<&Parcel> {
        self.places.get(place as usize)?.as_ref()
    }

    /// Takes out a parcel that was put in and not taken yet.
    pub(super) fn take(&mut self, ParcelId(place): ParcelId) -> Parcel {
        self.free.push(place);
        self.places[place as usize].take().expect("every parcel arrives once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_small_and_parcels_fit_a_cache_line() {
        assert!(size_of::<Event>() <= 12, "{}", size_of::<Event>());
        assert!(size_of::<Option<Parcel>>() <= 72, "{}", size_of::<Option<Parcel>>());
    }

    #[test]
    fn a_place_is_used_again() {
        let mut parcels = Parcels::default();
        let parcel = |stay| Parcel::Announce {
            peer: PeerIndex(1),
            stay,
            tracker: 0,
            request: Box::new(AnnounceRequest {
                info_hash: crate::id::InfoHash([0; 20]),
                peer_id: crate::id::PeerId([0; 20]),
                port: 1,
                uploaded: 0,
                downloaded: 0,
                left: None,
                event: crate::wire::announce::AnnounceEvent::None,
                num_want: None,
            }),
        };
        let first = parcels.insert(parcel(1));
        let second = parcels.insert(parcel(2));
        assert!(matches!(parcels.take(first), Parcel::Announce { stay: 1, .. }));
        assert_eq!(parcels.insert(parcel(3)), first);
        assert!(matches!(parcels.take(second), Parcel::Announce { stay: 2, .. }));
    }
}
