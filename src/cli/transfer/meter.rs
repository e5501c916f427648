//! What a transfer adds up to: a fold over its peer's records, and the rates of the last seconds. Shows nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{BlockFate, Event};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;
use crate::torrent::metainfo::Metainfo;

/// Over so long a time rates are taken.
const WINDOW: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Meter {
    layout: Layout,
    have: Bitfield,
    /// Whole as a file too, where that takes another step than its last piece.
    finished: bool,
    verified: u64,
    already: u64,
    downloaded: u64,
    uploaded: u64,
    peers: u32,
    most_peers: u32,
    /// Times with what had been downloaded and uploaded by then.
    samples: VecDeque<(Duration, u64, u64)>,
}

impl Meter {
    pub(super) fn new(metainfo: &Metainfo, have: &Bitfield) -> Meter {
        let layout = metainfo.layout;
        let already = have.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        Meter {
            layout,
            have: have.clone(),
            finished: have.is_full(),
            verified: already,
            already,
            downloaded: 0,
            uploaded: 0,
            peers: 0,
            most_peers: 0,
            samples: VecDeque::from([(Duration::ZERO, 0, 0)]),
        }
    }

    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::Connected { .. } => {
                self.peers += 1;
                self.most_peers = self.most_peers.max(self.peers);
            }
            // A caller that was refused had no connection.
            Event::Disconnected { .. } => self.peers = self.peers.saturating_sub(1),
            Event::Uploaded { block, .. } => self.uploaded += u64::from(block.length),
            Event::Downloaded { block, fate: BlockFate::Useful, .. } => {
                self.downloaded += u64::from(block.length)
            }
            Event::PieceVerified { piece } => {
                self.have.insert(*piece);
                self.verified += u64::from(self.layout.piece_length(*piece));
            }
            Event::StorageFailed { piece } => {
                let length = u64::from(self.layout.piece_length(*piece));
                // It could not be read again, or could not be written in the first place.
                let of = if self.have.remove(*piece) { &mut self.verified } else { &mut self.downloaded };
                *of = of.saturating_sub(length);
            }
            Event::PieceFailed { bytes, .. } => {
                self.downloaded = self.downloaded.saturating_sub(u64::from(*bytes));
            }
            _ => {}
        }
    }

    /// The content became whole where the user looks for it.
    pub(super) fn finished(&mut self) {
        self.finished = true;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.finished && self.have.is_full()
    }

    /// Verified ones.
    pub(super) fn pieces(&self) -> u32 {
        self.have.count()
    }

    /// Bytes of the content that are verified.
    pub(super) fn verified(&self) -> u64 {
        self.verified
    }

    /// Bytes of the content.
    pub(super) fn total(&self) -> u64 {
        self.layout.total()
    }

    /// Bytes that were there before.
    pub(super) fn already(&self) -> u64 {
        self.already
    }

    /// Bytes that came and were right.
    pub(super) fn downloaded(&self) -> u64 {
        self.downloaded
    }

    /// Bytes that were sent.
    pub(super) fn uploaded(&self) -> u64 {
        self.uploaded
    }

    pub(super) fn peers(&self) -> u32 {
        self.peers
    }

    /// At one time.
    pub(super) fn most_peers(&self) -> u32 {
        self.most_peers
    }

    /// What was sent in parts of the content.
    pub(super) fn ratio(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => self.uploaded as f64 / total as f64,
        }
    }

    /// Bytes a second over the last seconds, down and up. `now` is since the command's start and never goes back.
    pub(super) fn rates(&mut self, now: Duration) -> (f64, f64) {
        while self.samples.get(1).is_some_and(|(at, ..)| now.saturating_sub(*at) >= WINDOW) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, self.downloaded, self.uploaded));
        let &(since, down, up) = self.samples.front().expect("one has just been put there");
        let over = now.saturating_sub(since).as_secs_f64();
        let rate = |bytes: u64| if over > 0.0 { bytes as f64 / over } else { 0.0 };
        (rate(self.downloaded.saturating_sub(down)), rate(self.uploaded.saturating_sub(up)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::id::{Block, PieceIndex};
    use crate::torrent::hash::hash_pieces;
    use crate::torrent::metainfo::Draft;

    /// A torrent of three pieces, 10, 10 and 5 bytes long.
    pub(in crate::cli::transfer) fn metainfo() -> Metainfo {
        let piece_hashes = hash_pieces(&[7; 25][..], 10).unwrap();
        let draft = Draft {
            name: "story",
            files: None,
            layout: Layout::new(25, 10, 10).unwrap(),
            piece_hashes: &piece_hashes,
            announce: &[],
            private: false,
        };
        draft.build().unwrap().1
    }

    pub(in crate::cli::transfer) fn downloaded(piece: u32, length: u32) -> [Event; 2] {
        let block = Block { piece: PieceIndex(piece), begin: 0, length };
        [
            Event::Downloaded { from: None, block, fate: BlockFate::Useful },
            Event::PieceVerified { piece: PieceIndex(piece) },
        ]
    }

    #[test]
    fn what_was_there_what_came_and_what_was_sent_is_told_apart() {
        let mut have = Bitfield::empty(3);
        have.insert(PieceIndex(0));
        let mut meter = Meter::new(&metainfo(), &have);
        let block = Block { piece: PieceIndex(0), begin: 0, length: 10 };
        let more = [Event::Connected { remote: None }, Event::Uploaded { to: None, block }];
        let wasted = Event::Downloaded { from: None, block, fate: BlockFate::Duplicate };
        downloaded(2, 5).iter().chain(&more).chain([&wasted]).for_each(|event| meter.count(event));
        assert_eq!((meter.already(), meter.verified(), meter.downloaded()), (10, 15, 5));
        assert_eq!((meter.uploaded(), meter.ratio(), meter.pieces()), (10, 0.4, 2));
        assert_eq!((meter.peers(), meter.most_peers()), (1, 1));
    }

    #[test]
    fn what_the_disk_does_not_keep_does_not_count() {
        let lost = Event::StorageFailed { piece: PieceIndex(0) };
        let [block, verified] = downloaded(0, 10);
        let after = |events: &[&Event]| {
            let mut meter = Meter::new(&metainfo(), &Bitfield::empty(3));
            events.iter().for_each(|event| meter.count(event));
            (meter.downloaded(), meter.verified())
        };
        assert_eq!(after(&[&block, &lost]), (0, 0), "it was never written");
        assert_eq!(after(&[&block, &verified, &lost]), (10, 0), "it could not be read again");
        assert_eq!(after(&[&block, &verified, &lost, &block, &verified]), (20, 10));
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut meter = Meter::new(&metainfo(), &Bitfield::empty(3));
        let at = Duration::from_secs;
        assert_eq!(meter.rates(at(0)), (0.0, 0.0));
        downloaded(0, 10).iter().for_each(|event| meter.count(event));
        assert_eq!(meter.rates(at(2)), (5.0, 0.0));
        assert_eq!(meter.rates(at(6)), (10.0 / 6.0, 0.0));
        assert_eq!(meter.rates(at(11)), (0.0, 0.0));
    }
}
