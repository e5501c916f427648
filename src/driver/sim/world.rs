//! The simulated world: hosts, connections, the tracker, and one queue of what will happen.
//!
//! A host's peer is stepped with one input at a time; what it wants done becomes events. Nothing here looks at a
//! clock: the time of the event taken from the queue is the time.

mod announces;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::driver::course::Course;
use crate::driver::sim::connection::{Connection, Delivery, LinkId, Side};
use crate::driver::sim::event::Event;
use crate::driver::sim::host::Host;
use crate::driver::sim::queue::Queue;
use crate::driver::sim::{Fault, Options};
use crate::event::{self, CloseReason, Record};
use crate::id::{Block, InfoHash, PeerIndex};
use crate::peer::{Action, Direction, Features, Input, Peer, RemotePeer, Setup};
use crate::scenario::Scenario;
use crate::scenario::population::Population;
use crate::time::Time;
use crate::torrent::layout::Layout;
use crate::tracker::Tracker;
use crate::wire::codec::Codec;
use crate::wire::message::{Message, Payload};
use crate::wire::round_trip::round_trip;
pub(super) use announces::Answer;

/// Every simulated torrent is called this; only the tracker looks at it.
pub(super) const INFO_HASH: InfoHash = InfoHash(*b"minibit virtual time");

/// Payload that has left its peer and not reached another, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    pub(super) underway: u64,
    /// Broken off with its connection.
    pub(super) lost: u64,
}

/// Everything there is, at one moment.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) now: Time,
    pub(super) layout: Layout,
    pub(super) random_seed: u64,
    scenario_policy: crate::peer::policy::Policy,
    pub(super) hosts: Vec<Host>,
    pub(super) connections: Vec<Connection>,
    pub(super) tracker: Tracker,
    pub(super) tracker_timer_at: Option<Time>,
    /// The tracker's answers since they were last taken.
    pub(super) answers: Vec<Answer>,
    pub(super) queue: Queue<Event>,
    pub(super) course: Course,
    fault: Fault,
    codec: Option<Codec>,
    addresses: BTreeMap<SocketAddr, PeerIndex>,
    pub(super) flow: Flow,
    /// Records since they were last taken.
    pub(super) records: Vec<Record>,
    /// Hosts stepped since the invariants last looked.
    pub(super) touched: Vec<PeerIndex>,
    actions: Vec<Action>,
}

impl World {
    /// The world before anything has happened: every arrival is scheduled.
    pub fn new(scenario: &Scenario, random_seed: u64, options: &Options) -> World {
        let population = Population::draw(scenario, random_seed);
        let layout = scenario.content.layout;
        let sources = population.peers.len() + 2;
        let mut world = World {
            now: Time::ZERO,
            layout,
            random_seed,
            scenario_policy: scenario.policy.clone(),
            course: Course::new(&population.peers, layout),
            addresses: population.peers.iter().map(|plan| (plan.virtual_addr, plan.index)).collect(),
            hosts: population.peers.into_iter().map(Host::new).collect(),
            connections: Vec::new(),
            tracker: Tracker::new(scenario.tracker, random_seed),
            tracker_timer_at: None,
            answers: Vec::new(),
            queue: Queue::new(sources),
            fault: options.fault.clone(),
            codec: options.through_codec.then(|| Codec::new(layout.pieces(), layout.largest_request())),
            flow: Flow::default(),
            records: Vec::new(),
            touched: Vec::new(),
            actions: Vec::new(),
        };
        for peer in world.everybody() {
            let at = world.host(peer).plan.arrival;
            world.schedule(at, peer, Event::Arrive { peer });
        }
        world
    }

    pub(super) fn everybody(&self) -> impl Iterator<Item = PeerIndex> + use<> {
        (0..self.hosts.len() as u32).map(PeerIndex)
    }

    pub(super) fn host(&self, peer: PeerIndex) -> &Host {
        &self.hosts[peer.0 as usize]
    }

    pub(super) fn host_mut(&mut self, peer: PeerIndex) -> &mut Host {
        &mut self.hosts[peer.0 as usize]
    }

    pub(super) fn schedule(&mut self, at: Time, source: PeerIndex, event: Event) {
        self.queue.push(at, source.0, event);
    }

