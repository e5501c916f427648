//! The course of a run, folded from its records: who is there, who still lacks what, and whether the run is over.
//! Both drivers ask the same question in the same words.

use crate::driver::{Ended, Stranded};
use crate::event::{Event, Record};
use crate::fetch;
use crate::id::{PeerIndex, PieceIndex};
use crate::scenario::population::PeerPlan;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;

/// Follows a run from its records.
#[derive(Clone, Debug)]
pub struct Course {
    peers: Vec<Follower>,
    /// The pieces of every peer: rows of 64-bit words in one block of memory, so that a verified piece finds its bit without
    /// following a pointer.
    held: Vec<u64>,
    /// Words in a row.
    words: usize,
    /// Peers that lack something and are here, or will (again) be.
    incomplete: u32,
    /// For every piece, how many of the peers that are or will be here hold it and upload.
    holders: Vec<u32>,
    without_holder: u32,
    /// Peers that count and lack a piece that somebody holds.
    movable: u32,
    /// When a block or a piece last moved.
    last_progress: Time,
    grace: Span,
}

#[derive(Clone, Debug)]
struct Follower {
    uploads: bool,
    returns: bool,
    /// Here now, or to come: it counts.
    counts: bool,
    /// Pieces it lacks,
    lacking: u32,
    /// and those of them that somebody holds.
    wanting: u32,
}

impl Course {
    /// `late` is how much longer than its latency and jitter a path may take.
    pub fn new(plans: &[PeerPlan], layout: Layout, late: Span) -> Course {
        let mut holders = vec![0; layout.pieces() as usize];
        for plan in plans.iter().filter(|plan| plan.uploads) {
            plan.initial.iter().for_each(|piece| holders[piece.0 as usize] += 1);
        }
        let somewhere = held_somewhere(&holders);
        let follow = |plan: &PeerPlan| Follower {
            uploads: plan.uploads,
            returns: plan.rejoin.is_some(),
            counts: true,
            lacking: layout.pieces() - plan.initial.count(),
            wanting: somewhere.count_missing_in(&plan.initial),
        };
        let peers: Vec<Follower> = plans.iter().map(follow).collect();
        Course {
            held: plans.iter().flat_map(|plan| plan.initial.words()).copied().collect(),
            words: somewhere.words().len(),
            incomplete: peers.iter().filter(|peer| peer.lacking > 0).count() as u32,
            without_holder: holders.iter().filter(|count| **count == 0).count() as u32,
            holders,
            movable: peers.iter().filter(|peer| peer.wanting > 0).count() as u32,
            last_progress: Time::ZERO,
            grace: grace(plans, layout) + late * 4,
            peers,
        }
    }

    /// A record of this peer will come soon.
    pub(crate) fn fetch(&self, peer: usize) {
        fetch::at(&self.peers, peer);
    }

    /// This peer will verify a piece soon.
    pub(crate) fn fetch_piece(&self, peer: usize, piece: PieceIndex) {
        fetch::at(&self.held, self.place(peer, piece).0);
    }

    pub fn record(&mut self, record: &Record) {
        let peer = record.peer.0 as usize;
        match &record.event {
            Event::PieceVerified { piece } => {
                self.last_progress = record.at;
                self.gained(peer, *piece);
            }
            Event::StorageFailed { piece } => self.lost(peer, *piece),
            Event::Downloaded { .. } | Event::Uploaded { .. } | Event::Traffic(_) | Event::Arrived { .. } => {
                self.last_progress = record.at;
            }
            Event::Left | Event::Failed { .. } => self.gone(record.at, peer),
            Event::Crashed if !self.peers[peer].returns => self.gone(record.at, peer),
            Event::Crashed
            | Event::Totals(_)
            | Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Unchoked { .. }
            | Event::Choked { .. }
            | Event::Requested { .. }
            | Event::Snubbed { .. }
            | Event::PieceFailed { .. }
            | Event::Banned { .. }
            | Event::Completed
            | Event::Announced { .. }
            | Event::AnnounceFailed { .. } => {}
        }
    }

    /// Whether the run is over by itself at `now`.
    #[inline]
    pub fn ended(&self, now: Time) -> Option<Ended> {
        if self.goes_on() { None } else { self.ended_or_stuck(now) }
    }

    /// Somebody lacks something that somebody holds.
    fn goes_on(&self) -> bool {
        self.incomplete > 0 && self.movable > 0
    }

    fn ended_or_stuck(&self, now: Time) -> Option<Ended> {
        if self.incomplete == 0 {
            return Some(Ended::Complete);
        }
        let due = self.stuck_since().is_some_and(|since| since + self.grace <= now);
        due.then(|| Ended::Stranded(self.stranded()))
    }

    /// When to ask again although nothing happened until then: a stuck swarm is given time for what is on its way.
    #[inline]
    pub fn ask_again_at(&self) -> Option<Time> {
        self.stuck_since().map(|since| since + self.grace)
    }

    /// How many peers that count still lack something.
    pub fn incomplete(&self) -> u32 {
        self.incomplete
    }

