//! One participant in one torrent, as a pure state machine: no sockets, no clock, no disk, no threads, no global
//! randomness. Every driver runs this same code.
//!
//! The driver says what happened ([`Peer::handle`]), when time has come ([`Peer::deadline`]) and when its uplink has
//! room ([`Peer::next_upload`]); the peer answers with [`Action`]s and never fails. What a remote does wrong becomes
//! an event and a closed connection; our own mistakes are assertions.
//!
//! Contract: time never goes back; an early timeout changes nothing; after a timeout the next deadline lies later;
//! equal inputs give equal actions.

mod ahead;
pub mod announcer;
mod blame;
pub mod choker;
mod connection;
mod connections;
mod contacts;
mod dialer;
mod download;
mod exchange;
mod extended;
mod fast;
mod haves;
pub mod inspect;
mod lifecycle;
mod parole;
pub mod picker;
pub mod pipeline;
pub mod policy;
pub mod preset;
pub mod rates;
mod receive;
mod rows;
mod schedule;
pub mod seam;
mod tiers;
mod timers;
mod turnover;
mod unmoved;
mod upload;
mod verify;

pub use ahead::Expected;
pub use haves::Have;
pub use seam::{
    Action, ConnSet, Deadline, DeadlineReason, Direction, Features, Input, Neighbours, RemotePeer, Setup,
    Verdict,
};
pub(crate) use turnover::{STUCK_AFTER, TRIED_AFTER};
pub use unmoved::Unmoved;

use std::net::SocketAddr;

use announcer::Announcer;
use blame::Blame;
use choker::Choker;
use connections::Connections;
use dialer::Dialer;
use picker::Picker;
use policy::{ChokerPolicy, Policy};
use schedule::Schedule;

use crate::event::{Event, Totals};
use crate::id::{BlockId, ConnId, InfoHash, PeerId, PieceIndex};
use crate::rng::{Entity, Purpose, Stream};
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;
use crate::wire::message::Message;

/// One participant in one torrent. In this order: what every input looks at comes first, in few cache lines, for a
/// simulated swarm of thousands lies in no cache.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Peer {
    /// Kept between picks so that they allocate nothing.
    picked: Vec<BlockId>,
    next_round: Time,
    /// No connection's timer runs out before this; see `timers`.
    next_check: Time,
    /// Nobody is told of other peers before this.
    next_exchange: Time,
    /// The next announce or redial; see [`Peer::plan_search`].
    next_search: Option<Deadline>,
    /// When a block last came in, or where it is complete went out; or when the stay began.
    last_block_at: Time,
    uploaded: u64,
    /// The connection that was served last: uploads go round from here.
    served: ConnId,
    /// Left in good order; nothing happens any more.
    stopped: bool,
    /// False for an uplink of 0 B/s and for a free-rider: never unchokes.
    uploads: bool,
    /// No block was free when last looked at.
    endgame: bool,
    /// Somebody was asked for less than it might send, because of what waits for verdicts.
    held_back: bool,

    connections: Connections,
    policy: Policy,
    layout: Layout,
    totals: Totals,
    downloaded: u64,
    missing: u64,
    heeded_haves: ConnSet,
    /// Verified pieces; what we announce.
    have: Bitfield,
    schedule: Option<Schedule>,
    was_complete: bool,
    /// A piece we announced was lost on our own disk: requests for it are no offence.
    lost_a_piece: bool,
    /// See [`Peer::is_crowded`].
    crowded: bool,

    /// Kept between picks, like `picked`.
    asked: Vec<u64>,
    choker: Choker,
    picker: Picker,
    blame: Blame,
    announcer: Announcer,
    dialer: Dialer,
    picker_draws: Stream,
    choker_draws: Stream,
    peer_id: PeerId,
    addr: SocketAddr,
    info_hash: InfoHash,
}

