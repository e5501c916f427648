//! Results in words: what was run, what did not end well, and what the scenario expected.

use std::fmt::Write;

use crate::driver::Ended;
use crate::experiment::compare::{Comparison, Verdict};
use crate::experiment::expect::Expectation;
use crate::experiment::{Done, Results, RunResult};
use crate::report::cell::for_people;
use crate::report::form::Form;
use crate::scenario::file::Statistic;
use crate::scenario::{DriverKind, Scenario};

/// A whole case may end the same way; its first runs say enough.
const UNFINISHED_SHOWN: usize = 10;

/// Whether every threshold holds in every case; empty without thresholds.
pub(super) fn expectations(results: &Results<'_>, form: Form) -> String {
    let mut text = String::new();
    if !results.expectations.is_empty() {
        text.push_str(&form.heading("Expectations"));
        results.expectations.iter().for_each(|one| expectation(&mut text, one, form));
    }
    text
}

/// `✓ last_over_bound <= 1.3 (policy.picker=random): 5 of 5 runs`
fn expectation(text: &mut String, one: &Expectation, form: Form) {
    // Without a run, as after an interrupt, nothing was held against anything.
    let tick = match one.runs {
        0 => '–',
        _ if one.holds() => '✓',
        _ => '✗',
    };
    let bullet = form.bullet();
    let expect = &one.expect;
    let statistic = match (expect.statistic, &expect.over) {
        (Statistic::Every, None) | (Statistic::Mean, Some(_)) => "",
        (Statistic::Every, Some(_)) => ", every pair",
        (Statistic::Mean, None) => ", mean",
        (Statistic::Median, _) => ", median",
        (Statistic::Least, _) => ", smallest",
        (Statistic::Most, _) => ", largest",
        (Statistic::Interval, _) => ", 95 % interval",
    };
    let case = if one.case.is_empty() { String::new() } else { format!(" ({})", assignments(&one.case)) };
    let rule = form.text(&format!("{}{statistic} {}{case}", expect.subject(), expect.range));
    let _ = writeln!(text, "{bullet}{tick} {rule}: {}", found(one));
}

/// What was found: `5 of 5 runs`, `1.04 (95 % interval 1.01 to 1.06), 10 pairs`.
fn found(one: &Expectation) -> String {
    let what = if one.expect.over.is_some() { "pair" } else { "run" };
    let runs = counted(one.runs, what);
    match (one.measured, one.interval, one.broken_by) {
        (Some(measured), None, _) => format!("{}, {runs}", exact_or_for_people(measured)),
        (Some(measured), Some((low, high)), _) => {
            let [measured, low, high] = [measured, low, high].map(exact_or_for_people);
            format!("{measured} (95 % interval {low} to {high}), {runs}")
        }
        (None, _, None) => format!("{} of {runs}", one.holding),
        (None, _, Some(None)) => format!("{} of {runs}, one has no value", one.holding),
        (None, _, Some(Some(value))) => {
            format!("{} of {runs}, one has {}", one.holding, exact_or_for_people(value))
        }
    }
}

/// How far sockets are from virtual time where the scenario has them side by side; empty where it has not.
pub(super) fn agreement(results: &Results<'_>, form: Form) -> String {
    let is_agreement = |one: &&Comparison| one.axis == "driver" && one.baseline == "sim";
    let agreements: Vec<&Comparison> = results.comparisons.iter().filter(is_agreement).collect();
    if agreements.is_empty() {
        return String::new();
    }
    let mut text = form.heading("Sockets against virtual time");
    for one in agreements {
        let within =
            if one.within.is_empty() { String::new() } else { format!(" ({})", assignments(&one.within)) };
        let name = form.text(&format!("{}{within}: ({} − sim)/sim", one.metric, one.value));
        let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
        let found = match (one.estimate, one.verdict) {
            (None, _) => "–".to_owned(),
            (_, Verdict::CutShort | Verdict::Degraded { .. }) => one.verdict.to_string(),
            (Some(estimate), _) => match estimate.interval {
                None => format!("{}, 1 pair", percent(estimate.ratio)),
                Some((low, high)) => format!(
                    "{} (95 % interval {} to {}), {} pairs",
                    percent(estimate.ratio),
                    percent(low),
                    percent(high),
                    estimate.pairs
                ),
            },
        };
        let _ = writeln!(text, "{}{name} = {found}", form.bullet());
    }
    text
}

/// Counts have no decimals.
fn exact_or_for_people(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { for_people(value) }
}

