//! A swarm that is broken on purpose, for the tests of the invariants: each must say what is wrong, by name and at once.

use super::{Invariant, Invariants};
use crate::driver::DriverError;
use crate::driver::sim::world::World;
use crate::driver::sim::world::view::OpenEnd;
use crate::driver::sim::{Fault, Options};
use crate::event::{Event, Record};
use crate::id::{ConnId, PeerIndex};
use crate::peer::Peer;
use crate::scenario::{Arrival, Scenario, StartWith, testing};
use crate::time::Span;
use crate::torrent::layout::Layout;
use crate::units::Rate;

const MOST_STEPS: usize = 20_000;

/// A seed, six leechers that are kept busy for minutes, and one that comes late; slots are scarce.
pub(super) fn scenario() -> Scenario {
    let cohort = |name, count, start_with| {
        let upload = Some(Rate::from_bits_per_second(8 * 4_000));
        let latency = Span::from_millis(40);
        crate::scenario::Cohort { start_with, upload, latency, ..testing::cohort(name, count) }
    };
    let late = Arrival::Over(Span::from_secs(100_000));
    let latecomer = crate::scenario::Cohort { arrival: late, ..cohort("late", 1, StartWith::Nothing) };
    let cohorts =
        vec![cohort("seed", 1, StartWith::All), cohort("leecher", 6, StartWith::Nothing), latecomer];
    let mut scenario = testing::scenario(cohorts);
    scenario.content.layout = Layout::new(640 << 10, 32 << 10, 8 << 10).unwrap();
    scenario.policy.unchoke_slots = 1;
    scenario
}

/// Lets the swarm run under one invariant alone until `doctor` has broken something (it says so), and returns what the
/// invariant says to that, after its name.
pub(super) fn complaint(
    invariant: impl FnOnce(&World) -> Box<dyn Invariant>,
    mut doctor: impl FnMut(&mut World) -> bool,
) -> String {
    let fault = Fault { corrupters: [PeerIndex(1)].into(), every: 3, ..Fault::default() };
    let mut world = World::new(&scenario(), 1, &Options { fault, ..Options::default() });
    let mut invariants = Invariants { all: vec![invariant(&world)] };
    for _ in 0..MOST_STEPS {
        if !world.advance() {
            break;
        }
        let broken = doctor(&mut world);
        match world.hand_over(&mut Vec::new(), Some(&mut invariants)) {
            Err(DriverError::Invariant { invariant, random_seed: 1, what, .. }) if broken => {
                return format!("{invariant}: {what}");
            }
            outcome => assert!(!broken && outcome.is_ok(), "broken: {broken}, outcome: {outcome:?}"),
        }
    }
    panic!("the doctor found nothing to break");
}

/// Reports something that did not happen.
pub(super) fn pretend(world: &mut World, peer: PeerIndex, event: Event) -> bool {
    world.records.push(Record { at: world.now, peer, event });
    true
}

/// The state of a peer that is here; the invariants will look at it.
pub(super) fn patient(world: &mut World, index: PeerIndex) -> &mut Peer {
    world.touched.push(index);
    world.hosts[index.0 as usize].peer.as_deref_mut().expect("a peer that is here")
}

/// Some connection, with both of its ends open, that is `ill`: asked of its own end and the other one.
pub(super) fn find(
    world: &World,
    ill: impl Fn(OpenEnd<'_>, OpenEnd<'_>) -> bool,
) -> Option<(PeerIndex, ConnId)> {
    let mut connections = world.everybody().flat_map(|index| {
        let peer = world.host(index).peer.iter();
        peer.flat_map(|peer| peer.connections()).map(move |(conn, _)| (index, conn))
    });
    connections.find(|(index, conn)| world.ends(*index, *conn).is_some_and(|[own, other]| ill(own, other)))
}

/// The same, where nothing is on its way in either direction.
pub(super) fn find_at_rest(
    world: &World,
    ill: impl Fn(OpenEnd<'_>, OpenEnd<'_>) -> bool,
) -> Option<(PeerIndex, ConnId)> {
    find(world, |own, other| {
        let rests = world.has_heard_all(own, other) && world.has_heard_all(other, own);
        rests && !world.awaits_blocks(own) && ill(own, other)
    })
}
