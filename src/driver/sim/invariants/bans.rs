//! Whoever is banned sent data of a piece that failed, was no honest peer, and stays out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{BlockFate, Event, Record};
use crate::id::{PeerIndex, PieceIndex};
use crate::peer::Peer;

#[derive(Default)]
pub(super) struct Bans {
    /// Who banned whom in its present stay.
    banned: BTreeSet<(PeerIndex, PeerIndex)>,
    /// Who sent whom blocks of a piece that has no verdict yet.
    senders: BTreeMap<(PeerIndex, PieceIndex), BTreeSet<PeerIndex>>,
    /// Who got blocks of a failed piece from whom in its present stay.
    evidence: BTreeSet<(PeerIndex, PeerIndex)>,
}

impl Invariant for Bans {
    fn name(&self) -> &'static str {
        "bans"
    }

    fn record(&mut self, world: &World, record: &Record) -> Result<(), String> {
        let peer = record.peer;
        match record.event {
            Event::Arrived { .. } => {
                self.banned.retain(|(by, _)| *by != peer);
                self.evidence.retain(|(by, _)| *by != peer);
                self.senders.retain(|(by, _), _| *by != peer);
            }
            Event::Downloaded { from: Some(from), block, fate: BlockFate::Useful } if !world.is_honest() => {
                self.senders.entry((peer, block.piece)).or_default().insert(from);
            }
            Event::PieceVerified { piece } => {
                self.senders.remove(&(peer, piece));
            }
            Event::PieceFailed { piece, .. } => {
                let senders = self.senders.remove(&(peer, piece)).unwrap_or_default();
                self.evidence.extend(senders.into_iter().map(|sender| (peer, sender)));
            }
            Event::Banned { remote: Some(remote) } => {
                ensure(world.corrupts(remote), || format!("banned {remote}, which is honest"))?;
                ensure(self.evidence.contains(&(peer, remote)), || {
                    format!("banned {remote}, from which no failed piece came")
                })?;
                self.banned.insert((peer, remote));
            }
            // Somebody who is not connected any more.
            Event::Banned { remote: None } => no_honest_peer_is_banned(world, peer)?,
            _ => {}
        }
        Ok(())
    }

    fn peer(&mut self, _world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        if self.banned.is_empty() {
            return Ok(());
        }
        peer.connections().try_for_each(|(conn, connection)| {
            let Some(remote) = connection.remote().index else { return Ok(()) };
            ensure(!self.banned.contains(&(index, remote)), || {
                format!("{conn:?} leads to {remote}, which is banned")
            })
        })
    }
}

fn no_honest_peer_is_banned(world: &World, by: PeerIndex) -> Result<(), String> {
    let Some(peer) = &world.host(by).peer else { return Ok(()) };
    let mut honest = world.everybody().filter(|other| !world.corrupts(*other));
    let banned = honest.find(|other| peer.is_banned(world.host(*other).plan.peer_id));
    ensure(banned.is_none(), || format!("banned {banned:?}, which is honest"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, patient, pretend};
    use crate::id::BlockId;

    /// Sends bad blocks of every third piece.
    const CORRUPTER: PeerIndex = PeerIndex(1);
    const VICTIM: PeerIndex = PeerIndex(2);
    const PIECE: PieceIndex = PieceIndex(3);

    fn bans(_: &World) -> Box<dyn Invariant> {
        Box::new(Bans::default())
    }

    #[test]
    fn the_ban_of_an_honest_peer_is_seen() {
        let banned = Event::Banned { remote: Some(PeerIndex(0)) };
        let said = complaint(bans, |world| pretend(world, VICTIM, banned.clone()));
        assert_eq!(said, "bans: banned 0, which is honest");
    }

    #[test]
    fn a_ban_without_evidence_is_seen() {
        let banned = Event::Banned { remote: Some(CORRUPTER) };
        let said = complaint(bans, |world| pretend(world, VICTIM, banned.clone()));
        assert_eq!(said, "bans: banned 1, from which no failed piece came");
    }

    #[test]
    fn a_connection_to_a_banned_peer_is_seen() {
        let said = complaint(bans, |world| {
            let met = find(world, |own, _| own.view.remote().index == Some(CORRUPTER));
            let Some((victim, _)) = met else { return false };
            patient(world, victim);
            let block = world.layout.block(BlockId { piece: PIECE, index: 0 });
            let (from, fate) = (Some(CORRUPTER), BlockFate::Useful);
            pretend(world, victim, Event::Downloaded { from, block, fate });
            pretend(world, victim, Event::PieceFailed { piece: PIECE, bytes: 1 });
            pretend(world, victim, Event::Banned { remote: from })
        });
        assert!(said.contains("leads to 1, which is banned"), "{said}");
    }

    #[test]
    fn the_ban_of_an_honest_peer_that_is_gone_is_seen() {
        let said = complaint(bans, |world| {
            if world.host(VICTIM).peer.is_none() {
                return false;
            }
            let honest = world.host(PeerIndex(0)).plan.peer_id;
            for _ in 0..2 {
                let blame = patient(world, VICTIM).doctored_blame();
                blame.received(BlockId { piece: PIECE, index: 0 }, honest);
                blame.bad(PIECE, &[1]);
            }
            pretend(world, VICTIM, Event::Banned { remote: None })
        });
        assert!(said.contains("PeerIndex(0)") && said.contains("which is honest"), "{said}");
    }
}
