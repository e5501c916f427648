//! Drawing lots among candidates, and ranking them with lots among equals. Both begin from the order of peer ids, so
//! that the numbers of connections, which each driver chooses, decide nothing.

use super::{Candidate, Group};
use crate::rng::Stream;

/// Draws up to `count` of `from` without putting back, each as likely as its weight (at least 1) says. Draws nothing
/// from the stream where everybody wins.
pub(super) fn draw<'a>(
    mut from: Group<'a>,
    count: usize,
    weight: impl Fn(&Candidate) -> u64,
    rng: &mut Stream,
) -> Group<'a> {
    if from.len() <= count {
        return from;
    }
    if count == 0 {
        return Group::new();
    }
    let mut drawn = Group::new();
    if from.iter().all(|candidate| weight(candidate) == 1) {
        // The winner's place is all that counts: no need to put everybody in order.
        while drawn.len() < count {
            let ticket = rng.index(from.len());
            from.select_nth_unstable_by_key(ticket, |candidate| candidate.place);
            drawn.push(from.swap_remove(ticket));
        }
        return drawn;
    }
    order(&mut from);
    while drawn.len() < count {
        let mut ticket = rng.below(from.iter().map(|candidate| weight(candidate)).sum());
        let winner = from.iter().position(|candidate| {
            let width = weight(candidate);
            let won = ticket < width;
            ticket = ticket.saturating_sub(width);
            won
        });
        drawn.push(from.remove(winner.expect("the ticket is below the sum of all weights")));
    }
    drawn
}

/// Sorts ascending by `key`, equals in drawn order.
pub(super) fn rank<'a, K: Ord>(
    mut from: Group<'a>,
    key: impl Fn(&Candidate) -> K,
    rng: &mut Stream,
) -> Group<'a> {
    order(&mut from);
    rng.shuffle(&mut from);
    from.sort_by_key(|candidate| key(candidate));
    from
}

fn order(candidates: &mut [&Candidate]) {
    candidates.sort_unstable_by_key(|candidate| candidate.place);
}

pub(super) fn contains(among: &[&Candidate], candidate: &Candidate) -> bool {
    among.iter().any(|other| other.conn == candidate.conn)
}
