//! The picker's benchmarks: HAVEs (A), connections that come and go (B), single picks (C) and whole downloads (D), each
//! per unit of work and by CPU time. `benches/README.md` says how to read them.

#[path = "../cpu_time/mod.rs"]
mod cpu_time;

mod churn;
mod download;
mod have;
mod picks;
mod swarm;

use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};

use cpu_time::CpuTime;
use swarm::Swarm;

/// (pieces, connections)
const SIZES: [(u32, u32); 3] = [(1_000, 80), (10_000, 100), (100_000, 500)];

type Group<'a> = BenchmarkGroup<'a, CpuTime>;

fn benchmark(criterion: &mut Criterion<CpuTime>) {
    let swarms: Vec<Swarm> = SIZES.iter().map(|&(pieces, peers)| Swarm::new(pieces, peers)).collect();
    have::benchmark(criterion, &swarms);
    churn::benchmark(criterion, &swarms);
    picks::benchmark(criterion, &swarms);
    download::benchmark(criterion);
}

fn group<'a>(criterion: &'a mut Criterion<CpuTime>, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// Measures `run`, which does `units` of work on a state of its own and returns the CPU time of the work alone. Reported per
/// unit, so that the printed times compare with the tables of the README.
fn per_unit(
    group: &mut Group<'_>,
    parameter: impl std::fmt::Display,
    units: u64,
    mut run: impl FnMut() -> Duration,
) {
    group.bench_function(BenchmarkId::from_parameter(parameter), |bencher| {
        bencher.iter_custom(|iterations| {
            let runs = iterations.div_ceil(units);
            let total: Duration = (0..runs).map(|_| run()).sum();
            total.mul_f64(iterations as f64 / (runs * units) as f64)
        });
    });
}

/// The CPU time of `work`.
fn cpu_time_of(work: impl FnOnce()) -> Duration {
    let start = CpuTime.start();
    work();
    CpuTime.end(start)
}

criterion_group! {
    name = picker;
    config = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .nresamples(2_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700));
    targets = benchmark
}
criterion_main!(picker);
