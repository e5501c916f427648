//! Drawing lots among connections, and ranking them with lots among equals. Both begin from the order of peer ids, so
//! that the numbers of connections, which each driver chooses, decide nothing.

use smallvec::SmallVec;

use crate::id::ConnId;
use crate::peer::seam::ConnSet;
use crate::rng::Stream;

/// Draws up to `count` of `from` without putting back, each as likely. Draws nothing from the stream where everybody
/// wins.
pub(super) fn draw(from: &ConnSet, count: usize, place: impl Fn(ConnId) -> u32, rng: &mut Stream) -> ConnSet {
    if count == 0 {
        return ConnSet::default();
    }
    if from.count() as usize <= count {
        return from.clone();
    }
    let mut drawn = ConnSet::default();
    // The winner's place is all that counts: no need to put everybody in order.
    let mut places = SmallVec::<[(u32, ConnId); 64]>::new();
    places.extend(from.iter().map(|conn| (place(conn), conn)));
    for _ in 0..count {
        let ticket = rng.index(places.len());
        let (_, (_, winner), _) = places.select_nth_unstable_by_key(ticket, |(place, _)| *place);
        drawn.insert(*winner);
        places.swap_remove(ticket);
    }
    drawn
}

/// The same, each as likely as its weight (at least 1) says.
pub(super) fn draw_weighted(
    from: &ConnSet,
    count: usize,
    place: impl Fn(ConnId) -> u32,
    weight: impl Fn(ConnId) -> u64,
    rng: &mut Stream,
) -> ConnSet {
    if from.count() as usize <= count {
        return from.clone();
    }
    let mut open: SmallVec<[(u32, ConnId, u64); 16]> =
        from.iter().map(|conn| (place(conn), conn, weight(conn))).collect();
    open.sort_unstable_by_key(|(place, ..)| *place);
    let mut drawn = ConnSet::default();
    for _ in 0..count {
        let mut ticket = rng.below(open.iter().map(|(.., weight)| weight).sum());
        let winner = open.iter().position(|(.., weight)| {
            let won = ticket < *weight;
            ticket = ticket.saturating_sub(*weight);
            won
        });
        let (_, winner, _) = open.remove(winner.expect("the ticket is below the sum of all weights"));
        drawn.insert(winner);
    }
    drawn
}

/// Sorts ascending by key, equals in drawn order.
pub(super) fn rank<K: Ord + Copy>(
    entries: &mut [(K, ConnId)],
    place: impl Fn(ConnId) -> u32,
    rng: &mut Stream,
) {
    if entries.len() < 2 {
        return;
    }
    entries.sort_unstable_by_key(|(_, conn)| place(*conn));
    rng.shuffle(entries);
    entries.sort_by_key(|(key, _)| *key);
}
