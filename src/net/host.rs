//! Runs one [`Peer`] on real sockets: inputs in, actions out. It owns what the peer must not know: connections,
//! links, the store, announces. It knows nothing of scenarios, arrivals or ends.
//!
//! One task owns the peer; readers, dials, hashes, disk and announces are tasks beside it that report to its inbox.
//! All of them end with it.

mod announces;
mod arrive;
mod connections;
mod greetings;
mod perform;
mod serve;
mod setup;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::{CloseReason, Event, Record, Totals};
use crate::id::PeerIndex;
use crate::net::alarm::Bell;
use crate::net::clock::Clock;
use crate::net::delay::Arrivals;
use crate::net::greeting::Introduction;
use crate::net::host::announces::Announces;
use crate::net::host::arrive::Parcel;
use crate::net::host::connections::{Connection, Connections, Lane};
use crate::net::host::greetings::Greeted;
use crate::net::host::serve::Service;
pub use crate::net::host::setup::{Contact, Contacts, HostSetup, Links};
use crate::net::host::verify::Unjudged;
use crate::net::inbound::Batch;
use crate::net::pace::Lateness;
use crate::net::store::unverified::Unverified;
use crate::net::store::{Store, StoreError};
use crate::peer::{Action, Features, Input, Peer, Verdict};
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::wire::announce::AnnounceResponse;
use crate::wire::codec::Codec;

/// What may wait in a host's inbox before readers have to.
const INBOX: usize = 1024;
/// So many happenings are taken in before what they led to is sent.
const TURN: usize = 64;
/// How long a peer that leaves waits for its tracker, in wall time.
const GOODBYE: Duration = Duration::from_secs(3);
/// So many pieces in a row could not be written: the store is broken, and fetching them again helps nobody.
const STORE_FAILURES: u32 = 3;

/// How a running host is told to end.
#[derive(Clone, Debug, Default)]
pub struct HostHandle {
    leave: CancellationToken,
    stop: CancellationToken,
}

/// What is left of a host.
#[derive(Clone, Debug)]
pub struct HostEnd {
    pub have: Bitfield,
    pub totals: Totals,
    pub lateness: Lateness,
    /// Why it could not go on, if it had to end by itself.
    pub failed: Option<Box<str>>,
}

impl HostHandle {
    /// Leave in good order: the block in service goes out, connections close, the tracker hears `stopped`.
    pub fn leave(&self) {
        self.leave.cancel();
    }

    /// Vanish: connections break, nobody is told.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Returns once it is told to leave: for whoever carries the order to a host in another process.
    pub async fn told_to_leave(&self) {
        self.leave.cancelled().await;
    }

    /// Returns once it is told to stop.
    pub async fn told_to_stop(&self) {
        self.stop.cancelled().await;
    }
}

/// Something that another task tells the host.
#[derive(Debug)]
enum Happening {
    Greeted(Box<Greeted>),
    Arrived { lane: Lane, batch: Batch },
    Ended { lane: Lane, reason: CloseReason, at: Time },
    Verified { piece: crate::id::PieceIndex, verdict: Verdict, error: Option<StoreError> },
    BlockRead { ticket: u64, data: Result<bytes::Bytes, StoreError> },
    Announced { tracker: usize, answer: Result<AnnounceResponse, Box<str>> },
    SaidGoodbye,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Present,
    /// Only the blocks in service still go out.
    Finishing,
    /// The peer has left; its tracker is being told.
    Leaving,
    Over,
}

struct Host {
    peer: Peer,
    index: PeerIndex,
    introduction: Introduction,
    address: IpAddr,
    loopback_only: bool,
    clock: Clock,
    bell: Bell,
    latency: Span,
    contacts: Arc<Contacts>,
    store: Arc<Store>,
    unverified: Unverified,
    unjudged: Unjudged,
    codec: Codec,
    connections: Connections,
    arrivals: Arrivals<Parcel>,
    service: Service,
    announces: Announces,
    /// Connections have room for blocks again.
    room: Arc<Notify>,
    inbox: mpsc::Sender<Happening>,
    tasks: TaskTracker,
    /// Those of the tasks that write out what a socket did not take at once.
    drains: TaskTracker,
    stop: CancellationToken,
    actions: Vec<Action>,
    /// What our own doings led to, to be told to the peer next.
    consequences: VecDeque<Input>,
    recorded: Vec<Record>,
    records: mpsc::Sender<Vec<Record>>,
    lateness: Lateness,
    turned_at: Time,
    stay: Stay,
    store_failures: u32,
    failed: Option<Box<str>>,
}

