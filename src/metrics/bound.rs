//! The lower bound on the last completion: what no policy, however clever, can beat with these links.
//!
//! After the fluid bound of Kumar & Ross (2006), with arrivals, initial pieces and sole holders.

use crate::time::{Span, Time};
use crate::units::Rate;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// What the bound has to know of a peer that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundPeer {
    pub arrival: Time,
    /// Bytes it lacks at its start.
    pub lacking: u64,
    /// Bytes that nobody else who ever arrives holds at the start.
    pub sole: u64,
    /// `None` is unlimited.
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    /// It lacked something and got it: only such peers' needs are counted.
    pub completer: bool,
}

/// No swarm of these peers can have its last completer done before this time; `None` without completers.
pub fn last_completion(peers: &[BoundPeer]) -> Option<Time> {
    let completers = || peers.iter().filter(|peer| peer.completer);
    completers().next()?;
    let slowest_download =
        completers().map(|peer| peer.arrival + transfer(peer.lacking, peer.download)).max();
    [slowest_download, uplinks_together(peers), sole_holders(peers)].into_iter().flatten().max()
}

/// (b) The least time by which all uplinks together can have sent what all completers lack.
fn uplinks_together(peers: &[BoundPeer]) -> Option<Time> {
    let demand: u128 = peers.iter().filter(|peer| peer.completer).map(|peer| u128::from(peer.lacking)).sum();
    // In bits × ns/s, so that a rate times a span needs no division.
    let mut missing = demand * 8 * NANOS_PER_SECOND;
    if missing == 0 {
        return None;
    }
    let mut arrivals: Vec<(Time, Option<Rate>)> =
        peers.iter().map(|peer| (peer.arrival, peer.upload)).collect();
    arrivals.sort_unstable();
    let (mut now, mut rate) = (Time::ZERO, 0u128);
    for (arrival, upload) in arrivals {
        let supplied = rate * u128::from(arrival.since(now).as_nanos());
        if supplied >= missing {
            break;
        }
        missing -= supplied;
        now = arrival;
        match upload {
            Some(upload) => rate += u128::from(upload.bits_per_second()),
            // An unlimited uplink sends the rest in no time.
            None => return Some(now),
        }
    }
    (rate > 0).then(|| now + span(missing / rate))
}

/// (c) What only one peer holds must leave it once, if anybody else wants it.
fn sole_holders(peers: &[BoundPeer]) -> Option<Time> {
    let completers = peers.iter().filter(|peer| peer.completer).count();
    peers
        .iter()
        // Of whom nothing is needed, nobody waited for its arrival.
        .filter(|peer| peer.sole > 0 && completers > usize::from(peer.completer))
        .map(|peer| peer.arrival + transfer(peer.sole, peer.upload))
        .max()
}

/// How long `bytes` take at least, rounded down: a bound must not lie above what is possible.
fn transfer(bytes: u64, rate: Option<Rate>) -> Span {
    match rate.map(Rate::bits_per_second) {
        // Nothing crosses a link of rate 0, so nobody's completion can have hung on it.
        None | Some(0) => Span::ZERO,
        Some(bits) => span(u128::from(bytes) * 8 * NANOS_PER_SECOND / u128::from(bits)),
    }
}

