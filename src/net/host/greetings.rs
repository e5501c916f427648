//! New connections of a host: its listening socket, its dials, and what becomes of them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::{CloseReason, Event};
use crate::net::clock::Clock;
use crate::net::delay::Passage;
use crate::net::greeting::Introduction;
use crate::net::host::arrive::{NO_LANE, Parcel};
use crate::net::host::connections::Lane;
use crate::net::host::{Happening, Host, Stay};
use crate::net::inbound::Inbound;
use crate::net::outbox::Outbox;
use crate::peer::{Direction, Input, RemotePeer};
use crate::time::{Span, Time};
use crate::wire::handshake::Handshake;

/// Strangers whose handshake is awaited at a time.
const GREETINGS: usize = 128;
/// After the system could not give us another socket.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What became of a dial or of somebody who called.
#[derive(Debug)]
pub(super) struct Greeted {
    at: Time,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Met { stream: TcpStream, theirs: Handshake, addr: SocketAddr, direction: Direction },
    DialFailed(SocketAddr),
    CallerRefused,
}

/// Accepts connections as long as the host runs. When sockets run out it waits; those there are go on.
pub(super) fn listen(
    listener: TcpListener,
    introduction: Introduction,
    clock: Clock,
    inbox: &mpsc::Sender<Happening>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let (inbox, callers, stop) = (inbox.clone(), tasks.clone(), stop.clone());
    let accept = async move |stop: &CancellationToken| {
        let mut greetings = VecDeque::new();
        loop {
            let Ok((stream, addr)) = listener.accept().await else {
                tokio::time::sleep(BACK_OFF).await;
                continue;
            };
            let greeting = make_room(&mut greetings, stop);
            let inbox = inbox.clone();
            let greet = async move {
                let outcome = match greeting.run_until_cancelled(introduction.answer(stream)).await {
                    Some(Ok((stream, theirs))) => {
                        Outcome::Met { stream, theirs, addr, direction: Direction::Incoming }
                    }
                    Some(Err(_)) | None => Outcome::CallerRefused,
                };
                greeting.cancel();
                let greeted = Greeted { at: clock.now(), outcome };
                // A host that has ended wants no connection.
                let _ = inbox.send(Happening::Greeted(Box::new(greeted))).await;
            };
            let stop = stop.clone();
            callers.spawn(async move { stop.run_until_cancelled(greet).await });
        }
    };
    tasks.spawn(async move { stop.run_until_cancelled(accept(&stop)).await });
}

/// A token for one more greeting, cancelled when that is over. Who says nothing keeps nobody out: where too many are
/// awaited, the oldest makes room.
fn make_room(greetings: &mut VecDeque<CancellationToken>, stop: &CancellationToken) -> CancellationToken {
    if greetings.len() >= GREETINGS {
        greetings.retain(|greeting| !greeting.is_cancelled());
    }
    if greetings.len() >= GREETINGS
        && let Some(oldest) = greetings.pop_front()
    {
        oldest.cancel();
    }
    let greeting = stop.child_token();
    greetings.push_back(greeting.clone());
    greeting
}

impl Host {
    pub(super) fn dial(&mut self, addr: SocketAddr) {
        if self.loopback_only && !addr.ip().is_loopback() {
            self.consequences.push_back(Input::ConnectFailed { addr });
            return;
        }
        let (introduction, source, clock) = (self.introduction, self.address, self.clock);
        let inbox = self.inbox.clone();
        self.spawn(async move {
            let outcome = match introduction.dial(source, addr).await {
                Ok((stream, theirs)) => Outcome::Met { stream, theirs, addr, direction: Direction::Outgoing },
                Err(_) => Outcome::DialFailed(addr),
            };
            let greeted = Greeted { at: clock.now(), outcome };
            // A host that has ended wants no connection.
            let _ = inbox.send(Happening::Greeted(Box::new(greeted))).await;
        });
    }

    /// A dial's answer has gone there and back; a caller's first word, and a failure, one way and both.
    pub(super) fn greeted(&mut self, now: Time, Greeted { at, outcome }: Greeted) {
        match outcome {
            Outcome::Met { stream, theirs, addr, direction } => {
                let peer_id = theirs.peer_id;
                let contact = self.contacts.find(peer_id, addr);
                let latency = self.latency + contact.map_or(Span::ZERO, |contact| contact.latency);
                let lane = self.open(stream, latency);
                let index = contact.map(|contact| contact.index);
                let features = self.introduction.in_common(theirs.reserved);
                let remote = Box::new(RemotePeer { addr, peer_id, direction, features, index });
                let way = match direction {
                    Direction::Outgoing => latency * 2,
                    Direction::Incoming => latency,
                };
                let parcel = Parcel::Connected { lane, remote };
                self.arrivals.begin(lane.serial, at + way);
                self.arrive(now, at, way, lane.serial, Passage::Control, parcel);
            }
            Outcome::DialFailed(addr) => {
                let way = self.latency * 2;
                self.arrive(now, at, way, NO_LANE, Passage::Control, Parcel::NoAnswer { addr });
            }
            Outcome::CallerRefused => {
                let reason = CloseReason::BadHandshake;
                self.record(now, Event::Disconnected { remote: None, reason });
            }
        }
    }

    /// The peer has a new connection, unless it is about to leave.
    pub(super) fn connected(&mut self, now: Time, lane: Lane, remote: RemotePeer) {
        if self.connections.get_mut(lane).is_none() {
            return;
        }
        if self.stay == Stay::Present {
            self.input(now, Input::Connected { conn: lane.conn, remote: Box::new(remote) });
        } else {
            self.forget(lane);
        }
    }

    /// From now on the connection is read, though nothing of it reaches the peer before it knows of it.
    fn open(&mut self, stream: TcpStream, latency: Span) -> Lane {
        let stream = Arc::new(stream);
        let outbox = Arc::new(Outbox::new(stream.clone(), self.codec));
        let stop = self.stop.child_token();
        let lane = self.connections.open(outbox, stop.clone(), latency);
        let inbound = Inbound::new(stream, self.codec, self.clock);
        let inbox = self.inbox.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(read(inbound, lane, inbox)).await });
        lane
    }
}

/// Hands on what a connection brings, to its end.
async fn read(mut inbound: Inbound, lane: Lane, inbox: mpsc::Sender<Happening>) {
    loop {
        let happening = match inbound.next().await {
            Ok(batch) => Happening::Arrived { lane, batch },
            Err(reason) => Happening::Ended { lane, reason, at: inbound.now() },
        };
        let ended = matches!(happening, Happening::Ended { .. });
        if inbox.send(happening).await.is_err() || ended {
            return;
        }
    }
}
