//! From text to numbers, exactly: a decimal number is kept as an integer and a power of ten.

use super::{
    AMBIGUOUS_RATES, AMBIGUOUS_SIZES, AMBIGUOUS_SPANS, Ambiguity, PERIODS, Quantity, RAREST, RATES, Rate,
    SIZES, SPANS, Unit, UnitError, Units, format_size, format_span,
};
use crate::time::Span;

/// More decimals than any exact quantity needs; bounds the powers of ten.
const MAX_DECIMALS: u32 = 24;

/// Bytes: `"512 B"`, `"1KiB"`, `"64 MiB"`, `"3 MB"`.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    quantity(text, Quantity::Size, SIZES, AMBIGUOUS_SIZES)
}

/// `"180 B/s"`, `"400 kB/s"`, `"2 Mbit/s"`, `"10 MiB/s"`.
pub fn parse_rate(text: &str) -> Result<Rate, UnitError> {
    quantity(text, Quantity::Rate, RATES, AMBIGUOUS_RATES).map(Rate)
}

/// `"400 ms"`, `"10 s"`, `"30 min"`, `"1.5 h"`.
pub fn parse_span(text: &str) -> Result<Span, UnitError> {
    quantity(text, Quantity::Span, SPANS, AMBIGUOUS_SPANS).map(Span::from_nanos)
}

/// `"2 per min"`, `"0.1 per hour"`, as the mean time between two events, rounded to a nanosecond; `None` is never
/// (`"0 per hour"`).
pub fn parse_frequency(text: &str) -> Result<Option<Span>, UnitError> {
    let kind = Quantity::Frequency;
    let (number, period) = text
        .split_once(" per ")
        .ok_or_else(|| UnitError::NotANumber { text: text.to_owned(), quantity: kind })?;
    let (number, rest) = Decimal::read(number, text, kind)?;
    if !rest.is_empty() {
        return Err(UnitError::NotANumber { text: text.to_owned(), quantity: kind });
    }
    let period = find(period.trim(), PERIODS)
        .ok_or_else(|| unknown(text, &number, period.trim(), kind, PERIODS, "per "))?;
    if number.mantissa == 0 {
        return Ok(None);
    }
    let span =
        (u128::from(period.factor) * 10u128.pow(number.decimals) + number.mantissa / 2) / number.mantissa;
    match u64::try_from(span) {
        Ok(0) => Err(UnitError::TooLarge { text: text.to_owned(), most: "once a nanosecond".to_owned() }),
        Ok(nanos) if nanos <= RAREST.as_nanos() => Ok(Some(Span::from_nanos(nanos))),
        _ => Err(UnitError::TooRare { text: text.to_owned() }),
    }
}

/// A number and a unit, in base units.
fn quantity(text: &str, kind: Quantity, units: Units, ambiguities: &[Ambiguity]) -> Result<u64, UnitError> {
    let (number, symbol) = Decimal::read(text, text, kind)?;
    if symbol.is_empty() {
        return Err(UnitError::MissingUnit { text: text.to_owned(), quantity: kind });
    }
    if let Some(both) = ambiguities.iter().find(|both| both.spellings.contains(&symbol)) {
        return Err(ambiguous(text, &number, both));
    }
    let unit = find(symbol, units).ok_or_else(|| unknown(text, &number, symbol, kind, units, ""))?;
    number.times(unit.factor, text, kind)
}

fn find<'a>(symbol: &str, units: &'a [Unit]) -> Option<&'a Unit> {
    // The micro sign and the Greek letter look the same.
    let symbol = if matches!(symbol, "µs" | "μs") { "us" } else { symbol };
    units.iter().find(|unit| unit.symbol == symbol)
}

/// A decimal number without sign: `mantissa / 10^decimals`, as few decimals as possible.
struct Decimal<'a> {
    mantissa: u128,
    decimals: u32,
    text: &'a str,
}

