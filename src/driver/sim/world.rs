//! The simulated world: hosts, connections, the tracker, and one queue of what will happen.
//!
//! A host's peer is stepped with one input at a time; what it wants done becomes events. Nothing here looks at a
//! clock: the time of the event taken from the queue is the time.

mod ahead;
mod announces;
mod blocks;
mod connections;
mod haves;
mod paths;
mod stays;
pub(super) mod view;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::driver::course::Course;
use crate::driver::sim::connection::{Connections, Delivery};
use crate::driver::sim::event::{Event, Parcel, Parcels};
use crate::driver::sim::host::Host;
use crate::driver::sim::inboxes::Inboxes;
use crate::driver::sim::path::Paths;
use crate::driver::sim::queue::{Key, Queue};
use crate::driver::sim::words::{Saying, Words};
use crate::driver::sim::{Effort, Fault, Options};
use crate::event::{self, Record};
use crate::id::{InfoHash, PeerIndex};
use crate::peer::policy::Policy;
use crate::peer::{Action, Have, Input, Peer};
use crate::rng::{Entity, Purpose, Stream};
use crate::scenario::Scenario;
use crate::scenario::population::Population;
use crate::time::Time;
use crate::torrent::layout::Layout;
use crate::tracker::Tracker;
use crate::wire::codec::Codec;
use ahead::Expectation;
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
    /// How far the order of all events has come.
    pub(super) position: Key,
    pub(super) layout: Layout,
    pub(super) random_seed: u64,
    pub(super) policy: Policy,
    pub(super) hosts: Vec<Host>,
    inboxes: Inboxes,
    /// Of every host.
    words: Vec<Words>,
    /// Every HAVE wakes its receiver.
    have_events: bool,
    /// A word wakes its receiver only where that may do something about it.
    words_wait: bool,
    pub(super) connections: Connections,
    pub(super) tracker: Tracker,
    pub(super) tracker_timer_at: Option<Time>,
    /// The tracker's answers since they were last taken.
    pub(super) answers: Vec<Answer>,
    pub(super) queue: Queue<Event>,
    pub(super) parcels: Parcels,
    pub(super) course: Course,
    pub(super) fault: Fault,
    /// Present where not every path takes exactly its latency.
    paths: Option<Box<Paths>>,
    codec: Option<Codec>,
    addresses: BTreeMap<SocketAddr, PeerIndex>,
    pub(super) flow: Flow,
    /// Records since they were last taken.
    pub(super) records: Vec<Record>,
    /// Hosts stepped since the invariants last looked.
    pub(super) touched: Vec<PeerIndex>,
    /// Empty between steps; kept so that a step allocates nothing.
    actions: Vec<Action>,
    inputs: VecDeque<Input>,
    due: Vec<Have>,
    /// What the event after the next one will bring, for `ahead`.
    expected: Option<Expectation>,
    pub(super) effort: Effort,
}

/// Who comes first where several peers do something at the same instant: drawn for every run, for the order of the file
/// must not favour anybody. By each peer's own draw, so that one more peer changes nothing between the others. The
/// tracker comes last.
fn ranks(peers: u32, random_seed: u64) -> Vec<u32> {
    let draw = |peer| Stream::new(random_seed, Entity::Peer(PeerIndex(peer)), Purpose::Order).below(u64::MAX);
    let mut order: Vec<(u64, u32)> = (0..peers).map(|peer| (draw(peer), peer)).collect();
    order.sort_unstable();
    let mut ranks = vec![peers; peers as usize + 1];
    for (rank, (_, peer)) in (0..).zip(order) {
        ranks[peer as usize] = rank;
    }
    ranks
}

