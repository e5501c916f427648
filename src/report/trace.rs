//! The records of one run as JSON lines. `docs/trace.md` says what each holds.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::driver::Recorder;
use crate::event::{BlockFate, Event, Record, Remote};
use crate::id::{Block, PeerIndex};
use crate::report::cell::seconds;

/// Passes every record on and writes it down, a line each.
pub struct Trace<'a, W: Write> {
    inner: &'a mut dyn Recorder,
    out: W,
    /// Of the peers, in the order of the population.
    names: Vec<String>,
    line: String,
    failed: Option<io::Error>,
}

impl<'a, W: Write> Trace<'a, W> {
    pub fn new(inner: &'a mut dyn Recorder, out: W, names: Vec<String>) -> Trace<'a, W> {
        Trace { inner, out, names, line: String::new(), failed: None }
    }

    /// Whether everything is written.
    pub fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}

impl<W: Write> Recorder for Trace<'_, W> {
    fn record(&mut self, record: &Record) {
        self.inner.record(record);
        // The run goes on without its trace; `finish` says so.
        if self.failed.is_some() {
            return;
        }
        self.line.clear();
        Fields { line: &mut self.line, names: &self.names }.record(record);
        self.failed = self.out.write_all(self.line.as_bytes()).err();
    }
}

/// The line of a record while it grows. Writing to a string cannot fail.
struct Fields<'a> {
    line: &'a mut String,
    names: &'a [String],
}

