//! A block is fetched once: from one connection, or from two in the endgame or where the first is snubbed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{BlockFate, Event, Record, Remote};
use crate::id::{Block, BlockId, PeerIndex};
use crate::peer::Peer;

#[derive(Default)]
pub(super) struct Blocks {
    /// Useful blocks of pieces without a verdict, or verified since the peer arrived.
    received: BTreeMap<PeerIndex, BTreeSet<Block>>,
    /// Requests of the last step, how often it told a peer something, and whether it also freed blocks: what was free
    /// when a request was made is only known where nothing came after it.
    requested: Vec<(PeerIndex, Remote, Block)>,
    told: BTreeMap<PeerIndex, u32>,
    freed: bool,
}

impl Invariant for Blocks {
    fn name(&self) -> &'static str {
        "blocks"
    }

    fn record(&mut self, world: &World, record: &Record) -> Result<(), String> {
        let received = self.received.entry(record.peer).or_default();
        match record.event {
            Event::Arrived { .. } => received.clear(),
            Event::PieceFailed { piece, .. } | Event::StorageFailed { piece } => {
                self.freed = true;
                received.retain(|block| block.piece != piece);
            }
            Event::Requested { from, block } => self.requested.push((record.peer, from, block)),
            Event::Disconnected { .. } | Event::Snubbed { .. } => self.freed = true,
            Event::Downloaded { block, fate: BlockFate::Useful, .. } => {
                let first = received.insert(block);
                // An exclusive retry may start over and fetch a block anew.
                ensure(first || !world.is_honest(), || format!("{block:?} was received twice"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn peer(&mut self, _world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        *self.told.entry(index).or_default() += 1;
        let mut requesters: BTreeMap<BlockId, usize> = BTreeMap::new();
        for (_, connection) in peer.connections() {
            for block in connection.outstanding() {
                *requesters.entry(*block).or_default() += 1;
            }
        }
        requesters.iter().try_for_each(|(block, asked)| {
            ensure(*asked <= 2, || format!("{block:?} is requested from {asked} peers"))?;
            ensure(peer.picker().requesters(*block).len() == *asked, || {
                format!("{block:?}: the picker and the connections disagree about who is asked")
            })
        })
    }

    fn world(&mut self, world: &World) -> Result<(), String> {
        let (freed, told) = (std::mem::take(&mut self.freed), std::mem::take(&mut self.told));
        // Of two requests for a block in one step the first needed no reason: a map keeps the last.
        let requested = std::mem::take(&mut self.requested).into_iter();
        let last: BTreeMap<_, _> = requested.map(|(peer, from, block)| ((peer, block), from)).collect();
        last.into_iter()
            .filter(|((peer, _), _)| !freed && told.get(peer) == Some(&1))
            .try_for_each(|((peer, block), from)| asked_twice_with_reason(world, peer, from, block))
    }
}

/// A second request needs a reason: no block is free (endgame), or the first remote asked is snubbed.
fn asked_twice_with_reason(
    world: &World,
    index: PeerIndex,
    from: Remote,
    block: Block,
) -> Result<(), String> {
    let (Some(peer), Some(id)) = (&world.host(index).peer, world.layout.block_id(block)) else {
        return Ok(());
    };
    let asked = peer.connections().filter(|(_, connection)| connection.outstanding().contains(&id));
    let first: Vec<_> = asked.filter(|(_, connection)| connection.remote().index != from).collect();
    let endgame = !peer.picker().has_free_block();
    ensure(first.is_empty() || endgame || first.iter().any(|(_, other)| other.snubbed()), || {
        format!("{block:?} is asked for twice although others are free and nobody is snubbed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, patient, pretend};
    use crate::id::{ConnId, PieceIndex};
    use crate::peer::picker::Asker;
    use crate::rng::{Entity, Purpose, Stream};
    use crate::torrent::bitfield::Bitfield;

    const BLOCK: BlockId = BlockId { piece: PieceIndex(1), index: 0 };

    fn blocks(_: &World) -> Box<dyn Invariant> {
        Box::new(Blocks::default())
    }

    fn ask(world: &mut World, index: PeerIndex, conn: ConnId, block: BlockId) {
        patient(world, index).doctored_connection(conn).outstanding.push(block);
    }

    #[test]
    fn a_block_that_was_received_twice_is_seen() {
        // A piece that came to nothing may be fetched again: not in an honest world.
        let said = complaint(blocks, |world| {
            world.fault.every = 0;
            let block = world.layout.block(BLOCK);
            let received = || Event::Downloaded { from: None, block, fate: BlockFate::Useful };
            pretend(world, PeerIndex(2), received()) && pretend(world, PeerIndex(2), received())
        });
        assert!(said.contains("was received twice"), "{said}");
    }

    #[test]
    fn a_request_that_the_picker_does_not_know_is_seen() {
        let said = complaint(blocks, |world| {
            let Some((index, conn)) = find(world, |_, _| true) else { return false };
            ask(world, index, conn, BLOCK);
            true
        });
        assert!(said.contains("the picker and the connections disagree"), "{said}");
    }

    #[test]
    fn a_third_request_for_a_block_is_seen() {
        let said = complaint(blocks, |world| {
            let crowded = find(world, |own, _| own.peer.connections().count() >= 3);
            let Some((index, _)) = crowded else { return false };
            for conn in 0..3 {
                ask(world, index, ConnId(conn), BLOCK);
            }
            true
        });
        assert!(said.contains("is requested from 3 peers"), "{said}");
    }

    #[test]
    fn a_second_request_without_a_reason_is_seen() {
        let said = complaint(blocks, |world| {
            let asks = find(world, |own, _| {
                own.view.outstanding().is_empty()
                    && own.peer.connections().any(|(_, it)| !it.outstanding().is_empty())
            });
            let Some((index, conn)) = asks else { return false };
            world.touched.clear();
            world.records.clear();
            let pieces = Bitfield::full(world.layout.pieces());
            let asker = Asker { conn, pieces: pieces.as_set(), connections: 2 };
            let mut draws = Stream::new(1, Entity::Scenario, Purpose::Picker);
            let picker = patient(world, index).doctored_picker();
            let block = picker.pick_second(&asker, &|_| true, &mut draws).expect("a block asked of one peer");
            patient(world, index).doctored_connection(conn).outstanding.push(block);
            world.touched.pop();
            let from = world.ends(index, conn).and_then(|[own, _]| own.view.remote().index);
            let block = world.layout.block(block);
            pretend(world, index, Event::Requested { from, block })
        });
        assert!(said.contains("is asked for twice although others are free"), "{said}");
    }
}
