//! C: dry picks, which leave the state as it is, by askers in turn.

use criterion::Criterion;
use minibit::id::{ConnId, PieceIndex};
use minibit::peer::picker::{Asker, Picker};
use minibit::peer::policy::{PickerPolicy, StartedFirst};

use crate::cpu_time::CpuTime;
use crate::swarm::{BLOCKS, SplitMix, Swarm, draws, one_in, set_of};
use crate::{cpu_time_of, group, per_unit};

const PICKS: u64 = 20_000;
const COSTLY_PICKS: u64 = 2_000;

pub fn benchmark(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm]) {
    for blocks in [1, 16, 32] {
        let name = format!("C1 pick {blocks}");
        dry(criterion, swarms, &name, blocks, Swarm::rarest_first);
        let random = |swarm: &Swarm| swarm.picker(PickerPolicy::Random, StartedFirst::Equal);
        dry(criterion, swarms, &format!("C2 random, pick {blocks}"), blocks, random);
        let sequential = |swarm: &Swarm| swarm.picker(PickerPolicy::Sequential, StartedFirst::Equal);
        dry(criterion, swarms, &format!("C3 sequential, pick {blocks}"), blocks, sequential);
    }
    for blocks in [16, 32] {
        let started = |swarm: &Swarm| with_started(swarm, StartedFirst::Equal);
        dry(criterion, swarms, &format!("C4 100 started, pick {blocks}"), blocks, started);
        let first = |swarm: &Swarm| with_started(swarm, StartedFirst::Always);
        dry(criterion, swarms, &format!("C5 100 started and first, pick {blocks}"), blocks, first);
    }
    dry(criterion, swarms, "C6 99 % done, pick 16", 16, nearly_done);
    endgame(criterion, swarms);
    sparse_asker(criterion, swarms);
    rare_half_missing(criterion, swarms);
}

fn dry(
    criterion: &mut Criterion<CpuTime>,
    swarms: &[Swarm],
    name: &str,
    blocks: usize,
    state: impl Fn(&Swarm) -> Picker,
) {
    let mut group = group(criterion, name);
    for swarm in swarms {
        time_picks(&mut group, swarm.pieces, PICKS, state(swarm), blocks, &in_turn(swarm));
    }
}

/// Every peer once, far from its neighbours.
fn in_turn(swarm: &Swarm) -> Vec<Asker<'_>> {
    let peers = swarm.peers.len();
    (0..peers).map(|turn| swarm.asker(7919 * turn % peers)).collect()
}

fn time_picks(
    group: &mut crate::Group<'_>,
    parameter: u32,
    picks: u64,
    mut picker: Picker,
    blocks: usize,
    askers: &[Asker<'_>],
) {
    let (mut rng, mut out) = (draws(), Vec::new());
    per_unit(group, parameter, picks, || {
        cpu_time_of(|| {
            for asker in askers.iter().cycle().take(picks as usize) {
                out.clear();
                picker.preview(asker, blocks, &mut rng, &mut out);
            }
        })
    });
}

/// 100 random pieces have half of their blocks requested.
fn with_started(swarm: &Swarm, started_first: StartedFirst) -> Picker {
    let mut picker = swarm.picker(PickerPolicy::RarestFirst, started_first);
    let (mut rng, mut chance) = (draws(), SplitMix(99));
    for request in 0..100 {
        let only = set_of(swarm.pieces, [chance.piece(swarm.pieces).0].into_iter());
        let conn = ConnId(request % swarm.peers.len() as u32);
        let asker = Asker { conn, pieces: only.as_set(), connections: swarm.peers.len() };
        picker.pick(&asker, BLOCKS as usize / 2, &mut rng, &mut Vec::new());
    }
    picker
}

fn nearly_done(swarm: &Swarm) -> Picker {
    let mut picker = swarm.rarest_first();
    let mut pieces: Vec<_> = (0..swarm.pieces).map(PieceIndex).collect();
    SplitMix(7).shuffle(&mut pieces);
    pieces[..swarm.pieces as usize * 99 / 100].iter().for_each(|&piece| picker.verified(piece));
    picker
}

/// The remaining pieces are requested from everyone in turn. Here a pick is a second request, and giving it up at once.
fn endgame(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm]) {
    let mut group = group(criterion, "C7 endgame, request and release");
    for swarm in swarms {
        let mut picker = nearly_done(swarm);
        let (mut rng, mut out) = (draws(), Vec::new());
        for peer in (0..swarm.peers.len()).cycle() {
            if !picker.has_free_block() {
                break;
            }
            picker.pick(&swarm.asker(peer), BLOCKS as usize, &mut rng, &mut out);
        }
        let askers = in_turn(swarm);
        per_unit(&mut group, swarm.pieces, PICKS, || {
            cpu_time_of(|| {
                for asker in askers.iter().cycle().take(PICKS as usize) {
                    if let Some(block) = picker.pick_second(asker, &|_| true, &mut rng) {
                        picker.release(block, asker.conn);
                    }
                }
            })
        });
    }
}

fn sparse_asker(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm]) {
    let mut group = group(criterion, "C8 asker has 0.1 %, pick 16");
    for swarm in swarms {
        let pieces = one_in(1000, swarm.pieces, 0x1111);
        let asker = Asker { conn: ConnId(0), pieces: pieces.as_set(), connections: swarm.peers.len() };
        time_picks(&mut group, swarm.pieces, COSTLY_PICKS, swarm.rarest_first(), 16, &[asker]);
    }
}

/// Peer 1 alone has the lower half of the pieces; peer 0 asks.
fn rare_half_missing(criterion: &mut Criterion<CpuTime>, swarms: &[Swarm]) {
    let mut group = group(criterion, "C9 asker lacks the rare half, pick 16");
    for swarm in swarms {
        let half = swarm.pieces / 2;
        let mut swarm = Swarm { pieces: swarm.pieces, peers: swarm.peers.clone() };
        for (peer, pieces) in swarm.peers.iter_mut().enumerate() {
            (0..half).map(PieceIndex).for_each(|piece| {
                if peer == 1 {
                    pieces.insert(piece)
                } else {
                    pieces.remove(piece)
                };
            });
        }
        let picker = swarm.rarest_first();
        time_picks(&mut group, swarm.pieces, COSTLY_PICKS, picker, 16, &[swarm.asker(0)]);
    }
}
