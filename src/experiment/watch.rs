//! How far an experiment is, for whoever wants to show it. Runs only ever write here.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::Recorder;
use crate::event::{Event, Record};
use crate::time::Time;

/// Shared by all runs of an experiment.
#[derive(Debug, Default)]
pub struct Watch {
    planned: AtomicUsize,
    done: AtomicUsize,
    running: Mutex<Vec<Arc<Running>>>,
}

/// One run that is going on.
#[derive(Debug)]
struct Running {
    peers: u32,
    complete: AtomicU32,
    nanos: AtomicU64,
}

/// Where things stand at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub planned: usize,
    pub done: usize,
    pub running: usize,
    /// Peers of the running runs, and how many of them are complete.
    pub peers: u64,
    pub complete: u64,
    /// The furthest scenario time of the running runs.
    pub at: Time,
}

impl Snapshot {
    /// The part of the work that is done, between 0 and 1: runs, and within a run its complete peers.
    pub fn fraction(&self) -> f64 {
        let within = if self.peers == 0 { 0.0 } else { self.complete as f64 / self.peers as f64 };
        if self.planned == 0 {
            return 1.0;
        }
        (self.done as f64 + within * self.running as f64) / self.planned as f64
    }
}

impl Watch {
    pub(super) fn plan(&self, runs: usize) {
        self.planned.store(runs, Ordering::Relaxed);
    }

    /// A run begins; it is over when its place is dropped.
    pub(super) fn begin(&self, peers: u32, complete: u32) -> Place<'_> {
        let run = Arc::new(Running { peers, complete: AtomicU32::new(complete), nanos: AtomicU64::new(0) });
        self.running().push(Arc::clone(&run));
        Place { watch: self, run }
    }

    pub fn snapshot(&self) -> Snapshot {
        let running = self.running();
        Snapshot {
            planned: self.planned.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
            running: running.len(),
            peers: running.iter().map(|run| u64::from(run.peers)).sum(),
            complete: running.iter().map(|run| u64::from(run.complete.load(Ordering::Relaxed))).sum(),
            at: running
                .iter()
                .map(|run| Time::from_nanos(run.nanos.load(Ordering::Relaxed)))
                .max()
                .unwrap_or_default(),
        }
    }

    /// A run that panicked while it held the list has left it whole.
    fn running(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run's place among those that are going on.
pub(super) struct Place<'a> {
    watch: &'a Watch,
    run: Arc<Running>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.watch.running().retain(|other| !Arc::ptr_eq(other, &self.run));
        self.watch.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Passes every record on and keeps the watch up to date.
pub(super) struct Watched<'a, R> {
    pub(super) inner: R,
    pub(super) place: Place<'a>,
}

impl<R: Recorder> Recorder for Watched<'_, R> {
    fn record(&mut self, record: &Record) {
        self.record_all(std::slice::from_ref(record));
    }

    fn record_all(&mut self, records: &[Record]) {
        let Some(last) = records.last() else { return };
        self.place.run.nanos.store(last.at.as_nanos(), Ordering::Relaxed);
        let completed = records.iter().filter(|record| record.event == Event::Completed).count();
        self.place.run.complete.fetch_add(completed as u32, Ordering::Relaxed);
        self.inner.record_all(records);
    }
}
