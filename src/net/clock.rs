//! Scenario time out of wall time: the only place that reads a clock for a run. Monotonic, so a wall clock that
//! jumps does not move it.
//!
//! Operating-system time-outs (connect, handshake, HTTP) are not scenario time: they stay in wall time.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::time::{Span, Time};

/// Maps wall time to scenario time; every host, link and tracker of a run holds a copy of the same one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// Scenario seconds per wall second; positive and finite.
    scale: f64,
}

impl Clock {
    /// A clock that reads zero now. A scale that is no positive number is taken as 1.
    pub fn start(time_scale: f64) -> Clock {
        Clock { start: Instant::now(), scale: usable(time_scale) }
    }

    /// A clock that read zero at `start`: processes that are told the same start share one time. Where `start` lies
    /// ahead it reads zero until then.
    pub fn since(start: SystemTime, time_scale: f64) -> Clock {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let start = match wall.duration_since(start) {
            Ok(ago) => now.checked_sub(ago),
            Err(ahead) => now.checked_add(ahead.duration()),
        };
        // Before the machine was switched on, or centuries ahead: nobody started then.
        Clock { start: start.unwrap_or(now), scale: usable(time_scale) }
    }

    pub fn now(&self) -> Time {
        self.at(Instant::now())
    }

    /// What the clock reads at a wall instant; zero before its start.
    pub fn at(&self, instant: Instant) -> Time {
        let wall = instant.saturating_duration_since(self.start);
        Time::from_nanos((wall.as_nanos() as f64 * self.scale) as u64)
    }

    /// The wall instant of a scenario time; `None` where it lies beyond what the machine can express.
    pub fn instant(&self, at: Time) -> Option<Instant> {
        self.start.checked_add(self.to_wall(at.since(Time::ZERO)))
    }

    /// How long a span of scenario time takes on the wall, rounded up to a nanosecond.
    pub fn to_wall(&self, span: Span) -> Duration {
        Duration::from_nanos((span.as_nanos() as f64 / self.scale).ceil() as u64)
    }

    /// Returns when `now()` has reached `at`, never before; with [`Time::NEVER`] not at all.
    pub async fn sleep_until(self, at: Time) {
        let Some(mut wake) = self.instant(at).filter(|_| at != Time::NEVER) else {
            return std::future::pending().await;
        };
        while self.now() < at {
            tokio::time::sleep_until(wake).await;
            // The way there and back again is rounded: once more for the last nanoseconds.
            wake = Instant::now() + Duration::from_nanos(1);
        }
    }
}

fn usable(time_scale: f64) -> f64 {
    if time_scale.is_finite() && time_scale > 0.0 { time_scale } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenario_time_is_wall_time_multiplied() {
        let clock = Clock::start(40.0);
        let later = clock.start + Duration::from_millis(250);
        assert_eq!(clock.at(later), Time::ZERO + Span::from_secs(10));
        assert_eq!(clock.instant(Time::ZERO + Span::from_secs(10)), Some(later));
        assert_eq!(clock.to_wall(Span::from_secs(10)), Duration::from_millis(250));
        assert_eq!(clock.at(clock.start - Duration::from_secs(1)), Time::ZERO);
    }

    #[test]
    fn a_scale_that_is_no_positive_number_is_real_time() {
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Clock::start(scale).to_wall(Span::from_secs(3)), Duration::from_secs(3));
        }
    }

    #[test]
    fn clocks_with_the_same_start_read_the_same() {
        let start = SystemTime::now() - Duration::from_secs(5);
        let (one, other) = (Clock::since(start, 2.0), Clock::since(start, 2.0));
        let now = Instant::now();
        assert!(one.at(now) >= Time::ZERO + Span::from_secs(10));
        let apart = one.at(now).since(other.at(now)).max(other.at(now).since(one.at(now)));
        assert!(apart < Span::from_millis(100), "{apart}");
        let ahead = Clock::since(SystemTime::now() + Duration::from_secs(3_600), 1.0);
        assert_eq!(ahead.now(), Time::ZERO);
    }

    #[tokio::test]
    async fn a_sleep_never_ends_early() {
        for scale in [0.3, 1.0, 40.0, 12_345.678] {
            let clock = Clock::start(scale);
            let at = clock.now() + Span::from_secs_f64(0.002 * scale);
            clock.sleep_until(at).await;
            assert!(clock.now() >= at);
        }
    }

    #[tokio::test]
    async fn never_does_not_come() {
        let sleep = Clock::start(1e9).sleep_until(Time::NEVER);
        assert!(tokio::time::timeout(Duration::from_millis(5), sleep).await.is_err());
    }
}
