//! A host's uplink at work: pulls blocks from the peer, pays for them, reads them from the store, sends them.

use bytes::Bytes;

use crate::id::Block;
use crate::link::Uplink;
use crate::net::host::connections::Lane;
use crate::net::host::{Happening, Host};
use crate::net::store::StoreError;
use crate::peer::Input;
use crate::time::Time;
use crate::units::Rate;
use crate::wire::message::{Message, Payload};

/// Without a rate, so many blocks may be on their way from the store at a time.
const UNSHAPED_AT_A_TIME: usize = 64;

/// The blocks being served: one under a rate, in principle many without.
#[derive(Debug)]
pub(super) struct Service {
    upload: Option<Rate>,
    uplink: Uplink,
    blocks: Vec<InService>,
    tickets: u64,
}

#[derive(Debug)]
struct InService {
    ticket: u64,
    lane: Lane,
    block: Block,
    paid_at: Time,
    /// `None` while the store reads it.
    data: Option<Result<Bytes, StoreError>>,
}

impl Service {
    pub(super) fn new(upload: Option<Rate>) -> Service {
        Service { upload, uplink: Uplink::new(upload), blocks: Vec::new(), tickets: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn serves(&self, lane: Lane) -> bool {
        self.blocks.iter().any(|block| block.lane == lane)
    }

    /// When the next block that is read is paid for.
    pub(super) fn next(&self) -> Option<Time> {
        self.blocks.iter().filter(|block| block.data.is_some()).map(|block| block.paid_at).min()
    }

    /// The blocks in service for a connection that is gone are lost, and their uplink is free.
    pub(super) fn break_off(&mut self, lane: Lane) {
        if self.serves(lane) {
            self.blocks.retain(|block| block.lane != lane);
            self.uplink = Uplink::new(self.upload);
        }
    }

    fn has_room(&self) -> bool {
        self.blocks.len() < if self.uplink.is_unlimited() { UNSHAPED_AT_A_TIME } else { 1 }
    }

    fn take_due(&mut self, now: Time) -> Option<InService> {
        let due = |block: &InService| block.data.is_some() && block.paid_at <= now;
        self.blocks.iter().position(due).map(|at| self.blocks.remove(at))
    }
}

impl Host {
    /// Takes blocks from the peer as long as it has some and the uplink can take them.
    pub(super) fn pull(&mut self, now: Time) {
        while self.service.has_room() {
            let connections = &self.connections;
            let ready = |conn| connections.is_ready(conn);
            let next = self.peer.next_upload(now, &ready, &mut self.actions);
            self.perform(now);
            let Some((conn, block)) = next else {
                self.service.uplink.rest();
                return;
            };
            if let Some(lane) = self.connections.lane(conn) {
                self.begin_service(now, lane, block);
                self.finish_service(now);
            }
        }
    }

    fn begin_service(&mut self, now: Time, lane: Lane, block: Block) {
        let Some(connection) = self.connections.get_mut(lane) else { return };
        connection.outbox.promise(block.length);
        self.service.tickets += 1;
        let ticket = self.service.tickets;
        let paid_at = self.service.uplink.serve(now, block.length);
        let data = self.store.read_at_once(block);
        if data.is_none() {
            let (store, inbox) = (self.store.clone(), self.inbox.clone());
            self.tasks.spawn_blocking(move || {
                // A host that has ended sends no block.
                let _ = inbox.blocking_send(Happening::BlockRead { ticket, data: store.read(block) });
            });
        }
        self.service.blocks.push(InService { ticket, lane, block, paid_at, data });
    }

    pub(super) fn block_read(&mut self, now: Time, ticket: u64, data: Result<Bytes, StoreError>) {
        let mut blocks = self.service.blocks.iter_mut();
        if let Some(block) = blocks.find(|block| block.ticket == ticket) {
            block.data = Some(data);
        }
        self.finish_service(now);
    }

    /// Sends the blocks that are paid for and read.
    pub(super) fn finish_service(&mut self, now: Time) {
        while let Some(InService { lane, block, paid_at, data, .. }) = self.service.take_due(now) {
            if !self.service.uplink.is_unlimited() {
                self.late(now, paid_at);
            }
            let Some(connection) = self.connections.get_mut(lane) else { continue };
            match data {
                Some(Ok(bytes)) => {
                    self.put(lane, &Message::Piece { block, payload: Payload::Bytes(bytes) });
                }
                Some(Err(error)) => {
                    connection.outbox.withdraw(block.length);
                    self.store_failed(error);
                    self.consequences.push_back(Input::ReadFailed { piece: block.piece });
                }
                None => {}
            }
            self.release(lane);
            self.tell_consequences(now);
        }
    }
}
