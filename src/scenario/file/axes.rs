//! The section `[compare]`: axes, and the cases they span. An axis or a `--set` replaces a key of the document, so a
//! case is read exactly like a file in which the value had been written.

use super::origin::Origin;
use super::report::{Problem, nearest, one_of};
use super::tree::{Entry, Kind, Table, Value};

/// More cases than anybody reads.
const MAX_CASES: usize = 10_000;

/// Keys that belong to the whole file.
const NO_AXES: &[&str] = &["title", "repeat", "random_seed"];

/// Keys of `[content]` that exclude each other: to set one is to drop the others.
const ALTERNATIVES: &[(&str, &[&str])] =
    &[("content.file", &["size", "sha1"]), ("content.size", &["file", "sha1"])];

/// One axis as written.
#[derive(Clone, Debug)]
pub(super) struct AxisForm {
    pub key: String,
    pub key_origin: Origin,
    pub values: Vec<Value>,
}

/// All axes in the order of the file.
pub(super) fn read_axes(document: &Table, problems: &mut Vec<Problem>) -> Vec<AxisForm> {
    let mut axes = Vec::new();
    match document.get("compare").map(|entry| &entry.value) {
        None => {}
        Some(Value { kind: Kind::Table(table), .. }) => collect(table, "", &mut axes, problems),
        Some(other) => {
            let title = format!("compare: unexpected {}", other.kind.describe());
            problems.push(Problem::new(other.origin.clone(), title, "expected a section [compare]"));
        }
    }
    for (at, axis) in axes.iter().enumerate() {
        check_axis(axis, &axes[..at], problems);
    }
    let cases = axes.iter().try_fold(1usize, |cases, axis| cases.checked_mul(axis.values.len().max(1)));
    if cases.is_none_or(|cases| cases > MAX_CASES)
        && let Some(axis) = axes.last()
    {
        let title = format!("compare: more than {MAX_CASES} cases");
        let problem = Problem::new(axis.key_origin.clone(), title, "the last of too many axes");
        problems.push(problem.help("every axis multiplies the cases: take fewer values"));
    }
    axes
}

/// Axes are quoted full keys; bare dotted ones nest and mean the same.
fn collect(table: &Table, path: &str, axes: &mut Vec<AxisForm>, problems: &mut Vec<Problem>) {
    for Entry { key, key_origin, value } in &table.entries {
        let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match &value.kind {
            Kind::Table(table) => collect(table, &key, axes, problems),
            Kind::Array(values) => {
                axes.push(AxisForm { key, key_origin: key_origin.clone(), values: values.clone() });
            }
            other => {
                let title = format!("compare.{key:?}: unexpected {}", other.describe());
                problems.push(Problem::new(value.origin.clone(), title, "expected a list of values"));
            }
        }
    }
}

fn check_axis(axis: &AxisForm, earlier: &[AxisForm], problems: &mut Vec<Problem>) {
    let title = |what: &str| format!("compare.{:?}: {what}", axis.key);
    let mut wrong = |origin: &Origin, what: &str, label: &str| {
        problems.push(Problem::new(origin.clone(), title(what), label));
    };
    if NO_AXES.contains(&axis.key.as_str()) {
        let what = "cannot be compared";
        wrong(&axis.key_origin, what, "the same for all cases: runs are paired by their random seed");
    }
    if let Some(other) = earlier.iter().find(|other| overlap(&other.key, &axis.key)) {
        wrong(&axis.key_origin, &format!("sets the same key as {:?}", other.key), "which of the two is it?");
    }
    if axis.values.is_empty() {
        wrong(&axis.key_origin, "no values", "expected at least one, better two");
    }
    for (at, value) in axis.values.iter().enumerate() {
        match spelled(value) {
            None => wrong(
                &value.origin,
                &format!("unexpected {}", value.kind.describe()),
                "expected a single value",
            ),
            text if axis.values[..at].iter().any(|other| spelled(other) == text) => {
                wrong(&value.origin, "twice the same value", "already in the list");
            }
            Some(_) => {}
        }
    }
}

