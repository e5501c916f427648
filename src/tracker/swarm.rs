//! The living peers of one torrent: entered, renewed and removed in O(log n), sampled in O(k log k).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

use smallvec::SmallVec;

use super::Families;
use crate::id::PeerId;
use crate::rng::Stream;
use crate::time::Time;
use crate::wire::announce::SwarmCounts;

/// One peer of a swarm. Its address names it, since an address cannot be claimed for somebody else.
///
/// A line of the cache for each: they are read a few at a time, from all over a swarm.
#[derive(Clone, Debug)]
#[repr(align(64))]
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
    v4: Vec<Entry>,
    v6: Vec<Entry>,
    /// Where an entry is in the list of its family.
    positions: BTreeMap<SocketAddr, usize>,
    complete: u32,
    downloaded: u32,
    /// Means something while there is no entry.
    pub empty_since: Time,
}

impl Swarm {
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub fn counts(&self) -> SwarmCounts {
        SwarmCounts {
            complete: self.complete,
            downloaded: self.downloaded,
            incomplete: self.len() as u32 - self.complete,
        }
    }

    pub fn peer_id(&self, addr: SocketAddr) -> Option<PeerId> {
        let position = *self.positions.get(&addr)?;
        self.family(addr).get(position).map(|entry| entry.peer_id)
    }

    /// Enters a peer, or renews its entry and says when that would have expired.
    pub fn enter(&mut self, entry: Entry) -> Option<Time> {
        if entry.complete {
            self.complete += 1;
        }
        let addr = entry.addr;
        let Some(&position) = self.positions.get(&addr) else {
            let family = self.family_mut(addr);
            let position = family.len();
            family.push(entry);
            self.positions.insert(addr, position);
            return None;
        };
        let old = &mut self.family_mut(addr)[position];
        let told_completed = old.told_completed;
        let renewed = std::mem::replace(old, Entry { told_completed, ..entry });
        if renewed.complete {
            self.complete -= 1;
        }
        Some(renewed.expires)
    }

    /// Counts a download, once for every entry.
    pub fn count_download(&mut self, addr: SocketAddr) {
        let Some(&position) = self.positions.get(&addr) else { return };
        if let Some(entry) = self.family_mut(addr).get_mut(position)
            && !entry.told_completed
        {
            entry.told_completed = true;
            self.downloaded = self.downloaded.saturating_add(1);
        }
    }

    /// Removes a peer and says when it would have expired.
    pub fn leave(&mut self, addr: SocketAddr) -> Option<Time> {
        let position = self.positions.remove(&addr)?;
        let family = self.family_mut(addr);
        let left = family.swap_remove(position);
        if let Some(moved) = family.get(position).map(|entry| entry.addr) {
            self.positions.insert(moved, position);
        }
        if left.complete {
            self.complete -= 1;
        }
        Some(left.expires)
    }

    /// Up to `count` others of these families, every subset and every order equally likely. Never the asker, by
    /// whichever of its addresses it may be known.
    pub fn sample(
        &self,
        asker: SocketAddr,
        peer_id: PeerId,
        families: Families,
        count: usize,
        rng: &mut Stream,
    ) -> Vec<SocketAddr> {
        let range = self.range(asker, families);
        let own = self.positions.get(&asker).map(|position| *position + self.range_of_family(asker).start);
        let others = match own {
            Some(_) => range.len() - 1,
            None => range.len(),
        };
        let skip_own = |drawn: usize| {
            let drawn = range.start + drawn;
            if own.is_some_and(|own| drawn >= own) { drawn + 1 } else { drawn }
        };
        let count = count.min(others);
        let drawn = draw_distinct(others, count, rng).into_iter().map(skip_own);
        let others = drawn
            .filter_map(|place| self.v4.get(place).or_else(|| self.v6.get(place - self.v4.len())))
            .filter(|entry| entry.peer_id != peer_id);
        let mut sample = Vec::with_capacity(count);
        sample.extend(others.map(|entry| entry.addr));
        rng.shuffle(&mut sample);
        sample
    }

    fn family(&self, addr: SocketAddr) -> &Vec<Entry> {
        if addr.is_ipv4() { &self.v4 } else { &self.v6 }
    }

    fn family_mut(&mut self, addr: SocketAddr) -> &mut Vec<Entry> {
        if addr.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }

    /// Of all places, those of IPv4 first, the ones that may be told the asker.
    fn range(&self, asker: SocketAddr, families: Families) -> Range<usize> {
        match families {
            Families::Both => 0..self.len(),
            Families::Askers => self.range_of_family(asker),
        }
    }

    fn range_of_family(&self, addr: SocketAddr) -> Range<usize> {
        if addr.is_ipv4() { 0..self.v4.len() } else { self.v4.len()..self.len() }
    }
}

/// `count` different numbers below `n`, every set of them equally likely (Floyd's algorithm), ascending.
fn draw_distinct(n: usize, count: usize, rng: &mut Stream) -> SmallVec<[usize; 64]> {
    if count == n {
        return (0..n).collect();
    }
    let mut drawn: SmallVec<[usize; 64]> = SmallVec::new();
    for last in n - count..n {
        let candidate = rng.index(last + 1);
        match drawn.binary_search(&candidate) {
            Err(place) => drawn.insert(place, candidate),
            // Above all that were drawn before.
            Ok(_) => drawn.push(last),
        }
    }
    drawn
}