    /// Whether nobody sends bad data.
    pub(super) fn is_faultless(&self) -> bool {
        self.fault.every == 0 || self.fault.corrupters.is_empty()
    }

    /// Whether this peer may send bad data.
    pub(super) fn corrupts(&self, peer: PeerIndex) -> bool {
        !self.is_faultless() && self.fault.corrupters.contains(&peer)
    }

    pub(super) fn tracker_source(&self) -> PeerIndex {
        PeerIndex(self.hosts.len() as u32)
    }

    /// Lets one event happen.
    pub(super) fn step(&mut self, at: Time, event: Event) {
        debug_assert!(at >= self.now, "time went back from {} to {at}", self.now);
        self.now = at;
        match event {
            Event::Arrive { peer } => self.arrive(peer),
            Event::Crash { peer, stay } => self.crash(peer, stay),
            Event::Leave { peer, stay } => self.leave(peer, stay),
            Event::Timer { peer, stay } => self.timer(peer, stay),
            Event::Knock { link } => self.knock(link),
            Event::Answer { link } => self.answer(link),
            Event::NoAnswer { peer, stay, addr } => {
                if self.is_here(peer, stay) {
                    self.input(peer, Input::ConnectFailed { addr });
                }
            }
            Event::Control { link, to, delivery } => self.control(link, to, delivery),
            Event::UplinkFree { peer, service } => self.uplink_free(peer, service),
            Event::BlockArrives { link, to, block, payload } => self.block_arrives(link, to, block, payload),
            Event::BlockThrough { link, to, block, payload } => self.block_through(link, to, block, payload),
            Event::AnnounceArrives { peer, stay, tracker, request } => {
                self.announce_arrives(peer, stay, tracker, request);
            }
            Event::AnnounceAnswered { peer, stay, tracker, answer } => {
                if self.is_here(peer, stay) {
                    self.input(
                        peer,
                        match answer {
                            Ok(response) => Input::Announced { tracker, response },
                            Err(reason) => Input::AnnounceFailed { tracker, reason },
                        },
                    );
                }
            }
            Event::TrackerTimer => self.tracker_timer(),
        }
    }

    pub(super) fn is_here(&self, peer: PeerIndex, stay: u32) -> bool {
        let host = self.host(peer);
        host.stay == stay && host.peer.is_some()
    }

    pub(super) fn record(&mut self, peer: PeerIndex, event: event::Event) {
        let record = Record { at: self.now, peer, event };
        self.course.record(&record);
        self.records.push(record);
    }

    /// Hands one input to a peer and carries out what it wants done, with everything that follows at once.
    pub(super) fn input(&mut self, peer: PeerIndex, input: Input) {
        self.touched.push(peer);
        let mut inputs = VecDeque::from([input]);
        let mut actions = std::mem::take(&mut self.actions);
        while let Some(input) = inputs.pop_front() {
            let now = self.now;
            let Some(state) = self.host_mut(peer).peer.as_mut() else { break };
            state.handle(now, input, &mut actions);
            for action in actions.drain(..) {
                self.carry_out(peer, action, &mut inputs);
            }
        }
        self.actions = actions;
        self.pump(peer);
        self.leave_if_done(peer);
        self.set_timer(peer);
    }

    fn carry_out(&mut self, peer: PeerIndex, action: Action, inputs: &mut VecDeque<Input>) {
        match action {
            Action::Connect { addr } => self.dial(peer, addr),
            Action::Close { conn, .. } => {
                if let Some((link, side)) = self.host(peer).link(conn) {
                    self.close_end(link, side);
                }
            }
            Action::Send { conn, message } => {
                if let Some((link, side)) = self.host(peer).link(conn) {
                    self.send(link, side.other(), Delivery::Message(message));
                }
            }
            Action::Have { piece, to } => {
                for conn in to.iter() {
                    if let Some((link, side)) = self.host(peer).link(conn) {
                        self.send(link, side.other(), Delivery::Message(Message::Have(piece)));
                    }
                }
            }
            Action::Store { block, payload } => self.host_mut(peer).store(block, &payload),
            Action::Verify { piece, digests } => {
                let layout = self.layout;
                let verdict = self.host_mut(peer).verify(piece, layout, digests);
                inputs.push_back(Input::Verified { piece, verdict });
            }
            Action::Announce { tracker, request } => {
                let host = self.host(peer);
                let (at, stay) = (self.now + host.plan.latency, host.stay);
                self.schedule(at, peer, Event::AnnounceArrives { peer, stay, tracker, request });
            }
            Action::Emit(event) => self.record(peer, event),
        }
    }

