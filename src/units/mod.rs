//! Quantities with units, as scenarios and the command line write them: `"64 MiB"`, `"180 B/s"`, `"10 s"`,
//! `"0.1 per hour"`.
//!
//! Every number has a unit, and a unit that people read in two ways (`Mb/s`, `KB`) is refused with both readings.
//! All arithmetic is on integers: what is written is what is meant, to the byte, the bit per second and the
//! nanosecond. `format_*` gives back a spelling that parses to the same value.

mod error;
mod format;
mod parse;

pub use error::{Quantity, UnitError};
pub use format::{format_frequency, format_size, format_span};
pub use parse::{parse_frequency, parse_rate, parse_size, parse_span};

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

/// A unit and how many of the quantity's base units it holds.
struct Unit {
    symbol: &'static str,
    factor: u64,
}

/// Units of one quantity, the preferred spelling of equal numbers first.
type Units = &'static [Unit];

macro_rules! units {
    ($($symbol:literal = $factor:expr),* $(,)?) => { &[$(Unit { symbol: $symbol, factor: $factor }),*] };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// In bytes. Decimal prefixes are SI, binary ones IEC 80000-13.
const SIZES: Units = units! {
    "B" = 1,
    "KiB" = KIB, "MiB" = MIB, "GiB" = GIB, "TiB" = TIB,
    "kB" = 1_000, "MB" = 1_000_000, "GB" = 1_000_000_000, "TB" = 1_000_000_000_000,
};

/// In bits per second.
const RATES: Units = units! {
    "B/s" = 8,
    "KiB/s" = 8 * KIB, "MiB/s" = 8 * MIB, "GiB/s" = 8 * GIB,
    "kB/s" = 8_000, "MB/s" = 8_000_000, "GB/s" = 8_000_000_000,
    "bit/s" = 1, "kbit/s" = 1_000, "Mbit/s" = 1_000_000, "Gbit/s" = 1_000_000_000,
};

/// In nanoseconds.
const SPANS: Units = units! {
    "s" = 1_000_000_000,
    "ms" = 1_000_000, "us" = 1_000, "ns" = 1,
    "min" = 60_000_000_000, "h" = 3_600_000_000_000, "d" = 86_400_000_000_000,
};

/// What a frequency is counted in, in nanoseconds.
const PERIODS: Units = units! {
    "min" = 60_000_000_000, "hour" = 3_600_000_000_000, "s" = 1_000_000_000, "day" = 86_400_000_000_000,
};

/// Nothing is rarer than this: so that every frequency has an exact spelling.
const RAREST: Span = Span::from_secs(100 * 365 * 86_400);

/// Spellings that mean different things to different people, and what they may mean.
struct Ambiguity {
    spellings: &'static [&'static str],
    readings: [&'static str; 2],
}

const AMBIGUOUS_SIZES: &[Ambiguity] = &[
    Ambiguity { spellings: &["k", "K", "KB"], readings: ["kB", "KiB"] },
    Ambiguity { spellings: &["m", "M", "mb", "Mb"], readings: ["MB", "MiB"] },
    Ambiguity { spellings: &["g", "G", "gb", "Gb"], readings: ["GB", "GiB"] },
    Ambiguity { spellings: &["T", "tb", "Tb"], readings: ["TB", "TiB"] },
];

const AMBIGUOUS_RATES: &[Ambiguity] = &[
    Ambiguity { spellings: &["b/s", "bps", "Bps"], readings: ["bit/s", "B/s"] },
    Ambiguity { spellings: &["kb/s", "Kb/s", "kbps", "Kbps"], readings: ["kbit/s", "kB/s"] },
    Ambiguity { spellings: &["KB/s", "KBps", "K/s", "k/s"], readings: ["kB/s", "KiB/s"] },
    Ambiguity { spellings: &["Mb/s", "mb/s", "Mbps", "mbps"], readings: ["Mbit/s", "MB/s"] },
    Ambiguity { spellings: &["M/s", "MBps"], readings: ["MB/s", "MiB/s"] },
    Ambiguity { spellings: &["Gb/s", "gb/s", "Gbps", "gbps"], readings: ["Gbit/s", "GB/s"] },
];

const AMBIGUOUS_SPANS: &[Ambiguity] = &[Ambiguity { spellings: &["m", "M"], readings: ["min", "ms"] }];
