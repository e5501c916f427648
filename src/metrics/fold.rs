//! The fold over one run: a [`Recorder`] that needs no record twice, and what it gives at the end.

use serde::{Deserialize, Serialize};

use crate::driver::{Ended, Outcome, Recorder};
use crate::event::{BlockFate, Event, Record, Remote, Traffic};
use crate::fetch;
use crate::id::{PeerIndex, PieceIndex};
use crate::metrics::availability::Availability;
use crate::metrics::bound::{self, BoundPeer};
use crate::metrics::participant::sole_bytes;
use crate::metrics::peers::{PeerSums, Stay};
use crate::metrics::timeline::Timeline;
use crate::metrics::uplinks::Uplinks;
use crate::metrics::{CohortRow, Counts, End, Participant, PeerRow, Sample, Summary, TraceDigest};
use crate::time::Time;
use crate::torrent::layout::Layout;

/// Everything the results say about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    pub ended: Ended,
    pub summary: Summary,
    /// One a peer, in the order of the population.
    pub peers: Vec<PeerRow>,
    /// In the order of the population.
    pub cohorts: Vec<CohortRow>,
    pub timeline: Vec<Sample>,
    /// How many pieces the content has.
    pub pieces: u32,
    pub trace_digest: String,
    pub records: u64,
}

/// Folds the records of one run. No allocation a record, and constant work but for arrivals and ends of stays, which
/// look at the peer's pieces. Memory: a bit a piece and some hundred bytes for every peer.
#[derive(Clone, Debug)]
pub struct RunFold<'a> {
    participants: &'a [Participant],
    /// In the order of the population.
    cohorts: Vec<&'a str>,
    peers: Vec<PeerSums>,
    counts: Counts,
    timeline: Timeline,
    uplinks: Uplinks,
    availability: Availability,
    digest: TraceDigest,
    records: u64,
    /// Every block is known by its giver: nobody is a client that tells sums alone.
    knows_givers: bool,
    /// Somebody unknown may be a seed.
    has_foreign_seeds: bool,
}

impl<'a> RunFold<'a> {
    pub fn new(participants: &'a [Participant]) -> RunFold<'a> {
        let mut cohorts: Vec<&str> = Vec::new();
        let mut cohort_of = |peer: &'a Participant| {
            cohorts.iter().position(|known| *known == peer.cohort).unwrap_or_else(|| {
                cohorts.push(&peer.cohort);
                cohorts.len() - 1
            }) as u32
        };
        let peers: Vec<PeerSums> =
            participants.iter().map(|peer| PeerSums::new(peer, cohort_of(peer))).collect();
        let pieces = participants.first().map_or(0, |peer| peer.initial.pieces());
        let mut uplinks = Uplinks::new(cohorts.len());
        for (sums, participant) in peers.iter().zip(participants) {
            uplinks.expect(sums.group, participant.upload);
        }
        RunFold {
            participants,
            cohorts,
            peers,
            counts: Counts::default(),
            timeline: Timeline::new(),
            uplinks,
            availability: Availability::new(pieces, participants.iter().map(|peer| &peer.initial)),
            digest: TraceDigest::default(),
            records: 0,
            knows_givers: !participants.iter().any(|peer| peer.foreign),
            has_foreign_seeds: participants.iter().any(|peer| peer.foreign && peer.starts_complete()),
        }
    }

    pub fn finish(mut self, layout: &Layout, outcome: &Outcome) -> RunMetrics {
        self.availability.advance(outcome.at, self.counts.leechers > 0);
        let rows: Vec<PeerRow> = self
            .peers
            .iter()
            .zip(self.participants)
            .map(|(sums, participant)| {
                let row = sums.row(participant, &outcome.ended, outcome.at);
                let knows_seeds = !(self.has_foreign_seeds && sums.fed_by_strangers);
                PeerRow { from_seeds_bytes: row.from_seeds_bytes.filter(|_| knows_seeds), ..row }
            })
            .collect();
        let mut summary = Summary::of(rows.iter(), outcome.at);
        summary.bound = bound::last_completion(&self.bound_peers(layout));
        summary.received_and_offered = self.uplinks.of_all().filter(|_| summary.downloaded_bytes.is_some());
        summary.leechers_gave_and_offered = self.uplinks.of_leechers().filter(|_| self.knows_givers);
        summary.availability = self.availability.over_run();
        if let Ended::Stranded(stranded) = &outcome.ended {
            summary.stranded_pieces = stranded.pieces.len() as u64;
        }
        RunMetrics {
            ended: outcome.ended.clone(),
            summary,
            cohorts: self.cohort_rows(&rows, outcome.at),
            peers: rows,
            timeline: self.timeline.finish(outcome.at, &self.counts),
            pieces: layout.pieces(),
            trace_digest: self.digest.hex(),
            records: self.records,
        }
    }

