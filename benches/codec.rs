//! The codec: messages to bytes and back, by CPU time. Blocks of data are of 16 KiB.

mod cpu_time;

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use minibit::id::{Block, PieceIndex};
use minibit::torrent::layout::Layout;
use minibit::wire::codec::Codec;
use minibit::wire::message::{Message, Payload};

use cpu_time::CpuTime;

/// Messages that lie in a buffer one behind the other, as after a large read.
const BURST: usize = 64;

fn messages() -> [(&'static str, Message); 3] {
    let (piece, length) = (PieceIndex(77), Layout::STANDARD_BLOCK);
    let block = Block { piece, begin: 0, length };
    let payload = Payload::Bytes(Bytes::from(vec![1; length as usize]));
    [
        ("have", Message::Have(piece)),
        ("request", Message::Request(block)),
        ("piece", Message::Piece { block, payload }),
    ]
}

fn codec() -> Codec {
    Codec::new(10_000, Layout::STANDARD_BLOCK)
}

fn burst(message: &Message) -> BytesMut {
    let mut buffer = BytesMut::new();
    (0..BURST).for_each(|_| codec().encode(message, &mut buffer));
    buffer
}

/// Into a buffer that has room, as a connection's has. A `piece` is copied as a whole.
fn encode(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("codec/encode");
    for (name, message) in messages() {
        let mut buffer = burst(&message);
        group.throughput(Throughput::ElementsAndBytes { elements: BURST as u64, bytes: buffer.len() as u64 });
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                buffer.clear();
                (0..BURST).for_each(|_| codec().encode(black_box(&message), &mut buffer));
            });
        });
    }
    group.finish();
}

/// What the sockets do with a `piece`: its head alone, the data are written from where they lie.
fn head(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("codec/head");
    let block = Block { piece: PieceIndex(77), begin: 0, length: Layout::STANDARD_BLOCK };
    group.throughput(Throughput::Elements(1));
    group.bench_function("piece", |bencher| {
        bencher.iter(|| codec().encode_piece_header(black_box(block)));
    });
    group.finish();
}

/// Out of a buffer that was read in one go. What fills the buffer is timed as `fill`, and is part of `decode`.
fn decode(criterion: &mut Criterion<CpuTime>) {
    for (name, message) in messages() {
        let bytes = burst(&message);
        for decoding in [false, true] {
            let mut group = criterion.benchmark_group(if decoding { "codec/decode" } else { "codec/fill" });
            group.throughput(Throughput::ElementsAndBytes {
                elements: BURST as u64,
                bytes: bytes.len() as u64,
            });
            group.bench_function(name, |bencher| {
                let mut buffer = BytesMut::with_capacity(bytes.len());
                bencher.iter(|| {
                    buffer.reserve(bytes.len());
                    buffer.extend_from_slice(&bytes);
                    if decoding {
                        while let Ok(Some(message)) = codec().decode(&mut buffer) {
                            black_box(message);
                        }
                    }
                    buffer.clear();
                });
            });
            group.finish();
        }
    }
}

criterion_group! {
    name = codec_benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = encode, head, decode
}
criterion_main!(codec_benches);
