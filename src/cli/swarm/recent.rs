//! How much came or went lately.

use std::collections::VecDeque;

use crate::time::{Span, Time};

/// Bytes of the last while.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Recent {
    window: Span,
    bytes: VecDeque<(Time, u64)>,
}

impl Recent {
    pub(in crate::cli) fn over(window: Span) -> Recent {
        Recent { window, bytes: VecDeque::new() }
    }

    pub(in crate::cli) fn add(&mut self, at: Time, bytes: u32) {
        while self.bytes.front().is_some_and(|(then, _)| at.since(*then) > self.window) {
            self.bytes.pop_front();
        }
        self.bytes.push_back((at, bytes.into()));
    }

    pub(in crate::cli) fn sum(&self, now: Time) -> u64 {
        let recent = self.bytes.iter().filter(|(then, _)| now.since(*then) <= self.window);
        recent.map(|(_, bytes)| bytes).sum()
    }

    /// In bytes per second.
    pub(in crate::cli) fn rate(&self, now: Time) -> f64 {
        self.sum(now) as f64 / self.window.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_recent_counts() {
        let second = |second| Time::ZERO + Span::from_secs(second);
        let mut recent = Recent::over(Span::from_secs(10));
        recent.add(second(1), 100);
        recent.add(second(9), 50);
        assert_eq!((recent.sum(second(11)), recent.sum(second(12)), recent.sum(second(20))), (150, 50, 0));
        assert_eq!(recent.rate(second(11)), 15.0);
        recent.add(second(30), 7);
        assert_eq!(recent.sum(second(11)), 7, "what is past is forgotten");
    }
}
