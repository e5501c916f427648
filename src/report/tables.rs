//! What a person reads: the cases side by side, then every comparison with its verdict in words.

use std::fmt::Write;

use crate::experiment::Results;
use crate::experiment::compare::{COMPARED, Comparison};
use crate::experiment::statistics::PAIRS_TO_DECIDE;
use crate::report::cases;
use crate::report::columns;
use crate::report::form::Form;
use crate::report::verdicts::{agreement, expectations, headline, unfinished, verdict};

/// For the terminal: cases, runs that ended unfinished, the comparison of means, expectations.
pub fn terminal(results: &Results<'_>) -> String {
    let form = Form::Terminal;
    let mut text = format!("{}\n{}", form.text(&headline(results)), cases::times(results, form));
    text.push_str(&swarm_and_cohorts(results, form));
    text.push_str(&unfinished(results, form));
    if !results.comparisons.is_empty() {
        let headline = |one: &&Comparison| one.metric == COMPARED[0];
        let compared = results.comparisons.iter().filter(headline);
        text += "\nMean completion time, paired by random seed (below 1 the first value is faster):\n";
        text.push_str(&comparisons(compared, form));
    }
    text + &expectations(results, form)
}

/// `comparison.md`: the same with every compared metric, and how to read it.
pub(super) fn markdown(results: &Results<'_>) -> String {
    let form = Form::Markdown;
    let (name, headline) = (form.text(&results.plan.name), form.text(&headline(results)));
    let mut text = format!("# {name}\n\n{headline}\n\n{}", cases::times(results, form));
    text.push_str(
        "\nEach number is the mean over the runs of a case. *last* is the time at which the last peer had everything, \
         *bound* the time no policy can beat with these links.\n",
    );
    text.push_str(&swarm_and_cohorts(results, form));
    text.push_str(&unfinished(results, form));
    for metric in COMPARED {
        let compared: Vec<_> = results.comparisons.iter().filter(|one| one.metric == metric).collect();
        if !compared.is_empty() {
            text += &form.heading(metric);
            text.push_str(&comparisons(compared.into_iter(), form));
        }
    }
    if !results.comparisons.is_empty() {
        let _ = write!(
            text,
            "\nA ratio is the mean of the first value over the mean of the second, over runs with the same random \
             seed: below 1 the first is faster. The interval holds the middle 95 % of the ratios when whole pairs are \
             drawn again; *p* is Wilcoxon's for the pairs, corrected after Holm for the comparisons of its table; \
             *correlation* is that of the two sides of the pairs. A \
             *difference* is an interval that leaves 1 out with a *p* of at most 0.05; below {PAIRS_TO_DECIDE} pairs \
             nothing is decided.\n"
        );
    }
    text + &agreement(results, form) + &expectations(results, form)
}

fn swarm_and_cohorts(results: &Results<'_>, form: Form) -> String {
    let swarm = form.heading("The swarm") + &cases::swarm(results, form);
    let cohorts = cases::cohorts(results, form);
    if cohorts.is_empty() { swarm } else { swarm + &form.heading("Cohorts") + &cohorts }
}

fn comparisons<'a>(comparisons: impl Iterator<Item = &'a Comparison>, form: Form) -> String {
    let comparisons: Vec<_> = comparisons.collect();
    // With a single axis there is nothing to be within.
    let within = comparisons.iter().any(|one| !one.within.is_empty());
    let mut table = form.table();
    // Whether pairing paid is for those who read on.
    let correlation = form == Form::Markdown;
    let titles = ["compared", "within", "ratio", "95 % interval", "p", "correlation", "verdict"];
    let shown = |title: &&str| match *title {
        "within" => within,
        "correlation" => correlation,
        _ => true,
    };
    table.set_header(titles.into_iter().filter(shown).collect::<Vec<_>>());
    for one in comparisons {
        let interval = one.estimate.and_then(|estimate| estimate.interval);
        let mut row = vec![form.text(&format!("{}: {} / {}", one.axis, one.value, one.baseline))];
        row.extend(within.then(|| form.text(&columns::within(one))));
        row.extend([
            one.estimate.map_or_else(|| "–".to_owned(), |estimate| format!("{:.3}", estimate.ratio)),
            interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
            one.p_holm.map_or_else(|| "–".to_owned(), |p| format!("{p:.4}")),
        ]);
        let paired = one.estimate.and_then(|estimate| estimate.correlation);
        row.extend(correlation.then(|| paired.map_or_else(|| "–".to_owned(), |r| format!("{r:.2}"))));
        row.push(verdict(one));
        table.add_row(row);
    }
    format!("{table}\n")
}
