//! D: a whole download of 10,000 pieces from 50 peers, asked in turn, each with a first-in first-out queue of requests.

use std::time::Duration;

use criterion::Criterion;
use minibit::id::{BlockId, ConnId, PieceIndex};
use minibit::peer::picker::{Asker, Picker, Received};
use minibit::peer::policy::{PickerPolicy, StartedFirst};
use minibit::rng::Stream;
use minibit::torrent::bitfield::Bitfield;

use crate::cpu_time::CpuTime;
use crate::swarm::{BLOCKS, SplitMix, Swarm, draws};
use crate::{cpu_time_of, group, per_unit};

const PIECES: u32 = 10_000;
const PEERS: u32 = 50;
const ALL_BLOCKS: u64 = PIECES as u64 * BLOCKS as u64;
/// Blocks between two peers that leave and return.
const CHURN: u64 = 100;

#[derive(Clone, Copy)]
struct Events {
    haves: bool,
    churn: bool,
}

pub fn benchmark(criterion: &mut Criterion<CpuTime>) {
    let swarm = Swarm::new(PIECES, PEERS);
    let missing = shuffled_missing(&swarm);
    for started_first in [StartedFirst::Equal, StartedFirst::Always] {
        let rule = if started_first == StartedFirst::Equal { "" } else { ", started first" };
        for (name, haves, churn) in [
            ("D0 static", false, false),
            ("D1 HAVEs", true, false),
            ("D2 churn", false, true),
            ("D3 HAVEs and churn", true, true),
        ] {
            let mut group = group(criterion, &format!("{name}{rule}"));
            let fresh = swarm.picker(PickerPolicy::RarestFirst, started_first);
            for depth in [1, 5, 32] {
                per_unit(&mut group, format_args!("depth {depth}"), ALL_BLOCKS, || {
                    Download::new(&swarm, &missing, fresh.clone(), depth, Events { haves, churn }).run()
                });
            }
        }
    }
}

/// The pieces each peer will announce, in order.
fn shuffled_missing(swarm: &Swarm) -> Vec<Vec<PieceIndex>> {
    let mut rng = SplitMix(0xD0D0);
    let lacks =
        |peer: &Bitfield| (0..PIECES).map(PieceIndex).filter(|&piece| !peer.contains(piece)).collect();
    let mut missing: Vec<Vec<PieceIndex>> = swarm.peers.iter().map(lacks).collect();
    missing.iter_mut().for_each(|pieces| rng.shuffle(pieces));
    missing
}

/// The requests outstanding at one peer, first in, first out. A pick appends to it without a copy.
#[derive(Clone, Default)]
struct Queue {
    blocks: Vec<BlockId>,
    arrived: usize,
}

impl Queue {
    fn len(&self) -> usize {
        self.blocks.len() - self.arrived
    }

    fn pop(&mut self) -> Option<BlockId> {
        let block = *self.blocks.get(self.arrived)?;
        self.arrived += 1;
        if self.arrived == 64 {
            self.forget_arrived();
        }
        Some(block)
    }

    fn cancel(&mut self, block: BlockId) {
        self.forget_arrived();
        self.blocks.retain(|&queued| queued != block);
    }

    fn forget_arrived(&mut self) {
        self.blocks.drain(..self.arrived);
        self.arrived = 0;
    }
}

struct Download<'a> {
    swarm: &'a Swarm,
    all_missing: &'a [Vec<PieceIndex>],
    picker: Picker,
    depth: usize,
    events: Events,
    peers: Vec<Bitfield>,
    missing: Vec<Vec<PieceIndex>>,
    queues: Vec<Queue>,
    arrived: u64,
    chance: SplitMix,
    rng: Stream,
}

impl<'a> Download<'a> {
    fn new(
        swarm: &'a Swarm,
        all_missing: &'a [Vec<PieceIndex>],
        picker: Picker,
        depth: usize,
        events: Events,
    ) -> Self {
        Download {
            swarm,
            all_missing,
            picker,
            depth,
            events,
            peers: swarm.peers.clone(),
            missing: all_missing.to_vec(),
            queues: vec![Queue::default(); swarm.peers.len()],
            arrived: 0,
            chance: SplitMix(0xD0),
            rng: draws(),
        }
    }

    fn run(mut self) -> Duration {
        cpu_time_of(|| {
            while self.arrived < ALL_BLOCKS {
                for peer in 0..self.peers.len() {
                    self.turn(peer);
                }
            }
        })
    }

    fn turn(&mut self, peer: usize) {
        let conn = ConnId(peer as u32);
        let queue = &mut self.queues[peer];
        let outstanding = queue.len();
        if outstanding < self.depth {
            let asker = Asker { conn, pieces: self.peers[peer].as_set(), connections: self.peers.len() };
            self.picker.pick(&asker, self.depth - outstanding, &mut self.rng, &mut queue.blocks);
            if queue.len() == 0 {
                queue.blocks.extend(self.picker.pick_second(&asker, &|_| true, &mut self.rng));
            }
        }
        if let Some(block) = queue.pop() {
            self.arrive(block, conn);
        }
    }

    fn arrive(&mut self, block: BlockId, conn: ConnId) {
        if let Received::Useful { piece_complete, other } = self.picker.received(block, conn) {
            if let Some(other) = other {
                self.queues[other.0 as usize].cancel(block);
            }
            self.arrived += 1;
            if piece_complete {
                self.picker.verified(block.piece);
            }
            if self.events.haves {
                self.have();
            }
            if self.events.churn && self.arrived.is_multiple_of(CHURN) {
                self.leave_and_return();
            }
        }
    }

    fn have(&mut self) {
        let peer = self.chance.below(u64::from(PEERS)) as usize;
        if let Some(piece) = self.missing[peer].pop() {
            self.peers[peer].insert(piece);
            self.picker.gained(piece);
        }
    }

    fn leave_and_return(&mut self) {
        let peer = self.chance.below(u64::from(PEERS)) as usize;
        while let Some(block) = self.queues[peer].pop() {
            self.picker.release(block, ConnId(peer as u32));
        }
        self.picker.leave(self.peers[peer].as_set());
        if self.events.haves {
            self.peers[peer].clone_from(&self.swarm.peers[peer]);
            self.missing[peer].clone_from(&self.all_missing[peer]);
        }
        self.picker.join(self.peers[peer].as_set());
    }
}
