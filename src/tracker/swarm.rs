//! The living peers of one torrent: entered, renewed and removed in O(log n), sampled in O(k log k).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::id::PeerId;
use crate::rng::Stream;
use crate::time::Time;
use crate::wire::announce::SwarmCounts;

/// One peer of a swarm. Its address names it, since an address cannot be claimed for somebody else.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    pub complete: bool,
    /// Its `completed` was counted.
    pub told_completed: bool,
    pub expires: Time,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Swarm {
    /// Dense and in no particular order, so that a position can be drawn.
    entries: Vec<Entry>,
    positions: BTreeMap<SocketAddr, usize>,
    complete: u32,
    downloaded: u32,
    /// Means something while there is no entry.
    pub empty_since: Time,
}

impl Swarm {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn counts(&self) -> SwarmCounts {
        SwarmCounts {
            complete: self.complete,
            downloaded: self.downloaded,
            incomplete: self.entries.len() as u32 - self.complete,
        }
    }

    /// Enters a peer, or renews its entry and says when that would have expired.
    pub fn enter(&mut self, entry: Entry) -> Option<Time> {
        if entry.complete {
            self.complete += 1;
        }
        let Some(&position) = self.positions.get(&entry.addr) else {
            self.positions.insert(entry.addr, self.entries.len());
            self.entries.push(entry);
            return None;
        };
        let old = &mut self.entries[position];
        if old.complete {
            self.complete -= 1;
        }
        let told_completed = old.told_completed;
        let renewed = std::mem::replace(old, Entry { told_completed, ..entry });
        Some(renewed.expires)
    }

    /// Counts a download, once for every entry.
    pub fn count_download(&mut self, addr: SocketAddr) {
        let position = self.positions.get(&addr);
        if let Some(entry) = position.and_then(|position| self.entries.get_mut(*position))
            && !entry.told_completed
        {
            entry.told_completed = true;
            self.downloaded = self.downloaded.saturating_add(1);
        }
    }

    /// Removes a peer and says when it would have expired.
    pub fn leave(&mut self, addr: SocketAddr) -> Option<Time> {
        let position = self.positions.remove(&addr)?;
        let left = self.entries.swap_remove(position);
        self.complete -= u32::from(left.complete);
        if let Some(moved) = self.entries.get(position) {
            self.positions.insert(moved.addr, position);
        }
        Some(left.expires)
    }

    /// Up to `count` others, every subset and every order equally likely. Never the asker, by whichever of its
    /// addresses it may be known.
    pub fn sample(
        &self,
        asker: SocketAddr,
        peer_id: PeerId,
        count: usize,
        rng: &mut Stream,
    ) -> Vec<SocketAddr> {
        let own = self.positions.get(&asker).copied();
        let others = match own {
            Some(_) => self.entries.len() - 1,
            None => self.entries.len(),
        };
        let skip_own = |drawn: usize| if own.is_some_and(|own| drawn >= own) { drawn + 1 } else { drawn };
        let drawn = draw_distinct(others, count.min(others), rng).into_iter().map(skip_own);
        let mut sample: Vec<SocketAddr> = drawn
            .map(|position| &self.entries[position])
            .filter(|entry| entry.peer_id != peer_id)
            .map(|entry| entry.addr)
            .collect();
        rng.shuffle(&mut sample);
        sample
    }
}

/// `count` different numbers below `n`, every set of them equally likely (Floyd's algorithm), ascending.
fn draw_distinct(n: usize, count: usize, rng: &mut Stream) -> BTreeSet<usize> {
    if count == n {
        return (0..n).collect();
    }
    let mut drawn = BTreeSet::new();
    for last in n - count..n {
        let candidate = rng.index(last + 1);
        if !drawn.insert(candidate) {
            drawn.insert(last);
        }
    }
    drawn
}
