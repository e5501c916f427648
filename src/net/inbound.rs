//! What comes in on one connection: bytes from its socket, cut into messages, handed on in batches. It reads no
//! faster than its host takes, and never holds more than a few megabytes that the host has not taken.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::event::CloseReason;
use crate::net::clock::Clock;
use crate::time::Time;
use crate::wire::codec::Codec;
use crate::wire::message::{Message, Payload};

/// Asked of the socket at a time.
const READ: usize = 32 << 10;
/// Bytes of messages that may be under way between the socket and the peer (waiting for latency and the downlink):
/// 250 outstanding blocks of 16 KiB.
const UNDER_WAY: u32 = 4 << 20;
/// What a message costs of that beside its payload.
const MESSAGE: u32 = 64;

/// Messages that were read together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    pub(super) received_at: Time,
    /// Held until the last of the messages has reached the peer.
    pub(super) room: Arc<OwnedSemaphorePermit>,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Inbound {
    stream: Arc<TcpStream>,
    codec: Codec,
    clock: Clock,
    buffer: BytesMut,
    room: Arc<Semaphore>,
    ended: Option<CloseReason>,
}

impl Inbound {
    pub(super) fn new(stream: Arc<TcpStream>, codec: Codec, clock: Clock) -> Inbound {
        let room = Arc::new(Semaphore::new(UNDER_WAY as usize));
        Inbound { stream, codec, clock, buffer: BytesMut::new(), room, ended: None }
    }

    /// The next messages, or why there are no more: a remote that is gone, or one that sends nonsense.
    pub(super) async fn next(&mut self) -> Result<Batch, CloseReason> {
        loop {
            if let Some(reason) = self.ended {
                return Err(reason);
            }
            self.read().await;
            let received_at = self.clock.now();
            let (messages, weight) = self.decode();
            if messages.is_empty() {
                continue;
            }
            let room = self.room.clone().acquire_many_owned(weight).await;
            let room = Arc::new(room.expect("the semaphore lives as long as this and is never closed"));
            return Ok(Batch { messages, received_at, room });
        }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    async fn read(&mut self) {
        loop {
            if self.stream.readable().await.is_err() {
                self.ended = Some(CloseReason::ClosedByRemote);
                return;
            }
            self.buffer.reserve(READ);
            match self.stream.try_read_buf(&mut self.buffer) {
                Ok(0) => self.ended = Some(CloseReason::ClosedByRemote),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => self.ended = Some(CloseReason::ClosedByRemote),
            }
            return;
        }
    }

    /// Everything whole in the buffer, and what it weighs.
    fn decode(&mut self) -> (Vec<Message>, u32) {
        let (mut messages, mut weight) = (Vec::new(), 0);
        loop {
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(message)) => {
                    weight += MESSAGE + payload_length(&message);
                    messages.push(message);
                }
                Ok(None) => break,
                Err(error) => {
                    self.ended = Some(error.close_reason());
                    break;
                }
            }
        }
        (messages, weight.min(UNDER_WAY))
    }
}

fn payload_length(message: &Message) -> u32 {
    match message {
        Message::Piece { payload: Payload::Bytes(bytes), .. } => bytes.len() as u32,
        Message::Extended { payload, .. } => payload.len() as u32,
        _ => 0,
    }
}
