//! Seeded randomness: one independent ChaCha8 stream per (random seed, entity, purpose).
//!
//! A stream never depends on how much another one has drawn, so one more draw somewhere, or one more peer in the
//! swarm, shifts nobody else's choices. That is also what pairs the runs of a comparison: with the same random seed
//! every policy sees the same capacities, arrivals and initial pieces.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::id::PeerIndex;
use crate::time::Span;

/// Whose choice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    Scenario,
    Tracker,
    Peer(PeerIndex),
}

/// What the choice is about. The numbers are part of every stream: append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    Distribution = 1,
    PeerId = 2,
    Picker = 3,
    Choker = 4,
    Announcer = 5,
    TrackerSample = 6,
    Arrival = 7,
    Stay = 8,
    Crash = 9,
    Jitter = 10,
    Content = 11,
    Bootstrap = 12,
    Connector = 13,
    Fault = 14,
    Overlay = 15,
    Abort = 16,
    Order = 17,
}

/// A seeded stream of draws.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    pub fn new(random_seed: u64, entity: Entity, purpose: Purpose) -> Stream {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&random_seed.to_le_bytes());
        key[8..16].copy_from_slice(b"minibit\0");
        let entity = match entity {
            Entity::Scenario => 0,
            Entity::Tracker => 1,
            Entity::Peer(PeerIndex(index)) => 2 + u64::from(index),
        };
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(entity << 8 | purpose as u64);
        Stream(rng)
    }

    /// Uniform over `0..n`. `n` must not be 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.random_range(0..n)
    }

    /// Uniform over `0..n` from half as many random bits as [`below`](Self::below), and so at half the cost. `n` must not be 0.
    #[inline]
    pub fn below_u32(&mut self, n: u32) -> u32 {
        self.0.random_range(0..n)
    }

    /// Uniform over the indices of a slice of length `n > 0`.
    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    /// Uniform over spans shorter than `limit`; zero where `limit` is zero.
    pub fn span_below(&mut self, limit: Span) -> Span {
        if limit.is_zero() { Span::ZERO } else { Span::from_nanos(self.below(limit.as_nanos())) }
    }

    /// Exponentially distributed with the given mean, rounded to a nanosecond at once so that no float survives.
    pub fn exponential(&mut self, mean: Span) -> Span {
        let uniform = ((self.below(1 << 53) + 1) as f64) / (1u64 << 53) as f64;
        Span::from_nanos(libm::round(-libm::log(uniform) * mean.as_nanos() as f64) as u64)
    }

    /// What [`Stream::skip_to_block`] counts in.
    pub const BLOCK_BYTES: u64 = 64;

    /// Goes on from `BLOCK_BYTES × block` bytes after the stream's beginning.
    pub fn skip_to_block(&mut self, block: u64) {
        self.0.set_word_pos(u128::from(block) * u128::from(Self::BLOCK_BYTES / 4));
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// Fisher–Yates, drawn with [`Stream::below`].
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// For tests that look where a stream comes from and how far it has come.
#[cfg(test)]
impl Stream {
    pub(crate) fn is_of(&self, random_seed: u64, entity: Entity, purpose: Purpose) -> bool {
        let fresh = Stream::new(random_seed, entity, purpose).0;
        (self.0.get_seed(), self.0.get_stream()) == (fresh.get_seed(), fresh.get_stream())
    }

    pub(crate) fn has_drawn(&self) -> bool {
        self.0.get_word_pos() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_draws(seed: u64, entity: Entity, purpose: Purpose) -> [u64; 2] {
        let mut stream = Stream::new(seed, entity, purpose);
        [stream.below(u64::MAX), stream.below(u64::MAX)]
    }

    #[test]
    fn streams_differ_by_seed_entity_and_purpose_and_repeat_otherwise() {
        let peer = |index| Entity::Peer(PeerIndex(index));
        let base = first_draws(1, peer(0), Purpose::Picker);
        assert_eq!(base, first_draws(1, peer(0), Purpose::Picker));
        assert_ne!(base, first_draws(2, peer(0), Purpose::Picker));
        assert_ne!(base, first_draws(1, peer(1), Purpose::Picker));
        assert_ne!(base, first_draws(1, peer(0), Purpose::Choker));
        assert_ne!(base, first_draws(1, Entity::Scenario, Purpose::Picker));
    }

    #[test]
    fn exponential_has_the_stated_mean() {
        let mut stream = Stream::new(7, Entity::Scenario, Purpose::Crash);
        let mean = Span::from_secs(10);
        let total: Span = (0..20_000).map(|_| stream.exponential(mean)).sum();
        let measured = total.as_secs_f64() / 20_000.0;
        assert!((9.7..10.3).contains(&measured), "mean {measured}");
    }
}