    fn cohort_rows(&self, rows: &[PeerRow], ended_at: Time) -> Vec<CohortRow> {
        let row = |(at, cohort): (usize, &&str)| {
            let summary = Summary::of(rows.iter().filter(|row| row.cohort == *cohort), ended_at);
            let of_cohort = self.uplinks.of_cohort(at).filter(|_| self.knows_givers);
            let summary = Summary { received_and_offered: of_cohort, ..summary };
            let (given_bytes, own_bytes) =
                if self.knows_givers { self.uplinks.given_and_own_bytes(at) } else { (0, 0) };
            CohortRow { cohort: (*cohort).to_owned(), summary, given_bytes, own_bytes }
        };
        self.cohorts.iter().enumerate().map(row).collect()
    }

    /// The peers that ever arrived, with their true arrivals: a bound for what did happen.
    fn bound_peers(&self, layout: &Layout) -> Vec<BoundPeer> {
        let initials: Vec<_> = self
            .peers
            .iter()
            .zip(self.participants)
            .map(|(sums, participant)| sums.arrived.map(|_| &participant.initial))
            .collect();
        let sole = sole_bytes(&initials, layout);
        let peers = self.peers.iter().zip(self.participants).zip(sole);
        peers
            .filter_map(|((sums, participant), sole)| {
                Some(BoundPeer {
                    arrival: sums.arrived?,
                    lacking: participant.lacking_bytes,
                    sole,
                    upload: participant.upload,
                    download: participant.download,
                    completer: sums.finished_at.is_some(),
                })
            })
            .collect()
    }

    fn arrived(&mut self, at: Time, index: usize) {
        self.availability.advance(at, self.counts.leechers > 0);
        let peer = &mut self.peers[index];
        if peer.stay != Stay::Present {
            self.availability.came(index);
            peer.untold += 1;
        }
        peer.arrived.get_or_insert(at);
        peer.stay = Stay::Present;
        self.counts.arrivals += 1;
        *present(&mut self.counts, peer.is_complete()) += 1;
        self.uplinks.joined(at, peer.group, self.participants[index].upload);
        self.count_availability();
    }

    fn departed(&mut self, at: Time, index: usize, end: End) {
        let peer = &mut self.peers[index];
        if peer.stay != Stay::Present {
            return;
        }
        self.availability.advance(at, self.counts.leechers > 0);
        self.availability.went(index);
        peer.stay = Stay::Over { since: at, end };
        self.counts.departures += 1;
        *present(&mut self.counts, peer.is_complete()) -= 1;
        self.uplinks.parted(at, peer.group, self.participants[index].upload);
        self.count_availability();
    }

    fn completed(&mut self, at: Time, index: usize) {
        let peer = &mut self.peers[index];
        if peer.is_complete() {
            return;
        }
        self.availability.advance(at, self.counts.leechers > 0);
        peer.finished_at = Some(at);
        self.counts.completed += 1;
        if peer.stay == Stay::Present {
            self.counts.leechers -= 1;
            self.counts.seeds += 1;
        }
        self.uplinks.completion(at, self.counts.downloaded_bytes);
    }

    fn verified(&mut self, at: Time, index: usize, piece: PieceIndex) {
        self.counts.pieces_verified += 1;
        self.availability.advance(at, self.counts.leechers > 0);
        self.availability.gained(index, piece, self.peers[index].stay == Stay::Present);
        self.count_availability();
    }

