//! What goes wrong in a random swarm: bad data, late and lost deliveries, peers that fall silent for a while. In half of
//! them nothing does.

use std::collections::BTreeSet;

use minibit::driver::sim::{Disturbance, Fault};
use minibit::id::PeerIndex;
use minibit::time::{Span, Time};

use crate::sampler::Draw;

/// Faults for a swarm of so many peers. All of them end: then every swarm has to complete.
pub fn faults(draw: &mut Draw, peers: u32) -> Fault {
    // Never the seed that the swarm rests on, peer 0.
    let corrupters = (1..peers).map(PeerIndex).filter(|_| draw.chance(10)).collect();
    let every = if draw.chance(30) { draw.between(1, 5) as u32 } else { 0 };
    let mut disturbances = Vec::new();
    if draw.chance(15) {
        disturbances.push(late(draw, BTreeSet::new()));
    }
    if draw.chance(10) {
        disturbances.push(lost(draw));
    }
    if draw.chance(15) {
        let stallers = (0..peers).map(PeerIndex).filter(|_| draw.chance(20)).collect::<BTreeSet<_>>();
        // Nobody would mean everybody.
        disturbances.extend((!stallers.is_empty()).then(|| stalled(draw, stallers)));
    }
    Fault { corrupters, every, disturbances }
}

/// At some time within the first minutes, for some minutes.
fn window(draw: &mut Draw) -> (Time, Time) {
    let from = Time::ZERO + Span::from_secs(draw.between(0, 120));
    (from, from + Span::from_secs(draw.between(10, 600)))
}

fn late(draw: &mut Draw, peers: BTreeSet<PeerIndex>) -> Disturbance {
    let (from, until) = window(draw);
    Disturbance {
        peers,
        from,
        until,
        late_per_mille: draw.between(1, 1_000) as u32,
        longest_delay: Span::from_millis(*draw.one_of(&[1, 100, 3_000])),
        lost_per_mille: 0,
    }
}

/// Silent for longer than it takes to be snubbed, again and again.
fn stalled(draw: &mut Draw, peers: BTreeSet<PeerIndex>) -> Disturbance {
    let late_per_mille = draw.between(5, 50) as u32;
    Disturbance { late_per_mille, longest_delay: Span::from_secs(200), ..late(draw, peers) }
}

fn lost(draw: &mut Draw) -> Disturbance {
    let lost_per_mille = draw.between(1, 50) as u32;
    Disturbance { late_per_mille: 0, lost_per_mille, ..late(draw, BTreeSet::new()) }
}
