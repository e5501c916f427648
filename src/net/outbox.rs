//! What goes out on one connection: encoded messages, written as far as the socket takes them, and the rest when it takes
//! more. Blocks are written from where they lie. Nobody waits for it: who wants to send looks first whether there is room.

mod queue;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::net::outbox::queue::Queue;
use crate::wire::codec::Codec;
use crate::wire::message::Message;

/// Payload that may wait for a connection's socket before it counts as not ready for more.
const PAYLOAD_AHEAD: usize = 128 << 10;
/// Unread messages beyond blocks that a remote may let pile up, its bitfield apart.
const UNREAD_CONTROL: usize = 256 << 10;
/// How long a closed connection may take to write out its last messages, in wall time.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    stream: Arc<TcpStream>,
    codec: Codec,
    /// Payload bytes promised to this connection that its socket has not taken: being paid for, read or written.
    payload: AtomicUsize,
    unsent: Mutex<Unsent>,
}

#[derive(Debug, Default)]
struct Unsent {
    queue: Queue,
    /// A task waits for the socket; until it is done nobody else writes.
    draining: bool,
    broken: bool,
}

/// The remote lets messages pile up instead of reading them.
#[derive(Debug)]
pub(super) struct NotReading;

/// What became of a flush.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flushed {
    /// Something is left, which goes out by `drain`, to be run as a task.
    pub(super) more: bool,
    /// Another block may be promised, which was not so before; nobody else says it.
    pub(super) made_ready: bool,
}

impl Outbox {
    pub(super) fn new(stream: Arc<TcpStream>, codec: Codec) -> Outbox {
        Outbox { stream, codec, payload: AtomicUsize::new(0), unsent: Mutex::default() }
    }

    /// Whether another block may be promised.
    pub(super) fn is_ready(&self) -> bool {
        self.payload.load(Ordering::Relaxed) < PAYLOAD_AHEAD
    }

    /// A block of this length will come (`push`), or not after all (`withdraw`).
    pub(super) fn promise(&self, length: u32) {
        self.payload.fetch_add(length as usize, Ordering::Relaxed);
    }

    pub(super) fn withdraw(&self, length: u32) {
        self.payload.fetch_sub(length as usize, Ordering::Relaxed);
    }

    /// Appends a message; it leaves with the next `flush`.
    pub(super) fn push(&self, message: &Message) -> Result<(), NotReading> {
        let mut unsent = self.lock();
        if unsent.broken {
            if let Message::Piece { payload, .. } = message {
                self.payload.fetch_sub(payload.length(), Ordering::Relaxed);
            }
            return Ok(());
        }
        unsent.queue.push(self.codec, message);
        let unread = unsent.queue.control() > UNREAD_CONTROL + self.codec.cap() as usize;
        if unread { Err(NotReading) } else { Ok(()) }
    }

    /// Writes what the socket takes now.
    pub(super) fn flush(&self) -> Flushed {
        let mut unsent = self.lock();
        if unsent.draining {
            return Flushed::default();
        }
        let flushed = self.write(&mut unsent);
        unsent.draining = flushed.more;
        flushed
    }

    /// Writes out the queue as the socket takes it; `room` is told when another block may be promised.
    pub(super) async fn drain(&self, room: &Notify) {
        loop {
            let writable = self.stream.writable().await.is_ok();
            let flushed = {
                let mut unsent = self.lock();
                if !writable {
                    self.give_up(&mut unsent);
                }
                let flushed = self.write(&mut unsent);
                unsent.draining = flushed.more;
                flushed
            };
            if flushed.made_ready {
                room.notify_one();
            }
            if !flushed.more {
                return;
            }
        }
    }

    /// The last of a connection that we closed: what is written so far still goes out, within limits.
    pub(super) async fn finish(&self) {
        // Either way the connection ends here.
        let _ = tokio::time::timeout(LAST_WORDS, self.drain(&Notify::new())).await;
    }

