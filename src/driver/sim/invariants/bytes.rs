//! Payload is conserved: what was sent was received, is under way, or was lost with its connection.

use std::collections::BTreeMap;

use super::{Invariant, ensure};
use crate::driver::sim::world::World;
use crate::event::{BlockFate, Event, Record};
use crate::id::PeerIndex;
use crate::peer::Peer;

#[derive(Default)]
pub(super) struct Bytes {
    sent: u64,
    received: u64,
    /// From, to.
    pairs: BTreeMap<(PeerIndex, PeerIndex), Pair>,
    /// Useful bytes of the present stay, and what became of them.
    kept: BTreeMap<PeerIndex, Kept>,
}

#[derive(Default)]
struct Pair {
    uploaded: u64,
    downloaded: u64,
}

#[derive(Default)]
struct Kept {
    useful: u64,
    verified: u64,
    failed: u64,
}

impl Invariant for Bytes {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn record(&mut self, world: &World, record: &Record) -> Result<(), String> {
        let peer = record.peer;
        match record.event {
            Event::Arrived { .. } => {
                self.kept.insert(peer, Kept::default());
            }
            Event::Uploaded { to: Some(to), block } => {
                self.sent += u64::from(block.length);
                self.pairs.entry((peer, to)).or_default().uploaded += u64::from(block.length);
            }
            Event::Downloaded { from: Some(from), block, fate } => {
                self.received += u64::from(block.length);
                let pair = self.pairs.entry((from, peer)).or_default();
                pair.downloaded += u64::from(block.length);
                let (up, down) = (pair.uploaded, pair.downloaded);
                ensure(down <= up, || format!("got {down} bytes from {from}, who sent {up}"))?;
                if fate == BlockFate::Useful {
                    self.kept.entry(peer).or_default().useful += u64::from(block.length);
                }
            }
            Event::PieceVerified { piece } => {
                self.kept.entry(peer).or_default().verified += u64::from(world.layout.piece_length(piece));
            }
            Event::PieceFailed { bytes, .. } => {
                self.kept.entry(peer).or_default().failed += u64::from(bytes);
            }
            _ => {}
        }
        Ok(())
    }

    fn peer(&mut self, world: &World, index: PeerIndex, peer: &Peer) -> Result<(), String> {
        let kept = self.kept.entry(index).or_default();
        let (useful, unverified) = (kept.useful, peer.picker().unverified_bytes());
        let accounted = kept.verified + kept.failed + unverified;
        // A retry that changes hands drops what it had; that happens only where somebody sends bad data.
        let honest = world.is_honest();
        ensure(accounted == useful || (!honest && accounted < useful), || {
            format!(
                "{useful} useful bytes, but {} verified, {} failed and {unverified} unverified",
                kept.verified, kept.failed
            )
        })
    }

    fn world(&mut self, world: &World) -> Result<(), String> {
        let (sent, received, flow) = (self.sent, self.received, world.flow);
        ensure(sent == received + flow.underway + flow.lost, || {
            format!("{sent} bytes sent, {received} received, {} under way, {} lost", flow.underway, flow.lost)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::sim::invariants::doctored::{complaint, find, patient, pretend};
    use crate::id::Block;

    fn block(world: &World) -> Block {
        world.layout.block(crate::id::BlockId { piece: crate::id::PieceIndex(0), index: 0 })
    }

    #[test]
    fn bytes_that_vanish_are_seen() {
        let said = complaint(
            |_| Box::new(Bytes::default()),
            |world| {
                let flows = world.flow.underway > 0;
                world.flow.underway -= u64::from(flows);
                flows
            },
        );
        assert!(said.contains("bytes sent, 0 received"), "{said}");
    }

    #[test]
    fn a_block_that_nobody_sent_is_seen() {
        let said = complaint(
            |_| Box::new(Bytes::default()),
            |world| {
                let (from, block) = (Some(PeerIndex(1)), block(world));
                pretend(world, PeerIndex(2), Event::Downloaded { from, block, fate: BlockFate::Useful })
            },
        );
        assert_eq!(said, "bytes: got 8192 bytes from 1, who sent 0");
    }

    #[test]
    fn a_useful_block_that_nothing_became_of_is_seen() {
        let said = complaint(
            |_| Box::new(Bytes::default()),
            |world| {
                let Some((index, _)) = find(world, |_, _| true) else { return false };
                world.fault.every = 0;
                let (other, block) = (PeerIndex(6), block(world));
                pretend(world, other, Event::Uploaded { to: Some(index), block });
                let (from, fate) = (Some(other), BlockFate::Useful);
                pretend(world, index, Event::Downloaded { from, block, fate });
                patient(world, index);
                true
            },
        );
        assert!(said.contains("8192 useful bytes, but 0 verified, 0 failed and 0 unverified"), "{said}");
    }
}
