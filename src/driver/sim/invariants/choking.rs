//! Slots are kept, only interested peers are unchoked, nobody is choked within a round of its unchoke unless it lost
//! interest, the optimistic unchoke moves on while somebody waits for it, and when nothing is on its way both ends agree
//! about who is choked.

use std::collections::BTreeMap;

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{Event, Record};
use crate::id::{ConnId, PeerIndex};
use crate::peer::Peer;
use crate::peer::policy::ChokerPolicy;
use crate::time::{Span, Time};

#[derive(Default)]
pub(super) struct Choking {
    /// Since when a connection holds its slot by lot, or waits choked and interested.
    by_lot: BTreeMap<(PeerIndex, ConnId, PeerIndex), Time>,
    waiting: BTreeMap<(PeerIndex, ConnId, PeerIndex), Time>,
    /// When a connection was unchoked last: by whom, whom.
    unchoked: BTreeMap<(PeerIndex, PeerIndex), Time>,
    /// Who was choked again since the last look, and how soon.
    choked: Vec<(PeerIndex, PeerIndex, Span)>,
    /// How often a peer was stepped since the last look: after several steps nobody can tell whether the remote was
    /// interested when it was choked.
    stepped: BTreeMap<PeerIndex, u32>,
}

impl Invariant for Choking {
    fn name(&self) -> &'static str {
        "choking"
    }

    fn record(&mut self, _world: &World, record: &Record) -> Result<(), String> {
        let peer = record.peer;
        match record.event {
            Event::Unchoked { remote: Some(remote), .. } => {
                self.unchoked.insert((peer, remote), record.at);
            }
            Event::Choked { remote: Some(remote) } => {
                // Also where the same one draws the slot anew within this step.
                self.by_lot.retain(|(owner, _, other), _| (*owner, *other) != (peer, remote));
                if let Some(since) = self.unchoked.remove(&(peer, remote)) {
                    self.choked.push((peer, remote, record.at.since(since)));
                }
            }
            Event::Disconnected { remote: Some(remote), .. } => {
                self.unchoked.remove(&(peer, remote));
                self.by_lot.retain(|(owner, _, other), _| (*owner, *other) != (peer, remote));
                self.waiting.retain(|(owner, _, other), _| (*owner, *other) != (peer, remote));
            }
            Event::Arrived { .. } => {
                self.by_lot.retain(|(owner, ..), _| *owner != peer);
                self.waiting.retain(|(owner, ..), _| *owner != peer);
            }
            _ => {}
        }
        Ok(())
    }

    fn peer(&mut self, world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        *self.stepped.entry(index).or_default() += 1;
        let policy = peer.policy();
        let unchoked: Vec<_> = peer.connections().filter(|(_, connection)| connection.unchoked()).collect();
        for (conn, _) in peer.connections() {
            both_ends_agree(world, index, conn)?;
        }
        for (conn, connection) in &unchoked {
            ensure(connection.remote_interested(), || format!("{conn:?} is unchoked, but not interested"))?;
            ensure(world.host(index).plan.uploads, || format!("{conn:?} is unchoked without an uplink"))?;
        }
        let slots = (policy.unchoke_slots + policy.optimistic_slots) as usize;
        ensure(policy.choker == ChokerPolicy::UnchokeAll || unchoked.len() <= slots, || {
            format!("{} unchoked in {slots} slots", unchoked.len())
        })?;
        if policy.choker == ChokerPolicy::TitForTat {
            self.optimistic_moves_on(world, index, peer)
        } else {
            Ok(())
        }
    }

    fn world(&mut self, world: &World) -> Result<(), String> {
        let stepped = std::mem::take(&mut self.stepped);
        let known = |by: &PeerIndex| stepped.get(by) == Some(&1);
        let choked = std::mem::take(&mut self.choked);
        choked.into_iter().filter(|(by, ..)| known(by)).try_for_each(|(by, whom, held)| {
            let Some(peer) = &world.host(by).peer else { return Ok(()) };
            let connection = peer.connections().find(|(_, other)| other.remote().index == Some(whom));
            let wants_more = connection.is_some_and(|(_, other)| other.remote_interested());
            ensure(!wants_more || held >= peer.policy().round, || {
                format!("{by} choked {whom}, which was interested, after {held} only")
            })
        })
    }
}

fn both_ends_agree(world: &World, index: PeerIndex, conn: ConnId) -> Result<(), String> {
    let Some([own, other]) = world.ends(index, conn) else { return Ok(()) };
    let (believed, so) = (own.view.unchokes_us(), other.view.unchoked());
    ensure(believed == so || !world.has_heard_all(own, other), || {
        format!("at rest we take {conn:?} to unchoke us: {believed}, which does: {so}")
    })
}

