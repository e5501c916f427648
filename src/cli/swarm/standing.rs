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

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = r#"{"peer":"peer_1","pid":1,"listening":"127.0.0.1:7000","clock_start_unix_ns":0,"torrent":"s",
        "info_hash":"00","bytes":8,"piece_size":2,"block_size":2,"pieces":4,"held":[[0,1]],"file":"s","choker":"random"}"#;

    fn standing_after(events: &[&str]) -> Standing {
        let mut standing = Standing::new();
        standing.line(&HEADING.replace('\n', ""));
        for event in events {
            standing.line(&format!(r#"{{"at_s":1,"peer":"peer_1",{event}}}"#));
        }
        standing
    }

    #[test]
    fn pieces_are_counted_once_and_lost_ones_not_at_all() {
        let standing = standing_after(&[
            r#""event":"arrived","pieces":2,"bytes":4"#,
            r#""event":"piece_verified","piece":2"#,
            r#""event":"storage_failed","piece":3"#,
            r#""event":"storage_failed","piece":0"#,
            r#""event":"piece_verified","piece":99"#,
        ]);
        assert_eq!((standing.pieces(), standing.is_complete()), (2, false));
        let whole = [0, 2, 3].map(|piece| format!(r#""event":"piece_verified","piece":{piece}"#));
        assert!(standing_after(&whole.each_ref().map(String::as_str)).is_complete());
        assert!(!Standing::new().is_complete(), "of whom nothing is known");
    }

    #[test]
    fn those_unchoked_are_the_connected_ones_that_were_not_choked_since() {
        let mut events = vec![];
        for remote in ["\"peer_2\"", "\"peer_3\"", "\"peer_4\"", "null"] {
            events.push(format!(r#""event":"connected","remote":{remote}"#));
            events.push(format!(r#""event":"unchoked","remote":{remote},"optimistic":{}"#, remote == "null"));
        }
        events.push(r#""event":"choked","remote":"peer_3""#.to_owned());
        for reason in
            ["nothing received for the idle time", "the handshake was for another torrent or broken"]
        {
            events.push(format!(r#""event":"disconnected","remote":"peer_4","reason":"{reason}""#));
        }
        let standing = standing_after(&events.iter().map(String::as_str).collect::<Vec<_>>());
        let unchoked: Vec<(String, bool)> = standing.unchoked().collect();
        assert_eq!(unchoked, [("peer_2".to_owned(), false), ("a stranger".to_owned(), true)]);
        assert_eq!(standing.connections, 3, "who was not let in was no connection");
    }

    #[test]
    fn what_its_records_end_with_is_known_and_a_new_start_forgets_it() {
        let mut standing = standing_after(&[r#""event":"failed","reason":"the disk is full""#]);
        assert_eq!(standing.end, Some(Ending::Failed("the disk is full".into())));
        standing.line("no record");
        standing.line(&HEADING.replace('\n', ""));
        assert_eq!((standing.end, standing.verified.count()), (None, 2));
    }
}
