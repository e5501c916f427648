//! Who takes part in a run: a scenario and a random seed drawn out into one plan per peer, the same in every driver.
//!
//! It draws only from streams named by (random seed, peer, purpose): a peer more at the end of the file, or another
//! policy, changes nothing for the others. That pairs the runs of a comparison.

mod stays;

use std::net::{Ipv4Addr, SocketAddr};

use crate::id::{PeerId, PeerIndex, PieceIndex};
use crate::peer::policy::PickerPolicy;
use crate::rng::{Entity, Purpose, Stream};
use crate::scenario::hypercube;
use crate::scenario::overlay::Place;
use crate::scenario::{Arrival, Client, Cohort, OnComplete, Scenario, StartWith};
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::split::{Distribution, distribute};
use crate::units::Rate;

/// The port every peer listens on in virtual time (BEP 3's first one).
const VIRTUAL_PORT: u16 = 6881;

/// Everybody who takes part in a run, in the order of the cohorts: peer `i` is row `i`.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    pub peers: Vec<PeerPlan>,
}

/// What is decided about one peer before the run begins.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerPlan {
    pub index: PeerIndex,
    /// Position in `Scenario::cohorts`.
    pub cohort: usize,
    pub client: Client,
    /// `leecher-3`: cohort and number within it, from 1.
    pub name: String,
    pub peer_id: PeerId,
    /// Its address in virtual time, unique in the run; real-time drivers choose their own.
    pub virtual_addr: SocketAddr,
    pub initial: Bitfield,
    pub place: Place,
    /// What it sends to whom, where an oracle decides.
    pub schedule: Option<Vec<(PeerId, PieceIndex)>>,
    /// See [`Cohort::uploads`].
    pub uploads: bool,
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    pub latency: Span,
    /// See [`Cohort::jitter`].
    pub jitter: Span,
    pub arrival: Time,
    pub on_complete: OnComplete,
    pub rejoin: Option<Span>,
    abort_every: Option<Span>,
    crash_every: Option<Span>,
    random_seed: u64,
}

impl Population {
    /// Draws the run with `random_seed` ([`Scenario::random_seed_of`] a repeat). Equal seeds give equal populations,
    /// and sharing peers the same pieces as `minibit split`.
    ///
    /// # Panics
    ///
    /// Where the distribution is impossible (more pieces for each than there are, or too few to cover them): no loaded
    /// scenario is like that.
    pub fn draw(scenario: &Scenario, random_seed: u64) -> Population {
        let mut shares = shares(scenario, random_seed).into_iter();
        let mut peers = Vec::with_capacity(scenario.peers() as usize);
        for (at, cohort) in scenario.cohorts.iter().enumerate() {
            let mut latest = Time::ZERO;
            for number in 1..=cohort.count {
                let index = PeerIndex(peers.len() as u32);
                let initial = match cohort.start_with {
                    StartWith::All => Bitfield::full(scenario.content.layout.pieces()),
                    StartWith::Nothing => Bitfield::empty(scenario.content.layout.pieces()),
                    StartWith::Share => shares.next().expect("one share was dealt for every sharing peer"),
                };
                let arrival = arrival(cohort.arrival, index, random_seed, latest);
                latest = arrival;
                peers.push(PeerPlan::new(cohort, at, number, index, random_seed, initial, arrival));
            }
        }
        join(scenario, &mut peers, random_seed);
        if scenario.policy.picker == PickerPolicy::Hypercube {
            schedule(scenario.content.layout.pieces(), &mut peers);
        }
        Population { peers }
    }
}

/// Gives everybody a place in the overlay.
fn join(scenario: &Scenario, peers: &mut [PeerPlan], random_seed: u64) {
    let arrivals: Vec<Time> = peers.iter().map(|peer| peer.arrival).collect();
    let cohort = |peer: PeerIndex| &scenario.cohorts[peers[peer.0 as usize].cohort];
    let complete = |peer| cohort(peer).start_with == StartWith::All;
    let places = scenario.overlay.places(&arrivals, complete, random_seed);
    peers.iter_mut().zip(places).for_each(|(peer, place)| peer.place = place);
}

/// Gives everybody its turns in the hypercube.
fn schedule(pieces: u32, peers: &mut [PeerPlan]) {
    let server = peers.iter().find(|peer| peer.initial.is_full());
    let server = server.expect("a valid hypercube scenario has a server").index;
    let ids: Vec<PeerId> = peers.iter().map(|peer| peer.peer_id).collect();
    let turns = hypercube::turns(peers.len() as u32, server, pieces);
    for (peer, turns) in peers.iter_mut().zip(turns) {
        let named = turns.into_iter().map(|(to, piece)| (ids[to.0 as usize], piece));
        peer.schedule = Some(named.collect());
    }
}

impl PeerPlan {
    fn new(
        cohort: &Cohort,
        position: usize,
        number: u32,
        index: PeerIndex,
        random_seed: u64,
        initial: Bitfield,
        arrival: Time,
    ) -> PeerPlan {
        let mut tail = [0; 12];
        Stream::new(random_seed, Entity::Peer(index), Purpose::PeerId).fill(&mut tail);
        PeerPlan {
            index,
            cohort: position,
            client: cohort.client,
            name: format!("{}-{number}", cohort.name),
            peer_id: PeerId::minibit(tail),
            virtual_addr: virtual_addr(index),
            initial,
            place: Place::FromTracker { dial: None },
            schedule: None,
            uploads: cohort.uploads(),
            upload: cohort.upload,
            download: cohort.download,
            latency: cohort.latency,
            jitter: cohort.jitter,
            arrival,
            on_complete: cohort.on_complete,
            rejoin: cohort.rejoin,
            abort_every: cohort.abort_every,
            crash_every: cohort.crash_every,
            random_seed,
        }
    }
}

