//! Small random scenarios: every policy, churn, links and distributions, drawn from one seed.

use minibit::driver::sim::Options;
use minibit::peer::policy::{ChokerPolicy, PickerPolicy, Policy, SeedRule, StartedFirst};
use minibit::peer::preset::Preset;
use minibit::rng::{Entity, Purpose, Stream};
use minibit::scenario::{
    Arrival, Behaviour, Client, Cohort, Content, ContentSource, Distribution, DriverKind, OnComplete,
    Overlay, Protocol, Scenario, StartWith, TrackerProgram, TrackerSettings,
};
use minibit::time::{Span, Time};
use minibit::torrent::layout::Layout;
use minibit::units::Rate;

use crate::faults::faults;

/// A scenario of 2 to 60 peers and what goes wrong in it, a function of `seed` alone.
pub fn scenario(seed: u64) -> (Scenario, Options) {
    let mut draw = Draw(Stream::new(seed, Entity::Scenario, Purpose::Content));
    let layout = layout(&mut draw);
    // A swarm of many pieces is a small one: it has to be over soon.
    let most = if layout.pieces() > 1_000 { 3 } else { 20 };
    let cohorts = cohorts(&mut draw, layout, most);
    let sharing: u32 = cohorts.iter().filter(|it| it.start_with == StartWith::Share).map(|it| it.count).sum();
    let peers: u32 = cohorts.iter().map(|cohort| cohort.count).sum();
    let fault = faults(&mut draw, peers);
    let scenario = Scenario {
        name: format!("random-{seed}"),
        title: String::new(),
        driver: DriverKind::Sim,
        repeat: 1,
        random_seed: seed,
        time_scale: 1.0,
        time_limit: Span::from_secs(24 * 3600),
        content: Content { source: ContentSource::Synthetic, layout },
        distribution: distribution(&mut draw, layout.pieces(), sharing),
        tracker: TrackerSettings {
            interval: Span::from_secs(draw.between(5, 120)),
            peers_returned: draw.between(5, 50) as u32,
        },
        tracker_protocol: Protocol::Http,
        tracker_program: TrackerProgram::Minibit,
        overlay: overlay(&mut draw, &cohorts),
        policy: policy(&mut draw),
        cohorts,
    };
    if draw.chance(4) {
        let options = Options { check: true, ..Options::default() };
        return (following_a_schedule(&mut draw, scenario), options);
    }
    (scenario, Options { check: true, fault, ..Options::default() })
}

/// The same content for a server and peers who follow the hypercube's schedule; nothing may go wrong there.
fn following_a_schedule(draw: &mut Draw, scenario: Scenario) -> Scenario {
    let steady = |cohort: &Cohort, count| Cohort {
        count,
        arrival: Arrival::AtStart,
        on_complete: OnComplete::Stay,
        behaviour: Behaviour::Cooperative,
        upload: cohort.upload.filter(|rate| !rate.is_zero()),
        abort_every: None,
        crash_every: None,
        ..cohort.clone()
    };
    let peers = (1 << draw.between(1, 5)) - 1;
    let server = steady(&scenario.cohorts[0], 1);
    let others = Cohort { start_with: StartWith::Nothing, ..steady(&scenario.cohorts[1], peers) };
    Scenario {
        cohorts: vec![server, others],
        overlay: Overlay::FullMesh,
        policy: Policy { picker: PickerPolicy::Hypercube, ..scenario.policy },
        ..scenario
    }
}

/// A graph of few neighbours only where nobody who gives is ever gone for good: otherwise it may fall apart.
fn overlay(draw: &mut Draw, cohorts: &[Cohort]) -> Overlay {
    let peers: u32 = cohorts.iter().map(|cohort| cohort.count).sum();
    let stays = |cohort: &Cohort| {
        let returns = cohort.crash_every.is_none() || cohort.rejoin.is_some();
        cohort.uploads() && returns && cohort.abort_every.is_none() && cohort.on_complete == OnComplete::Stay
    };
    match draw.between(0, 9) {
        0 => Overlay::FullMesh,
        1 => Overlay::Star,
        2 | 3 => Overlay::Tracker { dial: Some(draw.between(1, 8) as u32) },
        4..=7 if peers > 3 && cohorts.iter().all(stays) => {
            // Even, so that the ends are, whatever the number of peers.
            Overlay::RandomRegular { degree: draw.between(2, u64::from(peers - 1)) as u32 & !1 }
        }
        _ => Overlay::Tracker { dial: None },
    }
}

pub struct Draw(Stream);

impl Draw {
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high - low + 1)
    }

    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.0.index(items.len())]
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }
}

/// Now and then so many pieces that the picker keeps them in order.
fn layout(draw: &mut Draw) -> Layout {
    let (pieces, block_size, blocks_per_piece) = match draw.between(0, 99) {
        0 => (draw.between(4_097, 4_600), 1, *draw.one_of(&[1, 2])),
        1..=3 => (draw.between(201, 500), *draw.one_of(&[1, 64]), *draw.one_of(&[1, 2])),
        _ => {
            let most = if draw.chance(20) { 200 } else { 60 };
            (draw.between(1, most), *draw.one_of(&[1, 7, 64, 1024]), *draw.one_of(&[1, 1, 2, 5]))
        }
    };
    let piece_size = block_size * blocks_per_piece;
    let total = pieces * u64::from(piece_size) - draw.between(0, u64::from(block_size) - 1);
    Layout::new(total, piece_size, block_size).unwrap()
}

