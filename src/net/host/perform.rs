//! What the peer wants done, done.

use tokio::time::Instant;

use crate::event::CloseReason;
use crate::id::{Block, ConnId};
use crate::net::host::Host;
use crate::net::host::connections::{Connection, Lane};
use crate::net::outbox::NotReading;
use crate::peer::{Action, Input};
use crate::time::Time;
use crate::wire::message::{Message, Payload};

impl Host {
    pub(super) fn perform(&mut self, now: Time) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            match action {
                Action::Connect { addr } => self.dial(addr),
                Action::Close { conn, .. } => self.close(conn),
                Action::Send { conn, message } => self.send(conn, message),
                Action::Have { piece, to } => {
                    for conn in to.iter() {
                        self.send(conn, Message::Have(piece));
                    }
                }
                Action::Store { block, payload } => self.keep(block, payload),
                Action::Verify { piece, digests } => self.verify(piece, digests),
                Action::Announce { tracker, request } => self.announces.push(tracker, *request),
                Action::Emit(event) => self.record(now, event),
            }
        }
        self.actions = actions;
    }

    pub(super) fn received(&mut self, now: Time, lane: Lane, message: Message) {
        let Some(connection) = self.connections.get_mut(lane) else { return };
        match &message {
            Message::Piece { block, .. } => {
                if let Some(asked_at) = connection.asked.remove(block) {
                    self.lateness.block(asked_at.elapsed());
                }
            }
            Message::Reject(block) => {
                connection.asked.remove(block);
            }
            // What it owed us it owes no longer.
            Message::Choke => connection.asked.clear(),
            _ => {}
        }
        self.input(now, Input::Received { conn: lane.conn, message });
    }

    /// Sends what is in the outboxes.
    pub(super) fn flush(&mut self) {
        let (drains, room, stop) = (&self.drains, &self.room, &self.stop);
        self.connections.take_dirty(|connection| {
            let flushed = connection.outbox.flush();
            if flushed.more {
                drain(connection, drains, room, stop);
            }
            if flushed.made_ready {
                room.notify_one();
            }
        });
    }

    fn send(&mut self, conn: ConnId, message: Message) {
        let Some(lane) = self.connections.lane(conn) else { return };
        let in_service = self.service.serves(lane);
        let Some(connection) = self.connections.get_mut(lane) else { return };
        match &message {
            Message::Request(block) => {
                connection.asked.insert(*block, Instant::now());
            }
            Message::Cancel(block) => {
                connection.asked.remove(block);
            }
            _ => {}
        }
        // A choke does not overtake the block in service, nor does anything overtake the choke.
        let behind_choke = !connection.held.is_empty();
        if behind_choke || (in_service && message == Message::Choke) {
            connection.held.push(message);
        } else {
            self.put(lane, &message);
        }
    }

    /// A block of this connection has left: what waited for it may follow, unless there is another.
    pub(super) fn release(&mut self, lane: Lane) {
        if self.service.serves(lane) {
            return;
        }
        let Some(connection) = self.connections.get_mut(lane) else { return };
        for message in std::mem::take(&mut connection.held) {
            self.put(lane, &message);
        }
    }

    /// Puts a message in the connection's outbox.
    pub(super) fn put(&mut self, lane: Lane, message: &Message) {
        let Some(connection) = self.connections.get_mut(lane) else { return };
        let put = connection.outbox.push(message);
        self.connections.mark_dirty(lane);
        if let Err(NotReading) = put {
            self.forget(lane);
            let reason = CloseReason::NotReading;
            self.consequences.push_back(Input::Closed { conn: lane.conn, reason });
        }
    }

    fn close(&mut self, conn: ConnId) {
        let Some(lane) = self.connections.lane(conn) else { return };
        if let Some(connection) = self.forget(lane)
            && connection.outbox.flush().more
        {
            drain(&connection, &self.drains, &self.room, &self.stop);
        }
    }

    fn keep(&mut self, block: Block, payload: Payload) {
        match payload {
            Payload::Bytes(bytes) => self.unverified.put(block, bytes),
            Payload::Virtual { .. } => debug_assert!(false, "the codec makes no virtual payload"),
        }
    }
}

/// Writes out what the socket has not taken at once: all of it while the connection stands, within limits once it is
/// closed, and nothing more when the host has ended.
fn drain(
    connection: &Connection,
    drains: &tokio_util::task::TaskTracker,
    room: &std::sync::Arc<tokio::sync::Notify>,
    stop: &tokio_util::sync::CancellationToken,
) {
    let (outbox, room) = (connection.outbox.clone(), room.clone());
    let (closed, stop) = (connection.stop.clone(), stop.clone());
    drains.spawn(async move {
        let last_words = async {
            if closed.run_until_cancelled(outbox.drain(&room)).await.is_none() {
                outbox.finish().await;
            }
        };
        stop.run_until_cancelled(last_words).await;
    });
}
