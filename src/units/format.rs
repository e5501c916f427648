//! From numbers to text: of all exact spellings the one with the smallest whole number, so `16 KiB` and not
//! `16384 B`, `90 s` and not `1.5 min`.

use std::fmt;

use super::{PERIODS, RAREST, RATES, Rate, SIZES, SPANS, Units};
use crate::time::Span;

/// `65536` bytes are `64 KiB`.
pub fn format_size(bytes: u64) -> String {
    whole(bytes, SIZES)
}

/// `1800` seconds are `30 min`.
pub fn format_span(span: Span) -> String {
    whole(span.as_nanos(), SPANS)
}

/// How often something happens with the given mean time between: the spelling with the fewest decimals and the
/// smallest number that [`parse_frequency`](super::parse_frequency) reads as the same nanoseconds. `None` is
/// `0 per hour`; gaps above a century, which cannot be written, are shown as a century.
pub fn format_frequency(mean_gap: Option<Span>) -> String {
    let Some(gap) = mean_gap else { return "0 per hour".to_owned() };
    let gap = u128::from(gap.min(RAREST).as_nanos().max(1));
    for decimals in 0..=24 {
        let power = 10u128.pow(decimals);
        let spellings = PERIODS.iter().filter_map(|period| {
            let scaled = u128::from(period.factor) * power;
            let mantissa = (scaled + gap / 2) / gap;
            let exact = mantissa > 0 && (scaled + mantissa / 2) / mantissa == gap;
            exact.then_some((mantissa, period.symbol))
        });
        if let Some((mantissa, period)) = spellings.min_by_key(|(mantissa, _)| *mantissa) {
            return format!("{} per {period}", decimal(mantissa, decimals));
        }
    }
    unreachable!("24 decimals per day tell apart all gaps up to a century, the longest that is read")
}

impl fmt::Display for Rate {
    /// `180 B/s`, `2 Mbit/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&whole(self.0, RATES))
    }
}

/// The unit that leaves the smallest whole number; the earlier one of equals. Base units fit always.
fn whole(value: u64, units: Units) -> String {
    let exact = units.iter().filter(|unit| value.is_multiple_of(unit.factor));
    let (number, unit) = exact
        .map(|unit| (value / unit.factor, unit.symbol))
        .min_by_key(|(number, _)| *number)
        .expect("every table holds the base unit, and everything is a multiple of it");
    format!("{number} {unit}")
}

fn decimal(mantissa: u128, decimals: u32) -> String {
    let power = 10u128.pow(decimals);
    match decimals {
        0 => mantissa.to_string(),
        _ => format!("{}.{:0width$}", mantissa / power, mantissa % power, width = decimals as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_frequency, parse_rate, parse_size, parse_span};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_are_shown_with_the_smallest_whole_number() {
        assert_eq!(format_size(0), "0 B");
        assert_eq!(format_size(65_536), "64 KiB");
        assert_eq!(format_size(50_000), "50 kB");
        assert_eq!(format_size(1_001), "1001 B");
        assert_eq!(format_span(Span::ZERO), "0 s");
        assert_eq!(format_span(Span::from_secs(1_800)), "30 min");
        assert_eq!(format_span(Span::from_secs(90)), "90 s");
        assert_eq!(format_span(Span::from_millis(1_500)), "1500 ms");
        assert_eq!(Rate(1_440).to_string(), "180 B/s");
        assert_eq!(Rate(2_000_000).to_string(), "2 Mbit/s");
        assert_eq!(Rate(0).to_string(), "0 B/s");
        assert_eq!(format_frequency(Some(Span::from_secs(30))), "2 per min");
        assert_eq!(format_frequency(Some(Span::from_secs(36_000))), "0.1 per hour");
        assert_eq!(format_frequency(None), "0 per hour");
    }

    proptest! {
        #[test]
        fn every_value_has_a_spelling_that_is_read_as_the_same_value(
            mantissa in any::<u64>(), shift in 0u32..64, gap in 1..=super::super::RAREST.as_nanos(),
        ) {
            let value = mantissa >> shift;
            prop_assert_eq!(parse_size(&format_size(value)), Ok(value));
            prop_assert_eq!(parse_rate(&Rate(value).to_string()), Ok(Rate(value)));
            prop_assert_eq!(parse_span(&format_span(Span::from_nanos(value))), Ok(Span::from_nanos(value)));
            for gap in [gap, gap >> shift].into_iter().filter(|gap| *gap > 0) {
                let gap = Some(Span::from_nanos(gap));
                prop_assert_eq!(parse_frequency(&format_frequency(gap)), Ok(gap));
            }
        }
    }
}