    /// Keeps exactly the peer's next deadline in the queue; a timer that has become too early does no harm.
    fn set_timer(&mut self, peer: PeerIndex) {
        let now = self.now;
        let host = self.host_mut(peer);
        let deadline = host.peer.as_ref().and_then(Peer::deadline);
        let Some(at) = deadline.map(|deadline| deadline.at.max(now)).filter(|at| *at < Time::NEVER) else {
            return;
        };
        if host.timer_at.is_none_or(|scheduled| at < scheduled) {
            host.timer_at = Some(at);
            let stay = host.stay;
            self.schedule(at, peer, Event::Timer { peer, stay });
        }
    }

    fn timer(&mut self, peer: PeerIndex, stay: u32) {
        if !self.is_here(peer, stay) || self.host(peer).timer_at != Some(self.now) {
            return;
        }
        self.host_mut(peer).timer_at = None;
        let due =
            self.host(peer).peer.as_ref().and_then(Peer::deadline).is_some_and(|due| due.at <= self.now);
        if due {
            self.input(peer, Input::Timeout);
        } else {
            self.set_timer(peer);
        }
    }

    fn arrive(&mut self, peer: PeerIndex) {
        let (random_seed, layout, policy, now) =
            (self.random_seed, self.layout, self.scenario_policy.clone(), self.now);
        let host = self.host_mut(peer);
        let setup = Setup {
            index: peer,
            random_seed,
            peer_id: host.plan.peer_id,
            addr: host.plan.virtual_addr,
            info_hash: INFO_HASH,
            layout,
            have: host.have.clone(),
            policy,
            uploads: host.plan.uploads(),
            trackers: 1,
        };
        host.arrive(Peer::new(setup, now), now);
        let (stay, crash) = (host.stay, host.plan.crash_after(host.stay));
        let pieces = host.have.count();
        let bytes = host.have.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        self.record(peer, event::Event::Arrived { pieces, bytes });
        if let Some(after) = crash {
            self.schedule(now + after, peer, Event::Crash { peer, stay });
        }
        self.leave_if_done(peer);
        self.set_timer(peer);
    }

    fn crash(&mut self, peer: PeerIndex, stay: u32) {
        if !self.is_here(peer, stay) {
            return;
        }
        let links: Vec<(LinkId, Side)> = self.host(peer).links().collect();
        for (link, side) in links {
            self.close_end(link, side);
        }
        self.depart(peer, event::Event::Crashed);
        if let Some(after) = self.host(peer).plan.rejoin {
            self.schedule(self.now + after, peer, Event::Arrive { peer });
        }
    }

    fn leave(&mut self, peer: PeerIndex, stay: u32) {
        if !self.is_here(peer, stay) {
            return;
        }
        let now = self.now;
        let mut actions = Vec::new();
        if let Some(state) = self.host_mut(peer).peer.as_mut() {
            state.handle(now, Input::Leave, &mut actions);
        }
        let mut inputs = VecDeque::new();
        for action in actions {
            self.carry_out(peer, action, &mut inputs);
        }
        self.depart(peer, event::Event::Left);
    }

    fn depart(&mut self, peer: PeerIndex, end: event::Event) {
        self.record(peer, end);
        let totals = self.host_mut(peer).depart().map(|state| state.totals()).unwrap_or_default();
        self.record(peer, event::Event::Totals(totals));
    }

    /// Records what the peers that are still here add up to: the run is over.
    pub(super) fn finish(&mut self) {
        for peer in self.everybody() {
            if let Some(totals) = self.host(peer).peer.as_ref().map(Peer::totals) {
                self.record(peer, event::Event::Totals(totals));
            }
        }
    }

