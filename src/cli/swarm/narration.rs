//! What a peer does, told in sentences: a fold over its records, and what it printed besides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::heading::{Heading, name, record};
use super::recent::Recent;
use crate::cli::peer::printed;
use crate::event::{BlockFate, Event, Record, Remote};
use crate::id::Block;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::units::format_size;

/// The choker's own: over which it compares what others gave.
const WINDOW: Span = Span::from_secs(20);

/// One sentence, and when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Told {
    pub at: Timestamp,
    pub text: String,
}

/// Tells what one peer does, as far as it is known.
#[derive(Debug)]
pub(in crate::cli) struct Narrator {
    heading: Option<Heading>,
    have: Bitfield,
    unchoked: BTreeSet<Remote>,
    /// What came from each and what went to each lately.
    exchanged: BTreeMap<Remote, (Recent, Recent)>,
    /// What it prints about things that its records tell as well.
    told_elsewhere: BTreeSet<String>,
    completed: Option<Timestamp>,
    last: Timestamp,
}

impl Narrator {
    /// Of a peer that was started `since`.
    pub(in crate::cli) fn new(since: Timestamp) -> Narrator {
        Narrator {
            heading: None,
            have: Bitfield::empty(0),
            unchoked: BTreeSet::new(),
            exchanged: BTreeMap::new(),
            told_elsewhere: BTreeSet::new(),
            completed: None,
            last: since,
        }
    }

    /// The next line of its records. One that is no record is nothing to tell.
    pub(in crate::cli) fn recorded(&mut self, line: &str) -> Option<Told> {
        if let Some(heading) = Heading::read(line) {
            let (listening, torrent) = (&heading.listening, &heading.torrent);
            let size = format_size(heading.piece_size.into());
            let text =
                format!("listens on {listening}, shares {torrent}: {} pieces of {size}", heading.pieces);
            let at = heading.when(Time::ZERO);
            *self = Narrator { have: heading.held(), heading: Some(heading), ..Narrator::new(at) };
            return Some(Told { at, text });
        }
        let record = record(line).ok()?;
        self.told_elsewhere.extend(printed(&record.event));
        let text = self.sentence(&record);
        self.last = self.heading.as_ref()?.when(record.at);
        if record.event == Event::Completed {
            self.completed = Some(self.last);
        }
        Some(Told { at: self.last, text: text? })
    }

    /// The next line that it printed. Its records up to then must have been told.
    pub(in crate::cli) fn printed(&mut self, line: &str) -> Option<Told> {
        if self.told_elsewhere.contains(line) || line.starts_with("listening on ") {
            return None;
        }
        let (at, text) = if let Some(file) = line.strip_prefix("complete: ") {
            (self.completed.unwrap_or(self.last), format!("the file is whole: {file}"))
        } else if let Some(error) = line.strip_prefix("minibit: ") {
            (self.last, format!("ended with an error: {error}"))
        } else {
            (self.last, line.to_owned())
        };
        Some(Told { at, text })
    }

    fn sentence(&mut self, record: &Record) -> Option<String> {
        let Record { at, event, .. } = record;
        Some(match event {
            Event::Arrived { pieces, .. } => {
                let held = self.heading.as_ref().map(Heading::held_ranges).unwrap_or_default();
                let which = if held.is_empty() { held } else { format!(": {held}") };
                format!("holds {pieces} of {} pieces{which}", self.have.pieces())
            }
            Event::Left => "has left".to_owned(),
            Event::Crashed => "was interrupted".to_owned(),
            Event::Failed { reason } => format!("cannot go on: {reason}"),
            Event::Totals(totals) => {
                format!("sent {} messages, received {}", totals.messages_sent, totals.messages_received)
            }
            Event::Connected { remote } => format!("connected to {}", name(*remote)),
            Event::Disconnected { remote, reason } => {
                self.unchoked.remove(remote);
                format!("connection to {} ended: {reason}", name(*remote))
            }
            Event::Unchoked { remote, optimistic } => self.unchoked(*at, *remote, *optimistic),
            Event::Choked { remote } => {
                self.unchoked.remove(remote);
                format!("choked {}{}", name(*remote), self.all_unchoked())
            }
            Event::Requested { .. } => return None,
            Event::Uploaded { to, block } => {
                self.exchanged_with(*to).1.add(*at, block.length);
                format!("sends {} to {}", self.block(*block), name(*to))
            }
            Event::Downloaded { from, block, fate } => {
                self.exchanged_with(*from).0.add(*at, block.length);
                let comment = match fate {
                    BlockFate::Useful => "",
                    BlockFate::Duplicate => ", which somebody else has brought before",
                    BlockFate::Unrequested => ", which nobody has asked for",
                };
                format!("got {} from {}{comment}", self.block(*block), name(*from))
            }
            Event::Snubbed { remote } => format!("{} owes blocks and brings none", name(*remote)),
            Event::PieceVerified { piece } => {
                if piece.0 < self.have.pieces() {
                    self.have.insert(*piece);
                }
                format!("piece {piece} is right; has {}", self.progress())
            }
            Event::PieceFailed { piece, bytes } => {
                format!("piece {piece} is wrong: {bytes} bytes are fetched again")
            }
            Event::StorageFailed { piece } => {
                let lost = piece.0 < self.have.pieces() && self.have.remove(*piece);
                let what = if lost { "read back" } else { "written" };
                format!("piece {piece} could not be {what}; has {}", self.progress())
            }
            Event::Banned { remote } => format!("banned {} for wrong pieces", name(*remote)),
            Event::Completed => format!("complete: {}", self.progress()),
            Event::Announced { peers: 1 } => "the tracker names 1 peer".to_owned(),
            Event::Announced { peers } => format!("the tracker names {peers} peers"),
            Event::AnnounceFailed { reason } => format!("asks the tracker again: {reason}"),
        })
    }

    /// Who, by which slot, and what speaks for it.
    fn unchoked(&mut self, at: Time, remote: Remote, optimistic: bool) -> String {
        self.unchoked.insert(remote);
        let (gave, took) = self.exchanged_with(remote);
        let lately = |recent: &Recent| recent.sum(at);
        let (gave, took) = (lately(gave), lately(took));
        let slot = if optimistic { "optimistic slot, by lot" } else { "regular slot" };
        format!(
            "unchoked {} ({slot}; in the last {} s it gave {gave} B and took {took} B){}",
            name(remote),
            WINDOW.as_secs_f64(),
            self.all_unchoked()
        )
    }

    fn all_unchoked(&self) -> String {
        match self.unchoked.len() {
            0 => "; nobody is unchoked".to_owned(),
            _ => {
                let names: Vec<String> = self.unchoked.iter().map(|remote| name(*remote)).collect();
                format!("; unchoked: {}", names.join(", "))
            }
        }
    }

    fn exchanged_with(&mut self, remote: Remote) -> &mut (Recent, Recent) {
        self.exchanged.entry(remote).or_insert_with(|| (Recent::over(WINDOW), Recent::over(WINDOW)))
    }

    fn block(&self, block: Block) -> String {
        let number = self.heading.as_ref().map(|heading| heading.block_number(block));
        format!("block {} ({} B)", number.unwrap_or_default(), block.length)
    }

    fn progress(&self) -> String {
        let (count, pieces) = (self.have.count(), self.have.pieces());
        format!("{count} of {pieces} pieces, {} %", u64::from(count) * 100 / u64::from(pieces.max(1)))
    }
}
