//! A second requester for a block: in endgame, and where the first is snubbed. Never a third, never the same one twice.

use super::{Asker, Picker};
use crate::id::{BlockId, ConnId};
use crate::rng::Stream;

/// How often a random place is tried before the blocks are counted. A block found by trying is as uniform as one found by
/// counting, and cheaper in endgame, where most requested blocks will do.
const TRIES: u32 = 16;

impl Picker {
    /// A uniform one of the blocks that the asker has and that are requested from exactly one connection, not the asker, for which
    /// `may_double` is true: everyone in endgame, a snubbed connection before. Requested from the asker too from
    /// now on. Pieces of exclusive retry stay with their one connection.
    pub fn pick_second(
        &mut self,
        asker: &Asker<'_>,
        may_double: &dyn Fn(ConnId) -> bool,
        rng: &mut Stream,
    ) -> Option<BlockId> {
        let block = self.busy_block(asker, may_double, rng)?;
        self.progress.double(block, asker.conn);
        Some(block)
    }

    fn busy_block(
        &self,
        asker: &Asker<'_>,
        may_double: &dyn Fn(ConnId) -> bool,
        rng: &mut Stream,
    ) -> Option<BlockId> {
        let per_piece = self.layout.blocks_per_piece() as usize;
        let places = self.progress.slots() * per_piece;
        let at = |place: usize| {
            let (block, first) = self.progress.busy_at(place / per_piece, (place % per_piece) as u32)?;
            let will_do = first != asker.conn
                && asker.pieces.contains(block.piece)
                && may_double(first)
                && !self.retries.contains(block.piece);
            will_do.then_some(block)
        };
        if places == 0 {
            return None;
        }
        if let Some(block) = (0..TRIES).find_map(|_| at(rng.index(places))) {
            return Some(block);
        }
        match (0..places).filter_map(at).count() {
            0 => None,
            count => (0..places).filter_map(at).nth(rng.index(count)),
        }
    }
}