/// How results name a value; `None` for lists and sections.
pub(super) fn spelled(value: &Value) -> Option<String> {
    match &value.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Integer(number) => Some(number.to_string()),
        Kind::Float(number) => Some(number.to_string()),
        Kind::Boolean(flag) => Some(flag.to_string()),
        Kind::Array(_) | Kind::Table(_) | Kind::Date => None,
    }
}

/// Whether two keys can mean the same place: `peers.*.upload` and `peers.leecher.upload` do.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('.').collect(), b.split('.').collect());
    let same = |(at, (a, b)): (usize, (&&str, &&str))| a == b || at == 1 && (*a == "*" || *b == "*");
    a.len() == b.len() && a.iter().zip(&b).enumerate().all(same)
}

/// Writes `value` at `key` of the document, as if it stood there.
pub(super) fn patch(
    document: &mut Table,
    key: &str,
    key_origin: &Origin,
    value: &Value,
) -> Result<(), Box<Problem>> {
    let no_key =
        |what: String| Box::new(Problem::new(key_origin.clone(), format!("{key}: {what}"), "not known"));
    if let Some((_, others)) = ALTERNATIVES.iter().find(|(one, _)| *one == key)
        && let Some(content) = document.table_mut("content", key_origin)
    {
        others.iter().for_each(|other| drop(content.remove(other)));
    }
    let mut path: Vec<&str> = key.split('.').collect();
    let last = path.pop().unwrap_or(key);
    let entry = Entry { key: last.to_owned(), key_origin: key_origin.clone(), value: value.clone() };
    if let ["peers", cohort] = path[..] {
        return patch_cohorts(document, cohort, entry, &no_key);
    }
    let mut table = document;
    for section in path {
        table = table
            .table_mut(section, key_origin)
            .ok_or_else(|| no_key(format!("{section} is a key and not a section")))?;
    }
    table.set(entry);
    Ok(())
}

/// An axis changes cohorts, it does not found them.
fn patch_cohorts(
    document: &mut Table,
    name: &str,
    entry: Entry,
    no_key: &dyn Fn(String) -> Box<Problem>,
) -> Result<(), Box<Problem>> {
    let nobody = || no_key("there are no cohorts".to_owned());
    let peers = document.entries.iter_mut().find(|entry| entry.key == "peers").ok_or_else(nobody)?;
    let Kind::Table(peers) = &mut peers.value.kind else { return Err(nobody()) };
    let names: Vec<String> = peers.entries.iter().map(|cohort| cohort.key.clone()).collect();
    if name != "*" && !names.iter().any(|known| known == name) {
        let known = names.iter().map(String::as_str);
        let help = match nearest(name, known.clone()) {
            Some(meant) => format!("did you mean `peers.{meant}.{}`?", entry.key),
            None => format!("the cohorts are {}", one_of(known.chain(["*"]))),
        };
        return Err(Box::new(no_key(format!("no cohort is named {name:?}")).help(help)));
    }
    for cohort in peers.entries.iter_mut().filter(|cohort| name == "*" || cohort.key == name) {
        if let Kind::Table(cohort) = &mut cohort.value.kind {
            cohort.set(entry.clone());
        }
    }
    Ok(())
}

/// The values of every case, one per axis; the last axis changes fastest. No axes make one case without values.
pub(super) fn combinations(axes: &[AxisForm]) -> impl Iterator<Item = Vec<&Value>> {
    let cases: usize = axes.iter().map(|axis| axis.values.len()).product();
    (0..cases).map(move |case| {
        let mut rest = case;
        let mut values: Vec<&Value> = axes
            .iter()
            .rev()
            .map(|axis| {
                let value = &axis.values[rest % axis.values.len()];
                rest /= axis.values.len();
                value
            })
            .collect();
        values.reverse();
        values
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_overlaps_every_cohort_and_nothing_else() {
        assert!(overlap("policy.picker", "policy.picker"));
        assert!(overlap("peers.*.upload", "peers.leecher.upload"));
        assert!(!overlap("peers.*.upload", "peers.leecher.download"));
        assert!(!overlap("peers.seed.upload", "peers.leecher.upload"));
        assert!(!overlap("policy.picker", "policy"));
    }
}
