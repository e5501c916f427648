//! The sections `[peers.NAME]`: one cohort each, in the order of the file.

use super::clients::check_cohort;
use super::names::{BEHAVIOURS, START_WITH};
use super::report::Problem;
use super::section::{Section, Wrong, choice, quantity, text, whole};
use super::tree::Value;
use crate::scenario::{Arrival, Behaviour, Client, Cohort, OnComplete, Scenario, StartWith};
use crate::time::{Span, Time};
use crate::units::{Rate, UnitError, parse_frequency, parse_rate, parse_span};

/// Names head peers, rows and folders.
const LONGEST_NAME: usize = 40;

pub(super) fn read_cohorts(section: Section<'_>, problems: &mut Vec<Problem>) -> Vec<Cohort> {
    let mut cohorts = Vec::new();
    for (name, value, key_origin) in section.entries() {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(allowed) {
            let title = format!("{}: not a name for a cohort", section.path_of(name));
            let label = format!("expected letters, digits, - and _, at most {LONGEST_NAME}");
            problems.push(Problem::new(key_origin.clone(), title, label));
            continue;
        }
        let cohort = Section::at(section.path_of(name), value, problems);
        cohorts.push(read_cohort(name, cohort, problems));
    }
    cohorts
}

fn read_cohort(name: &str, mut section: Section<'_>, problems: &mut Vec<Problem>) -> Cohort {
    let cohort = Cohort {
        name: name.to_owned(),
        client: section.read("client", problems, choice(Client::NAMES)).unwrap_or(Client::Minibit),
        count: section.read("count", problems, whole(0..=Scenario::MAX_PEERS)).unwrap_or(1),
        start_with: section.read("start_with", problems, choice(START_WITH)).unwrap_or(StartWith::Share),
        behaviour: section.read("behaviour", problems, choice(BEHAVIOURS)).unwrap_or(Behaviour::Cooperative),
        upload: section.read("upload", problems, rate).flatten(),
        download: section.read("download", problems, rate).flatten(),
        latency: section.read("latency", problems, quantity(parse_span)).unwrap_or(Span::ZERO),
        jitter: section.read("jitter", problems, quantity(parse_span)).unwrap_or(Span::ZERO),
        arrival: section.read("arrival", problems, arrival).unwrap_or(Arrival::AtStart),
        on_complete: section.read("on_complete", problems, on_complete).unwrap_or(OnComplete::Stay),
        abort_every: section.read("abort", problems, or_never(parse_frequency)).flatten(),
        crash_every: section.read("crash", problems, or_never(parse_frequency)).flatten(),
        rejoin: section.read("rejoin", problems, or_never(|text| parse_span(text).map(Some))).flatten(),
    };
    check_cohort(&section, &cohort, problems);
    section.finish(problems);
    cohort
}

fn rate(value: &Value) -> Result<Option<Rate>, Wrong> {
    if text(value).is_ok_and(|text| text == "unlimited") {
        return Ok(None);
    }
    quantity(parse_rate)(value).map(Some)
}

/// `"never"`, or what `parse` makes of the text.
fn or_never<T>(
    parse: fn(&str) -> Result<Option<T>, UnitError>,
) -> impl FnOnce(&Value) -> Result<Option<T>, Wrong> {
    move |value| {
        if text(value).is_ok_and(|text| text == "never") {
            return Ok(None);
        }
        quantity(parse)(value)
    }
}

fn arrival(value: &Value) -> Result<Arrival, Wrong> {
    const EXPECTED: &str = r#"expected "at start", "over 10 s" or "poisson 2 per min""#;
    let written = text(value).map_err(|wrong| Wrong { expected: EXPECTED.to_owned(), ..wrong })?;
    let bad = |error: UnitError| Wrong::new(error.to_string(), EXPECTED);
    match written.split_once(' ') {
        Some(("at", "start")) => Ok(Arrival::AtStart),
        Some(("over", span)) => parse_span(span).map(Arrival::Over).map_err(bad),
        Some(("poisson", frequency)) => match parse_frequency(frequency).map_err(bad)? {
            Some(mean_gap) => Ok(Arrival::Poisson { mean_gap }),
            None => Err(Wrong::new("nobody would ever arrive", EXPECTED)),
        },
        _ => Err(Wrong::new("unknown arrival", EXPECTED)),
    }
}

fn on_complete(value: &Value) -> Result<OnComplete, Wrong> {
    const EXPECTED: &str = concat!(
        r#"expected "stay", "leave", "leave after 5 min", "leave after 5 min on average", "leave at 10 min", "#,
        r#""leave after 2 copies" or "leave at share ratio 1.5""#,
    );
    let written = text(value).map_err(|wrong| Wrong { expected: EXPECTED.to_owned(), ..wrong })?;
    let span = |text: &str| parse_span(text).map_err(|error| Wrong::new(error.to_string(), EXPECTED));
    match written {
        "stay" => return Ok(OnComplete::Stay),
        "leave" => return Ok(OnComplete::Leave),
        _ => {}
    }
    if let Some(ratio) = written.strip_prefix("leave at share ratio ") {
        let bad = || Wrong::new(format!("{ratio:?} is no share ratio above zero"), EXPECTED);
        return parse_share_ratio(ratio).ok_or_else(bad);
    }
    if let Some(at) = written.strip_prefix("leave at ") {
        return span(at).map(|at| OnComplete::LeaveAt(Time::ZERO + at));
    }
    let unknown = || Wrong::new("unknown choice", EXPECTED);
    let after = written.strip_prefix("leave after ").ok_or_else(unknown)?;
    if let Some(mean) = after.strip_suffix(" on average") {
        return span(mean).map(OnComplete::LeaveAfterMean);
    }
    match after.strip_suffix(" copies").or_else(|| after.strip_suffix(" copy")) {
        Some(copies) => match copies.parse() {
            Ok(copies) if copies > 0 => Ok(OnComplete::LeaveAfterCopies(copies)),
            _ => Err(Wrong::new(format!("{copies:?} is no whole number of copies above zero"), EXPECTED)),
        },
        None => span(after).map(OnComplete::LeaveAfter),
    }
}

/// A decimal with up to three places.
fn parse_share_ratio(text: &str) -> Option<OnComplete> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(places) || places.len() > 3 {
        return None;
    }
    let thousandths: u32 = format!("{whole}{places:0<3}").parse().ok()?;
    (thousandths > 0).then_some(OnComplete::LeaveAtShareRatio { thousandths })
}
