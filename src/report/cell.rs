//! One value in a table, and how it is written: the same bytes everywhere, and nothing in it that a spreadsheet would
//! run or a terminal obey.

use std::borrow::Cow;
use std::fmt::Write;

use crate::time::{Span, Time};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Count(u64),
    /// Nanoseconds, written as decimal seconds without loss.
    Seconds(u64),
    /// Written with six decimals at the most.
    Number(f64),
    Flag(bool),
    /// Written as nothing: a missing value is never 0.
    Missing,
}

impl Cell {
    /// For a spreadsheet: formulas are defused with an apostrophe, numbers never touched.
    pub(super) fn to_csv(&self) -> String {
        match self {
            Cell::Text(text) => defused(&printable(text)).into_owned(),
            Cell::Count(count) => count.to_string(),
            Cell::Seconds(nanos) => Time::from_nanos(*nanos).to_decimal_seconds(),
            Cell::Number(number) => decimals(*number),
            Cell::Flag(flag) => flag.to_string(),
            Cell::Missing => String::new(),
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Cell::Text(text) => text.as_str().into(),
            Cell::Count(count) => (*count).into(),
            Cell::Seconds(nanos) => (*nanos as f64 / 1e9).into(),
            Cell::Number(number) => (*number).into(),
            Cell::Flag(flag) => (*flag).into(),
            Cell::Missing => serde_json::Value::Null,
        }
    }
}

impl From<Span> for Cell {
    fn from(span: Span) -> Cell {
        Cell::Seconds(span.as_nanos())
    }
}

impl From<Time> for Cell {
    fn from(time: Time) -> Cell {
        Cell::Seconds(time.as_nanos())
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        Cell::Count(count)
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Cell {
        Cell::Count(count.into())
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Cell {
        Cell::Count(count as u64)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        Cell::Number(number)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Cell {
        Cell::Flag(flag)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Missing, Into::into)
    }
}

fn decimals(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Three significant digits for people: `1234`, `58.8`, `0.0123`.
pub(super) fn for_people(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let mut decimals = 2;
    let mut magnitude = number.abs();
    while magnitude >= 10.0 && decimals > 0 {
        magnitude /= 10.0;
        decimals -= 1;
    }
    while magnitude > 0.0 && magnitude < 1.0 && decimals < 9 {
        magnitude *= 10.0;
        decimals += 1;
    }
    format!("{number:.decimals$}")
}

/// The text with every character escaped that a terminal obeys or that reorders what is read.
pub fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut printable = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if obeyed(c) {
            // Writing to a string cannot fail.
            let _ = write!(printable, "\\u{{{:x}}}", u32::from(c));
        } else {
            printable.push(c);
        }
    }
    Cow::Owned(printable)
}

/// A text that a spreadsheet would take as a formula gets an apostrophe in front, unless it is a number.
fn defused(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@']) && !text.parse().is_ok_and(f64::is_finite);
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> String {
        Cell::from(text).to_csv()
    }

    #[test]
    fn formulas_are_defused_and_numbers_are_not_touched() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "=", "-", "--1", "-inf"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for harmless in ["-5", "+0.5", "-1e3", "180 B/s", "a=b", "rarest-first", "", "'quoted"] {
            assert_eq!(text(harmless), harmless);
        }
        assert_eq!(Cell::from(-1.5).to_csv(), "-1.5");
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(text("\t=1"), "\\u{9}=1");
        assert_eq!(text("\r=1"), "\\u{d}=1");
        assert_eq!(text("red \u{1b}[31m"), "red \\u{1b}[31m");
        assert_eq!(text("abc\u{202e}fdp.exe"), "abc\\u{202e}fdp.exe");
        assert_eq!(text("história, \"três\""), "história, \"três\"");
    }

    #[test]
    fn seconds_are_exact_and_shares_have_six_decimals() {
        let written =
            [0, 1, 12_500_000_000, 3_000_000_000, u64::MAX].map(|nanos| Cell::Seconds(nanos).to_csv());
        assert_eq!(written, ["0", "0.000000001", "12.5", "3", "18446744073.709551615"]);
        let written = [0.0, 0.5, 2.0 / 3.0, 1234.0, 100.0].map(|number| Cell::Number(number).to_csv());
        assert_eq!(written, ["0", "0.5", "0.666667", "1234", "100"]);
        assert_eq!(
            (Cell::from(None::<u64>).to_csv(), Cell::from(true).to_csv()),
            (String::new(), "true".into())
        );
    }

    #[test]
    fn people_see_three_significant_digits() {
        let seen = [0.0, 1234.4, 375.0, 58.84, 5.884, 0.01234, 0.000_000_5].map(for_people);
        assert_eq!(seen, ["0", "1234", "375", "58.8", "5.88", "0.0123", "0.000000500"]);
    }

    proptest! {
        #[test]
        fn any_text_survives_a_csv_file_as_it_was_written(cells in prop::collection::vec(any::<String>(), 1..5)) {
            let written: Vec<String> = cells.iter().map(|cell| text(cell)).collect();
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&written).unwrap();
            let bytes = writer.into_inner().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            let back: Vec<String> = reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect();
            prop_assert_eq!(&back, &written);
            for cell in back {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']) || cell.parse().is_ok_and(f64::is_finite));
                prop_assert!(!cell.contains(char::is_control));
            }
        }
    }
}
