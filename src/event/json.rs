//! A record as one line of JSON, and back: what `--trace` writes, what a peer's process tells whoever started it.
//! `docs/trace.md` says what each line holds.

use std::fmt::Write as _;

use serde_json::Value;

use crate::event::{BlockFate, CloseReason, Event, Record, Remote, Totals, Traffic};
use crate::id::{Block, PeerIndex, PieceIndex};
use crate::time::{Span, Time};

/// Appends the record's line, with its end. `names` are the peers', in the order of the population.
pub fn write(record: &Record, names: &[String], line: &mut String) {
    Fields { line, names }.record(record);
}

/// A line that is no record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRecord {
    #[error("it is no JSON object")]
    NoObject,
    #[error("{0:?} is missing, or is not what it should be")]
    Field(&'static str),
    #[error("nobody is called {0:?}")]
    Nobody(String),
}

/// Reads what [`write()`] wrote. `index` finds a peer by its name. More fields than there should be do no harm.
pub fn read(line: &str, index: &dyn Fn(&str) -> Option<PeerIndex>) -> Result<Record, NoRecord> {
    let value: Value = serde_json::from_str(line).map_err(|_| NoRecord::NoObject)?;
    let object = Object { value: &value, index };
    let seconds = value["at_s"].as_f64().filter(|seconds| *seconds >= 0.0).ok_or(NoRecord::Field("at_s"))?;
    // Exact for twenty days: so long nine decimals survive the way through a float.
    let at = Time::ZERO + Span::from_secs_f64(seconds);
    let peer = object.remote("peer")?.ok_or(NoRecord::Field("peer"))?;
    Ok(Record { at, peer, event: object.event()? })
}

/// The line of a record while it grows. Writing to a string cannot fail.
struct Fields<'a> {
    line: &'a mut String,
    names: &'a [String],
}

impl Fields<'_> {
    fn record(&mut self, record: &Record) {
        let _ = write!(self.line, "{{\"at_s\":{}", record.at.to_decimal_seconds());
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
                let (_, fate) =
                    FATES.into_iter().find(|(known, _)| known == fate).expect("every fate is there");
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
            Event::Traffic(traffic) => {
                let Traffic { downloaded, uploaded, wasted } = &**traffic;
                for (key, bytes) in [("downloaded", downloaded), ("uploaded", uploaded), ("wasted", wasted)] {
                    match bytes {
                        Some(bytes) => self.number(key, *bytes),
                        None => self.bare(key, "null"),
                    }
                }
            }
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

/// A line while it is read.
struct Object<'a> {
    value: &'a Value,
    index: &'a dyn Fn(&str) -> Option<PeerIndex>,
}

