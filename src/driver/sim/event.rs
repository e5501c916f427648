//! What can happen in the simulator.

use std::net::SocketAddr;

use crate::driver::sim::connection::{Delivery, LinkId, Side};
use crate::id::{Block, PeerIndex};
use crate::wire::announce::{AnnounceRequest, AnnounceResponse};
use crate::wire::message::Payload;

/// Something that will happen. `stay` tells apart the stays of a peer that crashes and comes back.
#[derive(Clone, Debug)]
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
    /// Nobody was there.
    NoAnswer {
        peer: PeerIndex,
        stay: u32,
        addr: SocketAddr,
    },
    /// A control message or the end of the connection reaches this side; it set out after so many blocks.
    Control {
        link: LinkId,
        to: Side,
        after: u64,
        delivery: Delivery,
    },
    /// The last byte of a block has left the uplink.
    UplinkFree {
        peer: PeerIndex,
        service: u64,
    },
    /// The last byte of a block reaches this side's downlink.
    BlockArrives {
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
    AnnounceArrives {
        peer: PeerIndex,
        stay: u32,
        tracker: usize,
        request: AnnounceRequest,
    },
    AnnounceAnswered {
        peer: PeerIndex,
        stay: u32,
        tracker: usize,
        answer: Result<AnnounceResponse, Box<str>>,
    },
    TrackerTimer,
}