/// Starts a host, within a tokio runtime. The task ends with the host, and none of the host's other tasks and sockets
/// outlives it.
pub fn start(setup: HostSetup) -> (HostHandle, JoinHandle<HostEnd>) {
    let (inbox, happenings) = mpsc::channel(INBOX);
    let handle = HostHandle::default();
    let host = Host::new(setup, inbox, handle.stop.clone());
    let task = tokio::spawn(host.run(happenings, handle.leave.clone()));
    (handle, task)
}

impl Host {
    fn new(setup: HostSetup, inbox: mpsc::Sender<Happening>, stop: CancellationToken) -> Host {
        let HostSetup {
            peer,
            listener,
            clock,
            alarm,
            links,
            contacts,
            trackers,
            store,
            records,
            loopback_only,
        } = setup;
        let tasks = TaskTracker::new();
        let introduction = Introduction {
            info_hash: peer.info_hash,
            peer_id: peer.peer_id,
            features: Features { fast: peer.policy.fast_extension, extended: peer.policy.extension_protocol },
        };
        greetings::listen(listener, introduction, clock, &inbox, &tasks, &stop);
        Host {
            index: peer.index,
            introduction,
            address: peer.addr.ip(),
            loopback_only,
            latency: links.latency,
            contacts,
            unverified: Unverified::new(peer.layout),
            unjudged: Unjudged::none(),
            codec: Codec::new(peer.layout.pieces(), peer.layout.largest_request()),
            store,
            connections: Connections::default(),
            arrivals: Arrivals::new(links.download, clock.now()),
            service: Service::new(links.upload),
            announces: Announces::start(
                trackers,
                peer.addr.ip(),
                clock,
                links.latency,
                &inbox,
                &tasks,
                &stop,
            ),
            room: Arc::new(Notify::new()),
            peer: Peer::new(peer, clock.now()),
            turned_at: clock.now(),
            clock,
            bell: alarm.bell(),
            inbox,
            tasks,
            drains: TaskTracker::new(),
            stop,
            actions: Vec::new(),
            consequences: VecDeque::new(),
            recorded: Vec::new(),
            records,
            lateness: Lateness::default(),
            stay: Stay::Present,
            store_failures: 0,
            failed: None,
        }
    }