fn jitter(draw: &mut Draw) -> Span {
    if draw.chance(10) { Span::from_millis(*draw.one_of(&[5, 300])) } else { Span::ZERO }
}

fn policy(draw: &mut Draw) -> Policy {
    if draw.chance(20) {
        return Policy::preset(*draw.one_of(&Preset::ALL));
    }
    // The hypercube asks for a swarm of its own.
    let pickers = [PickerPolicy::RarestFirst, PickerPolicy::Random, PickerPolicy::Sequential];
    let chokers =
        [ChokerPolicy::TitForTat, ChokerPolicy::Rarity, ChokerPolicy::Random, ChokerPolicy::UnchokeAll];
    Policy {
        picker: *draw.one_of(&pickers),
        choker: *draw.one_of(&chokers),
        started_first: *draw.one_of(&[StartedFirst::Equal, StartedFirst::Always]),
        first_random: *draw.one_of(&[0, 0, 4]),
        unchoke_slots: draw.between(1, 5) as u32,
        optimistic_slots: draw.between(1, 2) as u32,
        max_connections: *draw.one_of(&[4, 10, 40]),
        fast_extension: draw.chance(50),
        extension_protocol: draw.chance(30),
        peer_exchange: draw.chance(70),
        seed_rule: *draw.one_of(&[SeedRule::UploadRate, SeedRule::Legout2006, SeedRule::Random]),
        ..Policy::default()
    }
}

fn distribution(draw: &mut Draw, pieces: u32, sharing: u32) -> Distribution {
    let least = if sharing == 0 { 0 } else { pieces.div_ceil(sharing) };
    match draw.between(0, 3) {
        0 => Distribution::SingleSeed,
        1 => Distribution::Disjoint,
        2 => Distribution::Fixed { pieces_each: draw.between(u64::from(least), u64::from(pieces)) as u32 },
        _ => Distribution::RandomSubset,
    }
}

/// One seed that stays, so that every swarm can finish, and one to three cohorts of anything.
fn cohorts(draw: &mut Draw, layout: Layout, most: u64) -> Vec<Cohort> {
    let (content, block_size) = (layout.total(), layout.block_size());
    let rate = |draw: &mut Draw| {
        // A copy takes between ten seconds and ten minutes, a block at most four seconds: well below a round.
        let bits = (content * 8 / draw.between(10, 600)).max(u64::from(block_size) * 2) + 8;
        (!draw.chance(20)).then(|| Rate::from_bits_per_second(bits))
    };
    let seed = Cohort {
        name: "seed".into(),
        client: Client::Minibit,
        count: 1,
        start_with: StartWith::All,
        behaviour: Behaviour::Cooperative,
        upload: rate(draw),
        download: None,
        latency: Span::from_millis(draw.between(0, 500)),
        jitter: jitter(draw),
        arrival: Arrival::AtStart,
        on_complete: OnComplete::Stay,
        abort_every: None,
        crash_every: None,
        rejoin: None,
    };
    let mut cohorts = vec![seed];
    for number in 0..draw.between(1, 3) {
        let crashes = draw.chance(30);
        cohorts.push(Cohort {
            name: format!("cohort-{number}"),
            client: Client::Minibit,
            count: draw.between(1, most) as u32,
            start_with: *draw.one_of(&[
                StartWith::Share,
                StartWith::Share,
                StartWith::Nothing,
                StartWith::All,
            ]),
            behaviour: if draw.chance(10) { Behaviour::FreeRider } else { Behaviour::Cooperative },
            upload: if draw.chance(10) { Some(Rate::from_bits_per_second(0)) } else { rate(draw) },
            download: rate(draw),
            latency: Span::from_millis(*draw.one_of(&[0, 0, 20, 700])),
            jitter: jitter(draw),
            arrival: match draw.between(0, 2) {
                0 => Arrival::Over(Span::from_secs(60)),
                1 => Arrival::Poisson { mean_gap: Span::from_secs(20) },
                _ => Arrival::AtStart,
            },
            on_complete: match draw.between(0, 6) {
                0 => OnComplete::Leave,
                1 => OnComplete::LeaveAfter(Span::from_secs(draw.between(0, 120))),
                2 => OnComplete::LeaveAfterCopies(draw.between(0, 2) as u32),
                3 => OnComplete::LeaveAfterMean(Span::from_secs(draw.between(0, 120))),
                4 => OnComplete::LeaveAt(Time::ZERO + Span::from_secs(draw.between(0, 600))),
                5 => OnComplete::LeaveAtShareRatio { thousandths: draw.between(1, 2_000) as u32 },
                _ => OnComplete::Stay,
            },
            abort_every: draw.chance(15).then(|| Span::from_secs(draw.between(60, 3_600))),
            crash_every: crashes.then(|| Span::from_secs(draw.between(60, 600))),
            rejoin: draw.chance(70).then(|| Span::from_secs(draw.between(0, 60))),
        });
    }
    cohorts
}