impl Peer {
    /// A peer at the start of a stay in the swarm. Its first deadline is due at once: the first announce.
    pub fn new(setup: Setup, now: Time) -> Peer {
        let draws = |purpose| Stream::new(setup.random_seed, Entity::Peer(setup.index), purpose);
        let mut policy = setup.policy;
        if setup.schedule.is_some() {
            policy.choker = ChokerPolicy::UnchokeAll;
        }
        let mut choker_draws = draws(Purpose::Choker);
        let phase = choker_draws.span_below(policy.round);
        let missing_pieces = (0..setup.layout.pieces()).map(PieceIndex);
        let missing = missing_pieces
            .filter(|piece| !setup.have.contains(*piece))
            .map(|piece| u64::from(setup.layout.piece_length(piece)))
            .sum();
        let mut peer = Peer {
            peer_id: setup.peer_id,
            addr: setup.addr,
            info_hash: setup.info_hash,
            layout: setup.layout,
            uploads: setup.uploads,
            picker: Picker::new(
                setup.layout,
                policy.picker,
                policy.started_first,
                policy.first_random,
                &setup.have,
            ),
            picker_draws: draws(Purpose::Picker),
            choker: Choker::new(&policy),
            announcer: Announcer::new(&setup.trackers, draws(Purpose::Announcer)),
            dialer: Dialer::new(setup.neighbours, policy.max_connections),
            blame: Blame::default(),
            schedule: setup.schedule.map(Schedule::new),
            connections: Connections::new(&setup.layout),
            next_round: now + phase,
            next_check: Time::NEVER,
            next_exchange: Time::NEVER,
            next_search: None,
            served: ConnId(0),
            heeded_haves: ConnSet::default(),
            endgame: false,
            held_back: false,
            was_complete: setup.have.is_full(),
            lost_a_piece: false,
            crowded: false,
            stopped: false,
            last_block_at: now,
            uploaded: 0,
            downloaded: 0,
            missing,
            totals: Totals::default(),
            picked: Vec::new(),
            asked: Vec::new(),
            choker_draws,
            have: setup.have,
            policy,
        };
        peer.plan_search();
        peer
    }

    /// Takes in what happened at `now` and appends what is to be done.
    pub fn handle(&mut self, now: Time, input: Input, actions: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        // Few messages and verdicts concern trackers, addresses or the number of connections: those see to it.
        let stays_inside = matches!(input, Input::Received { .. } | Input::Verified { .. });
        match input {
            Input::Connected { conn, remote } => self.connected(now, conn, *remote, actions),
            Input::ConnectFailed { addr } => self.connect_failed(now, addr, actions),
            Input::Closed { conn, reason } => self.closed(now, conn, reason, actions),
            Input::Received { conn, message } => self.received(now, conn, message, actions),
            Input::Verified { piece, verdict } => self.verified(now, piece, verdict, actions),
            Input::ReadFailed { piece } => self.read_failed(now, piece, actions),
            Input::Announced { response, .. } => self.announced(now, &response, actions),
            Input::AnnounceFailed { reason, .. } => self.announce_failed(now, reason, actions),
            Input::Timeout => self.timeout(now, actions),
            Input::Leave => self.leave(actions),
        }
        if !stays_inside {
            self.plan_search();
        }
    }

    /// Something came on this connection that the driver hands over later, behind what must come before it: the
    /// connection is not silent.
    pub fn heard(&mut self, conn: ConnId, at: Time) {
        if self.connections.open.contains(conn) {
            self.connections.received(conn, at);
        }
    }

    /// The pieces it has, verified.
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    pub fn is_complete(&self) -> bool {
        self.have.is_full()
    }

    /// Payload bytes handed to the uplink so far in this stay.
    pub fn uploaded(&self) -> u64 {
        self.uploaded
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }

    fn send(&mut self, now: Time, conn: ConnId, message: Message, actions: &mut Vec<Action>) {
        if self.connections.open.contains(conn) {
            self.connections.sent(conn, now);
            self.totals.messages_sent += 1;
            actions.push(Action::Send { conn, message });
        }
    }
}

fn emit(event: Event, actions: &mut Vec<Action>) {
    actions.push(Action::Emit(event));
}
