//! Reading one section of the file key by key: what is absent gets its default, what is wrong becomes a problem, and
//! what nobody asked for is an unknown key.

use std::ops::RangeInclusive;

use super::origin::Origin;
use super::report::{Problem, nearest, one_of, shown};
use super::tree::{Kind, Table, Value};
use crate::time::Span;
use crate::units::UnitError;

/// Every key by its full name, for the nearest spelling of one that was written in the wrong section.
const ALL_KEYS: &[&str] = &[
    "title",
    "driver",
    "repeat",
    "random_seed",
    "time_scale",
    "time_limit",
    "content.file",
    "content.size",
    "content.block_size",
    "content.piece_size",
    "distribution.kind",
    "distribution.pieces",
    "tracker.interval",
    "tracker.peers_returned",
    "tracker.protocol",
    "tracker.program",
    "overlay.kind",
    "overlay.dial",
    "overlay.degree",
    "policy.preset",
    "policy.picker",
    "policy.choker",
    "policy.unchoke_slots",
    "policy.optimistic_slots",
    "policy.round",
    "policy.optimistic_rounds",
    "policy.rate_window",
    "policy.snub_after",
    "policy.first_random",
    "policy.started_first",
    "policy.max_connections",
    "policy.fast_extension",
    "policy.extension_protocol",
    "policy.peer_exchange",
    "policy.newcomer_weight",
    "policy.seed_rule",
    "peers.*.client",
    "peers.*.count",
    "peers.*.start_with",
    "peers.*.behaviour",
    "peers.*.upload",
    "peers.*.download",
    "peers.*.latency",
    "peers.*.jitter",
    "peers.*.arrival",
    "peers.*.on_complete",
    "peers.*.abort",
    "peers.*.crash",
    "peers.*.rejoin",
];

/// A value that is not what it should be.
pub(super) struct Wrong {
    /// What is wrong: follows the key in the title.
    pub what: String,
    pub expected: String,
    pub help: Option<String>,
}

impl Wrong {
    pub fn new(what: impl Into<String>, expected: impl Into<String>) -> Wrong {
        Wrong { what: what.into(), expected: expected.into(), help: None }
    }

    /// A value of another type.
    pub fn kind(found: &Kind, expected: impl Into<String>) -> Wrong {
        Wrong::new(format!("unexpected {}", found.describe()), expected)
    }
}