impl World {
    /// The world before anything has happened: every arrival is scheduled.
    pub fn new(scenario: &Scenario, random_seed: u64, options: &Options) -> World {
        let population = Population::draw(scenario, random_seed);
        let layout = scenario.content.layout;
        let peers = population.peers.len() as u32;
        let paths = Paths::new(&options.fault, &population.peers, random_seed);
        let mut world = World {
            have_events: options.nothing_waits,
            // Where a request may be answered at once, or words have to be bytes in between, all of them are events.
            words_wait: !options.nothing_waits && !options.through_codec && !scenario.policy.fast_extension,
            now: Time::ZERO,
            position: Key::start_of(Time::ZERO),
            layout,
            random_seed,
            policy: scenario.policy.clone(),
            course: Course::new(&population.peers, layout, options.fault.longest_delay()),
            paths,
            addresses: population.peers.iter().map(|plan| (plan.virtual_addr, plan.index)).collect(),
            inboxes: Inboxes::new(population.peers.len()),
            words: vec![Words::default(); population.peers.len()],
            hosts: population.peers.into_iter().map(Host::new).collect(),
            connections: Connections::default(),
            tracker: Tracker::new(scenario.tracker, random_seed),
            tracker_timer_at: None,
            answers: Vec::new(),
            queue: Queue::new(ranks(peers, random_seed)),
            parcels: Parcels::default(),
            fault: options.fault.clone(),
            codec: options.through_codec.then(|| Codec::new(layout.pieces(), layout.largest_request())),
            flow: Flow::default(),
            records: Vec::new(),
            touched: Vec::new(),
            actions: Vec::new(),
            inputs: VecDeque::new(),
            due: Vec::new(),
            expected: None,
            effort: Effort::default(),
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

    /// `source` sends a parcel that is to come to `peer` at `at`.
    pub(super) fn dispatch(&mut self, at: Time, source: PeerIndex, peer: PeerIndex, parcel: Parcel) {
        let parcel = self.parcels.insert(parcel);
        self.schedule(at, source, Event::Arrival { parcel, peer });
    }

    /// Whether nobody sends bad data.
    pub(super) fn is_honest(&self) -> bool {
        self.fault.every == 0 || self.fault.corrupters.is_empty()
    }

    /// Whether this peer may send bad data.
    pub(super) fn corrupts(&self, peer: PeerIndex) -> bool {
        !self.is_honest() && self.fault.corrupters.contains(&peer)
    }

    pub(super) fn tracker_source(&self) -> PeerIndex {
        PeerIndex(self.hosts.len() as u32)
    }

    /// Lets the next event happen; false where there is none.
    pub(super) fn advance(&mut self) -> bool {
        let next = self.queue.pop();
        next.map(|(key, event)| self.step(key, event)).is_some()
    }

    fn step(&mut self, key: Key, event: Event) {
        debug_assert!(key.at() >= self.now, "time went back from {} to {}", self.now, key.at());
        // A HAVE without latency comes to its place in the order when that may have passed.
        (self.now, self.position) = (key.at(), self.position.max(key));
        self.look_ahead();
        self.effort.events += 1;
        self.effort.pending = self.effort.pending.max(self.queue.len() as u64);
        match event {
            Event::Arrive { peer } => self.arrive(peer),
            Event::Crash { peer, stay } => self.crash(peer, stay),
            Event::Leave { peer, stay } => self.leave(peer, stay),
            Event::Abort { peer, stay } => self.abort(peer, stay),
            Event::Timer { peer, stay } => self.timer(peer, stay),
            Event::Knock { link } => {
                self.knock(link);
                self.connections.happened(link);
            }
            Event::Answer { link } => {
                self.answer(link);
                self.connections.happened(link);
            }
            Event::UplinkFree { peer, service } => self.uplink_free(peer, service),
            Event::Arrival { parcel, .. } => {
                let parcel = self.parcels.take(parcel);
                self.parcel_arrives(parcel);
            }
            Event::Wake { peer, .. } => self.wake(peer),
            Event::Word { peer } => self.spoken_to(peer),
            Event::TrackerTimer => self.tracker_timer(),
        }
        self.connections.clear_away();
    }

    fn parcel_arrives(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::NoAnswer { peer, stay, addr } => {
                if self.is_here(peer, stay) {
                    self.input(peer, Input::ConnectFailed { addr });
                }
            }
            Parcel::Control { link, to, after, delivery } => {
                self.take_words(self.connections[link].end(to).host);
                self.control((link, to), after, delivery, self.now);
                self.connections.happened(link);
            }
            Parcel::Block { link, to, block, payload } => {
                self.block_arrives(link, to, block, payload);
                self.connections.happened(link);
            }
            Parcel::BlockThrough { link, to, block, payload } => {
                self.block_through(link, to, block, payload);
                self.connections.happened(link);
            }
            Parcel::Announce { peer, stay, tracker, request } => {
                self.announce_arrives(peer, stay, tracker, *request);
            }
            Parcel::AnnounceAnswer { peer, stay, tracker, answer } => {
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
        self.take_words(peer);
        self.note_haves_for(peer, &input);
        self.perform(peer, input);
        while let Some(input) = self.inputs.pop_front() {
            self.perform(peer, input);
        }
        self.settle(peer);
    }

    /// Hands one input to a peer and carries out what it wants done; what that gives it to hear at once is in `inputs`.
    fn perform(&mut self, peer: PeerIndex, input: Input) {
        let now = self.now;
        let Some(state) = self.hosts[peer.0 as usize].peer.as_deref_mut() else { return };
        let mut actions = std::mem::take(&mut self.actions);
        state.handle(now, input, &mut actions);
        for action in actions.drain(..) {
            self.carry_out(peer, action);
        }
        self.actions = actions;
    }

    /// What follows every step of a peer.
    fn settle(&mut self, peer: PeerIndex) {
        self.heed_haves(peer);
        self.heed_words(peer);
        self.pump(peer);
        self.leave_if_done(peer);
        self.set_timer(peer);
    }

    fn carry_out(&mut self, peer: PeerIndex, action: Action) {
        match action {
            Action::Connect { addr } => self.dial(peer, addr),
            Action::Close { conn, .. } => {
                if let Some((link, side)) = self.host(peer).link(conn) {
                    self.close_end(link, side);
                }
            }
            Action::Send { conn, message } => {
                let Some((link, side)) = self.host(peer).link(conn) else { return };
                match Saying::of(&message) {
                    Some(saying) => self.say(peer, conn, (link, side), saying),
                    None => self.send(link, side.other(), Delivery::Message(message)),
                }
            }
            Action::Have { piece, to } => self.send_haves(peer, piece, &to),
            Action::Store { block, payload } => self.host_mut(peer).store(block, &payload),
            Action::Verify { piece, digests } => {
                let layout = self.layout;
                let verdict = self.host_mut(peer).verify(piece, layout, digests);
                self.inputs.push_back(Input::Verified { piece, verdict });
            }
            Action::Announce { tracker, request } => self.announce(peer, tracker, request),
            Action::Emit(event) => self.record(peer, event),
        }
    }

    /// Keeps exactly the peer's next deadline in the queue; a timer that has become too early does no harm.
    fn set_timer(&mut self, peer: PeerIndex) {
        let now = self.now;
        let host = self.host_mut(peer);
        let deadline = host.peer.as_deref().and_then(Peer::deadline);
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
            self.host(peer).peer.as_deref().and_then(Peer::deadline).is_some_and(|due| due.at <= self.now);
        if due {
            self.input(peer, Input::Timeout);
        } else {
            self.set_timer(peer);
        }
    }
}