impl Object<'_> {
    fn event(&self) -> Result<Event, NoRecord> {
        Ok(match self.text("event")? {
            "arrived" => Event::Arrived { pieces: self.number("pieces")?, bytes: self.number("bytes")? },
            "left" => Event::Left,
            "crashed" => Event::Crashed,
            "failed" => Event::Failed { reason: self.text("reason")?.into() },
            "totals" => Event::Totals(Totals {
                messages_sent: self.number("messages_sent")?,
                messages_received: self.number("messages_received")?,
            }),
            "connected" => Event::Connected { remote: self.remote("remote")? },
            "disconnected" => {
                Event::Disconnected { remote: self.remote("remote")?, reason: self.close_reason()? }
            }
            "unchoked" => Event::Unchoked { remote: self.remote("remote")?, optimistic: self.optimistic()? },
            "choked" => Event::Choked { remote: self.remote("remote")? },
            "requested" => Event::Requested { from: self.remote("from")?, block: self.block()? },
            "uploaded" => Event::Uploaded { to: self.remote("to")?, block: self.block()? },
            "downloaded" => {
                Event::Downloaded { from: self.remote("from")?, block: self.block()?, fate: self.fate()? }
            }
            "snubbed" => Event::Snubbed { remote: self.remote("remote")? },
            "piece_verified" => Event::PieceVerified { piece: self.piece()? },
            "piece_failed" => Event::PieceFailed { piece: self.piece()?, bytes: self.number("bytes")? },
            "storage_failed" => Event::StorageFailed { piece: self.piece()? },
            "banned" => Event::Banned { remote: self.remote("remote")? },
            "completed" => Event::Completed,
            "announced" => Event::Announced { peers: self.number("peers")? },
            "announce_failed" => Event::AnnounceFailed { reason: self.text("reason")?.into() },
            "traffic" => Event::Traffic(Box::new(Traffic {
                downloaded: self.known("downloaded")?,
                uploaded: self.known("uploaded")?,
                wasted: self.known("wasted")?,
            })),
            _ => return Err(NoRecord::Field("event")),
        })
    }

    fn text(&self, key: &'static str) -> Result<&str, NoRecord> {
        self.value[key].as_str().ok_or(NoRecord::Field(key))
    }

    fn number<N: TryFrom<u64>>(&self, key: &'static str) -> Result<N, NoRecord> {
        let number = self.value[key].as_u64().and_then(|number| N::try_from(number).ok());
        number.ok_or(NoRecord::Field(key))
    }

    /// `null` is what nobody knows.
    fn known(&self, key: &'static str) -> Result<Option<u64>, NoRecord> {
        match &self.value[key] {
            Value::Null if self.value.get(key).is_some() => Ok(None),
            _ => self.number(key).map(Some),
        }
    }

    fn remote(&self, key: &'static str) -> Result<Remote, NoRecord> {
        match &self.value[key] {
            Value::String(name) => match (self.index)(name) {
                Some(peer) => Ok(Some(peer)),
                None => Err(NoRecord::Nobody(name.clone())),
            },
            Value::Null if self.value.get(key).is_some() => Ok(None),
            _ => Err(NoRecord::Field(key)),
        }
    }

    fn piece(&self) -> Result<PieceIndex, NoRecord> {
        self.number("piece").map(PieceIndex)
    }

    fn block(&self) -> Result<Block, NoRecord> {
        Ok(Block { piece: self.piece()?, begin: self.number("begin")?, length: self.number("length")? })
    }

    fn optimistic(&self) -> Result<bool, NoRecord> {
        self.value["optimistic"].as_bool().ok_or(NoRecord::Field("optimistic"))
    }

    fn fate(&self) -> Result<BlockFate, NoRecord> {
        let fate = self.text("fate")?;
        FATES.into_iter().find(|(_, name)| *name == fate).map(|(fate, _)| fate).ok_or(NoRecord::Field("fate"))
    }

    fn close_reason(&self) -> Result<CloseReason, NoRecord> {
        let told = self.text("reason")?;
        let mut reasons = CloseReason::ALL.into_iter();
        reasons.find(|reason| reason.to_string() == told).ok_or(NoRecord::Field("reason"))
    }
}