fn span(nanos: u128) -> Span {
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABIT: u64 = 1_000_000;

    fn rate(bits: u64) -> Option<Rate> {
        Some(Rate::from_bits_per_second(bits))
    }

    fn secs(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    fn seed(upload: Option<Rate>, sole: u64) -> BoundPeer {
        BoundPeer { arrival: Time::ZERO, lacking: 0, sole, upload, download: None, completer: false }
    }

    fn leecher(arrival: Time, lacking: u64, upload: Option<Rate>, download: Option<Rate>) -> BoundPeer {
        BoundPeer { arrival, lacking, sole: 0, upload, download, completer: true }
    }

    /// A seed of 30 Mb/s and `n` leechers of 2 Mb/s download share 750 Mbit.
    fn kumar_and_ross(n: usize, upload_kilobits: u64) -> Option<Time> {
        let file = 750 * MEGABIT / 8;
        let one = leecher(Time::ZERO, file, rate(upload_kilobits * 1000), rate(2 * MEGABIT));
        let peers: Vec<_> = std::iter::once(seed(rate(30 * MEGABIT), file)).chain(vec![one; n]).collect();
        last_completion(&peers)
    }

    #[test]
    fn the_bound_is_kumar_and_ross_table() {
        let table = [
            (0, [375, 2_500, 25_000]),
            (300, [375, 1_250, 2_273]),
            (700, [375, 750, 1_027]),
            (2_000, [375, 375, 375]),
        ];
        for (upload, expected) in table {
            for (n, expected) in [10, 100, 1_000].into_iter().zip(expected) {
                let bound = kumar_and_ross(n, upload).unwrap().as_secs_f64();
                assert_eq!(bound.round() as u64, expected, "{n} leechers of {upload} kb/s: {bound}");
            }
        }
    }

    #[test]
    fn the_bound_is_exact_where_it_is_a_whole_number() {
        assert_eq!(kumar_and_ross(10, 0), Some(secs(375)));
        assert_eq!(kumar_and_ross(100, 300), Some(secs(1_250)));
    }

    #[test]
    fn a_late_arrival_adds_its_download_to_its_arrival() {
        let peers = [seed(None, 0), leecher(secs(100), 1_000, None, rate(800))];
        assert_eq!(last_completion(&peers), Some(secs(110)));
    }

    #[test]
    fn uplinks_count_from_their_arrival_on() {
        // 2,000 bytes are lacking: 100 B/s alone for 10 s, 200 B/s from then on.
        let helper = BoundPeer { arrival: secs(10), ..seed(rate(800), 0) };
        let peers = [seed(rate(800), 0), helper, leecher(Time::ZERO, 2_000, None, None)];
        assert_eq!(last_completion(&[peers[0], peers[2]].map(no_uplink_of_completers)), Some(secs(20)));
        assert_eq!(last_completion(&peers.map(no_uplink_of_completers)), Some(secs(15)));
    }

    fn no_uplink_of_completers(peer: BoundPeer) -> BoundPeer {
        if peer.completer { BoundPeer { upload: rate(0), ..peer } } else { peer }
    }

    #[test]
    fn an_unlimited_uplink_that_comes_late_ends_the_wait_at_its_arrival() {
        let late = BoundPeer { arrival: secs(30), ..seed(None, 0) };
        let peers = [seed(rate(8), 0), late, leecher(Time::ZERO, 1_000, rate(0), None)];
        assert_eq!(last_completion(&peers), Some(secs(30)));
    }

    #[test]
    fn what_only_one_holds_must_leave_its_uplink_once() {
        // Ten uplinks could share the work, but 500 bytes come from one of 10 B/s alone.
        let mut peers = vec![leecher(Time::ZERO, 500, rate(800_000), None); 10];
        peers.push(BoundPeer { arrival: secs(3), ..seed(rate(80), 500) });
        assert_eq!(last_completion(&peers), Some(secs(53)));
    }

    #[test]
    fn a_completer_that_holds_something_alone_counts_only_if_another_wants_it() {
        let holder = BoundPeer { sole: 500, ..leecher(Time::ZERO, 10, rate(80), None) };
        let other = seed(None, 0);
        assert_eq!(last_completion(&[holder, other]), Some(Time::ZERO));
        let wanting = leecher(Time::ZERO, 500, None, None);
        assert_eq!(last_completion(&[holder, other, wanting]), Some(secs(50)));
    }

    #[test]
    fn whoever_holds_nothing_alone_and_does_not_complete_may_come_after_the_last_completion() {
        let early = leecher(Time::ZERO, 500, None, rate(800));
        let late = BoundPeer { completer: false, ..leecher(secs(90), 500, None, None) };
        assert_eq!(last_completion(&[seed(None, 500), early, late]), Some(secs(5)));
    }

    #[test]
    fn nobody_complete_has_no_bound_and_no_links_no_limit() {
        let unfinished = BoundPeer { completer: false, ..leecher(Time::ZERO, 500, rate(8), rate(8)) };
        assert_eq!(last_completion(&[seed(rate(8), 500), unfinished]), None);
        assert_eq!(
            last_completion(&[seed(None, 500), leecher(Time::ZERO, 500, None, None)]),
            Some(Time::ZERO)
        );
    }

    #[test]
    fn the_largest_quantities_do_not_overflow() {
        let peers = [seed(rate(1), u64::MAX), leecher(Time::NEVER, u64::MAX, rate(u64::MAX), rate(1))];
        assert_eq!(last_completion(&peers), Some(Time::NEVER));
    }
}