/// One section, or the top of the file.
pub(super) struct Section<'t> {
    /// `peers.leecher`; empty at the top.
    path: String,
    table: Option<&'t Table>,
    pub origin: Origin,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub fn top(table: &'t Table) -> Section<'t> {
        Section { path: String::new(), table: Some(table), origin: Origin::Anywhere, known: Vec::new() }
    }

    /// The subsection `key`, empty where it is absent.
    pub fn section(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Section<'t> {
        let path = self.path_of(key);
        match self.value(key) {
            Some(value) => Section::at(path, value, problems),
            None => Section { path, table: None, origin: Origin::Anywhere, known: Vec::new() },
        }
    }

    /// The section that `value` is.
    pub fn at(path: String, value: &'t Value, problems: &mut Vec<Problem>) -> Section<'t> {
        let table = match &value.kind {
            Kind::Table(table) => Some(table),
            other => {
                let title = format!("{path}: unexpected {}", other.describe());
                problems.push(Problem::new(
                    value.origin.clone(),
                    title,
                    format!("expected a section [{path}]"),
                ));
                None
            }
        };
        Section { path, table, origin: value.origin.clone(), known: Vec::new() }
    }

    /// The value of `key` as it stands; the key counts as known.
    pub fn value(&mut self, key: &'static str) -> Option<&'t Value> {
        self.known.push(key);
        self.table?.get(key).map(|entry| &entry.value)
    }

    /// The value of `key`; `None` where it is absent, or wrong and now a problem.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.value(key)?;
        match read(value) {
            Ok(read) => Some(read),
            Err(wrong) => {
                self.wrong(key, wrong, problems);
                None
            }
        }
    }

    /// Reports the value of `key`, or its absence.
    pub fn wrong(&self, key: &str, wrong: Wrong, problems: &mut Vec<Problem>) {
        let entry = self.table.and_then(|table| table.get(key));
        let origin = entry.map_or(&self.origin, |entry| &entry.value.origin).clone();
        let title = format!("{}: {}", self.path_of(key), wrong.what);
        problems.push(Problem::new(origin, title, wrong.expected).maybe_help(wrong.help));
    }

    /// The keys that are there, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (&'t str, &'t Value, &'t Origin)> + use<'t> {
        let entries = self.table.map_or(&[][..], |table| &table.entries);
        entries.iter().map(|entry| (entry.key.as_str(), &entry.value, &entry.key_origin))
    }

    /// Reports every key that was not asked for.
    pub fn finish(self, problems: &mut Vec<Problem>) {
        for (key, _, origin) in self.entries().filter(|(key, ..)| !self.known.contains(key)) {
            let known = one_of(self.known.iter().copied());
            let whose = if self.path.is_empty() { "keys and sections:" } else { "keys here:" };
            let elsewhere = || {
                let same_word = |full: &&&str| full.rsplit('.').next() == Some(key);
                ALL_KEYS.iter().find(same_word).copied()
            };
            let meant = nearest(key, self.known.iter().copied()).or_else(elsewhere);
            let problem =
                Problem::new(origin.clone(), format!("{}: unknown key", self.path_of(key)), "not known")
                    .help(match meant {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("{whose} {known}"),
                    });
            problems.push(problem);
        }
    }

    pub fn path_of(&self, key: &str) -> String {
        let key = if key.contains(['.', ' ']) { format!("{key:?}") } else { key.to_owned() };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

pub(super) fn text(value: &Value) -> Result<&str, Wrong> {
    match &value.kind {
        Kind::Text(text) => Ok(text),
        other => Err(Wrong::kind(other, "expected a text in quotes")),
    }
}

/// A text that names a thing: short, on one line.
pub(super) fn line(value: &Value) -> Result<String, Wrong> {
    const MOST: usize = 200;
    let text = text(value)?;
    if text.chars().any(char::is_control) || text.chars().count() > MOST {
        return Err(Wrong::new("too long or not one line", format!("expected at most {MOST} characters")));
    }
    Ok(text.to_owned())
}

pub(super) fn whole<N: TryFrom<i128> + Into<u64> + Copy>(
    allowed: RangeInclusive<N>,
) -> impl FnOnce(&Value) -> Result<N, Wrong> {
    move |value| {
        let expected = format!(
            "expected a whole number from {} to {}",
            (*allowed.start()).into(),
            (*allowed.end()).into()
        );
        let inside = |number: N| {
            (*allowed.start()).into() <= number.into() && number.into() <= (*allowed.end()).into()
        };
        match value.kind {
            Kind::Integer(number) => match N::try_from(number) {
                Ok(fits) if inside(fits) => Ok(fits),
                _ => Err(Wrong::new(format!("{number} is out of range"), expected)),
            },
            ref other => Err(Wrong::kind(other, expected)),
        }
    }
}

/// A text with a unit, read by one of the parsers of `units`.
pub(super) fn quantity<T>(
    parse: fn(&str) -> Result<T, UnitError>,
) -> impl FnOnce(&Value) -> Result<T, Wrong> {
    move |value| match &value.kind {
        Kind::Text(text) => parse(text).map_err(|error| Wrong::new(error.to_string(), "not understood")),
        Kind::Integer(number) => parse(&number.to_string()).map_err(unit_missing),
        Kind::Float(number) => parse(&number.to_string()).map_err(unit_missing),
        other => Err(Wrong::kind(other, "expected a text with a number and a unit")),
    }
}

fn unit_missing(error: UnitError) -> Wrong {
    Wrong::new(error.to_string(), "expected a text with a number and a unit")
}

/// A length of time above zero.
pub(super) fn some_time(value: &Value) -> Result<Span, Wrong> {
    let span = quantity(crate::units::parse_span)(value)?;
    if span.is_zero() {
        return Err(Wrong::new("no time at all", "expected more than zero"));
    }
    Ok(span)
}

/// True or false.
pub(super) fn yes_or_no(value: &Value) -> Result<bool, Wrong> {
    match &value.kind {
        Kind::Boolean(yes) => Ok(*yes),
        other => Err(Wrong::kind(other, "expected true or false")),
    }
}

/// One of several names.
pub(super) fn choice<'n, T: Copy>(names: &'n [(&'n str, T)]) -> impl FnOnce(&Value) -> Result<T, Wrong> + 'n {
    move |value| {
        let known = || names.iter().map(|(name, _)| *name);
        let expected = format!("expected {}", one_of(known()));
        let Kind::Text(text) = &value.kind else { return Err(Wrong::kind(&value.kind, expected)) };
        match names.iter().find(|(name, _)| name == text) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(Wrong {
                what: format!("unknown value {}", shown(text)),
                expected,
                help: nearest(text, known()).map(|name| format!("did you mean {name:?}?")),
            }),
        }
    }
}