    fn leave_if_done(&mut self, peer: PeerIndex) {
        let content = self.layout.total();
        if let Some(wait) = self.host(peer).wants_to_leave(content) {
            let host = self.host_mut(peer);
            host.leaving = true;
            let stay = host.stay;
            self.schedule(self.now + wait, peer, Event::Leave { peer, stay });
        }
    }

    /// Hands the uplink its next block whenever it is idle.
    fn pump(&mut self, peer: PeerIndex) {
        let now = self.now;
        if self.host(peer).in_service.is_some() {
            return;
        }
        let mut actions = std::mem::take(&mut self.actions);
        let state = self.host_mut(peer).peer.as_mut();
        let next = state.and_then(|state| state.next_upload(now, &|_| true, &mut actions));
        for action in actions.drain(..) {
            self.carry_out(peer, action, &mut VecDeque::new());
        }
        self.actions = actions;
        let Some((conn, block)) = next else {
            self.host_mut(peer).uplink.rest();
            return;
        };
        let Some((link, side)) = self.host(peer).link(conn) else { return };
        let host = self.host_mut(peer);
        host.in_service = Some((link, side, block));
        host.service += 1;
        let (free_at, service) = (host.serve(now, block), host.service);
        self.flow.underway += u64::from(block.length);
        self.connections[link.0 as usize].end_mut(side.other()).coming += 1;
        self.schedule(free_at, peer, Event::UplinkFree { peer, service });
    }

    fn uplink_free(&mut self, peer: PeerIndex, service: u64) {
        if self.host(peer).service != service {
            return;
        }
        let Some((link, side, block)) = self.host_mut(peer).in_service.take() else { return };
        self.host_mut(peer).uploaded += u64::from(block.length);
        let corrupt = self.fault.corrupts(peer, block);
        let payload = Payload::Virtual { length: block.length, corrupt };
        let at = self.now + self.connections[link.0 as usize].latency;
        self.schedule(at, peer, Event::BlockArrives { link, to: side.other(), block, payload });
        self.pump(peer);
        self.leave_if_done(peer);
    }

    fn block_arrives(&mut self, link: LinkId, to: Side, block: Block, payload: Payload) {
        let end = self.connections[link.0 as usize].end(to);
        if end.conn.is_none() {
            self.lose(block);
            return;
        }
        let (peer, now) = (end.host, self.now);
        let through = self.host_mut(peer).downlink.carry(now, block.length);
        if through == now {
            self.block_through(link, to, block, payload);
        } else {
            self.schedule(through, peer, Event::BlockThrough { link, to, block, payload });
        }
    }

    fn block_through(&mut self, link: LinkId, to: Side, block: Block, payload: Payload) {
        let end = self.connections[link.0 as usize].end_mut(to);
        let Some(conn) = end.conn else {
            self.lose(block);
            return;
        };
        let (peer, waiting) = (end.host, end.block_settled());
        self.flow.underway -= u64::from(block.length);
        let message = self.in_transit(Message::Piece { block, payload });
        self.input(peer, Input::Received { conn, message });
        for delivery in waiting {
            self.deliver(link, to, delivery);
        }
    }

    /// A control message, or the end of the connection, sets out for the other end.
    pub(super) fn send(&mut self, link: LinkId, to: Side, delivery: Delivery) {
        let connection = &self.connections[link.0 as usize];
        let (at, from) = (self.now + connection.latency, connection.end(to.other()).host);
        self.schedule(at, from, Event::Control { link, to, delivery });
    }

    fn control(&mut self, link: LinkId, to: Side, delivery: Delivery) {
        let end = self.connections[link.0 as usize].end_mut(to);
        if let Some(delivery) = end.admit(delivery) {
            self.deliver(link, to, delivery);
        }
    }

    fn deliver(&mut self, link: LinkId, to: Side, delivery: Delivery) {
        let end = self.connections[link.0 as usize].end_mut(to);
        let (peer, Some(conn)) = (end.host, end.conn) else { return };
        match delivery {
            Delivery::Message(message) => {
                let message = self.in_transit(message);
                self.input(peer, Input::Received { conn, message });
            }
            Delivery::Closed(reason) => {
                end.conn = None;
                self.host_mut(peer).close(conn);
                self.break_off(peer, link);
                self.input(peer, Input::Closed { conn, reason });
            }
        }
    }

