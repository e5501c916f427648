//! How far the runs are, on stderr: a bar with an estimate on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::experiment::{Snapshot, Watch};

const BAR_EVERY: Duration = Duration::from_millis(150);
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The bar's length stands for everything; thousandths are enough to see it move.
const WHOLE: u64 = 1000;

/// Does the work while showing how far it is.
pub(super) fn show<T>(visible: bool, watch: &Watch, work: impl FnOnce() -> T) -> T {
    if !visible {
        return work();
    }
    std::thread::scope(|scope| {
        let (over, until) = channel::<()>();
        scope.spawn(
            move || if std::io::stderr().is_terminal() { bar(watch, &until) } else { lines(watch, &until) },
        );
        let result = work();
        drop(over);
        result
    })
}

/// Waits for a while; false once the work is over.
fn goes_on(until: &Receiver<()>, wait: Duration) -> bool {
    until.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
}

fn bar(watch: &Watch, until: &Receiver<()>) {
    let style = ProgressStyle::with_template("{bar:30} {msg}")
        .expect("the template is a constant and names known keys");
    let bar = ProgressBar::new(WHOLE).with_style(style);
    let began = Instant::now();
    while goes_on(until, BAR_EVERY) {
        let now = watch.snapshot();
        bar.set_position((now.fraction() * WHOLE as f64) as u64);
        bar.set_message(describe(&now, began.elapsed()));
    }
    bar.finish_and_clear();
}

fn lines(watch: &Watch, until: &Receiver<()>) {
    let began = Instant::now();
    while goes_on(until, LINE_EVERY) {
        eprintln!("{}", describe(&watch.snapshot(), began.elapsed()));
    }
}

/// `3 of 20 runs, 412 s, 7 of 10 peers complete, about 12 s left`
fn describe(now: &Snapshot, elapsed: Duration) -> String {
    let mut text = format!("{} of {} runs", now.done, now.planned);
    if now.running > 0 {
        text += &format!(
            ", {:.0} s of scenario time, {} of {} peers complete",
            now.at.as_secs_f64(),
            now.complete,
            now.peers
        );
    }
    match remaining(now.fraction(), elapsed) {
        Some(left) => text + &format!(", about {} s left", left.as_secs() + 1),
        None => text,
    }
}

/// As long again as it took for what is done, in proportion; nothing while that would be a guess.
fn remaining(fraction: f64, elapsed: Duration) -> Option<Duration> {
    (fraction > 0.02 && fraction < 1.0).then(|| elapsed.mul_f64((1.0 - fraction) / fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Span, Time};

    #[test]
    fn the_line_says_runs_scenario_time_peers_and_an_estimate() {
        let now = Snapshot {
            planned: 4,
            done: 1,
            running: 1,
            peers: 10,
            complete: 5,
            at: Time::ZERO + Span::from_secs(90),
        };
        let line = describe(&now, Duration::from_secs(30));
        assert_eq!(line, "1 of 4 runs, 90 s of scenario time, 5 of 10 peers complete, about 51 s left");
    }

    #[test]
    fn nothing_is_estimated_from_nothing() {
        assert_eq!(
            describe(&Snapshot { planned: 4, ..Snapshot::default() }, Duration::from_secs(9)),
            "0 of 4 runs"
        );
    }

    #[test]
    fn the_work_is_done_whether_it_is_shown_or_not() {
        for visible in [true, false] {
            assert_eq!(show(visible, &Watch::default(), || 7), 7);
        }
    }
}
