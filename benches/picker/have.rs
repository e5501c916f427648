//! A: HAVEs, 100,000 per run for random pieces.

use criterion::Criterion;
use minibit::id::PieceIndex;
use minibit::peer::picker::Picker;

use crate::cpu_time::CpuTime;
use crate::swarm::{SplitMix, Swarm, settle};
use crate::{cpu_time_of, group, per_unit};

const HAVES: usize = 100_000;

pub fn benchmark(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm]) {
    run(criterion, swarms, "A0 HAVE", |swarm, picker| settle(picker, swarm.asker(0)), Picker::gained);
    run(criterion, swarms, "A1 HAVE before any pick", |_, _| {}, Picker::gained);
    let raised = |swarm: &Swarm, picker: &mut Picker| {
        settle(picker, swarm.asker(0));
        list(swarm).into_iter().for_each(|piece| picker.gained(piece));
    };
    run(criterion, swarms, "A2 decrement", raised, Picker::dropped);
}

fn run(
    criterion: &mut Criterion<CpuTime>,
    swarms: &[Swarm],
    name: &str,
    prepare: impl Fn(&Swarm, &mut Picker),
    step: impl Fn(&mut Picker, PieceIndex),
) {
    let mut group = group(criterion, name);
    for swarm in swarms {
        let mut fresh = swarm.rarest_first();
        prepare(swarm, &mut fresh);
        let list = list(swarm);
        per_unit(&mut group, swarm.pieces, HAVES as u64, || {
            let mut picker = fresh.clone();
            cpu_time_of(|| list.iter().for_each(|&piece| step(&mut picker, piece)))
        });
    }
}

fn list(swarm: &Swarm) -> Vec<PieceIndex> {
    let mut rng = SplitMix(42);
    (0..HAVES).map(|_| rng.piece(swarm.pieces)).collect()
}
