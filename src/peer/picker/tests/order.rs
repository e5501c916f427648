//! The order by itself: whatever changes of rank it is told, it lists the rare pieces by rank.

use super::super::*;
use crate::peer::picker::availability::Counts;
use crate::peer::picker::order::Wanted;
use crate::rng::{Entity, Purpose};

const PIECES: u32 = 130;

/// What the order should know.
struct Truth {
    rows: Vec<[u16; 64]>,
    free: Bitfield,
    started: Vec<PieceIndex>,
}

impl Truth {
    fn holders(&self, piece: PieceIndex) -> u16 {
        self.rows[piece.0 as usize / 64][piece.0 as usize % 64]
    }

    fn wide(&self) -> Counts {
        Counts::Wide(self.rows.clone().into())
    }

    fn narrow(&self) -> Counts {
        Counts::Narrow(self.rows.iter().map(|row| row.map(|count| count as u8)).collect())
    }

    fn rank(&self, piece: PieceIndex) -> usize {
        rank(self.holders(piece), self.started.contains(&piece))
    }

    fn rank_if_free(&self, piece: PieceIndex) -> Option<usize> {
        self.free.contains(piece).then(|| self.rank(piece))
    }

    /// One random change: a holder more or less, opened, given up, closed, wanted again.
    fn change(&mut self, piece: PieceIndex, chance: &mut Stream) {
        let holders = &mut self.rows[piece.0 as usize / 64][piece.0 as usize % 64];
        match chance.below(5) {
            0 => *holders = (*holders + 1).min(9),
            1 => *holders = holders.saturating_sub(1),
            2 if self.free.contains(piece) && !self.started.contains(&piece) => self.started.push(piece),
            3 => {
                self.started.retain(|&started| started != piece);
                self.free.remove(piece);
            }
            _ => {
                self.free.insert(piece);
            }
        }
    }
}

#[test]
fn the_order_follows_every_change_of_rank() {
    for seed in 0..20 {
        let mut chance = Stream::new(seed, Entity::Scenario, Purpose::Content);
        let mut truth = Truth { rows: vec![[4; 64]; 3], free: Bitfield::full(PIECES), started: Vec::new() };
        let mut order = Order::new(PIECES);
        for _ in 0..3_000 {
            let piece = PieceIndex(chance.below(u64::from(PIECES)) as u32);
            let before = truth.rank_if_free(piece);
            truth.change(piece, &mut chance);
            let after = truth.rank_if_free(piece);
            if before != after {
                order.change(piece, before, after);
            }
            match chance.below(400) {
                0 => order.forget(),
                1..20 => {
                    let (free, started) = (truth.free.words(), &truth.started[..]);
                    let before = order.pieces().len();
                    let counts = &if seed % 2 == 0 { truth.wide() } else { truth.narrow() };
                    let more = order.collect(Wanted { counts, free, started });
                    assert_eq!(more, order.pieces().len() > before, "seed {seed}");
                }
                _ => {}
            }
            let free: Vec<_> = truth.free.iter().collect();
            order.check(&free, |piece| truth.rank(piece));
        }
    }
}

#[test]
fn a_row_that_wanders_is_brought_back() {
    let mut order = Order::new(3);
    let (rare, common) = (PieceIndex(0), PieceIndex(1));
    let mut rows = [[0; 64]];
    rows[0][..3].copy_from_slice(&[0, 3, 4]);
    let free = Bitfield::full(3);
    let counts = &Counts::Wide(rows.into());
    while order.collect(Wanted { counts, free: free.words(), started: &[] }) {}
    let (low, high) = (Some(rank(0, false)), Some(rank(3, false)));
    for _ in 0..100 {
        // Without the rare one, the common one is near the front and goes there; with it, it comes at the end.
        order.change(rare, low, None);
        order.change(common, high, None);
        order.change(rare, None, low);
        order.change(common, None, high);
    }
    assert!(order.places_in_use() <= 8, "{} places for three pieces", order.places_in_use());
    order.check(&free.iter().collect::<Vec<_>>(), |piece| rank(rows[0][piece.0 as usize], false));
}