    /// With `through_codec`, what a message is after it was bytes; otherwise the message as it is.
    fn in_transit(&self, message: Message) -> Message {
        match &self.codec {
            Some(codec) => round_trip(codec, &message).expect("our own messages are well-formed"),
            None => message,
        }
    }
}

/// Dials, answers and ends of connections.
impl World {
    fn dial(&mut self, peer: PeerIndex, addr: SocketAddr) {
        let (now, host) = (self.now, self.host(peer));
        let dialling = (peer, host.stay);
        let Some(target) = self.addresses.get(&addr).copied() else {
            let (peer, stay) = dialling;
            let at = now + host.plan.latency * 2;
            self.schedule(at, peer, Event::NoAnswer { peer, stay, addr });
            return;
        };
        let latency = host.plan.latency + self.host(target).plan.latency;
        let link = LinkId(self.connections.len() as u32);
        self.connections.push(Connection::new(dialling, (target, self.host(target).stay), latency));
        self.schedule(now + latency, peer, Event::Knock { link });
    }

    fn knock(&mut self, link: LinkId) {
        let connection = &mut self.connections[link.0 as usize];
        let (dialling, latency) = (connection.end(Side::Dialling).clone(), connection.latency);
        let target = connection.end(Side::Answering).host;
        if self.host(target).peer.is_none() {
            let (peer, stay, addr) = (dialling.host, dialling.stay, self.host(target).plan.virtual_addr);
            self.schedule(self.now + latency, target, Event::NoAnswer { peer, stay, addr });
            return;
        }
        self.schedule(self.now + latency, target, Event::Answer { link });
        let stay = self.host(target).stay;
        let conn = self.host_mut(target).open(link, Side::Answering);
        let end = self.connections[link.0 as usize].end_mut(Side::Answering);
        (end.conn, end.stay) = (Some(conn), stay);
        let remote = self.remote(dialling.host, Direction::Incoming);
        self.input(target, Input::Connected { conn, remote });
    }

    fn answer(&mut self, link: LinkId) {
        let connection = &self.connections[link.0 as usize];
        let (peer, stay) = (connection.end(Side::Dialling).host, connection.end(Side::Dialling).stay);
        let target = connection.end(Side::Answering).host;
        if !self.is_here(peer, stay) {
            self.send(link, Side::Answering, Delivery::Closed(CloseReason::ClosedByRemote));
            return;
        }
        let conn = self.host_mut(peer).open(link, Side::Dialling);
        self.connections[link.0 as usize].end_mut(Side::Dialling).conn = Some(conn);
        let remote = self.remote(target, Direction::Outgoing);
        self.input(peer, Input::Connected { conn, remote });
    }

    fn remote(&self, peer: PeerIndex, direction: Direction) -> RemotePeer {
        let plan = &self.host(peer).plan;
        let (addr, peer_id) = (plan.virtual_addr, plan.peer_id);
        RemotePeer { addr, peer_id, direction, features: Features::default(), index: Some(peer) }
    }

    /// This side closes the connection; the other end hears of it after whatever is on its way there.
    fn close_end(&mut self, link: LinkId, side: Side) {
        let end = self.connections[link.0 as usize].end_mut(side);
        let Some(conn) = end.conn.take() else { return };
        let peer = end.host;
        self.host_mut(peer).close(conn);
        self.break_off(peer, link);
        self.send(link, side.other(), Delivery::Closed(CloseReason::ClosedByRemote));
    }

    /// The block in service for a connection that is gone is lost, and the uplink free.
    fn break_off(&mut self, peer: PeerIndex, link: LinkId) {
        let Some((served, side, block)) = self.host(peer).in_service else { return };
        if served != link {
            return;
        }
        self.lose(block);
        let host = self.host_mut(peer);
        host.in_service = None;
        host.service += 1;
        host.uplink = crate::link::Uplink::new(host.plan.upload);
        let waiting = self.connections[link.0 as usize].end_mut(side.other()).block_settled();
        for delivery in waiting {
            self.deliver(link, side.other(), delivery);
        }
    }

    fn lose(&mut self, block: Block) {
        self.flow.underway -= u64::from(block.length);
        self.flow.lost += u64::from(block.length);
    }
}
