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
        std::mem::take(&mut self.requested)
            .into_iter()
            .filter(|(peer, ..)| !freed && told.get(peer) == Some(&1))
            .try_for_each(|(peer, from, block)| asked_twice_with_reason(world, peer, from, block))
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
