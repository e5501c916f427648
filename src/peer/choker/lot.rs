//! Drawing lots among candidates, and ranking them with lots among equals. Both begin from the order of peer ids, so
//! that the numbers of connections, which each driver chooses, decide nothing.

use super::Candidate;
use crate::rng::Stream;

/// Draws up to `count` of `from` without putting back, each as likely as its weight (at least 1) says. Draws nothing
/// from the stream where everybody wins.
pub(super) fn draw<'a>(
    mut from: Vec<&'a Candidate>,
    count: usize,
    weight: impl Fn(&Candidate) -> u64,
    rng: &mut Stream,
) -> Vec<&'a Candidate> {
    if from.len() <= count {
        return from;
    }
    if count == 0 {
        return Vec::new();
    }
    order(&mut from);
    let mut drawn = Vec::with_capacity(count);
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
    mut from: Vec<&'a Candidate>,
    key: impl Fn(&Candidate) -> K,
    rng: &mut Stream,
) -> Vec<&'a Candidate> {
    order(&mut from);
    rng.shuffle(&mut from);
    from.sort_by_key(|candidate| key(candidate));
    from
}

fn order(candidates: &mut [&Candidate]) {
    candidates.sort_unstable_by_key(|candidate| (candidate.peer_id, candidate.conn));
}

pub(super) fn contains(among: &[&Candidate], candidate: &Candidate) -> bool {
    among.iter().any(|other| other.conn == candidate.conn)
}
