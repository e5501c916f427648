//! The two links of a host as integer schedules: when a block has left, when it is there. Pure arithmetic on
//! scenario time; nothing here sleeps, sends or knows a socket.
//!
//! Every driver counts with these, so a link means the same in virtual time and on sockets. On sockets, tokens come
//! first and bytes after: a block is written when its last byte may have left. So what a receiver sees is a block
//! that arrives whole, at the moment its last byte would.

use crate::time::{Span, Time};
use crate::units::Rate;

/// A host's uplink: one block at a time, each taking `size / rate`.
#[derive(Clone, Debug)]
pub struct Uplink {
    rate: Option<Rate>,
    /// When the last byte of the block served last leaves, or has left.
    free: Time,
    /// The link has had no reason to rest since `free`: the next block starts there, however late the timer was.
    backlogged: bool,
}

impl Uplink {
    /// `None` is unlimited.
    pub fn new(rate: Option<Rate>) -> Uplink {
        Uplink { rate, free: Time::ZERO, backlogged: false }
    }

    pub fn is_unlimited(&self) -> bool {
        self.rate.is_none()
    }

    /// Serves a block of `bytes` and returns when it has left. Under a backlog that may lie in the past: a late
    /// timer owes the time, and everything due goes out at once, so that the rate holds.
    pub fn serve(&mut self, now: Time, bytes: u32) -> Time {
        let start = if self.backlogged { self.free } else { self.free.max(now) };
        self.free = start + self.rate.map_or(Span::ZERO, |rate| rate.time_for(u64::from(bytes)));
        self.backlogged = true;
        self.free
    }

    /// There was nothing to serve: time that passes from here on is lost.
    pub fn rest(&mut self) {
        self.backlogged = false;
    }
}

/// A host's downlink: blocks that arrive faster than it carries them wait for one another.
#[derive(Clone, Debug)]
pub struct Downlink {
    rate: Option<Rate>,
    free: Time,
}

impl Downlink {
    /// A link that has carried nothing before `since`. `None` is unlimited.
    pub fn new(rate: Option<Rate>, since: Time) -> Downlink {
        Downlink { rate, free: since }
    }

    pub fn is_unlimited(&self) -> bool {
        self.rate.is_none()
    }

    /// When a block of `bytes` whose last byte arrives at `arrival` has come through. Blocks are to be given in the
    /// order of their arrival.
    pub fn carry(&mut self, arrival: Time, bytes: u32) -> Time {
        match self.rate {
            None => arrival,
            Some(rate) => {
                self.free = arrival.max(self.free + rate.time_for(u64::from(bytes)));
                self.free
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    /// 1,000 bytes a second: a byte a millisecond.
    fn kilobyte_per_second() -> Option<Rate> {
        Some(Rate::from_bits_per_second(8_000))
    }

    #[test]
    fn an_idle_uplink_starts_now_and_a_busy_one_when_it_is_free() {
        let mut uplink = Uplink::new(kilobyte_per_second());
        assert_eq!(uplink.serve(at(50), 100), at(150));
        assert_eq!(uplink.serve(at(150), 100), at(250));
        uplink.rest();
        assert_eq!(uplink.serve(at(1_000), 100), at(1_100));
    }

    #[test]
    fn a_late_timer_is_owed_and_the_rate_holds() {
        let mut uplink = Uplink::new(kilobyte_per_second());
        assert_eq!(uplink.serve(at(0), 100), at(100));
        // The timer fires at 430 instead of 100: three blocks are due at once, the fourth in its time.
        assert_eq!(uplink.serve(at(430), 100), at(200));
        assert_eq!(uplink.serve(at(430), 100), at(300));
        assert_eq!(uplink.serve(at(430), 100), at(400));
        assert_eq!(uplink.serve(at(430), 100), at(500));
    }

    #[test]
    fn resting_early_does_not_make_an_uplink_faster() {
        let mut uplink = Uplink::new(kilobyte_per_second());
        assert_eq!(uplink.serve(at(0), 100), at(100));
        uplink.rest();
        assert_eq!(uplink.serve(at(10), 100), at(200));
    }

    #[test]
    fn a_downlink_delivers_at_the_last_byte_or_when_it_has_carried_it() {
        let mut downlink = Downlink::new(kilobyte_per_second(), Time::ZERO);
        assert_eq!(downlink.carry(at(500), 100), at(500));
        assert_eq!(downlink.carry(at(510), 100), at(600));
        assert_eq!(downlink.carry(at(510), 100), at(700));
        assert_eq!(downlink.carry(at(2_000), 100), at(2_000));
    }

    #[test]
    fn without_a_rate_nothing_waits_and_at_rate_zero_nothing_comes() {
        assert_eq!(Uplink::new(None).serve(at(7), u32::MAX), at(7));
        assert_eq!(Downlink::new(None, Time::ZERO).carry(at(7), u32::MAX), at(7));
        let zero = Some(Rate::from_bits_per_second(0));
        assert_eq!(Uplink::new(zero).serve(at(7), 1), Time::NEVER);
        assert_eq!(Downlink::new(zero, Time::ZERO).carry(at(7), 1), Time::NEVER);
    }

    proptest! {
        /// However the timers fire, a backlog of n blocks has left after exactly n block times, and none before.
        #[test]
        fn any_lateness_leaves_the_long_run_rate_exact(lags in prop::collection::vec(0u64..300, 1..50)) {
            let mut uplink = Uplink::new(kilobyte_per_second());
            let mut now = Time::ZERO;
            for (served, lag) in (1..).zip(&lags) {
                let left = uplink.serve(now, 100);
                prop_assert_eq!(left, at(100 * served));
                now = now.max(left) + Span::from_millis(*lag);
            }
        }
    }
}