    fn stuck_since(&self) -> Option<Time> {
        if self.goes_on() || self.incomplete == 0 || self.without_holder == 0 {
            return None;
        }
        Some(self.last_progress)
    }

    fn stranded(&self) -> Stranded {
        let counting =
            || (0u32..).zip(&self.peers).filter(|(_, peer)| peer.counts).map(|(index, _)| PeerIndex(index));
        let lacking = |piece| counting().any(|PeerIndex(peer)| !self.holds(peer as usize, piece));
        Stranded {
            pieces: (0..self.holders.len() as u32)
                .map(PieceIndex)
                .filter(|piece| self.holders[piece.0 as usize] == 0 && lacking(*piece))
                .collect(),
            peers: counting().filter(|peer| self.peers[peer.0 as usize].lacking > 0).collect(),
        }
    }

    /// The word of `held` and the bit in it.
    fn place(&self, peer: usize, PieceIndex(piece): PieceIndex) -> (usize, u64) {
        (peer * self.words + piece as usize / 64, 1 << (piece % 64))
    }

    fn holds(&self, peer: usize, piece: PieceIndex) -> bool {
        let (word, bit) = self.place(peer, piece);
        self.held[word] & bit != 0
    }

    fn gained(&mut self, peer: usize, piece: PieceIndex) {
        let (word, bit) = self.place(peer, piece);
        let follower = &mut self.peers[peer];
        if !follower.counts || self.held[word] & bit != 0 {
            return;
        }
        self.held[word] |= bit;
        follower.lacking -= 1;
        if follower.lacking == 0 {
            self.incomplete -= 1;
        }
        if self.holders[piece.0 as usize] > 0 {
            self.want(peer, false);
        }
        if self.peers[peer].uploads {
            self.count_piece(piece, true);
        }
    }

    fn lost(&mut self, peer: usize, piece: PieceIndex) {
        let (word, bit) = self.place(peer, piece);
        let follower = &mut self.peers[peer];
        if !follower.counts || self.held[word] & bit == 0 {
            return;
        }
        self.held[word] &= !bit;
        if follower.lacking == 0 {
            self.incomplete += 1;
        }
        follower.lacking += 1;
        if self.holders[piece.0 as usize] > 0 {
            self.want(peer, true);
        }
        if self.peers[peer].uploads {
            self.count_piece(piece, false);
        }
    }

    fn gone(&mut self, at: Time, peer: usize) {
        if !self.peers[peer].counts {
            return;
        }
        self.last_progress = at;
        if self.peers[peer].wanting > 0 {
            self.movable -= 1;
        }
        let follower = &mut self.peers[peer];
        follower.counts = false;
        if follower.lacking > 0 {
            self.incomplete -= 1;
        }
        if follower.uploads {
            for piece in (0..self.holders.len() as u32).map(PieceIndex) {
                if self.holds(peer, piece) {
                    self.count_piece(piece, false);
                }
            }
        }
    }

    /// One holder of the piece more or less. Everybody has to be looked at only where it was or is the only one.
    fn count_piece(&mut self, piece: PieceIndex, holds: bool) {
        let count = &mut self.holders[piece.0 as usize];
        if holds {
            *count += 1;
        } else {
            *count -= 1;
        }
        match (holds, *count) {
            (true, 1) => self.without_holder -= 1,
            (false, 0) => self.without_holder += 1,
            _ => return,
        }
        for peer in 0..self.peers.len() {
            if !self.holds(peer, piece) {
                self.want(peer, holds);
            }
        }
    }

    /// A peer lacks one more or one less of the pieces that somebody holds.
    fn want(&mut self, peer: usize, more: bool) {
        let Follower { wanting, counts, .. } = &mut self.peers[peer];
        let before = *wanting;
        *wanting = if more { before + 1 } else { before - 1 };
        if *counts && before == 0 {
            self.movable += 1;
        }
        if *counts && *wanting == 0 {
            self.movable -= 1;
        }
    }
}

/// The pieces that somebody holds.
fn held_somewhere(holders: &[u32]) -> Bitfield {
    let mut held = Bitfield::empty(holders.len() as u32);
    for (piece, _) in (0..).zip(holders).filter(|(_, count)| **count > 0) {
        held.insert(PieceIndex(piece));
    }
    held
}

/// How long nothing may move before a swarm without holders counts as stuck: a block in service at the slowest link
/// and its way across the longest path, with room to spare.
fn grace(plans: &[PeerPlan], layout: Layout) -> Span {
    let block = u64::from(layout.block_size());
    let rates = plans.iter().flat_map(|plan| [plan.upload, plan.download]).flatten();
    let slowest = rates.filter(|rate| !rate.is_zero()).map(|rate| rate.time_for(block)).max();
    let farthest = plans.iter().map(|plan| plan.latency + plan.jitter).max();
    Span::from_secs(5) + slowest.unwrap_or_default() * 2 + farthest.unwrap_or_default() * 4
}