/// `Ten peers, one story: 4 cases, 20 runs in virtual time`
pub(super) fn headline(results: &Results<'_>) -> String {
    let plan = results.plan;
    let scenarios = || plan.cases.iter().map(|case| &case.scenario);
    let title = scenarios().next().map_or("", |scenario| scenario.title.as_str());
    let title = if title.is_empty() { &plan.name } else { title };
    let is_virtual = |scenario: &Scenario| scenario.driver == DriverKind::Sim;
    let place = match (scenarios().all(is_virtual), scenarios().any(is_virtual)) {
        (true, _) => "in virtual time",
        (false, false) => "on loopback sockets",
        (false, true) => "in virtual time and on loopback sockets",
    };
    format!("{title}: {}, {} {place}", counted(plan.cases.len(), "case"), counted(plan.runs.len(), "run"))
}

/// `1 run`, `2 runs`
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A verdict for every run that did not end with everybody complete, and one line on an interruption; empty if there is
/// neither. People at a terminal see the first few.
pub(super) fn unfinished(results: &Results<'_>, form: Form) -> String {
    let shown = if form == Form::Terminal { UNFINISHED_SHOWN } else { usize::MAX };
    let count = results.unfinished().count();
    let interruption = interruption(results);
    let any = count > 0 || interruption.is_some();
    let mut text = if any { form.heading("Unfinished runs") } else { String::new() };
    for (run, done) in results.unfinished().take(shown) {
        let case = case_name(results, run.planned.case);
        let case = if case.is_empty() { case } else { format!(" ({case})") };
        let name = form.text(&format!("random seed {}{case}", run.planned.random_seed));
        let _ = writeln!(text, "{}{name}: {}", form.bullet(), why_unfinished(done));
    }
    if count > shown {
        let _ = writeln!(text, "{}and {} more, all in comparison.md", form.bullet(), count - shown);
    }
    if let Some(interruption) = interruption {
        let _ = writeln!(text, "{}{interruption}", form.bullet());
    }
    text
}

/// What an interruption left undone. `None` if there was none.
fn interruption(results: &Results<'_>) -> Option<String> {
    let count = |test: fn(&RunResult) -> bool| results.runs.iter().filter(|run| test(&run.result)).count();
    let cut = count(|result| matches!(result, RunResult::Done(done) if done.ended == Ended::Interrupted));
    let never_begun = count(|result| matches!(result, RunResult::NotRun));
    (cut + never_begun > 0).then(|| {
        format!(
            "interrupted: {} cut off, {never_begun} not begun; the same command carries them out",
            counted(cut, "run")
        )
    })
}

fn why_unfinished(done: &Done) -> String {
    let (at, missing) = (for_people(done.summary.ended_at.as_secs_f64()), done.summary.unfinished);
    match &done.ended {
        Ended::Stranded(stranded) if stranded.pieces.is_empty() => {
            format!("stranded at {at} s: no progress is possible, {missing} peers incomplete")
        }
        Ended::Stranded(stranded) => {
            const SHOWN: usize = 10;
            let pieces: Vec<String> = stranded.pieces.iter().take(SHOWN).map(ToString::to_string).collect();
            let more = if stranded.pieces.len() > SHOWN { ", …" } else { "" };
            let (count, pieces) = (stranded.pieces.len(), pieces.join(", "));
            format!(
                "stranded at {at} s: nobody alive can give {count} pieces ({pieces}{more}), {missing} peers incomplete"
            )
        }
        Ended::TimeLimit => format!("time limit at {at} s: {missing} peers incomplete"),
        Ended::Interrupted => format!("interrupted at {at} s: {missing} peers incomplete"),
        Ended::Complete => format!("complete at {at} s"),
    }
}

/// `policy.picker=random, policy.choker=rarity`; empty without axes.
fn case_name(results: &Results<'_>, case: usize) -> String {
    let plan = results.plan;
    let values = plan.axes.iter().zip(&plan.cases[case].values);
    let case: Vec<_> = values.map(|(axis, value)| (axis.key.clone(), value.clone())).collect();
    assignments(&case)
}

fn assignments(case: &[(String, String)]) -> String {
    case.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// The verdict, and how many peers its means had to leave out.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let (baseline, value) = comparison.unfinished;
    if baseline + value == 0 {
        return comparison.verdict.to_string();
    }
    format!("{} (peers without a time: {value} against {baseline})", comparison.verdict)
}