impl Choking {
    fn optimistic_moves_on(&mut self, world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        let policy = peer.policy();
        let mut waiting_longest = Time::NEVER;
        for (conn, connection) in peer.connections() {
            let Some(remote) = connection.remote().index else { continue };
            let key = (index, conn, remote);
            let by_lot = connection.unchoked() && peer.is_optimistic(conn);
            let waits = connection.remote_interested() && !connection.unchoked() && !connection.snubbed();
            since(&mut self.by_lot, key, by_lot, world.now);
            if let Some(at) = since(&mut self.waiting, key, waits, world.now) {
                waiting_longest = waiting_longest.min(at);
            }
        }
        let longest = policy.round * u64::from(policy.optimistic_rounds + 1);
        for (conn, connection) in peer.connections() {
            let Some(remote) = connection.remote().index else { continue };
            if let Some(&at) = self.by_lot.get(&(index, conn, remote)) {
                let overdue = world.now.since(at.max(waiting_longest)) > longest;
                ensure(waiting_longest == Time::NEVER || !overdue, || {
                    format!("{conn:?} holds an optimistic slot since {at} while another waits")
                })?;
            }
        }
        Ok(())
    }
}

/// Follows since when something is so.
fn since<K: Ord>(times: &mut BTreeMap<K, Time>, key: K, holds: bool, now: Time) -> Option<Time> {
    if holds {
        Some(*times.entry(key).or_insert(now))
    } else {
        times.remove(&key);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, find_at_rest, patient, pretend};

    fn choking(_: &World) -> Box<dyn Invariant> {
        Box::new(Choking::default())
    }

    #[test]
    fn more_unchoked_than_there_are_slots_are_seen() {
        let said = complaint(choking, |world| {
            let crowded = find(world, |own, _| own.peer.connections().count() >= 3);
            let Some((index, _)) = crowded else { return false };
            for conn in 0..3 {
                let connections = patient(world, index).doctored_connections();
                connections.unchoked.insert(ConnId(conn));
                connections.interested.insert(ConnId(conn));
            }
            world.touched = vec![index];
            true
        });
        assert_eq!(said, "choking: 3 unchoked in 2 slots");
    }

    #[test]
    fn an_unchoked_peer_that_wants_nothing_is_seen() {
        let said = complaint(choking, |world| {
            let Some((index, conn)) = find(world, |own, _| own.view.unchoked()) else { return false };
            patient(world, index).doctored_connections().interested.remove(conn);
            true
        });
        assert!(said.contains("is unchoked, but not interested"), "{said}");
    }

    #[test]
    fn a_slot_of_a_peer_without_an_uplink_is_seen() {
        let said = complaint(choking, |world| {
            let Some((index, _)) = find(world, |own, _| own.view.unchoked()) else { return false };
            patient(world, index);
            world.host_mut(index).plan.uploads = false;
            true
        });
        assert!(said.contains("is unchoked without an uplink"), "{said}");
    }

    #[test]
    fn a_choke_within_a_round_is_seen() {
        let said = complaint(choking, |world| {
            let Some((index, conn)) = find(world, |own, _| own.view.remote_interested()) else {
                return false;
            };
            let remote = world.ends(index, conn).and_then(|[own, _]| own.view.remote().index);
            world.touched = vec![index];
            pretend(world, index, Event::Unchoked { remote, optimistic: false });
            pretend(world, index, Event::Choked { remote })
        });
        assert!(said.contains("which was interested, after 0 s only"), "{said}");
    }

    #[test]
    fn an_optimistic_unchoke_that_stays_is_seen() {
        let said = complaint(choking, |world| {
            let stuck = find(world, |own, _| {
                let mut others = own.peer.connections();
                let waits = others.any(|(_, other)| other.remote_interested() && !other.unchoked());
                let mut others = own.peer.connections();
                waits && others.any(|(conn, other)| other.unchoked() && own.peer.is_optimistic(conn))
            });
            let late = world.now > Time::ZERO + Span::from_secs(60);
            let Some((index, _)) = stuck.filter(|_| late) else { return false };
            patient(world, index);
            world.now += Span::from_secs(3_600);
            true
        });
        assert!(said.contains("holds an optimistic slot since"), "{said}");
    }

    #[test]
    fn an_unchoke_that_was_forgotten_on_its_way_is_missed_at_rest() {
        let said = complaint(choking, |world| {
            let Some((index, conn)) = find_at_rest(world, |own, _| own.view.unchokes_us()) else {
                return false;
            };
            patient(world, index).doctored_connections().unchoking.remove(conn);
            true
        });
        assert!(said.contains("to unchoke us: false, which does: true"), "{said}");
    }
}
