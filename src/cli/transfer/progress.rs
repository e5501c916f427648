//! How far a transfer is, on stderr: one line that changes on a terminal, a plain line now and then elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::meter::Meter;
use crate::cli::peer::Voice;

/// How often to look, even where nothing is shown: the end of a transfer that is limited in time has to be noticed.
pub(super) const CHANGED_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    quiet: bool,
    on_terminal: bool,
    /// With the line that changes on a terminal.
    voice: Voice<Option<ProgressBar>>,
    shown: Duration,
}

impl Progress {
    pub(super) fn start(quiet: bool) -> io::Result<Progress> {
        let line = (!quiet && io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{msg}").expect("the template is a constant and well formed");
            ProgressBar::new_spinner().with_style(style)
        });
        Ok(Progress { quiet, on_terminal: line.is_some(), voice: Voice::start(line)?, shown: Duration::ZERO })
    }

    /// `now` is since the command's start.
    pub(super) fn show(&mut self, meter: &mut Meter, now: Duration) {
        let pause = if self.on_terminal { CHANGED_EVERY } else { LINE_EVERY };
        if self.quiet || now < self.shown + pause {
            return;
        }
        self.shown = now;
        let told = describe(meter, now);
        self.voice.mention(move |line| match line {
            Some(line) => line.set_message(told),
            None => print(&told),
        });
    }

    /// A line that stays. What goes wrong is said to those too who want to see no progress.
    pub(super) fn say(&mut self, told: String) {
        self.voice.mention(move |line| match line {
            Some(line) => line.suspend(|| print(&told)),
            None => print(&told),
        });
    }

    /// Words that a script waits for, wherever they go.
    pub(super) fn let_say(&mut self, words: impl FnOnce() + Send + 'static) {
        self.voice.say(move |_| words());
    }

    pub(super) fn end(&mut self) {
        self.voice.say(|line| line.iter().for_each(ProgressBar::finish_and_clear));
    }

    pub(super) fn unsaid(&mut self) -> usize {
        self.voice.unsaid()
    }
}

/// Whether somebody hears it or not.
fn print(told: &str) {
    let _ = writeln!(io::stderr(), "{told}");
}

/// `12.00 MiB of 64.00 MiB, 3.10 MiB/s, 2 peers, 17 s left`
fn describe(meter: &mut Meter, now: Duration) -> String {
    let (down, up) = meter.rates(now);
    let rate = |bytes: f64| format!("{}/s", HumanBytes(bytes as u64));
    let peers = match meter.peers() {
        1 => "1 peer".to_owned(),
        peers => format!("{peers} peers"),
    };
    if meter.is_complete() {
        let (sent, ratio) = (HumanBytes(meter.uploaded()), meter.ratio());
        return format!("sent {sent}, {}, {peers}, ratio {ratio:.2}", rate(up));
    }
    let lacking = meter.total().saturating_sub(meter.verified());
    let left =
        if down > 0.0 { format!(", {:.0} s left", (lacking as f64 / down).ceil()) } else { String::new() };
    format!(
        "{} of {}, {}, {peers}{left}",
        HumanBytes(meter.verified()),
        HumanBytes(meter.total()),
        rate(down)
    )
}

#[cfg(test)]
mod tests {
    use super::super::meter::tests::{downloaded, metainfo};
    use super::*;
    use crate::event::Event;
    use crate::torrent::bitfield::Bitfield;

    #[test]
    fn the_line_says_how_much_how_fast_from_how_many_and_how_long_it_takes() {
        let mut meter = Meter::new(&metainfo(), &Bitfield::empty(3));
        assert_eq!(describe(&mut meter, Duration::ZERO), "0 B of 25 B, 0 B/s, 0 peers");
        meter.count(&Event::Connected { remote: None });
        downloaded(0, 10).iter().for_each(|event| meter.count(event));
        let line = describe(&mut meter, Duration::from_secs(2));
        assert_eq!(line, "10 B of 25 B, 5 B/s, 1 peer, 3 s left");
        [downloaded(1, 10), downloaded(2, 5)].iter().flatten().for_each(|event| meter.count(event));
        meter.finished();
        let line = describe(&mut meter, Duration::from_secs(3));
        assert_eq!(line, "sent 0 B, 0 B/s, 1 peer, ratio 0.00");
    }
}
