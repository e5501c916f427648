//! Shares and other small numbers as they are stored: whole millionths, the same on every machine.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millionths(u64);

impl Millionths {
    /// Rounded down; `None` of nothing.
    pub fn of(part: u128, whole: u128) -> Option<Millionths> {
        u64::try_from(part.checked_mul(1_000_000)?.checked_div(whole)?).ok().map(Millionths)
    }

    /// Rounded to the nearest; `None` below zero, or where it is no number.
    pub fn nearest(number: f64) -> Option<Millionths> {
        (0.0..1e12).contains(&number).then(|| Millionths(libm::round(number * 1e6) as u64))
    }

    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_whole_is_exact_to_six_decimals() {
        assert_eq!(Millionths::of(2, 3).map(Millionths::as_f64), Some(0.666_666));
        assert_eq!(Millionths::of(5, 0), None);
        assert_eq!(Millionths::of(u128::MAX, 1), None);
        assert_eq!(Millionths::nearest(2.0 / 3.0).map(Millionths::as_f64), Some(0.666_667));
        assert_eq!((Millionths::nearest(-1.0), Millionths::nearest(f64::NAN)), (None, None));
    }
}
