//! Ranges as expectations write them.

use std::fmt;

/// `"<= 1.3"`, `">= 0.9"`, `"< 120"`, `"> 0"`, `"= 5"`, `"0.9..1.1"` (ends included).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
    Above(f64),
    Exactly(f64),
    Between(f64, f64),
}

impl Bounds {
    /// NaN lies nowhere.
    pub fn contain(self, value: f64) -> bool {
        match self {
            Bounds::AtMost(most) => value <= most,
            Bounds::AtLeast(least) => value >= least,
            Bounds::Below(limit) => value < limit,
            Bounds::Above(limit) => value > limit,
            Bounds::Exactly(number) => value == number,
            Bounds::Between(least, most) => (least..=most).contains(&value),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Bounds> {
        let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        if let Some((least, most)) = text.split_once("..") {
            let (least, most) = (number(least)?, number(most)?);
            return (least <= most).then_some(Bounds::Between(least, most));
        }
        let text = text.trim();
        // The longer signs first: `<=` also begins with `<`.
        if let Some(most) = text.strip_prefix("<=") {
            return number(most).map(Bounds::AtMost);
        }
        if let Some(least) = text.strip_prefix(">=") {
            return number(least).map(Bounds::AtLeast);
        }
        match text.split_at_checked(1)? {
            ("<", limit) => number(limit).map(Bounds::Below),
            (">", limit) => number(limit).map(Bounds::Above),
            ("=", exactly) => number(exactly).map(Bounds::Exactly),
            _ => None,
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bounds::AtMost(most) => write!(f, "<= {most}"),
            Bounds::AtLeast(least) => write!(f, ">= {least}"),
            Bounds::Below(limit) => write!(f, "< {limit}"),
            Bounds::Above(limit) => write!(f, "> {limit}"),
            Bounds::Exactly(number) => write!(f, "= {number}"),
            Bounds::Between(least, most) => write!(f, "{least}..{most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_shown_and_hold_where_they_say() {
        for (text, inside, outside) in [
            ("<= 1.3", 1.3, 1.31),
            (">= 0.9", 0.9, 0.89),
            ("< 2", 1.9, 2.0),
            ("> 2", 2.1, 2.0),
            ("= 5", 5.0, 5.1),
            ("0.9..1.1", 1.1, 1.2),
        ] {
            let bounds = Bounds::parse(text).unwrap();
            assert!(
                bounds.contain(inside) && !bounds.contain(outside) && !bounds.contain(f64::NAN),
                "{text}"
            );
            assert_eq!(bounds.to_string(), text);
        }
        for text in ["", "5", "<= x", "< nan", "2..1", "1..inf", "=> 1"] {
            assert_eq!(Bounds::parse(text), None, "{text}");
        }
    }
}
