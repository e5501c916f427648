//! The seam between a peer and whatever drives it: what happened ([`Input`]), what to do ([`Action`]), and what has
//! to be known to begin ([`Setup`]). No sockets, no clock, no disk on this side.

use std::iter;
use std::net::SocketAddr;

use crate::event::{CloseReason, Event, Remote};
use crate::id::{Block, ConnId, InfoHash, PeerId, PieceIndex};
use crate::peer::policy::Policy;
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;
use crate::wire::announce::{AnnounceRequest, AnnounceResponse};
use crate::wire::message::{Message, Payload};

/// Something that happened, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection stands and its handshake is over. The driver has chosen `conn`, a number not in use.
    Connected {
        conn: ConnId,
        remote: Box<RemotePeer>,
    },
    /// A dial that `Action::Connect` asked for came to nothing.
    ConnectFailed {
        addr: SocketAddr,
    },
    /// The remote closed the connection, or the driver had to; `conn` may be used again.
    Closed {
        conn: ConnId,
        reason: CloseReason,
    },
    Received {
        conn: ConnId,
        message: Message,
    },
    /// The answer to `Action::Verify`, after hash *and* write.
    Verified {
        piece: PieceIndex,
        verdict: Verdict,
    },
    /// A block that `next_upload` handed out could not be read back: the piece is lost.
    ReadFailed {
        piece: PieceIndex,
    },
    Announced {
        tracker: usize,
        response: Box<AnnounceResponse>,
    },
    AnnounceFailed {
        tracker: usize,
        reason: Box<str>,
    },
    /// The time that `deadline` named has come.
    Timeout,
    /// Leave in good order: announce `stopped`, close every connection. (A crash is the driver's doing.)
    Leave,
}

/// The outcome of a piece's hash and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Hash right, piece stored. `digests` (one a block) only where `Action::Verify` asked for them.
    Good { digests: Vec<u64> },
    /// Hash wrong. `digests` (one a block) lets the peer find out whose block it was when the piece comes again.
    Bad { digests: Vec<u64> },
    /// Hash right, but the piece could not be written.
    StoreFailed,
}

/// Who is at the other end of a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePeer {
    /// Where it listens, as far as known: the dialled address, or the remote end of an incoming connection.
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    pub direction: Direction,
    pub features: Features,
    /// Its row in the run's population; only ever echoed in events.
    pub index: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Outgoing,
    Incoming,
}

/// Extensions that *both* ends announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// BEP 6.
    pub fast: bool,
    /// BEP 10.
    pub extended: bool,
}

/// Something the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Connect {
        addr: SocketAddr,
    },
    /// Close at once; no `Input::Closed` follows, and `conn` may be used again.
    Close {
        conn: ConnId,
        reason: CloseReason,
    },
    Send {
        conn: ConnId,
        message: Message,
    },
    /// Tell all these connections that we have a piece now: one action, so that a driver need not expand it.
    Have {
        piece: PieceIndex,
        to: ConnSet,
    },
    /// Keep a received block until its piece is verified.
    Store {
        block: Block,
        payload: Payload,
    },
    /// Every block of the piece is stored: hash it, write it, answer with `Input::Verified`. With `digests`, say
    /// what every block of it hashed to, because an earlier attempt failed.
    Verify {
        piece: PieceIndex,
        digests: bool,
    },
    /// Ask a tracker, by its position in the setup's tiers; answered by `Announced` or `AnnounceFailed`.
    Announce {
        tracker: usize,
        request: Box<AnnounceRequest>,
    },
    Emit(Event),
}

/// A set of connections, one bit each. Few peers have more than 64, and these sets are asked all the time: the first 64
/// take one word and no branch on a length.
#[derive(Clone, Debug, Default)]
pub struct ConnSet {
    low: u64,
    /// From number 64 on; may end in words without a bit.
    high: Box<[u64]>,
}

impl ConnSet {
    #[inline]
    pub fn insert(&mut self, conn: ConnId) {
        if conn.0 < 64 {
            self.low |= 1 << conn.0;
        } else {
            self.insert_high(conn);
        }
    }

    fn insert_high(&mut self, conn: ConnId) {
        let word = conn.0 as usize / 64 - 1;
        if self.high.len() <= word {
            let mut longer = std::mem::take(&mut self.high).into_vec();
            longer.resize(word + 1, 0);
            self.high = longer.into();
        }
        self.high[word] |= 1 << (conn.0 % 64);
    }

    #[inline]
    pub fn remove(&mut self, conn: ConnId) {
        if conn.0 < 64 {
            self.low &= !(1 << conn.0);
        } else if let Some(word) = self.high.get_mut(conn.0 as usize / 64 - 1) {
            *word &= !(1 << (conn.0 % 64));
        }
    }

    /// Puts it in or takes it out.
    pub(crate) fn set(&mut self, conn: ConnId, member: bool) {
        if member { self.insert(conn) } else { self.remove(conn) }
    }

    #[inline]
    pub fn contains(&self, conn: ConnId) -> bool {
        let word = if conn.0 < 64 { self.low } else { self.high_word(conn.0 as usize / 64 - 1) };
        word >> (conn.0 % 64) & 1 == 1
    }

    /// Keeps its memory.
    pub fn clear(&mut self) {
        self.low = 0;
        self.high.fill(0);
    }

    /// Puts in all of the other set.
    pub(crate) fn insert_all(&mut self, other: &ConnSet) {
        if other.high.is_empty() {
            self.low |= other.low;
        } else {
            *self = self.union(other);
        }
    }