/// What the sharing peers begin with, in their order.
fn shares(scenario: &Scenario, random_seed: u64) -> Vec<Bitfield> {
    let sharing = scenario.sharing_peers();
    if sharing == 0 {
        return Vec::new();
    }
    let pieces = scenario.content.layout.pieces();
    distribute(pieces, sharing, scenario.distribution, &mut Distribution::stream(random_seed))
        .expect("a valid scenario's distribution is possible")
}

/// Drawn from the peer's own stream; a Poisson process adds its gap to the cohort's `latest` arrival.
fn arrival(kind: Arrival, index: PeerIndex, random_seed: u64, latest: Time) -> Time {
    let mut stream = Stream::new(random_seed, Entity::Peer(index), Purpose::Arrival);
    match kind {
        Arrival::AtStart => Time::ZERO,
        Arrival::Over(span) => Time::ZERO + stream.span_below(span),
        Arrival::Poisson { mean_gap } => latest + stream.exponential(mean_gap),
    }
}

/// Where a peer listens in virtual time: one address of 10.0.0.0/8 each, from 10.0.0.1 on; a scenario has at most a
/// million peers.
pub fn virtual_addr(index: PeerIndex) -> SocketAddr {
    let address = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 1).to_bits() + index.0);
    SocketAddr::from((address, VIRTUAL_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{cohort, scenario};
    use std::collections::BTreeSet;

    #[test]
    fn sharing_peers_hold_what_split_hands_out_and_the_others_stand_outside() {
        let seed = Cohort { start_with: StartWith::All, ..cohort("seed", 1) };
        let empty = Cohort { start_with: StartWith::Nothing, ..cohort("late", 2) };
        let plan = scenario(vec![cohort("a", 2), seed, empty, cohort("b", 3)]);
        let drawn = Population::draw(&plan, 7).peers;
        let split = distribute(10, 5, plan.distribution, &mut Distribution::stream(7)).unwrap();
        let sharing: Vec<Bitfield> = [0, 1, 5, 6, 7].map(|at: usize| drawn[at].initial.clone()).into();
        assert_eq!(sharing, split);
        assert!(drawn[2].initial.is_full() && drawn[3].initial.is_empty() && drawn[4].initial.is_empty());
        let names: Vec<&str> = drawn.iter().map(|peer| peer.name.as_str()).collect();
        assert_eq!(names, ["a-1", "a-2", "seed-1", "late-1", "late-2", "b-1", "b-2", "b-3"]);
        assert_eq!(drawn[5].cohort, 3);
    }

    #[test]
    fn ids_and_addresses_are_unique_and_a_seed_repeats_itself() {
        let plan = scenario(vec![cohort("a", 300)]);
        let drawn = Population::draw(&plan, 1);
        assert_eq!(drawn, Population::draw(&plan, 1));
        assert_ne!(drawn, Population::draw(&plan, 2));
        let ids: BTreeSet<PeerId> = drawn.peers.iter().map(|peer| peer.peer_id).collect();
        let addresses: BTreeSet<SocketAddr> = drawn.peers.iter().map(|peer| peer.virtual_addr).collect();
        assert_eq!((ids.len(), addresses.len()), (300, 300));
        assert_eq!(drawn.peers[255].virtual_addr.to_string(), "10.0.1.0:6881");
    }

    #[test]
    fn another_cohort_at_the_end_shifts_nobody() {
        let poisson = |name| Cohort {
            arrival: Arrival::Poisson { mean_gap: Span::from_secs(30) },
            start_with: StartWith::Nothing,
            crash_every: Some(Span::from_secs(100)),
            ..cohort(name, 20)
        };
        let one = Population::draw(&scenario(vec![poisson("a")]), 3).peers;
        let two = Population::draw(&scenario(vec![poisson("a"), poisson("b")]), 3).peers;
        assert_eq!(one[..], two[..20]);
        assert_eq!(one[4].crash_after(2), two[4].crash_after(2));
    }

    #[test]
    fn arrivals_are_at_the_start_or_within_the_time_or_one_after_the_other() {
        let arriving = |arrival| {
            let plan = scenario(vec![Cohort { arrival, ..cohort("a", 400) }]);
            let times: Vec<f64> =
                Population::draw(&plan, 5).peers.iter().map(|peer| peer.arrival.as_secs_f64()).collect();
            times
        };
        assert!(arriving(Arrival::AtStart).iter().all(|at| *at == 0.0));
        let spread = arriving(Arrival::Over(Span::from_secs(10)));
        assert!(spread.iter().all(|at| (0.0..10.0).contains(at)));
        assert!((4.5..5.5).contains(&(spread.iter().sum::<f64>() / 400.0)));
        let process = arriving(Arrival::Poisson { mean_gap: Span::from_secs(30) });
        assert!(process.is_sorted() && process[0] > 0.0);
        assert!((27.0..33.0).contains(&(process[399] / 400.0)), "mean gap {}", process[399] / 400.0);
    }
}
