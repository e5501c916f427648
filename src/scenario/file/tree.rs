//! A TOML document in which every key and value knows where it was written, so that an axis or `--set` can replace a
//! value and an error still points at the culprit. It knows nothing of scenarios.

use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::origin::Origin;
use super::report::{Problem, shown};

#[derive(Clone, Debug)]
pub(super) struct Value {
    pub kind: Kind,
    pub origin: Origin,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Array(Vec<Value>),
    Table(Table),
    Date,
}

/// Entries in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_origin: Origin,
    pub value: Value,
}

/// Reads a whole document; every syntax error is a problem.
pub(super) fn parse(text: &str) -> Result<Table, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let in_file = |span: Range<usize>| Origin::File { start: span.start, end: span.end };
        return Ok(table(document.into_inner(), &in_file));
    }
    let problem = |error: &toml::de::Error| {
        let origin =
            error.span().map_or(Origin::Anywhere, |span| Origin::File { start: span.start, end: span.end });
        Problem::new(origin, "this is not TOML", error.message())
    };
    Err(errors.iter().map(problem).collect())
}

/// The value of `--set key=value`, `start` bytes into the option: TOML where it is, otherwise a bare text.
pub(super) fn parse_setting(text: &str, number: usize, start: usize) -> Value {
    let whole = Origin::Set { number, start, end: start + text.len() };
    let in_option =
        |span: Range<usize>| Origin::Set { number, start: start + span.start, end: start + span.end };
    match DeValue::parse(text) {
        Ok(parsed) => Value { origin: whole, ..value(parsed, &in_option) },
        Err(_) => Value { kind: Kind::Text(text.to_owned()), origin: whole },
    }
}

fn table(parsed: DeTable<'_>, at: &dyn Fn(Range<usize>) -> Origin) -> Table {
    let entry = |(key, parsed): (Spanned<_>, _)| {
        let key_origin = at(key.span());
        let key: std::borrow::Cow<'_, str> = key.into_inner();
        Entry { key: key.into_owned(), key_origin, value: value(parsed, at) }
    };
    let mut entries: Vec<Entry> = parsed.into_iter().map(entry).collect();
    entries.sort_by(|a, b| a.key_origin.cmp(&b.key_origin));
    Table { entries }
}

fn value(parsed: Spanned<DeValue<'_>>, at: &dyn Fn(Range<usize>) -> Origin) -> Value {
    let origin = at(parsed.span());
    let kind = match parsed.into_inner() {
        DeValue::String(text) => Kind::Text(text.into_owned()),
        // What does not fit is far outside every limit: the largest number says the same.
        DeValue::Integer(number) => {
            Kind::Integer(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX))
        }
        DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Kind::Boolean(flag),
        DeValue::Datetime(_) => Kind::Date,
        DeValue::Array(values) => Kind::Array(values.into_iter().map(|parsed| value(parsed, at)).collect()),
        DeValue::Table(parsed) => Kind::Table(table(parsed, at)),
    };
    Value { kind, origin }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// Replaces the entry with this key where it stands, or appends it.
    pub fn set(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// The table with this key, made where it is missing; `None` where the key holds something else.
    pub fn table_mut(&mut self, key: &str, key_origin: &Origin) -> Option<&mut Table> {
        if self.get(key).is_none() {
            let value = Value { kind: Kind::Table(Table::default()), origin: key_origin.clone() };
            self.entries.push(Entry { key: key.to_owned(), key_origin: key_origin.clone(), value });
        }
        match &mut self.entries.iter_mut().find(|entry| entry.key == key)?.value.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl Kind {
    /// What the user wrote, for messages: `the text "many"`, `the number 7`.
    pub fn describe(&self) -> String {
        match self {
            Kind::Text(text) => format!("the text {}", shown(text)),
            Kind::Integer(number) => format!("the number {number}"),
            Kind::Float(number) => format!("the number {number}"),
            Kind::Boolean(flag) => flag.to_string(),
            Kind::Array(_) => "a list".to_owned(),
            Kind::Table(_) => "a section".to_owned(),
            Kind::Date => "a date".to_owned(),
        }
    }
}