impl Fields<'_> {
    fn record(&mut self, record: &Record) {
        let _ = write!(self.line, "{{\"at_s\":{}", seconds(record.at.as_nanos()));
        self.peer("peer", Some(record.peer));
        self.event(&record.event);
        self.line.push_str("}\n");
    }

    fn event(&mut self, event: &Event) {
        self.text("event", name(event));
        match event {
            Event::Left | Event::Crashed | Event::Completed => {}
            Event::Arrived { pieces, bytes } => {
                self.number("pieces", (*pieces).into());
                self.number("bytes", *bytes);
            }
            Event::Failed { reason } | Event::AnnounceFailed { reason } => self.text("reason", reason),
            Event::Totals(totals) => {
                self.number("messages_sent", totals.messages_sent);
                self.number("messages_received", totals.messages_received);
            }
            Event::Connected { remote }
            | Event::Choked { remote }
            | Event::Snubbed { remote }
            | Event::Banned { remote } => self.peer("remote", *remote),
            Event::Disconnected { remote, reason } => {
                self.peer("remote", *remote);
                self.text("reason", &reason.to_string());
            }
            Event::Unchoked { remote, optimistic } => {
                self.peer("remote", *remote);
                self.bare("optimistic", if *optimistic { "true" } else { "false" });
            }
            Event::Requested { from, block } => self.block("from", *from, *block),
            Event::Uploaded { to, block } => self.block("to", *to, *block),
            Event::Downloaded { from, block, fate } => {
                self.block("from", *from, *block);
                let fate = match fate {
                    BlockFate::Useful => "useful",
                    BlockFate::Duplicate => "duplicate",
                    BlockFate::Unrequested => "unrequested",
                };
                self.text("fate", fate);
            }
            Event::PieceVerified { piece } | Event::StorageFailed { piece } => {
                self.number("piece", piece.0.into());
            }
            Event::PieceFailed { piece, bytes } => {
                self.number("piece", piece.0.into());
                self.number("bytes", (*bytes).into());
            }
            Event::Announced { peers } => self.number("peers", (*peers).into()),
        }
    }

    fn block(&mut self, whose: &str, remote: Remote, block: Block) {
        self.peer(whose, remote);
        self.number("piece", block.piece.0.into());
        self.number("begin", block.begin.into());
        self.number("length", block.length.into());
    }

    /// By name; `null` is nobody of the population.
    fn peer(&mut self, key: &str, peer: Remote) {
        let names = self.names;
        match peer.and_then(|PeerIndex(index)| names.get(index as usize)) {
            Some(name) => self.text(key, name),
            None => self.bare(key, "null"),
        }
    }

    fn number(&mut self, key: &str, number: u64) {
        let _ = write!(self.line, ",\"{key}\":{number}");
    }

    fn text(&mut self, key: &str, text: &str) {
        let text = serde_json::Value::from(text);
        let _ = write!(self.line, ",\"{key}\":{text}");
    }

    fn bare(&mut self, key: &str, value: &str) {
        let _ = write!(self.line, ",\"{key}\":{value}");
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Arrived { .. } => "arrived",
        Event::Left => "left",
        Event::Crashed => "crashed",
        Event::Failed { .. } => "failed",
        Event::Totals(_) => "totals",
        Event::Connected { .. } => "connected",
        Event::Disconnected { .. } => "disconnected",
        Event::Unchoked { .. } => "unchoked",
        Event::Choked { .. } => "choked",
        Event::Requested { .. } => "requested",
        Event::Uploaded { .. } => "uploaded",
        Event::Downloaded { .. } => "downloaded",
        Event::Snubbed { .. } => "snubbed",
        Event::PieceVerified { .. } => "piece_verified",
        Event::PieceFailed { .. } => "piece_failed",
        Event::StorageFailed { .. } => "storage_failed",
        Event::Banned { .. } => "banned",
        Event::Completed => "completed",
        Event::Announced { .. } => "announced",
        Event::AnnounceFailed { .. } => "announce_failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CloseReason, Totals};
    use crate::id::PieceIndex;
    use crate::time::Time;

    fn every_event() -> Vec<Event> {
        let (remote, piece) = (Some(PeerIndex(1)), PieceIndex(7));
        let block = Block { piece, begin: 16, length: 8 };
        vec![
            Event::Arrived { pieces: 3, bytes: 48 },
            Event::Left,
            Event::Crashed,
            Event::Failed { reason: "disk \"full\"\n".into() },
            Event::Totals(Totals { messages_sent: 1, messages_received: 2 }),
            Event::Connected { remote },
            Event::Disconnected { remote, reason: CloseReason::BothComplete },
            Event::Unchoked { remote, optimistic: true },
            Event::Choked { remote: None },
            Event::Requested { from: remote, block },
            Event::Uploaded { to: remote, block },
            Event::Downloaded { from: remote, block, fate: BlockFate::Useful },
            Event::Snubbed { remote },
            Event::PieceVerified { piece },
            Event::PieceFailed { piece, bytes: 9 },
            Event::StorageFailed { piece },
            Event::Banned { remote },
            Event::Completed,
            Event::Announced { peers: 5 },
            Event::AnnounceFailed { reason: "refused".into() },
        ]
    }

    fn traced(events: Vec<Event>) -> (Vec<Record>, Vec<serde_json::Value>) {
        let (mut passed_on, mut out) = (Vec::<Record>::new(), Vec::new());
        let mut trace = Trace::new(&mut passed_on, &mut out, vec!["a-1".into(), "b-1".into()]);
        for event in events {
            trace.record(&Record { at: Time::from_nanos(12_500_000_001), peer: PeerIndex(0), event });
        }
        trace.finish().unwrap();
        let lines = String::from_utf8(out).unwrap();
        (passed_on, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn every_event_is_one_line_of_its_own_kind_and_is_passed_on() {
        let events = every_event();
        let (passed_on, lines) = traced(events.clone());
        assert_eq!(passed_on.into_iter().map(|record| record.event).collect::<Vec<_>>(), events);
        let kinds: std::collections::BTreeSet<&str> =
            lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!((lines.len(), kinds.len()), (events.len(), events.len()));
        assert!(
            lines.iter().all(|line| line["peer"] == "a-1" && line["at_s"].as_f64() == Some(12.500000001))
        );
        assert_eq!(lines[3]["reason"], "disk \"full\"\n");
        assert_eq!((&lines[8]["remote"], &lines[7]["optimistic"]), (&serde_json::Value::Null, &true.into()));
        let block = &lines[11];
        assert_eq!(
            (&block["from"], &block["piece"], &block["fate"]),
            (&"b-1".into(), &7.into(), &"useful".into())
        );
    }

    #[test]
    fn the_page_on_traces_names_every_event_and_its_fields() {
        let page = include_str!("../../docs/trace.md");
        for line in traced(every_event()).1 {
            let event = line["event"].as_str().unwrap();
            let row = page.lines().find(|row| row.starts_with(&format!("| `{event}` |")));
            let row = row.unwrap_or_else(|| panic!("{event} is not there"));
            let own = line
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| !["at_s", "peer", "event"].contains(&key.as_str()));
            for field in own {
                assert!(row.contains(&format!("`{field}`")), "{field} of {event}");
            }
        }
    }

    #[test]
    fn a_trace_that_cannot_be_written_is_an_error_at_the_end_and_the_run_goes_on() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("disk full"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut passed_on = Vec::<Record>::new();
        let mut trace = Trace::new(&mut passed_on, Full, Vec::new());
        for event in every_event() {
            trace.record(&Record { at: Time::ZERO, peer: PeerIndex(0), event });
        }
        assert_eq!(trace.finish().unwrap_err().to_string(), "disk full");
        assert_eq!(passed_on.len(), every_event().len());
    }
}
