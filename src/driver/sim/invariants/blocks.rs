//! A block is fetched once: from one connection, or from two in the endgame or where the first is snubbed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{BlockFate, Event, Record};
use crate::id::{Block, BlockId, PeerIndex};
use crate::peer::Peer;

#[derive(Default)]
pub(super) struct Blocks {
    /// Useful blocks of pieces without a verdict, or verified since the peer arrived.
    received: BTreeMap<PeerIndex, BTreeSet<Block>>,
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
                received.retain(|block| block.piece != piece);
            }
            Event::Downloaded { block, fate: BlockFate::Useful, .. } => {
                let first = received.insert(block);
                // An exclusive retry may start over and fetch a block anew.
                ensure(first || !world.is_faultless(), || format!("{block:?} was received twice"))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn peer(&mut self, _world: &World, _index: PeerIndex, peer: &Peer) -> Result<(), String> {
        let mut requesters: BTreeMap<BlockId, Vec<bool>> = BTreeMap::new();
        for (_, connection) in peer.connections() {
            for block in connection.outstanding() {
                requesters.entry(*block).or_default().push(connection.snubbed());
            }
        }
        requesters.iter().try_for_each(|(block, snubbed)| {
            ensure(snubbed.len() <= 2, || format!("{block:?} is requested from {} peers", snubbed.len()))?;
            ensure(peer.picker().requesters(*block).len() == snubbed.len(), || {
                format!("{block:?}: the picker and the connections disagree about who is asked")
            })
        })
    }
}