    fn write(&self, unsent: &mut Unsent) -> Flushed {
        let mut flushed = Flushed::default();
        while !unsent.queue.is_empty() {
            let written = unsent.queue.with_slices(|slices| self.stream.try_write_vectored(slices));
            match written {
                Ok(written) => flushed.made_ready |= self.keep_promise(unsent.queue.advance(written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flushed.more = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.give_up(unsent),
            }
        }
        flushed
    }

    /// So many bytes of blocks are written. Returns whether that makes it ready again. Told by the very change, because another
    /// block may be promised at the same time: looked at before and after, both might seem ready although it was not in between.
    fn keep_promise(&self, payload: usize) -> bool {
        let before = self.payload.fetch_sub(payload, Ordering::Relaxed);
        before >= PAYLOAD_AHEAD && before - payload < PAYLOAD_AHEAD
    }

    /// The connection is dead; the reading end notices and tells.
    fn give_up(&self, unsent: &mut Unsent) {
        self.payload.fetch_sub(unsent.queue.payload(), Ordering::Relaxed);
        *unsent = Unsent { broken: true, ..Unsent::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Unsent> {
        // Every write of the lock's content leaves it usable: a panic elsewhere changes nothing here.
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Block, PieceIndex};
    use crate::wire::message::Payload;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    async fn outbox() -> (Outbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        (Outbox::new(Arc::new(ours), Codec::new(100, 1 << 14)), theirs)
    }

    fn block(length: u32) -> Message {
        let block = Block { piece: PieceIndex(0), begin: 0, length };
        Message::Piece { block, payload: Payload::Bytes(vec![7; length as usize].into()) }
    }

    #[tokio::test]
    async fn a_remote_that_does_not_read_is_found_out_before_it_fills_our_memory() {
        let (outbox, _theirs) = outbox().await;
        let mut pushed = 0;
        let refused = loop {
            let result = outbox.push(&Message::Have(PieceIndex(1)));
            outbox.flush();
            pushed += 1;
            if result.is_err() || pushed > 10_000_000 {
                break result;
            }
        };
        assert!(refused.is_err());
        assert!(outbox.lock().queue.control() <= UNREAD_CONTROL + outbox.codec.cap() as usize + 9);
    }

    #[tokio::test]
    async fn blocks_are_promised_only_while_the_socket_takes_them_and_all_arrive() {
        let (outbox, mut theirs) = outbox().await;
        let room = Notify::new();
        let mut sent = 0;
        let mut draining = false;
        while outbox.is_ready() && sent < 10_000 {
            outbox.promise(1 << 14);
            outbox.push(&block(1 << 14)).unwrap();
            draining |= outbox.flush().more;
            sent += 1;
        }
        assert!(draining && sent < 10_000, "the socket took {sent} blocks");
        let read = async {
            let mut bytes = vec![0; sent * ((1 << 14) + 13)];
            theirs.read_exact(&mut bytes).await.unwrap();
        };
        tokio::join!(outbox.drain(&room), read);
        room.notified().await;
        assert!(outbox.is_ready());
        assert_eq!(outbox.payload.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn room_is_told_of_even_if_the_last_promise_came_while_it_was_being_made() {
        let (outbox, _theirs) = outbox().await;
        outbox.promise(PAYLOAD_AHEAD as u32 - 1);
        assert!(outbox.is_ready(), "as a drain would see it that begins now");
        outbox.promise(1 << 14);
        assert!(!outbox.is_ready() && !outbox.keep_promise(1));
        assert!(outbox.keep_promise(PAYLOAD_AHEAD), "the host waits for this");
        assert!(outbox.is_ready() && !outbox.keep_promise(1));
    }

    #[tokio::test]
    async fn a_promise_that_is_withdrawn_or_meets_a_dead_socket_is_forgotten() {
        let (outbox, theirs) = outbox().await;
        outbox.promise(1 << 20);
        assert!(!outbox.is_ready());
        outbox.withdraw(1 << 20);
        assert!(outbox.is_ready());
        drop(theirs);
        for _ in 0..1_000 {
            outbox.promise(1 << 14);
            outbox.push(&block(1 << 14)).unwrap();
            if outbox.flush().more {
                outbox.drain(&Notify::new()).await;
            }
        }
        assert!(outbox.lock().broken);
        assert_eq!(outbox.payload.load(Ordering::Relaxed), 0);
    }
}
