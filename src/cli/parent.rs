//! The process that started this one, where it holds the other end of stdin: whatever ends the parent, even a signal
//! that nothing can catch, ends stdin, on every system.

use std::io::{self, BufRead, Read, StdinLock};

/// Nobody reads the exit code of an orphan.
const ORPHANED: i32 = 1;

/// Ends this process as soon as stdin ends, whatever it is doing.
pub(super) fn live_no_longer_than_stdin() -> io::Result<()> {
    listen(|_| {})
}

/// The same, unless a line comes first: from then on it lives without its parent.
pub(super) fn live_no_longer_than_stdin_until_let_go() -> io::Result<()> {
    apart(|| {
        next_line(&mut io::stdin().lock());
    })
}

/// Lives no longer than stdin either, and hands on the lines that come before its end.
pub(super) fn listen(mut heard: impl FnMut(&str) + Send + 'static) -> io::Result<()> {
    apart(move || {
        let mut stdin = io::stdin().lock();
        loop {
            heard(next_line(&mut stdin).trim_end());
        }
    })
}

fn apart(listening: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name("parent".to_owned()).spawn(listening).map(|_| ())
}

/// Where none comes any more, the process ends.
fn next_line(stdin: &mut StdinLock<'static>) -> String {
    let mut line = String::new();
    match stdin.by_ref().take(LONGEST_LINE).read_line(&mut line) {
        Ok(0) | Err(_) => std::process::exit(ORPHANED),
        Ok(_) => line,
    }
}

/// A parent is no stranger, but nothing is read without a limit.
const LONGEST_LINE: u64 = 64 << 20;
