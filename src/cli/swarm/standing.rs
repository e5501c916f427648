//! Where a peer stands: a fold over its records.

use super::heading::{Heading, name, record};
use super::recent::Recent;
use crate::event::{CloseReason, Event, Record, Remote};
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;

/// Over which rates are taken.
const WINDOW: Span = Span::from_secs(5);

/// What a peer's records add up to.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Standing {
    pub heading: Option<Heading>,
    verified: Bitfield,
    pub connections: u32,
    /// Whom it lets download, and whether by the optimistic slot; in the order of the slots' filling.
    unchoked: Vec<(Remote, bool)>,
    down: Recent,
    up: Recent,
    /// Whether the tracker answered the last time; `None` before its first answer.
    pub tracker_answers: Option<bool>,
    pub end: Option<Ending>,
}

/// How a peer's records end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Ending {
    Left,
    Crashed,
    Failed(String),
}

impl Standing {
    /// Of a peer that has recorded nothing yet.
    pub(in crate::cli) fn new() -> Standing {
        Standing {
            heading: None,
            verified: Bitfield::empty(0),
            connections: 0,
            unchoked: Vec::new(),
            down: Recent::over(WINDOW),
            up: Recent::over(WINDOW),
            tracker_answers: None,
            end: None,
        }
    }

    /// Takes in the next line. One that is no record changes nothing.
    pub(in crate::cli) fn line(&mut self, line: &str) {
        match Heading::read(line) {
            Some(heading) => {
                let verified = heading.held();
                *self = Standing { heading: Some(heading), verified, ..Standing::new() };
            }
            None => {
                if let Ok(record) = record(line) {
                    self.record(&record);
                }
            }
        }
    }

    fn record(&mut self, Record { at, event, .. }: &Record) {
        match event {
            Event::PieceVerified { piece } if piece.0 < self.verified.pieces() => {
                self.verified.insert(*piece);
            }
            Event::StorageFailed { piece } if piece.0 < self.verified.pieces() => {
                self.verified.remove(*piece);
            }
            Event::Connected { .. } => self.connections += 1,
            // Somebody called, and was not let in.
            Event::Disconnected { reason: CloseReason::BadHandshake, .. } => {}
            Event::Disconnected { remote, .. } => {
                self.connections = self.connections.saturating_sub(1);
                self.choked(*remote);
            }
            Event::Unchoked { remote, optimistic } => {
                self.choked(*remote);
                self.unchoked.push((*remote, *optimistic));
            }
            Event::Choked { remote } => self.choked(*remote),
            Event::Downloaded { block, .. } => self.down.add(*at, block.length),
            Event::Uploaded { block, .. } => self.up.add(*at, block.length),
            Event::Announced { .. } => self.tracker_answers = Some(true),
            Event::AnnounceFailed { .. } => self.tracker_answers = Some(false),
            Event::Left => self.end = Some(Ending::Left),
            Event::Crashed => self.end = Some(Ending::Crashed),
            Event::Failed { reason } => self.end = Some(Ending::Failed(reason.to_string())),
            _ => {}
        }
    }

    fn choked(&mut self, remote: Remote) {
        if let Some(at) = self.unchoked.iter().position(|(unchoked, _)| *unchoked == remote) {
            self.unchoked.remove(at);
        }
    }

    pub(in crate::cli) fn is_complete(&self) -> bool {
        self.heading.is_some() && self.verified.is_full()
    }

    /// How many pieces it has.
    pub(in crate::cli) fn pieces(&self) -> u32 {
        self.verified.count()
    }

    /// Whom it lets download: names, and whether by the optimistic slot.
    pub(in crate::cli) fn unchoked(&self) -> impl Iterator<Item = (String, bool)> {
        self.unchoked.iter().map(|(remote, optimistic)| (name(*remote), *optimistic))
    }

    /// Down and up, in bytes per second.
    pub(in crate::cli) fn rates(&self, now: Time) -> (f64, f64) {
        (self.down.rate(now), self.up.rate(now))
    }
}
