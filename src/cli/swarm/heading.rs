//! The line before a peer's records: what they are about, and how to name what they number.

use jiff::Timestamp;
use serde::Deserialize;

use crate::event::json::{self, NoRecord};
use crate::event::{Record, Remote};
use crate::id::{Block, PeerIndex, PieceIndex};
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;

/// What the peers are called, before their numbers.
pub(in crate::cli) const PEER: &str = "peer";

/// Rows of pieces without a gap in one line of a log.
const RANGES_SHOWN: usize = 40;

/// See `docs/trace.md`.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cli) struct Heading {
    clock_start_unix_ns: u64,
    pub listening: String,
    pub torrent: String,
    pub piece_size: u32,
    pub block_size: u32,
    pub pieces: u32,
    /// By which rule the peer unchokes.
    pub choker: String,
    /// First and last of every row of pieces without a gap.
    held: Vec<(u32, u32)>,
}

impl Heading {
    pub(in crate::cli) fn read(line: &str) -> Option<Heading> {
        serde_json::from_str(line).ok()
    }

    /// The pieces that the peer begins with.
    pub(in crate::cli) fn held(&self) -> Bitfield {
        let mut held = Bitfield::empty(self.pieces);
        let pieces = self.held.iter().flat_map(|&(first, last)| first..=last);
        pieces.filter(|piece| *piece < self.pieces).for_each(|piece| {
            held.insert(PieceIndex(piece));
        });
        held
    }

    /// The same for people: `0-3, 7`, cut off after a while.
    pub(in crate::cli) fn held_ranges(&self) -> String {
        let spelled = |&(first, last): &(u32, u32)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        let shown: Vec<String> = self.held.iter().take(RANGES_SHOWN).map(spelled).collect();
        let more = if self.held.len() > RANGES_SHOWN { ", …" } else { "" };
        shown.join(", ") + more
    }

    /// When it was, by the calendar.
    pub(in crate::cli) fn when(&self, at: Time) -> Timestamp {
        let nanos = i128::from(self.clock_start_unix_ns) + i128::from(at.as_nanos());
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }

    /// What time it is for the peer.
    pub(in crate::cli) fn at(&self, when: Timestamp) -> Time {
        let nanos = when.as_nanosecond() - i128::from(self.clock_start_unix_ns);
        Time::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// The block's number in the whole file, as `minibit split` counts.
    pub(in crate::cli) fn block_number(&self, block: Block) -> u64 {
        let (piece_size, block_size) = (u64::from(self.piece_size), u64::from(self.block_size.max(1)));
        u64::from(block.piece.0) * piece_size.div_ceil(block_size) + u64::from(block.begin) / block_size
    }
}

/// A record of a peer by hand.
pub(in crate::cli) fn record(line: &str) -> Result<Record, NoRecord> {
    let number = |name: &str| name.strip_prefix(PEER)?.strip_prefix('_')?.parse::<u32>().ok()?.checked_sub(1);
    json::read(line, &|name| number(name).map(PeerIndex))
}

pub(in crate::cli) fn name(remote: Remote) -> String {
    match remote {
        Some(PeerIndex(index)) => format!("{PEER}_{}", index + 1),
        None => "a stranger".to_owned(),
    }
}
