//! The sections `[[expect]]`: what the results are expected to be, checked when they are there.

use std::fmt;

use super::axes::{AxisForm, spelled};
use super::origin::Origin;
use super::report::{Problem, nearest, one_of, shown};
use super::section::{Section, Wrong, line, text};
use super::tree::{Kind, Table, Value};

/// A threshold: the metric of every case (or of those that `only` names) lies in the range.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// A column of `runs.csv`.
    pub metric: String,
    pub range: Bounds,
    /// Axes and the value that a case must have there to be meant.
    pub only: Vec<(String, String)>,
    pub(super) metric_origin: Origin,
}

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

    fn parse(text: &str) -> Option<Bounds> {
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

/// All expectations in the order of the file. `fixed` are the axes that `--set` has replaced, with their value: an
/// expectation about another value of such an axis has no case left, and goes.
pub(super) fn read_expects(
    document: &Table,
    axes: &[AxisForm],
    fixed: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> Vec<Expect> {
    let mut expects = Vec::new();
    let forms = match document.get("expect").map(|entry| &entry.value) {
        None => &[],
        Some(Value { kind: Kind::Array(forms), .. }) => &forms[..],
        Some(other) => std::slice::from_ref(other),
    };
    for form in forms {
        let section = Section::at("expect".to_owned(), form, problems);
        let Some(mut expect) = read_expect(section, axes, fixed, problems) else { continue };
        let fixed_value = |axis: &str| fixed.iter().find(|(key, _)| key == axis).map(|(_, value)| value);
        if expect.only.iter().all(|(axis, value)| fixed_value(axis).is_none_or(|fixed| fixed == value)) {
            expect.only.retain(|(axis, _)| fixed_value(axis).is_none());
            expects.push(expect);
        }
    }
    expects
}

fn read_expect(
    mut section: Section<'_>,
    axes: &[AxisForm],
    fixed: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> Option<Expect> {
    for (key, what) in [("metric", "which column of runs.csv?"), ("range", r#"like "<= 1.3" or "0.9..1.1""#)]
    {
        if !section.entries().any(|(present, ..)| present == key) {
            section.wrong(key, Wrong::new("missing", what), problems);
        }
    }
    let metric_origin = section.value("metric").map(|value| value.origin.clone());
    let metric = section.read("metric", problems, line);
    let range = section.read("range", problems, |value| {
        let written = text(value)?;
        Bounds::parse(written).ok_or_else(|| {
            let expected = r#"expected "<= 1.3", ">= 0.9", "= 5" or "0.9..1.1""#;
            Wrong::new(format!("{} is not a range", shown(written)), expected)
        })
    });
    if section.value("ratio").is_some() {
        let what = "paired ratios are not supported yet";
        let help = "expect a range of each case, and read the ratio in the comparison".to_owned();
        section.wrong("ratio", Wrong { help: Some(help), ..Wrong::new(what, "not available") }, problems);
    }
    let only = section.read("only", problems, |value| read_only(value, axes, fixed)).unwrap_or_default();
    section.finish(problems);
    Some(Expect { metric: metric?, range: range?, only, metric_origin: metric_origin? })
}

/// `"policy.picker=random"`, or a list of such.
fn read_only(
    value: &Value,
    axes: &[AxisForm],
    fixed: &[(String, String)],
) -> Result<Vec<(String, String)>, Wrong> {
    let conditions = match &value.kind {
        Kind::Array(conditions) => &conditions[..],
        _ => std::slice::from_ref(value),
    };
    conditions.iter().map(|condition| read_condition(text(condition)?, axes, fixed)).collect()
}

fn read_condition(
    written: &str,
    axes: &[AxisForm],
    fixed: &[(String, String)],
) -> Result<(String, String), Wrong> {
    const EXPECTED: &str = r#"expected an axis and one of its values, like "policy.picker=random""#;
    let wrong = |what: String, meant: Option<&str>, known: Vec<&str>| {
        let help = match meant {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("there is {}", one_of(known)),
        };
        Wrong { what, expected: EXPECTED.to_owned(), help: Some(help) }
    };
    let Some((axis, value)) = written.split_once('=') else {
        return Err(Wrong::new(format!("{} is no condition", shown(written)), EXPECTED));
    };
    let (axis, value) = (axis.trim(), value.trim());
    let condition = (axis.to_owned(), value.to_owned());
    if fixed.iter().any(|(key, _)| key == axis) {
        return Ok(condition);
    }
    let Some(form) = axes.iter().find(|form| form.key == axis) else {
        let known: Vec<&str> = axes.iter().map(|form| form.key.as_str()).collect();
        return Err(wrong(format!("no axis {}", shown(axis)), nearest(axis, known.iter().copied()), known));
    };
    let values: Vec<String> = form.values.iter().filter_map(spelled).collect();
    if !values.iter().any(|known| known == value) {
        let known: Vec<&str> = values.iter().map(String::as_str).collect();
        let what = format!("{axis} never is {}", shown(value));
        return Err(wrong(what, nearest(value, known.iter().copied()), known));
    }
    Ok(condition)
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
