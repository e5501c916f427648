//! The records of one run as JSON lines.

use std::io::{self, Write};

use crate::driver::Recorder;
use crate::event::{Record, json};

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
        json::write(record, &self.names, &mut self.line);
        self.failed = self.out.write_all(self.line.as_bytes()).err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::id::PeerIndex;
    use crate::time::Time;

    fn records() -> Vec<Record> {
        let record = |event| Record { at: Time::ZERO, peer: PeerIndex(0), event };
        [Event::Arrived { pieces: 1, bytes: 2 }, Event::Completed, Event::Left].map(record).into()
    }

    #[test]
    fn every_record_is_a_line_and_is_passed_on() {
        let (mut passed_on, mut out) = (Vec::<Record>::new(), Vec::new());
        let mut trace = Trace::new(&mut passed_on, &mut out, vec!["a-1".into()]);
        records().iter().for_each(|record| trace.record(record));
        trace.finish().unwrap();
        let index = |name: &str| (name == "a-1").then_some(PeerIndex(0));
        let lines = String::from_utf8(out).unwrap();
        let read: Vec<Record> = lines.lines().map(|line| json::read(line, &index).unwrap()).collect();
        assert_eq!((read, passed_on), (records(), records()));
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
        records().iter().for_each(|record| trace.record(record));
        assert_eq!(trace.finish().unwrap_err().to_string(), "disk full");
        assert_eq!(passed_on.len(), records().len());
    }
}
