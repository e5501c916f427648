//! The tracker as a pure state machine: who is in which swarm, and a random few of them for everybody who asks
//! (BEP 3, 7, 31, 48). Knows no sockets and no clock, and nothing of what the peers do with each other.
//!
//! - An answer is a random subset without the asker; everybody else where the swarm has fewer than five peers.
//! - Whoever stays silent for two intervals is forgotten, whoever announces `stopped` at once.
//! - Memory is bounded: above [`Limits::peers`] the peer that was silent longest makes room, above
//!   [`Limits::swarms`] the swarm that has been empty longest, and where none is empty a new one is refused.

mod swarm;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::id::{InfoHash, PeerId};
use crate::rng::{Entity, Purpose, Stream};
use crate::time::{Span, Time};
use crate::wire::announce::{
    AnnounceEvent, AnnounceRequest, AnnounceResponse, MAX_SCRAPED, Refusal, RetryIn, ScrapeResponse,
    SwarmCounts,
};

use swarm::{Entry, Swarm};

/// No answer names more peers, whatever is asked for.
pub const MOST_RETURNED: usize = 200;
/// The assignment: a swarm of fewer peers is told as a whole.
const TOLD_AS_A_WHOLE: usize = 5;
/// So many intervals of silence end an entry.
const PATIENCE: u64 = 2;

/// What a scenario decides about its tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Between two regular announces.
    pub interval: Span,
    /// In one answer, unless the asker wants fewer.
    pub peers_returned: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            // The first MiniBit's peers asked this often, and its swarms are as small.
            interval: Span::from_secs(30),
            // BEP 3: what a tracker returns unless told otherwise.
            peers_returned: 50,
        }
    }
}

/// How much the tracker remembers, against those who would fill its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub swarms: usize,
    /// In all swarms together.
    pub peers: usize,
}

impl Default for Limits {
    /// Together below half a gigabyte.
    fn default() -> Limits {
        Limits { swarms: 100_000, peers: 1_000_000 }
    }
}

/// Names a question, so that the driver can route the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that happened, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum TrackerInput {
    Announce {
        from: RequestId,
        /// The address the request came from, with the port it announces.
        addr: SocketAddr,
        request: AnnounceRequest,
        families: Families,
    },
    Scrape {
        from: RequestId,
        info_hashes: Vec<InfoHash>,
    },
    /// The time that `deadline` named has come.
    Timeout,
}

/// Which peers an answer can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Of IPv4 and of IPv6, as over HTTP (BEP 7).
    Both,
    /// Of the asker's own, as over UDP: the form of an answer follows the packet that asked (BEP 15).
    Askers,
}

/// Something the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackerAction {
    Reply { to: RequestId, reply: TrackerReply },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackerReply {
    Announce(AnnounceResponse),
    Scrape(ScrapeResponse),
    Refused(Refusal),
}

/// How much the tracker remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Those that everybody left and that were downloaded count as well.
    pub swarms: usize,
    /// In all swarms together.
    pub peers: usize,
}

/// One tracker, any number of swarms.
#[derive(Clone, Debug)]
pub struct Tracker {
    settings: Settings,
    limits: Limits,
    swarms: BTreeMap<InfoHash, Swarm>,
    /// Every entry of every swarm, by when it expires.
    expiring: BTreeSet<(Time, InfoHash, SocketAddr)>,
    /// Swarms without entries that are kept for their count of downloads, by when they became empty.
    empty: BTreeSet<(Time, InfoHash)>,
    sample: Stream,
}

impl Tracker {
    pub fn new(settings: Settings, random_seed: u64) -> Tracker {
        Tracker::with_limits(settings, Limits::default(), random_seed)
    }

    pub fn with_limits(settings: Settings, limits: Limits, random_seed: u64) -> Tracker {
        Tracker {
            settings,
            limits,
            swarms: BTreeMap::new(),
            expiring: BTreeSet::new(),
            empty: BTreeSet::new(),
            sample: Stream::new(random_seed, Entity::Tracker, Purpose::TrackerSample),
        }
    }

    /// Pushes one reply for every question. Never fails.
    pub fn handle(&mut self, now: Time, input: TrackerInput, actions: &mut Vec<TrackerAction>) {
        let (to, reply) = match input {
            TrackerInput::Announce { from, addr, request, families } => {
                let answer = self.announce(now, addr, &request, families);
                (from, answer.map_or_else(TrackerReply::Refused, TrackerReply::Announce))
            }
            TrackerInput::Scrape { from, info_hashes } => {
                (from, TrackerReply::Scrape(self.scrape(now, &info_hashes)))
            }
            TrackerInput::Timeout => return self.expire(now),
        };
        actions.push(TrackerAction::Reply { to, reply });
    }

    /// Answers an announce at once, as [`Tracker::handle`] would. `addr` is where the request came from, with the port
    /// that it announces.
    pub fn announce(
        &mut self,
        now: Time,
        addr: SocketAddr,
        request: &AnnounceRequest,
        families: Families,
    ) -> Result<AnnounceResponse, Refusal> {
        self.expire(now);
        if addr.port() == 0 {
            let reason = "port 0 cannot be connected to: announce the port you listen on";
            return Err(Refusal { reason: reason.into(), retry_in: Some(RetryIn::Never) });
        }
        let peers = if request.event == AnnounceEvent::Stopped {
            self.forget(now, &request.info_hash, addr);
            Vec::new()
        } else {
            if !self.make_room_for_swarm(&request.info_hash) {
                let reason = "this tracker holds as many torrents as it can: try another one";
                return Err(Refusal { reason: reason.into(), retry_in: self.next_room(now) });
            }
            self.remember(now, addr, request);
            self.some_peers(addr, request, families)
        };
        let counts = self.counts(&request.info_hash).unwrap_or_default();
        Ok(AnnounceResponse {
            interval: self.settings.interval,
            min_interval: None,
            complete: Some(counts.complete),
            incomplete: Some(counts.incomplete),
            peers,
        })
    }

