//! B: connections that come and go, 20 rounds per run.

use criterion::Criterion;
use minibit::peer::picker::Picker;
use minibit::torrent::bitfield::Bitfield;

use crate::cpu_time::CpuTime;
use crate::swarm::{SplitMix, Swarm, draws, half_of, set_of, settle};
use crate::{cpu_time_of, group, per_unit};

const ROUNDS: u64 = 20;

pub fn benchmark(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm]) {
    join_and(criterion, swarms, "B1 join", half_joiner, None);
    join_and(criterion, swarms, "B2 join + first pick", half_joiner, Some(0));
    leave_and(criterion, swarms, "B3 leave", None);
    leave_and(criterion, swarms, "B4 leave + first pick", Some(7));
    join_and(criterion, swarms, "B5 sparse join + first pick", sparse_joiner, Some(0));
}

/// `picks` is what the round is added to for the number of the asker.
fn join_and(
    criterion: &mut Criterion<CpuTime>,
    swarms: &[Swarm],
    name: &str,
    joiner: impl Fn(u32, u64) -> Bitfield,
    picks: Option<usize>,
) {
    rounds(criterion, swarms, name, joiner, picks, |_, _| {}, |picker, joiner| picker.join(joiner.as_set()));
}

fn leave_and(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm], name: &str, picks: Option<usize>) {
    let joined = |picker: &mut Picker, joiners: &[Bitfield]| {
        joiners.iter().for_each(|pieces| picker.join(pieces.as_set()))
    };
    rounds(criterion, swarms, name, half_joiner, picks, joined, |picker, joiner| {
        picker.leave(joiner.as_set())
    });
}

fn rounds(
    criterion: &mut Criterion<CpuTime>,
    swarms: &[Swarm],
    name: &str,
    joiner: impl Fn(u32, u64) -> Bitfield,
    picks: Option<usize>,
    prepare: impl Fn(&mut Picker, &[Bitfield]),
    step: impl Fn(&mut Picker, &Bitfield),
) {
    let mut group = group(criterion, name);
    for swarm in swarms {
        let settled = swarm.rarest_first();
        let (mut run, mut rng, mut out) = (0, draws(), Vec::new());
        per_unit(&mut group, swarm.pieces, ROUNDS, || {
            let seeds = (0..ROUNDS).map(|round| 0xABC0_0000 + 100 * run + round);
            let joiners: Vec<_> = seeds.map(|seed| joiner(swarm.pieces, seed)).collect();
            run = (run + 1) % 15;
            let mut picker = settled.clone();
            prepare(&mut picker, &joiners);
            settle(&mut picker, swarm.asker(0));
            cpu_time_of(|| {
                for (round, joiner) in joiners.iter().enumerate() {
                    step(&mut picker, joiner);
                    if let Some(shift) = picks {
                        out.clear();
                        let asker = swarm.asker((round + shift) % swarm.peers.len());
                        picker.preview(&asker, 1, &mut rng, &mut out);
                    }
                }
            })
        });
    }
}

fn half_joiner(pieces: u32, seed: u64) -> Bitfield {
    half_of(pieces, seed)
}

/// At most 40 pieces.
fn sparse_joiner(pieces: u32, seed: u64) -> Bitfield {
    let mut rng = SplitMix(seed);
    set_of(pieces, (0..40).map(|_| rng.piece(pieces).0))
}