impl<'a> Decimal<'a> {
    /// The number `text` begins with and what follows it; `whole` is the text that errors name.
    fn read(text: &'a str, whole: &str, quantity: Quantity) -> Result<(Decimal<'a>, &'a str), UnitError> {
        let owned = || whole.to_owned();
        let text = text.trim();
        let word = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
        if word.starts_with("inf") || word.starts_with("nan") {
            return Err(UnitError::NotFinite { text: owned(), quantity });
        }
        if text.starts_with('-') {
            return Err(UnitError::Negative { text: owned(), quantity });
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let (before, after) = number.split_once('.').unwrap_or((number, "0"));
        if before.is_empty() || after.is_empty() || after.contains('.') {
            return Err(UnitError::NotANumber { text: owned(), quantity });
        }
        let after = after.trim_end_matches('0');
        if after.len() > MAX_DECIMALS as usize {
            return Err(UnitError::Inexact { text: owned(), quantity });
        }
        let mantissa = format!("{before}{after}")
            .parse()
            .map_err(|_| UnitError::TooLarge { text: owned(), most: most(quantity) })?;
        Ok((Decimal { mantissa, decimals: after.len() as u32, text: number }, rest.trim()))
    }

    fn times(&self, factor: u64, text: &str, quantity: Quantity) -> Result<u64, UnitError> {
        let too_large = || UnitError::TooLarge { text: text.to_owned(), most: most(quantity) };
        let scaled = self.mantissa.checked_mul(u128::from(factor)).ok_or_else(too_large)?;
        let power = 10u128.pow(self.decimals);
        if !scaled.is_multiple_of(power) {
            return Err(UnitError::Inexact { text: text.to_owned(), quantity });
        }
        u64::try_from(scaled / power).map_err(|_| too_large())
    }
}

fn most(quantity: Quantity) -> String {
    match quantity {
        Quantity::Size => format_size(u64::MAX),
        Quantity::Rate => Rate(u64::MAX).to_string(),
        Quantity::Span => format!("{} (584 years)", format_span(Span::MAX)),
        Quantity::Frequency => "once a nanosecond".to_owned(),
    }
}

fn ambiguous(text: &str, number: &Decimal<'_>, both: &Ambiguity) -> UnitError {
    let reading = |symbol: &str| (format!("{} {symbol}", number.text), meaning(symbol));
    UnitError::Ambiguous {
        text: text.to_owned(),
        readings: Box::new([reading(both.readings[0]), reading(both.readings[1])]),
    }
}

/// A unit in words: `1,000 bits per second`.
fn meaning(symbol: &str) -> String {
    let (prefix, rest) = match symbol.find("bit").or_else(|| symbol.find('B')) {
        Some(at) => symbol.split_at(at),
        None => return if symbol == "min" { "minutes" } else { "milliseconds" }.to_owned(),
    };
    let base = if rest.starts_with("bit") { "bits" } else { "bytes" };
    let per = if rest.ends_with("/s") { " per second" } else { "" };
    let factor = match prefix {
        "k" => "1,000 ",
        "Ki" => "1,024 ",
        "M" => "1,000,000 ",
        "Mi" => "1,048,576 ",
        "G" => "1,000,000,000 ",
        "Gi" => "1,073,741,824 ",
        "T" => "10^12 ",
        "Ti" => "2^40 ",
        _ => "",
    };
    format!("{factor}{base}{per}")
}

fn unknown(
    text: &str,
    number: &Decimal<'_>,
    symbol: &str,
    quantity: Quantity,
    units: Units,
    between: &str,
) -> UnitError {
    let near = |unit: &&Unit| unit.symbol.eq_ignore_ascii_case(symbol);
    let close = |unit: &Unit| strsim::osa_distance(unit.symbol, symbol);
    let suggestion = units.iter().find(near).or_else(|| {
        units.iter().filter(|unit| close(unit) == 1 && symbol.len() > 1).min_by_key(|unit| unit.factor)
    });
    UnitError::UnknownUnit {
        text: text.to_owned(),
        quantity,
        unit: symbol.to_owned(),
        suggestion: suggestion.map(|unit| format!("{} {between}{}", number.text, unit.symbol)),
        known: units.iter().map(|unit| unit.symbol).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_rates_spans_and_frequencies_are_read_exactly() {
        for (text, bytes) in [
            ("512 B", 512),
            ("1KiB", 1024),
            ("64 MiB", 64 << 20),
            ("3 MB", 3_000_000),
            ("1.5 kB", 1500),
            ("0 B", 0),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for (text, bits) in
            [("180 B/s", 1440), ("400 kB/s", 3_200_000), ("2 Mbit/s", 2_000_000), ("10 MiB/s", 83_886_080)]
        {
            assert_eq!(parse_rate(text), Ok(Rate(bits)), "{text}");
        }
        for (text, nanos) in
            [("10 s", 10_000_000_000), ("400 ms", 400_000_000), ("30 min", 1_800_000_000_000)]
        {
            assert_eq!(parse_span(text), Ok(Span::from_nanos(nanos)), "{text}");
        }
        assert_eq!(parse_span("1.5 µs"), Ok(Span::from_nanos(1500)));
        assert_eq!(parse_frequency("0.1 per hour"), Ok(Some(Span::from_secs(36_000))));
        assert_eq!(parse_frequency("2 per min"), Ok(Some(Span::from_secs(30))));
        assert_eq!(parse_frequency("0 per hour"), Ok(None));
        assert_eq!(parse_frequency("3 per s"), Ok(Some(Span::from_nanos(333_333_333))));
    }

    /// What the user reads when a quantity is wrong.
    #[test]
    fn every_wrong_quantity_is_refused_with_advice() {
        let size = |text| parse_size(text).unwrap_err().to_string();
        let rate = |text| parse_rate(text).unwrap_err().to_string();
        let span = |text| parse_span(text).unwrap_err().to_string();
        let often = |text| parse_frequency(text).unwrap_err().to_string();
        let cases = [
            (size("64"), r#""64" has no unit: write one, like "64 MiB""#),
            (size(""), r#""" is not a size: write a number and a unit, like "64 MiB""#),
            (size("much"), r#""much" is not a size: write a number and a unit, like "64 MiB""#),
            (size("1.2.3 B"), r#""1.2.3 B" is not a size: write a number and a unit, like "64 MiB""#),
            (size("-1 B"), r#""-1 B" is negative: a size is zero or more"#),
            (size("0.5 B"), r#""0.5 B" is not a whole number of bytes: write a size that is"#),
            (size("1 mib"), r#""1 mib": unknown unit "mib" for a size; did you mean "1 MiB"?"#),
            (
                size("1 KB"),
                r#""1 KB" can be read in two ways: write "1 kB" (1,000 bytes) or "1 KiB" (1,024 bytes)"#,
            ),
            (size("17000000 TiB"), r#""17000000 TiB" is too large: the most is 18446744073709551615 B"#),
            (
                size(&"9".repeat(60)),
                &format!("{:?} is too large: the most is 18446744073709551615 B", "9".repeat(60)),
            ),
            (rate("nan B/s"), r#""nan B/s" is not finite: write a number, like "2 Mbit/s""#),
            (rate("-inf"), r#""-inf" is not finite: write a number, like "2 Mbit/s""#),
            (
                rate("2 Mb/s"),
                r#""2 Mb/s" can be read in two ways: write "2 Mbit/s" (1,000,000 bits per second) or "2 MB/s" (1,000,000 bytes per second)"#,
            ),
            (
                rate("1 furlong"),
                r#""1 furlong": unknown unit "furlong" for a rate; write one of B/s, KiB/s, MiB/s, GiB/s, kB/s, MB/s, GB/s, bit/s, kbit/s, Mbit/s, Gbit/s"#,
            ),
            (
                span("5 m"),
                r#""5 m" can be read in two ways: write "5 min" (minutes) or "5 ms" (milliseconds)"#,
            ),
            (
                span("0.1 ns"),
                r#""0.1 ns" is not a whole number of nanoseconds: write a length of time that is"#,
            ),
            (span("300000 d"), r#""300000 d" is too large: the most is 18446744073709551615 ns (584 years)"#),
            (often("2"), r#""2" is not a frequency: write a number and a unit, like "0.1 per hour""#),
            (
                often("2 per hours"),
                r#""2 per hours": unknown unit "hours" for a frequency; did you mean "2 per hour"?"#,
            ),
            (
                often("0.000000001 per day"),
                r#""0.000000001 per day" is rarer than once in 100 years: write 0 per hour for never"#,
            ),
        ];
        for (got, expected) in cases {
            assert_eq!(got, expected);
        }
    }
}
