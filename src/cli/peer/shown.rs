//! What the user sees of a peer: a bar, a line now and then, and its records where they are wanted.

use std::io::{self, Write as _};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};

use super::records::{Beginning, RecordLines};
use super::voice::Voice;
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;

/// Each way out has a voice of its own: a terminal that has stopped does not keep records from their file.
pub(super) struct Shown {
    me: PeerIndex,
    pieces: u64,
    bar: Voice<ProgressBar>,
    words: Voice<()>,
    lines: Option<Voice<RecordLines>>,
}

impl Shown {
    pub(super) fn new(me: PeerIndex, have: &Bitfield, lines: Option<RecordLines>) -> io::Result<Shown> {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pieces  {eta} left");
        let pieces = u64::from(have.count());
        let bar = ProgressBar::new(u64::from(have.pieces())).with_position(pieces);
        let bar = bar.with_style(style.expect("the template is constant and well formed"));
        let lines = lines.map(Voice::start).transpose()?;
        Ok(Shown { me, pieces, bar: Voice::start(bar)?, words: Voice::start(())?, lines })
    }

    /// Before anything happens.
    pub(super) fn begin(&mut self, beginning: &Beginning<'_>) {
        if let Some(lines) = &mut self.lines {
            let line = beginning.line();
            lines.say(move |lines| lines.begin(&line));
        }
    }

    /// Words that a script waits for.
    pub(super) fn say(&mut self, words: impl FnOnce() + Send + 'static) {
        self.words.say(move |()| words());
    }

    /// What a user may want to act on goes to stderr as a line, pieces move the bar. Records wait as long as they must.
    pub(super) fn show(&mut self, records: Vec<Record>) {
        for record in &records {
            match &record.event {
                Event::PieceVerified { .. } => {
                    self.pieces += 1;
                    let pieces = self.pieces;
                    self.bar.mention(move |bar| bar.set_position(pieces));
                }
                Event::Completed => self.bar.say(|bar| bar.finish_and_clear()),
                event => {
                    if let Some(line) = printed(event) {
                        // Whether somebody hears it or not.
                        let print = move || drop(writeln!(io::stderr(), "{line}"));
                        self.bar.mention(move |bar| bar.suspend(print));
                    }
                }
            }
        }
        if let Some(lines) = &mut self.lines {
            lines.say(move |lines| lines.write(&records));
        }
    }

    /// Something that the peer does not report of itself.
    pub(super) fn happened(&mut self, at: Time, event: Event) {
        self.show(vec![Record { at, peer: self.me, event }]);
    }

    /// Nothing happens any more.
    pub(super) fn end(&mut self) {
        self.bar.say(|bar| bar.finish_and_clear());
    }

    pub(super) fn unsaid(&mut self) -> usize {
        self.bar.unsaid() + self.words.unsaid() + self.lines.as_mut().map_or(0, Voice::unsaid)
    }

    /// Whether all records are written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Some(lines) = self.lines else { return Ok(()) };
        match lines.end() {
            Some(lines) => lines.finish(),
            None => bail!("the last records are lost (--records): nobody took them in time"),
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
