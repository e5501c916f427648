//! The simulator's benchmark: whole swarms of many sizes, with the metrics folded as in any run. For each size, how
//! long a delivered block takes, how many events and allocations it costs, and what a peer weighs.
//! `benches/README.md` says how to read the table and what the bars are.

mod swarm;

use std::alloc::System;
use std::hint::black_box;

use cpu_time::ThreadTime;
use minibit::driver::sim::{self, Effort, Options, large_pages};
use minibit::driver::{Control, Ended, Recorder};
use minibit::event::{BlockFate, Event, Record};
use minibit::metrics::{Participant, RunFold};
use minibit::scenario::population::Population;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use swarm::Size;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Folds the metrics, and counts what everything is divided by.
struct Counted<'a> {
    fold: RunFold<'a>,
    deliveries: u64,
    /// From the first delivery on: what happens once, like an arrival, allocates.
    steady: Option<Region<'static, System>>,
}

impl Recorder for Counted<'_> {
    fn record(&mut self, record: &Record) {
        self.record_all(std::slice::from_ref(record));
    }

    fn record_all(&mut self, records: &[Record]) {
        let is_delivery =
            |record: &&Record| matches!(record.event, Event::Downloaded { fate: BlockFate::Useful, .. });
        self.deliveries += records.iter().filter(is_delivery).count() as u64;
        if self.deliveries > 0 {
            self.steady.get_or_insert_with(|| Region::new(ALLOCATOR));
        }
        self.fold.record_all(records);
    }
}

struct Measured {
    seconds: f64,
    deliveries: u64,
    effort: Effort,
    allocations: usize,
    peak_bytes: Option<u64>,
    ended_at: f64,
}

fn measure(size: &Size) -> Measured {
    let scenario = size.scenario();
    let participants = Participant::all(&scenario, &Population::draw(&scenario, 1));
    let mut recorder = Counted { fold: RunFold::new(&participants), deliveries: 0, steady: None };
    let begin = ThreadTime::now();
    let (outcome, effort) =
        sim::measured(&scenario, 1, &Options::default(), &mut recorder, &Control::default())
            .expect("a run in virtual time");
    let seconds = begin.elapsed().as_secs_f64();
    let allocations = recorder.steady.as_ref().map_or(0, |region| region.change().allocations);
    let deliveries = recorder.deliveries;
    assert!(matches!(outcome.ended, Ended::Complete | Ended::TimeLimit), "{:?}", outcome.ended);
    black_box(recorder.fold.finish(&scenario.content.layout, &outcome));
    let peak_bytes = peak_bytes();
    Measured { seconds, deliveries, effort, allocations, peak_bytes, ended_at: outcome.at.as_secs_f64() }
}

/// The most memory this process ever had, where the system tells. It only grows: a smaller size after a larger one
/// shows the larger one's.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
fn main() {
    let sizes = swarm::sizes(std::env::args().skip(1));
    // As `minibit run` does.
    if large_pages::are_worthwhile(&sizes.iter().map(Size::scenario).collect::<Vec<_>>()) {
        large_pages::enter();
    }
    println!(
        "{:>7} {:>7} {:>7} {:>9} {:>11} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}",
        "peers",
        "pieces",
        "blocks",
        "virtual s",
        "deliveries",
        "CPU s",
        "ns each",
        "events",
        "haves",
        "allocs",
        "pending",
        "KiB/peer"
    );
    for size in sizes {
        let run = measure(&size);
        let each = |count: u64| count as f64 / run.deliveries.max(1) as f64;
        let kib = run.peak_bytes.map_or(f64::NAN, |bytes| bytes as f64 / 1024.0 / f64::from(size.peers));
        println!(
            "{:>7} {:>7} {:>7} {:>9.0} {:>11} {:>8.2} {:>8.0} {:>8.2} {:>8.1} {:>9.4} {:>9.2} {:>8.1}",
            size.peers,
            size.pieces,
            size.blocks_per_piece,
            run.ended_at,
            run.deliveries,
            run.seconds,
            run.seconds * 1e9 / run.deliveries.max(1) as f64,
            each(run.effort.events),
            each(run.effort.haves),
            each(run.allocations as u64),
            run.effort.pending as f64 / f64::from(size.peers),
            kib,
        );
    }
}
