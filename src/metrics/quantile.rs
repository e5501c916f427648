//! Exact mean and quantiles from raw values: no histogram, no interpolation but the median's usual midpoint.

use crate::time::Span;

/// Completion times in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted(Vec<Span>);

impl Sorted {
    pub fn new(mut values: Vec<Span>) -> Sorted {
        values.sort_unstable();
        Sorted(values)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rounded to the nearest nanosecond, halves up.
    pub fn mean(&self) -> Option<Span> {
        let sum: u128 = self.0.iter().map(|value| u128::from(value.as_nanos())).sum();
        mean_of(sum, self.0.len())
    }

    /// The middle value, or the mean of the middle two.
    pub fn median(&self) -> Option<Span> {
        let (low, high) = (self.0.len().checked_sub(1)? / 2, self.0.len() / 2);
        mean_of([low, high].iter().map(|&at| u128::from(self.0[at].as_nanos())).sum(), 2)
    }

    /// The nearest rank: the smallest value that at least `percent` of 100 values do not exceed.
    pub fn percentile(&self, percent: usize) -> Option<Span> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    pub fn last(&self) -> Option<Span> {
        self.0.last().copied()
    }
}

fn mean_of(sum: u128, count: usize) -> Option<Span> {
    let count = u128::try_from(count).ok().filter(|count| *count > 0)?;
    u64::try_from((sum + count / 2) / count).ok().map(Span::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(values: impl IntoIterator<Item = u64>) -> Sorted {
        Sorted::new(values.into_iter().map(Span::from_nanos).collect())
    }

    fn nanos(value: Option<Span>) -> Option<u64> {
        value.map(Span::as_nanos)
    }

    #[test]
    fn no_values_have_no_summary() {
        let none = sorted([]);
        assert_eq!((none.mean(), none.median(), none.percentile(95), none.last()), (None, None, None, None));
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(nanos(sorted([9, 1, 5]).median()), Some(5));
        assert_eq!(nanos(sorted([9, 1, 5, 7]).median()), Some(6));
        assert_eq!(nanos(sorted([3]).median()), Some(3));
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank() {
        assert_eq!(nanos(sorted(1..=100).percentile(95)), Some(95));
        assert_eq!(nanos(sorted(1..=10).percentile(95)), Some(10));
        assert_eq!(nanos(sorted(1..=20).percentile(95)), Some(19));
        assert_eq!(nanos(sorted([4]).percentile(95)), Some(4));
    }

    #[test]
    fn the_mean_is_rounded_and_does_not_overflow() {
        assert_eq!(nanos(sorted([1, 2]).mean()), Some(2));
        assert_eq!(nanos(sorted([1, 1, 2]).mean()), Some(1));
        assert_eq!(nanos(sorted([u64::MAX, u64::MAX]).mean()), Some(u64::MAX));
    }
}
