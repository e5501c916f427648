//! The rarest eligible piece, found in the order from its beginning: a few looks where the asker has a good part of the rare
//! pieces, and a bounded number where it has not.

use super::draw::{WINDOW, any_of_eight, one_of};
use super::eligible::Eligible;
use super::order::{Order, Wanted};
use crate::id::PieceIndex;
use crate::rng::Stream;

/// What a search with a bounded number of looks has shown.
pub(super) enum Search {
    Found(PieceIndex),
    /// The asker has no piece with a free block.
    Nothing,
    /// The asker lacks the rare pieces: looking at all counts is cheaper than looking on.
    GaveUp,
}

/// Pieces of the order that are looked at before a search gives up.
const LOOKS: usize = 128;
/// Holder counts that one search collects before it gives up.
const COLLECTIONS: usize = 4;
/// Random looks at a rank of many pieces before it is searched from end to end.
const TRIES: usize = 12;

/// A uniform one of the rarest eligible pieces, a started one where there is a choice. None of them has fewer holders than
/// `floor`.
//
// Nearly every search ends within the first window. What it needs beyond is kept out of its way.
#[inline]
pub(super) fn rarest<'a>(
    order: &mut Order,
    wanted: impl Fn() -> Wanted<'a>,
    eligible: &Eligible<'_>,
    floor: u16,
    rng: &mut Stream,
) -> Search {
    let fitting = eligible.among_first(order.pieces());
    if fitting != 0 {
        return one_of_rank(order, 0, fitting, eligible, rng);
    }
    // While a swarm's only seed still hands out its pieces, most have no other holder yet.
    let too_rare = order.count_below(floor);
    if too_rare >= LOOKS {
        return Search::GaveUp;
    }
    rarest_further(order, too_rare, wanted(), eligible, rng)
}

#[inline(never)]
fn rarest_further(
    order: &mut Order,
    too_rare: usize,
    wanted: Wanted<'_>,
    eligible: &Eligible<'_>,
    rng: &mut Stream,
) -> Search {
    // Windows begin where they would if all were looked at.
    let mut seen = too_rare - too_rare % WINDOW;
    for _ in 0..=COLLECTIONS {
        while let Some(pieces) = order.pieces().get(seen..).filter(|pieces| !pieces.is_empty()) {
            let fitting = eligible.among_first(pieces);
            if fitting != 0 {
                return one_of_rank(order, seen, fitting, eligible, rng);
            }
            seen += pieces.len().min(WINDOW);
            if seen >= LOOKS {
                return Search::GaveUp;
            }
        }
        if !order.collect(wanted) {
            return Search::Nothing;
        }
    }
    Search::GaveUp
}

/// A uniform eligible piece of the rank that the first one is of: `fitting` tells which of those at `seen` are eligible, and
/// none before them is.
//
// Four of five picks are this and a request: with both in place of their calls a whole download's block takes 2 % less.
#[inline(always)]
fn one_of_rank(
    order: &Order,
    seen: usize,
    fitting: u64,
    eligible: &Eligible<'_>,
    rng: &mut Stream,
) -> Search {
    let (pieces, ranks) = (order.pieces(), order.ranks());
    let first = seen + fitting.trailing_zeros() as usize;
    let rank = ranks[first];
    if ranks.get(first + 1) != Some(&rank) {
        return Search::Found(pieces[first]);
    }
    let end = order.end(rank);
    if end - seen <= 2 * WINDOW {
        let further = if end - seen > WINDOW { eligible.among_first(&pieces[seen + WINDOW..]) } else { 0 };
        let equals = (fitting | further << WINDOW) & ((1 << (end - seen)) - 1);
        return Search::Found(pieces[seen + any_of_eight(equals, rng)]);
    }
    one_of_many_equals(&pieces[first..end], eligible, rng)
}

#[inline(never)]
fn one_of_many_equals(equals: &[PieceIndex], eligible: &Eligible<'_>, rng: &mut Stream) -> Search {
    for _ in 0..TRIES {
        let piece = equals[rng.below_u32(equals.len() as u32) as usize];
        if eligible.allows(piece) {
            return Search::Found(piece);
        }
    }
    if equals.len() > LOOKS {
        return Search::GaveUp;
    }
    one_of(equals, |piece| eligible.allows(piece), rng).map_or(Search::Nothing, Search::Found)
}
