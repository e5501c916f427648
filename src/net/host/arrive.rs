//! From the socket to the peer: latency, then the downlink, for everything that a path carries.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::event::CloseReason;
use crate::net::delay::Passage;
use crate::net::host::Host;
use crate::net::host::connections::Lane;
use crate::net::inbound::Batch;
use crate::peer::{Input, RemotePeer};
use crate::time::{Span, Time};
use crate::wire::message::Message;

/// No connection has this serial number.
pub(super) const NO_LANE: u64 = 0;

/// What is on its way through latency and downlink.
#[derive(Debug)]
pub(super) enum Parcel {
    Connected { lane: Lane, remote: Box<RemotePeer> },
    NoAnswer { addr: SocketAddr },
    Message { lane: Lane, message: Message, _room: Arc<OwnedSemaphorePermit> },
    Ended { lane: Lane, reason: CloseReason },
}

impl Host {
    pub(super) fn batch_arrived(&mut self, now: Time, lane: Lane, batch: Batch) {
        let Some(latency) = self.connections.latency(lane) else { return };
        for message in batch.messages {
            let passage = match &message {
                Message::Piece { payload, .. } => Passage::Block(payload.length() as u32),
                Message::Choke => Passage::Ordered,
                _ => Passage::Control,
            };
            let parcel = Parcel::Message { lane, message, _room: batch.room.clone() };
            self.arrive(now, batch.received_at, latency, lane.serial, passage, parcel);
        }
    }

    pub(super) fn arrive(
        &mut self,
        now: Time,
        at: Time,
        latency: Span,
        lane: u64,
        passage: Passage,
        parcel: Parcel,
    ) {
        if self.arrivals.is_immediate(latency) {
            self.delivered(now, parcel);
        } else {
            self.arrivals.push(at, latency, lane, passage, parcel);
        }
    }

    pub(super) fn delivered(&mut self, now: Time, parcel: Parcel) {
        match parcel {
            Parcel::Connected { lane, remote } => self.connected(now, lane, *remote),
            Parcel::NoAnswer { addr } => self.input(now, Input::ConnectFailed { addr }),
            Parcel::Message { lane, message, .. } => self.received(now, lane, message),
            Parcel::Ended { lane, reason } => {
                if self.forget(lane).is_some() {
                    self.input(now, Input::Closed { conn: lane.conn, reason });
                }
            }
        }
    }

    pub(super) fn end_arrived(&mut self, now: Time, at: Time, lane: Lane, reason: CloseReason) {
        if let Some(latency) = self.connections.latency(lane) {
            let parcel = Parcel::Ended { lane, reason };
            self.arrive(now, at, latency, lane.serial, Passage::Ordered, parcel);
        }
    }
}
