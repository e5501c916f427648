//! Quantities with units, as scenarios and the command line write them: `"64 MiB"`, `"180 B/s"`, `"10 s"`.

use crate::time::Span;

/// A data rate in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    pub const fn from_bits_per_second(bits: u64) -> Rate {
        Rate(bits)
    }

    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// For output only.
    pub fn bytes_per_second(self) -> f64 {
        self.0 as f64 / 8.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// How long `bytes` take, rounded up to a nanosecond; [`Span::MAX`] at rate 0.
    pub fn time_for(self, bytes: u64) -> Span {
        if self.0 == 0 {
            return Span::MAX;
        }
        let nanos = (u128::from(bytes) * 8 * 1_000_000_000).div_ceil(u128::from(self.0));
        Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
