//! Why a text is no quantity, and what to write instead.

use std::fmt;

/// What was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Size,
    Rate,
    Span,
    Frequency,
}

impl Quantity {
    /// A text that parses.
    pub fn example(self) -> &'static str {
        match self {
            Quantity::Size => "64 MiB",
            Quantity::Rate => "2 Mbit/s",
            Quantity::Span => "10 s",
            Quantity::Frequency => "0.1 per hour",
        }
    }

    fn smallest(self) -> &'static str {
        match self {
            Quantity::Size => "byte",
            Quantity::Rate => "bit per second",
            Quantity::Span | Quantity::Frequency => "nanosecond",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Quantity::Size => "size",
            Quantity::Rate => "rate",
            Quantity::Span => "length of time",
            Quantity::Frequency => "frequency",
        })
    }
}

/// Why a text is no quantity. The message names the text and says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error("{text:?} is not a {quantity}: write a number and a unit, like {:?}", .quantity.example())]
    NotANumber { text: String, quantity: Quantity },
    #[error("{text:?} has no unit: write one, like {:?}", .quantity.example())]
    MissingUnit { text: String, quantity: Quantity },
    #[error("{text:?}: unknown unit {unit:?} for a {quantity}; {}", advice(.suggestion, .known))]
    UnknownUnit { text: String, quantity: Quantity, unit: String, suggestion: Option<String>, known: String },
    #[error(
        "{text:?} can be read in two ways: write {:?} ({}) or {:?} ({})",
        .readings[0].0, .readings[0].1, .readings[1].0, .readings[1].1
    )]
    Ambiguous { text: String, readings: Box<[(String, String); 2]> },
    #[error("{text:?} is negative: a {quantity} is zero or more")]
    Negative { text: String, quantity: Quantity },
    #[error("{text:?} is not finite: write a number, like {:?}", .quantity.example())]
    NotFinite { text: String, quantity: Quantity },
    #[error("{text:?} is not a whole number of {}s: write a {quantity} that is", .quantity.smallest())]
    Inexact { text: String, quantity: Quantity },
    #[error("{text:?} is too large: the most is {most}")]
    TooLarge { text: String, most: String },
    #[error("{text:?} is rarer than once in 100 years: write 0 per hour for never")]
    TooRare { text: String },
}

fn advice(suggestion: &Option<String>, known: &str) -> String {
    match suggestion {
        Some(text) => format!("did you mean {text:?}?"),
        None => format!("write one of {known}"),
    }
}
