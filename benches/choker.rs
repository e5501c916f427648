//! The choker: one round over all connections of a peer, by policy and by CPU time.

mod cpu_time;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use minibit::id::ConnId;
use minibit::peer::choker::{Candidate, Choker, Occasion};
use minibit::peer::policy::{ChokerPolicy, Policy, SeedRule};
use minibit::rng::{Entity, Purpose, Stream};
use minibit::time::{Span, Time};
use smallvec::SmallVec;

use cpu_time::CpuTime;

/// Everybody interested, each with its own rates; a tenth snubbed.
fn candidates(count: u32) -> Vec<Candidate> {
    let mut chance = Stream::new(1, Entity::Scenario, Purpose::Content);
    let mut candidate = |conn| Candidate {
        conn: ConnId(conn),
        interested: true,
        unchoked: false,
        snubbed: chance.below(10) == 0,
        received: chance.below(1 << 20),
        sent: chance.below(1 << 20),
        rare: chance.below(50) as u32,
        unchoked_at: None,
        pending: chance.below(2) == 0,
        place: chance.below(u64::from(u32::MAX)) as u32,
    };
    (0..count).map(&mut candidate).collect()
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
            let mut candidates = candidates(connections);
            let mut draws = Stream::new(1, Entity::Scenario, Purpose::Choker);
            let (mut now, mut unchoke) = (Time::ZERO, SmallVec::<[ConnId; 16]>::new());
            group.bench_function(BenchmarkId::new(name, connections), |bencher| {
                bencher.iter(|| {
                    now += Span::from_secs(10);
                    choker.decide(now, Occasion::Round, seeding, &candidates, &mut draws, &mut unchoke);
                    for candidate in &mut candidates {
                        let unchoked = unchoke.contains(&candidate.conn);
                        if unchoked && !candidate.unchoked {
                            candidate.unchoked_at = Some(now);
                        }
                        candidate.unchoked = unchoked;
                    }
                    black_box(unchoke.len())
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
