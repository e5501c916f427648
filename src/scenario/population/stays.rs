//! How long a peer stays: when it crashes, when it gives up, and when it has had enough. Drawn from the peer's own
//! streams, one draw for each of its stays.

use super::PeerPlan;
use crate::rng::{Entity, Purpose, Stream};
use crate::scenario::OnComplete;
use crate::time::{Span, Time};

impl PeerPlan {
    /// How long after the beginning of its stay number `stay` (0 is the first) the peer crashes, if it is still
    /// there: exponentially distributed. `None` never crashes.
    pub fn crash_after(&self, stay: u32) -> Option<Span> {
        self.crash_every.map(|mean| self.draw(Purpose::Crash, mean, stay))
    }

    /// How long after the beginning of that stay it gives up, if it is still there and still lacks something:
    /// exponentially distributed, too. `None` never gives up.
    pub fn abort_after(&self, stay: u32) -> Option<Span> {
        self.abort_every.map(|mean| self.draw(Purpose::Abort, mean, stay))
    }

    /// How long after `now` the peer leaves, being complete in its stay number `stay`; `None` while it has a reason to
    /// stay. `uploaded` are bytes over all stays, `content` is the content's size.
    pub fn leaves_after(&self, stay: u32, now: Time, uploaded: u64, content: u64) -> Option<Span> {
        let given = |thousandths: u64| {
            let enough = u128::from(content) * u128::from(thousandths);
            (u128::from(uploaded) * 1_000 >= enough).then_some(Span::ZERO)
        };
        match self.on_complete {
            OnComplete::Stay => None,
            OnComplete::Leave => Some(Span::ZERO),
            OnComplete::LeaveAfter(wait) => Some(wait),
            OnComplete::LeaveAfterMean(mean) => Some(self.draw(Purpose::Stay, mean, stay)),
            OnComplete::LeaveAt(at) => Some(at.since(now)),
            OnComplete::LeaveAfterCopies(copies) => given(u64::from(copies) * 1_000),
            OnComplete::LeaveAtShareRatio { thousandths } => given(u64::from(thousandths)),
        }
    }

    fn draw(&self, purpose: Purpose, mean: Span, stay: u32) -> Span {
        let mut stream = Stream::new(self.random_seed, Entity::Peer(self.index), purpose);
        let mut drawn = stream.exponential(mean);
        for _ in 0..stay {
            drawn = stream.exponential(mean);
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Cohort;
    use crate::scenario::population::Population;
    use crate::scenario::testing::{cohort, scenario};

    const MEAN: Span = Span::from_secs(100);

    fn drawn(cohort: Cohort) -> Vec<PeerPlan> {
        Population::draw(&scenario(vec![cohort]), 9).peers
    }

    /// In seconds, over the peers of which there are a thousand.
    fn mean(spans: impl Iterator<Item = Option<Span>>) -> f64 {
        spans.flatten().sum::<Span>().as_secs_f64() / 1_000.0
    }

    #[test]
    fn crashes_aborts_and_waits_have_the_stated_mean_and_every_stay_its_own() {
        let peers = drawn(Cohort {
            crash_every: Some(MEAN),
            abort_every: Some(MEAN),
            on_complete: OnComplete::LeaveAfterMean(MEAN),
            ..cohort("a", 1_000)
        });
        for stay in 0..2 {
            let wait = |peer: &PeerPlan| peer.leaves_after(stay, Time::ZERO, 0, 1);
            let means = [
                mean(peers.iter().map(|peer| peer.crash_after(stay))),
                mean(peers.iter().map(|peer| peer.abort_after(stay))),
                mean(peers.iter().map(wait)),
            ];
            assert!(means.iter().all(|mean| (90.0..110.0).contains(mean)), "{means:?}");
        }
        let first = &peers[0];
        assert_ne!(first.crash_after(0), first.crash_after(1));
        assert_ne!(first.crash_after(0), first.abort_after(0));
        let steadfast = &drawn(cohort("a", 1))[0];
        assert_eq!((steadfast.crash_after(0), steadfast.abort_after(0)), (None, None));
    }

    #[test]
    fn a_complete_peer_leaves_when_its_time_has_come_or_it_has_given_enough() {
        let at = |seconds| Time::ZERO + Span::from_secs(seconds);
        let leaves = |on_complete, now, uploaded| {
            drawn(Cohort { on_complete, ..cohort("a", 1) })[0].leaves_after(0, now, uploaded, 1_000)
        };
        assert_eq!(leaves(OnComplete::Stay, at(5), 9_999), None);
        assert_eq!(leaves(OnComplete::Leave, at(5), 0), Some(Span::ZERO));
        assert_eq!(leaves(OnComplete::LeaveAfter(MEAN), at(5), 0), Some(MEAN));
        assert_eq!(leaves(OnComplete::LeaveAt(at(60)), at(5), 0), Some(Span::from_secs(55)));
        assert_eq!(leaves(OnComplete::LeaveAt(at(60)), at(90), 0), Some(Span::ZERO));
        for (on_complete, enough) in [
            (OnComplete::LeaveAfterCopies(2), 2_000),
            (OnComplete::LeaveAtShareRatio { thousandths: 1_500 }, 1_500),
            (OnComplete::LeaveAtShareRatio { thousandths: 1 }, 1),
        ] {
            assert_eq!(leaves(on_complete, at(5), enough - 1), None);
            assert_eq!(leaves(on_complete, at(5), enough), Some(Span::ZERO));
        }
    }
}
