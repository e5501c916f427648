//! What the user sees of a peer: a bar, a line now and then, and its records where they are wanted.

use std::io::{self, Write as _};

use indicatif::{ProgressBar, ProgressStyle};

use super::records::{Beginning, RecordLines};
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;

pub(super) struct Shown {
    me: PeerIndex,
    bar: ProgressBar,
    lines: Option<RecordLines>,
}

impl Shown {
    pub(super) fn new(me: PeerIndex, have: &Bitfield, lines: Option<RecordLines>) -> Shown {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pieces  {eta} left");
        let bar = ProgressBar::new(u64::from(have.pieces())).with_position(u64::from(have.count()));
        Shown { me, bar: bar.with_style(style.expect("the template is constant and well formed")), lines }
    }

    /// Before anything happens.
    pub(super) fn begin(&mut self, beginning: &Beginning<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.begin(beginning);
        }
    }

    pub(super) fn show(&mut self, records: &[Record]) {
        if let Some(lines) = &mut self.lines {
            lines.write(records);
        }
        records.iter().for_each(|record| show(record, &self.bar));
    }

    /// Something that the peer does not report of itself.
    pub(super) fn happened(&mut self, at: Time, event: Event) {
        self.show(&[Record { at, peer: self.me, event }]);
    }

    /// Whether all records are written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.bar.finish_and_clear();
        self.lines.map_or(Ok(()), RecordLines::finish)
    }
}

/// What a user may want to act on goes to stderr as a line, pieces move the bar.
fn show(record: &Record, bar: &ProgressBar) {
    match &record.event {
        Event::PieceVerified { .. } => bar.inc(1),
        Event::Completed => bar.finish_and_clear(),
        event => {
            if let Some(line) = printed(event) {
                // Whether somebody hears it or not.
                let _ = bar.suspend(|| writeln!(io::stderr(), "{line}"));
            }
        }
    }
}

/// The line on stderr about something that happened.
pub(in crate::cli) fn printed(event: &Event) -> Option<String> {
    Some(match event {
        Event::Disconnected { reason, .. } => format!("a connection ended: {reason}"),
        Event::PieceFailed { piece, .. } => format!("piece {piece} was wrong and is fetched again"),
        Event::StorageFailed { piece } => {
            format!("piece {piece} could not be stored or read again, and is fetched again")
        }
        Event::AnnounceFailed { reason } => format!("no answer from the tracker, asking again: {reason}"),
        Event::Banned { .. } => "a peer that sent wrong pieces is banned".to_owned(),
        _ => return None,
    })
}