    /// The first 64 connections, the lowest in the lowest bit.
    pub(crate) fn first_word(&self) -> u64 {
        self.low
    }

    pub fn is_empty(&self) -> bool {
        self.words().all(|word| word == 0)
    }

    pub fn count(&self) -> u32 {
        self.words().map(u64::count_ones).sum()
    }

    pub fn is_subset_of(&self, other: &ConnSet) -> bool {
        self.all_words(other, |one, other| one & !other == 0)
    }

    /// Whether no connection is in both.
    pub fn is_disjoint(&self, other: &ConnSet) -> bool {
        self.all_words(other, |one, other| one & other == 0)
    }

    /// 64 connections a word, the lowest in its lowest bit.
    #[inline]
    pub(crate) fn from_words(mut words: impl Iterator<Item = u64>) -> ConnSet {
        let low = words.next().unwrap_or(0);
        let high = words.next().map(|second| iter::once(second).chain(words).collect());
        ConnSet { low, high: high.unwrap_or_default() }
    }

    /// Those that are not in the other set.
    pub fn without(&self, other: &ConnSet) -> ConnSet {
        self.combined(other, |one, other| one & !other)
    }

    /// Those in both sets.
    pub(crate) fn intersection(&self, other: &ConnSet) -> ConnSet {
        self.combined(other, |one, other| one & other)
    }

    /// Those in either set.
    pub fn union(&self, other: &ConnSet) -> ConnSet {
        self.combined(other, |one, other| one | other)
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = ConnId> + '_ {
        Members { first: 0, word: self.low, rest: &self.high }
    }

    fn high_word(&self, at: usize) -> u64 {
        self.high.get(at).copied().unwrap_or(0)
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        iter::once(self.low).chain(self.high.iter().copied())
    }

    #[inline]
    fn combined(&self, other: &ConnSet, combine: impl Fn(u64, u64) -> u64) -> ConnSet {
        let low = combine(self.low, other.low);
        if self.high.is_empty() && other.high.is_empty() {
            return ConnSet { low, high: Box::default() };
        }
        ConnSet { low, high: self.high_pairs(other).map(|(one, other)| combine(one, other)).collect() }
    }

    #[inline]
    fn all_words(&self, other: &ConnSet, holds: impl Fn(u64, u64) -> bool) -> bool {
        holds(self.low, other.low) && self.high_pairs(other).all(|(one, other)| holds(one, other))
    }

    /// Word by word, as many as the longer one has.
    fn high_pairs(&self, other: &ConnSet) -> impl Iterator<Item = (u64, u64)> {
        (0..self.high.len().max(other.high.len())).map(|at| (self.high_word(at), other.high_word(at)))
    }
}

/// The members of a set that are still to come.
struct Members<'a> {
    /// The number of the lowest bit of `word`.
    first: u32,
    word: u64,
    rest: &'a [u64],
}

impl Iterator for Members<'_> {
    type Item = ConnId;

    #[inline]
    fn next(&mut self) -> Option<ConnId> {
        while self.word == 0 {
            let (word, rest) = self.rest.split_first()?;
            (self.first, self.word, self.rest) = (self.first + 64, *word, rest);
        }
        let conn = ConnId(self.first + self.word.trailing_zeros());
        self.word &= self.word - 1;
        Some(conn)
    }
}

impl PartialEq for ConnSet {
    fn eq(&self, other: &ConnSet) -> bool {
        self.all_words(other, |one, other| one == other)
    }
}

impl Eq for ConnSet {}

impl FromIterator<ConnId> for ConnSet {
    fn from_iter<I: IntoIterator<Item = ConnId>>(conns: I) -> ConnSet {
        let mut set = ConnSet::default();
        conns.into_iter().for_each(|conn| set.insert(conn));
        set
    }
}

/// When `handle(now, Input::Timeout, …)` is due, and why (for traces and for tests).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    pub at: Time,
    pub why: DeadlineReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeadlineReason {
    ChokeRound,
    Announce,
    /// A keepalive is due, or a connection may have become idle or snubbed.
    ConnectionCheck,
    /// Somebody may be told of other peers (BEP 11).
    PeerExchange,
    Redial,
}

/// Where a peer's connections come from. Either way it accepts who dials it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Neighbours {
    /// The peer asks the tracker for `dial` addresses (`None`: as many as it gives), and dials while it has fewer
    /// connections than that (`None`: than its policy's `max_connections`). It never has more than `max_connections`.
    FromTracker { dial: Option<u32> },
    /// A fixed overlay: these alone are dialled, whatever the tracker says, and no limit cuts them off.
    Fixed { dial: Vec<SocketAddr> },
}

/// Everything a peer has to know to begin.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its row in the population: names its random streams.
    pub index: crate::id::PeerIndex,
    pub random_seed: u64,
    pub peer_id: PeerId,
    /// Where it listens and is announced.
    pub addr: SocketAddr,
    pub info_hash: InfoHash,
    pub layout: Layout,
    /// The pieces it has, verified.
    pub have: Bitfield,
    pub policy: Policy,
    /// False for an uplink of 0 B/s and for a free-rider: such a peer never unchokes.
    pub uploads: bool,
    pub neighbours: Neighbours,
    /// What to send to whom, in this order and nothing else, where an oracle decides.
    pub schedule: Option<Vec<(PeerId, PieceIndex)>>,
    /// How many trackers each tier has (BEP 12), the preferred tier first; none at all for a peer without. Positions
    /// count on from tier to tier.
    pub trackers: Vec<usize>,
}