    /// Answers a scrape at once, as [`Tracker::handle`] would.
    pub fn scrape(&mut self, now: Time, info_hashes: &[InfoHash]) -> ScrapeResponse {
        self.expire(now);
        let asked = info_hashes.iter().take(MAX_SCRAPED);
        let files = asked.filter_map(|info_hash| Some((*info_hash, self.counts(info_hash)?))).collect();
        ScrapeResponse { files }
    }

    /// When `handle(now, Timeout, …)` is due: the next entry expires.
    pub fn deadline(&self) -> Option<Time> {
        self.expiring.first().map(|(at, ..)| *at)
    }

    /// Between two regular announces of a peer.
    pub fn interval(&self) -> Span {
        self.settings.interval
    }

    /// How many of a swarm's peers an answer names at the most.
    pub fn named_at_once(&self, swarm: usize) -> usize {
        if swarm < TOLD_AS_A_WHOLE { MOST_RETURNED } else { self.settings.peers_returned as usize }
    }

    /// The living entries of a swarm, seeds and leechers, and how often it was downloaded; `None` if it is unknown.
    pub fn counts(&self, info_hash: &InfoHash) -> Option<SwarmCounts> {
        self.swarms.get(info_hash).map(Swarm::counts)
    }

    /// What the peer at this address calls itself.
    pub fn peer_id(&self, info_hash: &InfoHash, addr: SocketAddr) -> Option<PeerId> {
        self.swarms.get(info_hash)?.peer_id(addr)
    }

    pub fn load(&self) -> Load {
        Load { swarms: self.swarms.len(), peers: self.expiring.len() }
    }

    /// What `peers_returned` allows and the asker wants; of a small swarm everybody, unless the asker wants fewer.
    fn some_peers(
        &mut self,
        asker: SocketAddr,
        request: &AnnounceRequest,
        families: Families,
    ) -> Vec<SocketAddr> {
        let Some(swarm) = self.swarms.get(&request.info_hash) else { return Vec::new() };
        let wanted = request.num_want.map_or(MOST_RETURNED, |wanted| wanted as usize).min(MOST_RETURNED);
        let returned = wanted.min(self.named_at_once(swarm.len()));
        swarm.sample(asker, request.peer_id, families, returned, &mut self.sample)
    }

    /// Enters the peer or renews its entry; its swarm is made if need be.
    fn remember(&mut self, now: Time, addr: SocketAddr, request: &AnnounceRequest) {
        let info_hash = request.info_hash;
        let swarm = self.swarms.entry(info_hash).or_default();
        if swarm.len() == 0 {
            self.empty.remove(&(swarm.empty_since, info_hash));
        }
        let expires = now + self.settings.interval * PATIENCE;
        let complete = match request.event {
            AnnounceEvent::Completed => true,
            _ => request.left == Some(0),
        };
        let entry = Entry { addr, peer_id: request.peer_id, complete, told_completed: false, expires };
        if let Some(renewed) = swarm.enter(entry) {
            self.expiring.remove(&(renewed, info_hash, addr));
        }
        if request.event == AnnounceEvent::Completed {
            swarm.count_download(addr);
        }
        self.expiring.insert((expires, info_hash, addr));
        if self.expiring.len() > self.limits.peers
            && let Some(&(_, info_hash, silent)) = self.expiring.first()
        {
            self.forget(now, &info_hash, silent);
        }
    }

    /// Removes an entry, and its swarm with the last one unless there are downloads to remember.
    fn forget(&mut self, now: Time, info_hash: &InfoHash, addr: SocketAddr) {
        let Some(swarm) = self.swarms.get_mut(info_hash) else { return };
        let Some(expires) = swarm.leave(addr) else { return };
        self.expiring.remove(&(expires, *info_hash, addr));
        if swarm.len() > 0 {
            return;
        }
        if swarm.counts().downloaded == 0 {
            self.swarms.remove(info_hash);
        } else {
            swarm.empty_since = now;
            self.empty.insert((now, *info_hash));
        }
    }

    /// False if the swarm is new and there is no room for it.
    fn make_room_for_swarm(&mut self, info_hash: &InfoHash) -> bool {
        if self.swarms.len() < self.limits.swarms || self.swarms.contains_key(info_hash) {
            return true;
        }
        let Some((_, oldest)) = self.empty.pop_first() else { return false };
        self.swarms.remove(&oldest);
        true
    }

    /// In how many minutes an entry expires, and with it perhaps a swarm.
    fn next_room(&self, now: Time) -> Option<RetryIn> {
        let wait = self.deadline()?.since(now).as_nanos().div_ceil(Span::from_secs(60).as_nanos());
        Some(RetryIn::Minutes(u32::try_from(wait).unwrap_or(u32::MAX)))
    }

    /// Forgets who has been silent for too long.
    pub fn expire(&mut self, now: Time) {
        while let Some(&(at, info_hash, addr)) = self.expiring.first()
            && at <= now
        {
            self.forget(now, &info_hash, addr);
        }
    }
}

#[cfg(test)]
mod tests;
