//! The choker: one round over all connections of a peer, by policy and by CPU time.

mod cpu_time;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use minibit::id::ConnId;
use minibit::peer::ConnSet;
use minibit::peer::choker::{Candidates, Choker, Occasion};
use minibit::peer::policy::{ChokerPolicy, Policy, SeedRule};
use minibit::rng::{Entity, Purpose, Stream};
use minibit::time::{Span, Time};

use cpu_time::CpuTime;

/// What a peer knows about its connections, by their numbers.
struct Table {
    interested: ConnSet,
    unchoked: ConnSet,
    snubbed: ConnSet,
    pending: ConnSet,
    received: Vec<u64>,
    sent: Vec<u64>,
    rare: Vec<u32>,
    unchoked_at: Vec<Option<Time>>,
    places: Vec<u32>,
}

impl Table {
    /// Everybody interested, each with its own rates; a tenth snubbed.
    fn new(connections: u32) -> Table {
        let mut chance = Stream::new(1, Entity::Scenario, Purpose::Content);
        let mut table = Table {
            interested: ConnSet::default(),
            unchoked: ConnSet::default(),
            snubbed: ConnSet::default(),
            pending: ConnSet::default(),
            received: Vec::new(),
            sent: Vec::new(),
            rare: Vec::new(),
            unchoked_at: Vec::new(),
            places: Vec::new(),
        };
        for conn in (0..connections).map(ConnId) {
            table.interested.insert(conn);
            if chance.below(10) == 0 {
                table.snubbed.insert(conn);
            }
            table.received.push(chance.below(1 << 20));
            table.sent.push(chance.below(1 << 20));
            table.rare.push(chance.below(50) as u32);
            table.unchoked_at.push(None);
            if chance.below(2) == 0 {
                table.pending.insert(conn);
            }
            table.places.push(chance.below(u64::from(u32::MAX)) as u32);
        }
        table
    }

    fn unchoke(&mut self, now: Time, chosen: ConnSet) {
        for conn in chosen.without(&self.unchoked).iter() {
            self.unchoked_at[conn.0 as usize] = Some(now);
        }
        self.unchoked = chosen;
    }
}

impl Candidates for Table {
    fn interested(&self) -> &ConnSet {
        &self.interested
    }

    fn unchoked(&self) -> &ConnSet {
        &self.unchoked
    }

    fn snubbed(&self) -> &ConnSet {
        &self.snubbed
    }

    fn pending(&self) -> &ConnSet {
        &self.pending
    }

    fn moving(&self) -> &ConnSet {
        &self.interested
    }

    fn received(&self, conn: ConnId) -> u64 {
        self.received[conn.0 as usize]
    }

    fn sent(&self, conn: ConnId) -> u64 {
        self.sent[conn.0 as usize]
    }

    fn rare(&self, conn: ConnId) -> u32 {
        self.rare[conn.0 as usize]
    }

    fn unchoked_at(&self, conn: ConnId) -> Option<Time> {
        self.unchoked_at[conn.0 as usize]
    }

    fn place(&self, conn: ConnId) -> u32 {
        self.places[conn.0 as usize]
    }
}

/// Rounds one after the other, each with the slots that the one before gave.
fn round(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("choker/round");
    let policies = [
        ("tit-for-tat", ChokerPolicy::TitForTat, SeedRule::UploadRate, false),
        ("seed, legout2006", ChokerPolicy::TitForTat, SeedRule::Legout2006, true),
        ("rarity", ChokerPolicy::Rarity, SeedRule::UploadRate, false),
        ("random", ChokerPolicy::Random, SeedRule::UploadRate, false),
    ];
    for (name, choker, seed_rule, seeding) in policies {
        for connections in [8, 80] {
            let policy = Policy { choker, seed_rule, ..Policy::default() };
            let mut choker = Choker::new(&policy);
            let mut table = Table::new(connections);
            let mut draws = Stream::new(1, Entity::Scenario, Purpose::Choker);
            let mut now = Time::ZERO;
            group.bench_function(BenchmarkId::new(name, connections), |bencher| {
                bencher.iter(|| {
                    now += Span::from_secs(10);
                    let chosen = choker.decide(now, Occasion::Round, seeding, &table, &mut draws);
                    table.unchoke(now, chosen);
                    black_box(table.unchoked.count())
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = choker;
    config = Criterion::default().with_measurement(CpuTime);
    targets = round
}
criterion_main!(choker);