const FATES: [(BlockFate, &str); 3] = [
    (BlockFate::Useful, "useful"),
    (BlockFate::Duplicate, "duplicate"),
    (BlockFate::Unrequested, "unrequested"),
];

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
        Event::Traffic(_) => "traffic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            Event::Traffic(Box::new(Traffic { downloaded: Some(5), uploaded: Some(0), wasted: None })),
        ]
    }

    fn names() -> Vec<String> {
        vec!["a-1".to_owned(), "b-1".to_owned()]
    }

    fn record(event: Event) -> Record {
        Record { at: Time::from_nanos(12_500_000_001), peer: PeerIndex(0), event }
    }

    fn line(event: Event) -> String {
        let mut line = String::new();
        write(&record(event), &names(), &mut line);
        line
    }

    fn read_back(line: &str) -> Result<Record, NoRecord> {
        let index =
            |name: &str| names().iter().position(|known| known == name).map(|at| PeerIndex(at as u32));
        read(line, &index)
    }

    #[test]
    fn every_event_is_one_line_of_its_own_kind() {
        let lines: Vec<String> = every_event().into_iter().map(line).collect();
        assert!(lines.iter().all(|line| line.ends_with("}\n") && line.matches('\n').count() == 1));
        let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: std::collections::BTreeSet<&str> =
            lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(lines.len(), kinds.len());
        assert!(
            lines.iter().all(|line| line["peer"] == "a-1" && line["at_s"].as_f64() == Some(12.500000001))
        );
        assert_eq!(lines[3]["reason"], "disk \"full\"\n");
        assert_eq!((&lines[8]["remote"], &lines[7]["optimistic"]), (&Value::Null, &true.into()));
        let block = &lines[11];
        assert_eq!(
            (&block["from"], &block["piece"], &block["fate"]),
            (&"b-1".into(), &7.into(), &"useful".into())
        );
    }

    #[test]
    fn what_is_read_back_is_what_was_written() {
        let block = Block { piece: PieceIndex(1), begin: 2, length: 3 };
        let fates = FATES.map(|(fate, _)| Event::Downloaded { from: None, block, fate });
        let reasons = CloseReason::ALL.map(|reason| Event::Disconnected { remote: None, reason });
        for event in every_event().into_iter().chain(fates).chain(reasons) {
            assert_eq!(read_back(&line(event.clone())), Ok(record(event)));
        }
        let written = include_str!("../event.rs").matches("#[error(").count();
        assert_eq!(CloseReason::ALL.len(), written, "every reason is in the list");
    }

    #[test]
    fn times_are_exact_to_the_nanosecond_for_twenty_days() {
        for nanos in [0, 1, 999_999_999, 86_399_999_999_999, 1_727_999_999_999_999] {
            let at = Time::from_nanos(nanos);
            let (mut line, names) = (String::new(), names());
            write(&Record { at, ..record(Event::Left) }, &names, &mut line);
            assert_eq!(read_back(&line).unwrap().at, at);
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        let refused = |line: &str| read_back(line).unwrap_err();
        assert_eq!(refused("listening on 127.0.0.1:1"), NoRecord::NoObject);
        assert_eq!(refused("[]"), NoRecord::Field("at_s"));
        assert_eq!(refused(r#"{"at_s":-1,"peer":"a-1","event":"left"}"#), NoRecord::Field("at_s"));
        assert_eq!(refused(r#"{"at_s":1,"peer":null,"event":"left"}"#), NoRecord::Field("peer"));
        assert_eq!(refused(r#"{"at_s":1,"peer":"c-1","event":"left"}"#), NoRecord::Nobody("c-1".into()));
        assert_eq!(refused(r#"{"at_s":1,"peer":"a-1","event":"sang"}"#), NoRecord::Field("event"));
        assert_eq!(refused(r#"{"at_s":1,"peer":"a-1","event":"choked"}"#), NoRecord::Field("remote"));
        let large = r#"{"at_s":1,"peer":"a-1","event":"piece_verified","piece":4294967296}"#;
        assert_eq!(refused(large), NoRecord::Field("piece"));
    }

    #[test]
    fn the_page_on_traces_names_every_event_and_its_fields() {
        let page = include_str!("../../docs/trace.md");
        for event in every_event() {
            let line: Value = serde_json::from_str(&line(event)).unwrap();
            let event = line["event"].as_str().unwrap();
            let row = page.lines().find(|row| row.starts_with(&format!("| `{event}` |")));
            let row = row.unwrap_or_else(|| panic!("{event} is not there"));
            let fields = line.as_object().unwrap().keys();
            for field in fields.filter(|key| !["at_s", "peer", "event"].contains(&key.as_str())) {
                assert!(row.contains(&format!("`{field}`")), "{field} of {event}");
            }
        }
    }
}
