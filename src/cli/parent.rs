//! The process that started this one, where it holds the other end of stdin: whatever ends the parent, even a signal
//! that nothing can catch, ends stdin, on every system.

use std::io::{self, BufRead, Read};

/// Nobody reads the exit code of an orphan.
const ORPHANED: i32 = 1;

/// Ends this process as soon as stdin ends, whatever it is doing.
pub(super) fn live_no_longer_than_stdin() -> io::Result<()> {
    listen(|_| {})
}

/// The same, and hands on the lines that come before.
pub(super) fn listen(mut heard: impl FnMut(&str) + Send + 'static) -> io::Result<()> {
    let listening = move || {
        let mut stdin = io::stdin().lock();
        let mut line = String::new();
        loop {
            line.clear();
            match stdin.by_ref().take(LONGEST_LINE).read_line(&mut line) {
                Ok(0) | Err(_) => std::process::exit(ORPHANED),
                Ok(_) => heard(line.trim_end()),
            }
        }
    };
    std::thread::Builder::new().name("parent".to_owned()).spawn(listening).map(|_| ())
}

/// A parent is no stranger, but nothing is read without a limit.
const LONGEST_LINE: u64 = 64 << 20;
