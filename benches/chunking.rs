//! Chunking: how fast content is hashed into pieces, handed out and written as block files. By the CPU time of all threads
//! together, the kernel's share of writing files included, so that neither a busy machine nor the number of cores shows.

mod cpu_time;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;

use cpu_time::CpuTime;
use minibit::rng::{Entity, Purpose, Stream};
use minibit::torrent::create;
use minibit::torrent::hash::hash_pieces;
use minibit::torrent::layout::Layout;
use minibit::torrent::split::{Distribution, Order, Split, distribute, split};
use minibit::units::format_size;

const KIB: u32 = 1 << 10;

fn content(bytes: usize) -> Vec<u8> {
    let mut content = vec![0; bytes];
    Stream::new(1, Entity::Scenario, Purpose::Content).fill(&mut content);
    content
}

/// SHA-1 of every piece of 16 MiB, one after the other as they come by.
fn hash(criterion: &mut Criterion<CpuTime>) {
    let content = content(16 << 20);
    let mut group = criterion.benchmark_group("chunking/hash");
    group.throughput(Throughput::Bytes(content.len() as u64));
    for piece_size in [16 * KIB, 256 * KIB, 4096 * KIB] {
        let name = format_size(piece_size.into());
        group.bench_with_input(BenchmarkId::from_parameter(name), &piece_size, |bencher, &piece_size| {
            bencher.iter(|| hash_pieces(black_box(&content[..]), piece_size));
        });
    }
    group.finish();
}

/// A torrent of a file of 16 MiB: read and hashed piece by piece, several of them abreast.
fn make(criterion: &mut Criterion<CpuTime>) {
    let folder = folder();
    let file = folder.path().join("content.bin");
    let content = content(16 << 20);
    std::fs::write(&file, &content).expect("the content can be written");
    let mut group = criterion.benchmark_group("chunking/torrent of a file");
    group.throughput(Throughput::Bytes(content.len() as u64));
    for piece_size in [16 * KIB, 256 * KIB, 4096 * KIB] {
        let name = format_size(piece_size.into());
        group.bench_with_input(BenchmarkId::from_parameter(name), &piece_size, |bencher, &piece_size| {
            let (content, piece_size, announce) = (file.as_path(), Some(piece_size), &[][..]);
            let order = create::Order { content, piece_size, announce, private: false };
            bencher
                .iter(|| create::create(&order, &mut |_, _| {}).expect("a file that is there can be read"));
        });
    }
    group.finish();
}

/// Layout and distribution without files: (pieces, peers) from the assignment's swarm to large ones.
fn hand_out(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("chunking/distribute");
    for (pieces, peers) in [(50, 5), (1_000, 1_000), (10_000, 100)] {
        group.throughput(Throughput::Elements(u64::from(pieces) * u64::from(peers)));
        let name = BenchmarkId::new("random-subset", format!("{pieces} pieces, {peers} peers"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let layout = Layout::new(u64::from(black_box(pieces) * KIB), KIB, KIB);
                let pieces = layout.map(|layout| layout.pieces()).unwrap_or_default();
                distribute(pieces, peers, Distribution::RandomSubset, &mut Distribution::stream(1))
            });
        });
    }
    group.finish();
}

/// A fresh folder in memory where the system has such a place. A journalled disk that has just deleted the files of
/// the run before searches long for free inodes: on ext4 a file then costs 30 times as much as it does in a first run.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a temporary folder can be made")
}

/// The whole of `minibit split`: read, hash, write every peer's block files, rename.
fn write(criterion: &mut Criterion<CpuTime>) {
    let source = folder();
    let file = source.path().join("content.bin");
    let mut group = criterion.benchmark_group("chunking/split to files");
    group.sample_size(10);
    for (bytes, block_size, peers) in [(51_118, KIB, 5), (1 << 20, KIB, 10), (16 << 20, 64 * KIB, 5)] {
        std::fs::write(&file, content(bytes)).expect("the content can be written");
        let written = split_into(&file, source.path(), block_size, peers);
        let held: u64 = written.held.iter().map(|pieces| u64::from(pieces.count())).sum();
        group.throughput(Throughput::Elements(held));
        let name = format!("{bytes} B in blocks of {}, {peers} peers", format_size(block_size.into()));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_batched(
                folder,
                |out| {
                    split_into(&file, out.path(), block_size, peers);
                    out
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn split_into(file: &Path, out: &Path, block_size: u32, peers: u32) -> Split {
    let distribution = Distribution::RandomSubset;
    let (piece_size, random_seed, announce) = (block_size, 1, &[][..]);
    let order = Order { file, out, peers, block_size, piece_size, distribution, random_seed, announce };
    split(&order, &mut |_, _| {}).expect("a small file can be split")
}

criterion_group! {
    name = chunking;
    config = Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = hash, make, hand_out, write
}
criterion_main!(chunking);
