//! `"policy.picker=random"`, `"cohort=slow"`: what a part of an expectation is about.

use super::axes::{AxisForm, spelled};
use super::report::{nearest, one_of, shown};
use super::section::{Wrong, text};
use super::tree::{Kind, Table, Value};

/// Key and value.
pub(super) type Condition = (String, String);

/// Everything that conditions may name.
pub(super) struct Conditions<'a> {
    pub axes: &'a [AxisForm],
    /// The axes that options have replaced, with their value.
    pub fixed: &'a [Condition],
    pub cohorts: Vec<&'a str>,
}

impl<'a> Conditions<'a> {
    pub fn new(document: &'a Table, axes: &'a [AxisForm], fixed: &'a [Condition]) -> Conditions<'a> {
        let cohorts = match document.get("peers").map(|entry| &entry.value.kind) {
            Some(Kind::Table(peers)) => peers.entries.iter().map(|cohort| cohort.key.as_str()).collect(),
            _ => Vec::new(),
        };
        Conditions { axes, fixed, cohorts }
    }

    pub fn fixed_value(&self, axis: &str) -> Option<&str> {
        self.fixed.iter().find(|(key, _)| key == axis).map(|(_, value)| value.as_str())
    }

    /// One condition on an axis, or a list of such.
    pub fn on_axes(&self, value: &Value) -> Result<Vec<Condition>, Wrong> {
        listed(value).iter().map(|condition| self.on_axis(&split(condition)?)).collect()
    }

    /// One side of a ratio: conditions on axes, a cohort, a metric.
    pub fn side(&self, value: &Value) -> Result<Vec<Condition>, Wrong> {
        let read = |condition: &Value| {
            let condition = split(condition)?;
            match condition.0.as_str() {
                "metric" => Ok(condition),
                "cohort" => self.cohort(&condition.1).map(|()| condition),
                _ => self.on_axis(&condition),
            }
        };
        listed(value).iter().map(read).collect()
    }

    pub fn cohort(&self, name: &str) -> Result<(), Wrong> {
        let known = || self.cohorts.iter().copied();
        if known().any(|known| known == name) {
            return Ok(());
        }
        Err(unknown(format!("no cohort is named {}", shown(name)), "expected one of [peers]", name, known()))
    }

    fn on_axis(&self, condition: &Condition) -> Result<Condition, Wrong> {
        const EXPECTED: &str = r#"expected an axis and one of its values, like "policy.picker=random""#;
        let (axis, value) = condition;
        if self.fixed_value(axis).is_some() {
            return Ok(condition.clone());
        }
        let Some(form) = self.axes.iter().find(|form| form.key == *axis) else {
            let known = self.axes.iter().map(|form| form.key.as_str());
            return Err(unknown(format!("no axis {}", shown(axis)), EXPECTED, axis, known));
        };
        let values: Vec<String> = form.values.iter().filter_map(spelled).collect();
        if values.iter().any(|known| known == value) {
            return Ok(condition.clone());
        }
        let what = format!("{axis} never is {}", shown(value));
        Err(unknown(what, EXPECTED, value, values.iter().map(String::as_str)))
    }
}

/// A value that may stand for a list of one.
fn listed(value: &Value) -> &[Value] {
    match &value.kind {
        Kind::Array(values) => values,
        _ => std::slice::from_ref(value),
    }
}

fn split(value: &Value) -> Result<Condition, Wrong> {
    let written = text(value)?;
    let Some((key, value)) = written.split_once('=') else {
        let expected = r#"expected a key and a value, like "policy.picker=random""#;
        return Err(Wrong::new(format!("{} is no condition", shown(written)), expected));
    };
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn unknown<'k>(
    what: String,
    expected: &str,
    written: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Wrong {
    let help = match nearest(written, known.clone()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("there is {}", one_of(known)),
    };
    Wrong { what, expected: expected.to_owned(), help: Some(help) }
}
