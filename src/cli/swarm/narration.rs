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
            match line.split_once(' ').map(|(when, text)| (when.parse(), text)) {
                // A tracker says itself when something was.
                Some((Ok(when), text)) => (when, text.to_owned()),
                _ => (self.last, line.to_owned()),
            }
        };
        self.last = self.last.max(at);
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
            // Only a foreign client is counted like that.
            Event::Requested { .. } | Event::Traffic(_) => return None,
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

    /// Who, why, and what speaks for it. A slot by lot is an optimistic one, or a regular one that nobody has earned.
    fn unchoked(&mut self, at: Time, remote: Remote, by_lot: bool) -> String {
        self.unchoked.insert(remote);
        let choker = self.heading.as_ref().map(|heading| heading.choker.clone()).unwrap_or_default();
        let (gave, took) = self.exchanged_with(remote);
        let (gave, took) = (gave.sum(at), took.sum(at));
        let why = if by_lot { "by lot, optimistically".to_owned() } else { format!("by {choker}") };
        format!(
            "unchoked {} {why}: in the last {} s it gave {gave} B and took {took} B{}",
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer of ten pieces of two blocks each that begins with three of them.
    const HEADING: &str = r#"{"peer":"peer_1","pid":1,"listening":"127.0.0.1:7000","clock_start_unix_ns":1000000000,
        "torrent":"story.txt","info_hash":"00","bytes":40,"piece_size":4,"block_size":2,"pieces":10,
        "held":[[0,1],[7,7]],"file":"peers/peer_1/story.txt","choker":"tit-for-tat"}"#;

    fn narrator() -> Narrator {
        let mut narrator = Narrator::new(Timestamp::UNIX_EPOCH);
        let told = narrator.recorded(&HEADING.replace('\n', "")).unwrap();
        assert_eq!(told.text, "listens on 127.0.0.1:7000, shares story.txt: 10 pieces of 4 B");
        assert_eq!(told.at.as_second(), 1);
        narrator
    }

    /// What is told of an event; its fields as a peer writes them.
    fn told(narrator: &mut Narrator, at_s: u32, event: &str, fields: &str) -> Option<Told> {
        let comma = if fields.is_empty() { "" } else { "," };
        narrator.recorded(&format!(r#"{{"at_s":{at_s},"peer":"peer_1","event":"{event}"{comma}{fields}}}"#))
    }

    #[test]
    fn a_peer_is_told_from_its_first_pieces_to_the_whole_file() {
        let mut peer = narrator();
        let block = |piece: u32, begin: u32| format!(r#""piece":{piece},"begin":{begin},"length":2"#);
        let got = format!(r#""from":"peer_2",{},"fate":"useful""#, block(2, 2));
        let sent = format!(r#""to":"peer_3",{}"#, block(7, 0));
        let asked = format!(r#""from":"peer_2",{}"#, block(2, 2));
        for (event, fields, sentence) in [
            ("arrived", r#""pieces":3,"bytes":12"#, "holds 3 of 10 pieces: 0-1, 7"),
            ("announced", r#""peers":1"#, "the tracker names 1 peer"),
            ("announce_failed", r#""reason":"refused""#, "asks the tracker again: refused"),
            ("connected", r#""remote":"peer_2""#, "connected to peer_2"),
            ("requested", &asked, ""),
            ("downloaded", &got, "got block 5 (2 B) from peer_2"),
            ("piece_verified", r#""piece":2"#, "piece 2 is right; has 4 of 10 pieces, 40 %"),
            ("uploaded", &sent, "sends block 14 (2 B) to peer_3"),
            ("storage_failed", r#""piece":2"#, "piece 2 could not be read back; has 3 of 10 pieces, 30 %"),
            ("storage_failed", r#""piece":2"#, "piece 2 could not be written; has 3 of 10 pieces, 30 %"),
            ("piece_failed", r#""piece":2,"bytes":4"#, "piece 2 is wrong: 4 bytes are fetched again"),
            ("banned", r#""remote":null"#, "banned a stranger for wrong pieces"),
            ("completed", "", "complete: 3 of 10 pieces, 30 %"),
            ("left", "", "has left"),
        ] {
            let text = told(&mut peer, 2, event, fields).map(|told| told.text).unwrap_or_default();
            assert_eq!(text, sentence, "{event}");
        }
        assert_eq!(peer.recorded("half a li"), None);
        assert_eq!(told(&mut peer, 2, "downloaded", ""), None);
    }

    #[test]
    fn an_unchoke_is_told_with_its_reason_and_what_the_remote_gave_and_took_lately() {
        let mut peer = narrator();
        let remote =
            |number: u32, optimistic: bool| format!(r#""remote":"peer_{number}","optimistic":{optimistic}"#);
        let got = r#""from":"peer_2","piece":2,"begin":0,"length":2,"fate":"useful""#;
        let mut text =
            |at_s: u32, event: &str, fields: &str| told(&mut peer, at_s, event, fields).unwrap().text;
        assert_eq!(
            text(1, "unchoked", &remote(3, true)),
            "unchoked peer_3 by lot, optimistically: in the last 20 s it gave 0 B and took 0 B; unchoked: peer_3"
        );
        text(2, "downloaded", got);
        text(15, "downloaded", got);
        assert_eq!(
            text(20, "unchoked", &remote(2, false)),
            "unchoked peer_2 by tit-for-tat: in the last 20 s it gave 4 B and took 0 B; unchoked: peer_2, peer_3"
        );
        assert_eq!(text(30, "choked", r#""remote":"peer_3""#), "choked peer_3; unchoked: peer_2");
        let ended = r#""remote":"peer_2","reason":"the remote closed the connection""#;
        assert_eq!(
            text(30, "disconnected", ended),
            "connection to peer_2 ended: the remote closed the connection"
        );
        assert!(
            text(31, "unchoked", &remote(2, true)).contains("it gave 2 B"),
            "what is longer ago does not count"
        );
    }

    #[test]
    fn what_it_printed_is_told_once_and_the_whole_file_when_it_was_complete() {
        let mut peer = narrator();
        told(&mut peer, 3, "completed", "");
        let ended = r#""remote":null,"reason":"both ends are complete""#;
        told(&mut peer, 9, "disconnected", ended);
        assert_eq!(peer.printed("a connection ended: both ends are complete"), None);
        assert_eq!(peer.printed("listening on 127.0.0.1:7000"), None);
        let whole = peer.printed("complete: peers/peer_1/story.txt").unwrap();
        assert_eq!(
            (whole.text.as_str(), whole.at.as_second()),
            ("the file is whole: peers/peer_1/story.txt", 4)
        );
        let error = peer.printed("minibit: the disk is full").unwrap();
        assert_eq!(
            (error.text.as_str(), error.at.as_second()),
            ("ended with an error: the disk is full", 10)
        );
        let tracker = peer.printed("1970-01-01T00:01:00.5Z 127.0.0.1:7000 came, lacks 8 bytes").unwrap();
        assert_eq!(
            (tracker.text.as_str(), tracker.at.as_millisecond()),
            ("127.0.0.1:7000 came, lacks 8 bytes", 60_500)
        );
        assert_eq!(peer.printed("thread 'main' panicked").unwrap().text, "thread 'main' panicked");
    }
}
