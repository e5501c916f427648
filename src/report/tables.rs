//! What a person reads: the cases side by side, then every comparison with its verdict in words.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::{CellAlignment, Table};

use crate::experiment::compare::{COMPARED, Comparison};
use crate::experiment::statistics::PAIRS_TO_DECIDE;
use crate::experiment::{Plan, Results};
use crate::report::cell::for_people;
use crate::report::columns;
use crate::report::form::Form;
use crate::report::verdicts::{expectations, headline, unfinished, verdict};

/// Column title and metric of the table of cases. Times are in seconds.
const CASES: &[(&str, &str)] = &[
    ("mean s", "mean_completion_s"),
    ("median s", "median_completion_s"),
    ("p95 s", "p95_completion_s"),
    ("last s", "last_finished_at_s"),
    ("bound s", "bound_s"),
    ("over bound", "last_over_bound"),
    ("messages", "messages_sent"),
];

/// For the terminal: cases, runs that ended unfinished, the comparison of means, expectations.
pub fn terminal(results: &Results<'_>) -> String {
    let mut text = format!("{}\n{}", Form::Terminal.text(&headline(results)), cases(results, Form::Terminal));
    text.push_str(&unfinished(results, Form::Terminal));
    if !results.comparisons.is_empty() {
        let headline = |one: &&Comparison| one.metric == COMPARED[0];
        let compared = results.comparisons.iter().filter(headline);
        text += "\nMean completion time, paired by random seed (below 1 the first value is faster):\n";
        text.push_str(&comparisons(compared, Form::Terminal));
    }
    text + &expectations(results, Form::Terminal)
}

/// `comparison.md`: the same with every compared metric, and how to read it.
pub(super) fn markdown(results: &Results<'_>) -> String {
    let form = Form::Markdown;
    let (name, headline) = (form.text(&results.plan.name), form.text(&headline(results)));
    let mut text = format!("# {name}\n\n{headline}\n\n{}", cases(results, form));
    text.push_str(
        "\nEach number is the mean over the runs of a case. *last* is the time at which the last peer had everything, \
         *bound* the time no policy can beat with these links.\n",
    );
    text.push_str(&unfinished(results, Form::Markdown));
    for metric in COMPARED {
        let compared: Vec<_> = results.comparisons.iter().filter(|one| one.metric == metric).collect();
        if !compared.is_empty() {
            text += &Form::Markdown.heading(metric);
            text.push_str(&comparisons(compared.into_iter(), Form::Markdown));
        }
    }
    if !results.comparisons.is_empty() {
        let _ = write!(
            text,
            "\nA ratio is the mean of the first value over the mean of the second, over runs with the same random \
             seed: below 1 the first is faster. The interval holds the middle 95 % of the ratios when whole pairs are \
             drawn again; each stands for itself. A *difference* is an interval that leaves 1 out; below \
             {PAIRS_TO_DECIDE} pairs nothing is decided.\n"
        );
    }
    text + &expectations(results, Form::Markdown)
}

fn cases(results: &Results<'_>, form: Form) -> String {
    let plan = results.plan;
    let mut table = form.table();
    let axes = short_keys(plan).into_iter().map(|key| form.text(key));
    let titles = CASES.iter().map(|(title, _)| (*title).to_owned());
    let fixed = ["runs", "complete"].map(str::to_owned);
    table.set_header(axes.chain(fixed).chain(titles).chain(["from seeds".to_owned()]).collect::<Vec<_>>());
    for (at, case) in plan.cases.iter().enumerate() {
        let mut row: Vec<String> = case.values.iter().map(|value| form.text(value)).collect();
        row.push(count(
            results.whole_runs(at).count() as u64,
            plan.runs.iter().filter(|run| run.case == at).count() as u64,
        ));
        let (completers, leechers) = results
            .whole_runs(at)
            .fold((0, 0), |sums, run| (sums.0 + run.summary.completers, sums.1 + run.summary.leechers));
        row.push(count(completers, leechers));
        row.extend(CASES.iter().map(|(_, metric)| number(results.case_mean(at, metric))));
        row.push(percent(results.case_mean(at, "share_from_seeds")));
        table.add_row(row);
    }
    align(&mut table, plan.axes.len());
    format!("{table}\n")
}

/// The last part of every axis's key where that tells them apart, otherwise the keys.
fn short_keys(plan: &Plan) -> Vec<&str> {
    let short: Vec<&str> =
        plan.axes.iter().map(|axis| axis.key.rsplit('.').next().unwrap_or(&axis.key)).collect();
    let distinct: BTreeSet<&str> = short.iter().copied().collect();
    if distinct.len() == short.len() {
        short
    } else {
        plan.axes.iter().map(|axis| axis.key.as_str()).collect()
    }
}

fn comparisons<'a>(comparisons: impl Iterator<Item = &'a Comparison>, form: Form) -> String {
    let comparisons: Vec<_> = comparisons.collect();
    // With a single axis there is nothing to be within.
    let within = comparisons.iter().any(|one| !one.within.is_empty());
    let mut table = form.table();
    let titles = ["compared", "within", "ratio", "95 % interval", "verdict"];
    table.set_header(titles.into_iter().filter(|title| within || *title != "within").collect::<Vec<_>>());
    for one in comparisons {
        let interval = one.estimate.and_then(|estimate| estimate.interval);
        let mut row = vec![form.text(&format!("{}: {} / {}", one.axis, one.value, one.baseline))];
        row.extend(within.then(|| form.text(&columns::within(one))));
        row.extend([
            one.estimate.map_or_else(|| "–".to_owned(), |estimate| format!("{:.3}", estimate.ratio)),
            interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
            verdict(one),
        ]);
        table.add_row(row);
    }
    format!("{table}\n")
}

/// Numbers to the right, the first `texts` columns to the left.
fn align(table: &mut Table, texts: usize) {
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn count(part: u64, whole: u64) -> String {
    if part == whole { whole.to_string() } else { format!("{part} of {whole}") }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), for_people)
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