    async fn run(mut self, mut happenings: mpsc::Receiver<Happening>, leave: CancellationToken) -> HostEnd {
        let (stop, room, clock) = (self.stop.clone(), self.room.clone(), self.clock);
        while self.stay != Stay::Over {
            self.turn(clock.now());
            self.report().await;
            if self.stay == Stay::Over {
                break;
            }
            let wake = self.wake_at();
            self.bell.set(clock.instant(wake).filter(|_| wake != Time::NEVER).map(Instant::into_std));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = leave.cancelled(), if self.stay == Stay::Present => self.stay = Stay::Finishing,
                happening = happenings.recv() => {
                    self.take_in(happening, &mut happenings);
                }
                () = room.notified() => {}
                () = self.bell.rung() => {}
            }
        }
        // Whoever still has something to tell us must not wait for us to listen.
        drop(happenings);
        self.end().await
    }

    fn take_in(&mut self, first: Option<Happening>, more: &mut mpsc::Receiver<Happening>) {
        let now = self.clock.now();
        let mut next = first;
        for _ in 0..TURN {
            let Some(happening) = next else { return };
            self.happened(now, happening);
            next = more.try_recv().ok();
        }
        if let Some(happening) = next {
            self.happened(now, happening);
        }
    }

    fn happened(&mut self, now: Time, happening: Happening) {
        match happening {
            Happening::Greeted(greeted) => self.greeted(now, *greeted),
            Happening::Arrived { lane, batch } => self.batch_arrived(now, lane, batch),
            Happening::Ended { lane, reason, at } => self.end_arrived(now, at, lane, reason),
            Happening::Verified { piece, verdict, error } => self.verified(now, piece, verdict, error),
            Happening::BlockRead { ticket, data } => self.block_read(now, ticket, data),
            Happening::Announced { tracker, answer } => self.announced(now, tracker, answer),
            Happening::SaidGoodbye => self.stay = Stay::Over,
        }
    }

    /// Everything that is due by now, and then as much upload as there is room for.
    fn turn(&mut self, now: Time) {
        while let Some((at, parcel)) = self.arrivals.pop(now) {
            self.late(now, at);
            self.delivered(now, parcel);
        }
        self.finish_service(now);
        // What has just been put out makes room for more: an uplink that could serve must not be told to rest.
        self.flush();
        if let Some(deadline) = self.peer.deadline().filter(|deadline| deadline.at <= now) {
            // A deadline that had passed when it was set was due then.
            self.late(now, deadline.at.max(self.turned_at));
            self.input(now, Input::Timeout);
        }
        match self.stay {
            Stay::Present => self.pull(now),
            Stay::Finishing if self.service.is_empty() => self.leave(now),
            Stay::Finishing | Stay::Leaving | Stay::Over => {}
        }
        self.tell_consequences(now);
        self.flush();
        self.turned_at = now;
    }

    fn wake_at(&self) -> Time {
        let deadline = self.peer.deadline().map(|deadline| deadline.at);
        let due = [deadline, self.arrivals.next(), self.service.next()];
        due.into_iter().flatten().min().unwrap_or(Time::NEVER)
    }

    fn leave(&mut self, now: Time) {
        self.stay = Stay::Leaving;
        self.input(now, Input::Leave);
        let (announced, drains, inbox) = (self.announces.close(), self.drains.clone(), self.inbox.clone());
        drains.close();
        self.spawn(async move {
            let goodbye = async { tokio::join!(announced, drains.wait()) };
            // Whether everybody heard it or not: after this the peer is gone.
            let _ = tokio::time::timeout(GOODBYE, goodbye).await;
            let _ = inbox.send(Happening::SaidGoodbye).await;
        });
    }

    /// Tells the peer, and does what it wants done, until there is nothing more.
    fn input(&mut self, now: Time, input: Input) {
        self.consequences.push_back(input);
        self.tell_consequences(now);
    }

    fn tell_consequences(&mut self, now: Time) {
        while let Some(input) = self.consequences.pop_front() {
            self.peer.handle(now, input, &mut self.actions);
            self.perform(now);
        }
    }

    /// Runs beside the host, and no longer than it.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// The connection is closed: what was to go out there is not served any more.
    fn forget(&mut self, lane: Lane) -> Option<Connection> {
        let connection = self.connections.close(lane)?;
        self.arrivals.forget(lane.serial);
        self.service.break_off(lane);
        Some(connection)
    }

    fn record(&mut self, now: Time, event: Event) {
        self.recorded.push(Record { at: now, peer: self.index, event });
    }

    async fn report(&mut self) {
        if !self.recorded.is_empty() {
            // Nobody listens any more only when the whole run is being dropped.
            let _ = self.records.send(std::mem::take(&mut self.recorded)).await;
        }
    }

    fn late(&mut self, now: Time, due: Time) {
        self.lateness.timer(self.clock.to_wall(now.since(due)));
    }

    fn fail(&mut self, reason: String) {
        self.failed.get_or_insert(reason.into());
        self.stay = Stay::Over;
    }

    async fn end(mut self) -> HostEnd {
        self.report().await;
        self.stop.cancel();
        self.tasks.close();
        self.drains.close();
        let end = HostEnd {
            have: self.peer.have().clone(),
            totals: self.peer.totals(),
            lateness: self.lateness,
            failed: self.failed,
        };
        self.tasks.wait().await;
        self.drains.wait().await;
        end
    }
}