    fn lost(&mut self, at: Time, index: usize, piece: PieceIndex) {
        self.availability.advance(at, self.counts.leechers > 0);
        self.availability.lost(index, piece, self.peers[index].stay == Stay::Present);
        self.count_availability();
    }

    fn count_availability(&mut self) {
        self.counts.availability_min = self.availability.least();
        self.counts.copies = self.availability.copies();
        self.counts.only_with_seeds = self.availability.only_with_seeds();
    }

    fn downloaded(&mut self, index: usize, from: Remote, bytes: u64, fate: BlockFate) {
        let to = self.peers[index].group;
        let from = from.and_then(|PeerIndex(from)| Some(self.peers.get(from as usize)?.group));
        let from_seed = from.is_some_and(|from| from.starts_complete);
        if let Some(from) = from {
            self.uplinks.gave(from, to, bytes);
        }
        let peer = &mut self.peers[index];
        peer.downloaded_bytes += bytes;
        peer.from_seeds_bytes += if from_seed { bytes } else { 0 };
        peer.fed_by_strangers |= from.is_none();
        peer.duplicate_bytes += if fate == BlockFate::Useful { 0 } else { bytes };
        self.counts.downloaded_bytes += bytes;
    }

    fn moved(&mut self, index: usize, traffic: Traffic) {
        self.counts.downloaded_bytes += traffic.downloaded.unwrap_or(0);
        self.peers[index].moved(traffic);
    }
}

fn present(counts: &mut Counts, complete: bool) -> &mut u32 {
    if complete { &mut counts.seeds } else { &mut counts.leechers }
}

impl Recorder for RunFold<'_> {
    fn record(&mut self, record: &Record) {
        self.record_all(std::slice::from_ref(record));
    }

    /// What the records are about is asked for, and comes while they are digested.
    fn record_all(&mut self, records: &[Record]) {
        self.records += records.len() as u64;
        records.iter().for_each(|record| self.fetch(record));
        self.digest.record_all(records);
        records.iter().for_each(|record| self.fold(record));
    }
}

impl RunFold<'_> {
    /// A record will be folded soon.
    fn fetch(&self, Record { peer, event, .. }: &Record) {
        let peer = peer.0 as usize;
        match event {
            Event::Uploaded { .. } => fetch::at(&self.peers, peer),
            Event::Downloaded { from, .. } => {
                fetch::at(&self.peers, peer);
                fetch::at(&self.peers, from.map_or(peer, |from| from.0 as usize));
            }
            Event::PieceVerified { piece } => self.availability.fetch(peer, *piece),
            _ => {}
        }
    }

    fn fold(&mut self, record: &Record) {
        let (at, index) = (record.at, record.peer.0 as usize);
        self.timeline.advance(at, &self.counts);
        if index >= self.peers.len() {
            debug_assert!(false, "a record of peer {index}, who is not in the population");
            return;
        }
        match &record.event {
            Event::Arrived { .. } => self.arrived(at, index),
            Event::Left => self.departed(at, index, End::Left),
            Event::Crashed => self.departed(at, index, End::Crashed),
            Event::Failed { .. } => self.departed(at, index, End::Failed),
            Event::Completed => self.completed(at, index),
            Event::PieceVerified { piece } => self.verified(at, index, *piece),
            Event::StorageFailed { piece } => self.lost(at, index, *piece),
            Event::Uploaded { block, .. } => self.peers[index].uploaded_bytes += u64::from(block.length),
            Event::Downloaded { from, block, fate } => {
                self.downloaded(index, *from, u64::from(block.length), *fate);
            }
            Event::Totals(totals) => {
                let peer = &mut self.peers[index];
                peer.untold = peer.untold.saturating_sub(1);
                peer.messages_sent += totals.messages_sent;
                peer.messages_received += totals.messages_received;
            }
            Event::Traffic(traffic) => self.moved(index, **traffic),
            Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Unchoked { .. }
            | Event::Choked { .. }
            | Event::Requested { .. }
            | Event::Snubbed { .. }
            | Event::PieceFailed { .. }
            | Event::Banned { .. }
            | Event::Announced { .. }
            | Event::AnnounceFailed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
