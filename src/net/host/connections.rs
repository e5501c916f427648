//! A host's open connections: small numbers for the peer, serial numbers so that nothing late is taken for the
//! present holder's.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::id::{Block, ConnId};
use crate::net::outbox::Outbox;
use crate::time::Span;
use crate::wire::message::Message;

/// One connection, never mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) conn: ConnId,
    /// From 1.
    pub(super) serial: u64,
}

#[derive(Debug)]
pub(super) struct Connection {
    serial: u64,
    pub(super) outbox: Arc<Outbox>,
    /// Ends its reader.
    pub(super) stop: CancellationToken,
    pub(super) latency: Span,
    /// Our requests that are not answered, and when they were sent.
    pub(super) asked: HashMap<Block, Instant>,
    /// Messages behind a choke that waits for the block in service.
    pub(super) held: Vec<Message>,
    /// Has something to flush.
    dirty: bool,
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    opened: u64,
    dirty: Vec<ConnId>,
}

impl Connections {
    /// Gives the lowest free number.
    pub(super) fn open(&mut self, outbox: Arc<Outbox>, stop: CancellationToken, latency: Span) -> Lane {
        self.opened += 1;
        let connection = Connection {
            serial: self.opened,
            outbox,
            stop,
            latency,
            asked: HashMap::new(),
            held: Vec::new(),
            dirty: false,
        };
        let free = self.slots.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[at] = Some(connection);
        Lane { conn: ConnId(at as u32), serial: self.opened }
    }

    /// Ends its reader and hands it out; `None` where it was closed before.
    pub(super) fn close(&mut self, lane: Lane) -> Option<Connection> {
        self.get_mut(lane)?;
        let connection = self.slots[lane.conn.0 as usize].take();
        if let Some(connection) = &connection {
            connection.stop.cancel();
        }
        connection
    }

    pub(super) fn lane(&self, conn: ConnId) -> Option<Lane> {
        let connection = self.slots.get(conn.0 as usize)?.as_ref()?;
        Some(Lane { conn, serial: connection.serial })
    }

    pub(super) fn get_mut(&mut self, lane: Lane) -> Option<&mut Connection> {
        let connection = self.slots.get_mut(lane.conn.0 as usize)?.as_mut();
        connection.filter(|connection| connection.serial == lane.serial)
    }

    pub(super) fn is_ready(&self, conn: ConnId) -> bool {
        let connection = self.slots.get(conn.0 as usize).and_then(Option::as_ref);
        connection.is_some_and(|connection| connection.outbox.is_ready())
    }

    /// The latency of its path; `None` where it is closed.
    pub(super) fn latency(&mut self, lane: Lane) -> Option<Span> {
        self.get_mut(lane).map(|connection| connection.latency)
    }

    /// Something was put in its outbox.
    pub(super) fn mark_dirty(&mut self, lane: Lane) {
        if let Some(connection) = self.get_mut(lane)
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(lane.conn);
        }
    }

    /// Hands out, once each, the connections whose outbox has something new.
    pub(super) fn take_dirty(&mut self, mut flush: impl FnMut(&Connection)) {
        for conn in std::mem::take(&mut self.dirty) {
            if let Some(connection) = self.slots.get_mut(conn.0 as usize).and_then(Option::as_mut)
                && std::mem::take(&mut connection.dirty)
            {
                flush(connection);
            }
        }
    }
}
