//! What comes in on one connection: bytes from its socket, cut into messages, handed on in batches. It reads no
//! faster than its host takes, and never holds more than a few megabytes that the host has not taken. An idle connection
//! holds next to nothing.

mod cutter;

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::event::CloseReason;
use crate::net::clock::Clock;
use crate::net::inbound::cutter::Cutter;
use crate::time::Time;
use crate::wire::codec::{Codec, WireError};
use crate::wire::message::{Message, Payload};

/// A batch is handed on when it has so many messages, or has taken so many reads.
const MESSAGES: usize = 256;
const READS: usize = 16;
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
    cutter: Cutter,
    clock: Clock,
    room: Arc<Semaphore>,
    ended: Option<CloseReason>,
}

impl Inbound {
    pub(super) fn new(stream: Arc<TcpStream>, codec: Codec, clock: Clock) -> Inbound {
        let room = Arc::new(Semaphore::new(UNDER_WAY as usize));
        Inbound { stream, cutter: Cutter::new(codec), clock, room, ended: None }
    }

    /// The next messages, or why there are no more: a remote that is gone, or one that sends nonsense.
    pub(super) async fn next(&mut self) -> Result<Batch, CloseReason> {
        loop {
            let messages = self.read_all();
            if !messages.is_empty() {
                return Ok(self.batch(messages).await);
            }
            if let Some(reason) = self.ended {
                return Err(reason);
            }
            if self.stream.readable().await.is_err() {
                self.ended = Some(CloseReason::ClosedByRemote);
            }
        }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// What the socket has now, or as much of it as makes a batch.
    fn read_all(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        for _ in 0..READS {
            if self.ended.is_some() || messages.len() >= MESSAGES {
                break;
            }
            match self.cutter.read(|slices| self.stream.try_read_vectored(slices)) {
                Ok(0) => self.ended = Some(CloseReason::ClosedByRemote),
                Ok(_) => {
                    let cut = self.cutter.cut(&mut messages);
                    self.ended = cut.err().map(WireError::close_reason);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.ended = Some(CloseReason::ClosedByRemote),
            }
        }
        messages
    }

    /// Waits until what came before is taken.
    async fn batch(&self, messages: Vec<Message>) -> Batch {
        let received_at = self.clock.now();
        let weight: u32 = messages.iter().map(|message| MESSAGE + payload_length(message)).sum();
        let room = self.room.clone().acquire_many_owned(weight.min(UNDER_WAY)).await;
        let room = Arc::new(room.expect("the semaphore lives as long as this and is never closed"));
        Batch { messages, received_at, room }
    }
}

fn payload_length(message: &Message) -> u32 {
    match message {
        Message::Piece { payload: Payload::Bytes(bytes), .. } => bytes.len() as u32,
        Message::Extended { payload, .. } => payload.len() as u32,
        _ => 0,
    }
}
