//! From a [`Scenario`] to its file, in full: every key with its value, nothing left to a default.

use std::fmt::Write;

use super::expect::told;
use super::names::{
    BEHAVIOURS, CHOKERS, PICKERS, PROTOCOLS, SEED_RULES, START_WITH, STARTED_FIRST, TRACKERS, name_of,
};
use super::resolve::hex;
use super::{Axis, Expect, ScenarioFile};
use crate::peer::policy::Policy;
use crate::scenario::{
    Arrival, Behaviour, Client, Cohort, Content, ContentSource, Distribution, OnComplete, Overlay, Protocol,
    Scenario, TrackerProgram,
};
use crate::time::{Span, Time};
use crate::units::{Rate, format_frequency, format_size, format_span};

impl Scenario {
    /// The scenario as a file with every key. Loading it from the same folder gives an equal scenario.
    pub fn to_toml(&self) -> String {
        let mut out = Writer::new(true);
        out.text("title", &self.title);
        out.bare("repeat", self.repeat);
        out.bare("random_seed", self.random_seed);
        out.scenario(self);
        out.text
    }

    /// What makes two runs with one random seed the same run: the file without title, number of repeats and first
    /// random seed. Results are filed under a hash of this, so a key that MiniBit learnt later is left out where it
    /// is at its default: it renames no run that was made without it.
    pub fn identity(&self) -> String {
        let mut out = Writer::new(false);
        out.scenario(self);
        out.text
    }
}

impl ScenarioFile {
    /// The whole file with every default: the base, its axes and its expectations.
    pub fn to_toml(&self) -> String {
        let mut out = Writer { text: self.base.to_toml(), whole: true };
        if !self.axes.is_empty() {
            out.section("compare");
            self.axes.iter().for_each(|axis| out.axis(axis));
        }
        self.expects.iter().for_each(|expect| out.expect(expect));
        out.text
    }
}

struct Writer {
    text: String,
    /// Later keys are written even where they are at their default.
    whole: bool,
}

impl Writer {
    fn new(whole: bool) -> Writer {
        Writer { text: String::new(), whole }
    }

    fn scenario(&mut self, scenario: &Scenario) {
        self.text("driver", scenario.driver.name());
        self.bare("time_scale", scenario.time_scale);
        self.text("time_limit", &format_span(scenario.time_limit));
        self.content(&scenario.content);
        self.distribution(scenario.distribution);
        self.section("tracker");
        self.text("interval", &format_span(scenario.tracker.interval));
        self.bare("peers_returned", scenario.tracker.peers_returned);
        if self.whole || scenario.tracker_protocol != Protocol::Http {
            self.text("protocol", name_of(PROTOCOLS, &scenario.tracker_protocol));
        }
        if self.whole || scenario.tracker_program != TrackerProgram::Minibit {
            self.text("program", name_of(TRACKERS, &scenario.tracker_program));
        }
        if self.whole || scenario.overlay != (Overlay::Tracker { dial: None }) {
            self.overlay(scenario.overlay);
        }
        self.policy(&scenario.policy);
        scenario.cohorts.iter().for_each(|cohort| self.cohort(cohort));
    }

    fn section(&mut self, name: &str) {
        self.line(format_args!("\n[{name}]"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {}", quoted(value)));
    }

    fn bare(&mut self, key: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to a String cannot fail");
    }

    fn content(&mut self, content: &Content) {
        self.section("content");
        match &content.source {
            ContentSource::File(file) => {
                self.text("file", &file.named);
                self.text("sha1", &hex(&file.sha1));
            }
            ContentSource::Synthetic => self.text("size", &format_size(content.layout.total())),
        }
        self.text("block_size", &format_size(u64::from(content.layout.block_size())));
        self.text("piece_size", &format_size(u64::from(content.layout.piece_size())));
    }

    fn distribution(&mut self, distribution: Distribution) {
        self.section("distribution");
        match distribution {
            Distribution::RandomSubset => self.text("kind", "random-subset"),
            Distribution::SingleSeed => self.text("kind", "single-seed"),
            Distribution::Disjoint => self.text("kind", "disjoint"),
            Distribution::Fixed { pieces_each } => {
                self.text("kind", "fixed");
                self.bare("pieces", pieces_each);
            }
        }
    }

    fn overlay(&mut self, overlay: Overlay) {
        self.section("overlay");
        match overlay {
            Overlay::Tracker { dial } => {
                self.text("kind", "tracker");
                // Without the key it is as many as `max_connections`.
                dial.iter().for_each(|dial| self.bare("dial", dial));
            }
            Overlay::FullMesh => self.text("kind", "full-mesh"),
            Overlay::Star => self.text("kind", "star"),
            Overlay::RandomRegular { degree } => {
                self.text("kind", "random-regular");
                self.bare("degree", degree);
            }
        }
    }

    fn policy(&mut self, policy: &Policy) {
        self.section("policy");
        self.text("picker", name_of(PICKERS, &policy.picker));
        self.text("started_first", name_of(STARTED_FIRST, &policy.started_first));
        self.bare("first_random", policy.first_random);
        self.text("choker", name_of(CHOKERS, &policy.choker));
        self.bare("unchoke_slots", policy.unchoke_slots);
        self.bare("optimistic_slots", policy.optimistic_slots);
        self.text("round", &format_span(policy.round));
        self.bare("optimistic_rounds", policy.optimistic_rounds);
        self.bare("newcomer_weight", policy.newcomer_weight);
        self.text("seed_rule", name_of(SEED_RULES, &policy.seed_rule));
        self.text("rate_window", &format_span(policy.rate_window));
        self.text("snub_after", &format_span(policy.snub_after));
        self.bare("max_connections", policy.max_connections);
        self.bare("fast_extension", policy.fast_extension);
        self.bare("extension_protocol", policy.extension_protocol);
        self.bare("peer_exchange", policy.peer_exchange);
        self.section("policy.pipeline");
        self.text("time", &format_span(policy.pipeline.time));
        self.text("rate_window", &format_span(policy.pipeline.rate_window));
        self.bare("min", policy.pipeline.min);
        self.bare("max", policy.pipeline.max);
    }

    fn cohort(&mut self, cohort: &Cohort) {
        self.section(&format!("peers.{}", quoted_unless_bare(&cohort.name)));
        if self.whole || cohort.client != Client::Minibit {
            self.text("client", cohort.client.name());
        }
        self.bare("count", cohort.count);
        self.text("start_with", name_of(START_WITH, &cohort.start_with));
        if self.whole || cohort.behaviour != Behaviour::Cooperative {
            self.text("behaviour", name_of(BEHAVIOURS, &cohort.behaviour));
        }
        self.text("upload", &rate(cohort.upload));
        self.text("download", &rate(cohort.download));
        self.text("latency", &format_span(cohort.latency));
        if self.whole || !cohort.jitter.is_zero() {
            self.text("jitter", &format_span(cohort.jitter));
        }
        self.text("arrival", &arrival(cohort.arrival));
        self.text("on_complete", &on_complete(cohort.on_complete));
        if self.whole || cohort.abort_every.is_some() {
            self.text("abort", &frequency(cohort.abort_every));
        }
        self.text("crash", &frequency(cohort.crash_every));
        self.text("rejoin", &cohort.rejoin.map_or("never".to_owned(), format_span));
    }

    fn axis(&mut self, axis: &Axis) {
        let values: Vec<String> = axis.values.iter().map(|value| quoted_unless_number(value)).collect();
        self.line(format_args!("{} = [{}]", quoted(&axis.key), values.join(", ")));
    }

    fn expect(&mut self, expect: &Expect) {
        self.line(format_args!("\n[[expect]]"));
        if expect.shares_metric() {
            self.text("metric", &expect.of.metric);
        }
        if let Some(cohort) = expect.of.cohort.as_ref().filter(|_| expect.shares_cohort()) {
            self.text("cohort", cohort);
        }
        if let Some(over) = &expect.over {
            let sides = expect.of.against(over).map(|side| match &told(&side)[..] {
                [one] => quoted(one),
                several => list(several),
            });
            self.line(format_args!("ratio = [{}]", sides.join(", ")));
        }
        self.text("statistic", expect.statistic_name());
        self.text("range", &expect.range.to_string());
        if !expect.only.is_empty() {
            self.line(format_args!("only = {}", list(&told(&expect.only))));
        }
    }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

fn rate(rate: Option<Rate>) -> String {
    rate.map_or("unlimited".to_owned(), |rate| rate.to_string())
}

fn frequency(mean_gap: Option<Span>) -> String {
    mean_gap.map_or("never".to_owned(), |gap| format_frequency(Some(gap)))
}

fn arrival(arrival: Arrival) -> String {
    match arrival {
        Arrival::AtStart => "at start".to_owned(),
        Arrival::Over(span) => format!("over {}", format_span(span)),
        Arrival::Poisson { mean_gap } => format!("poisson {}", format_frequency(Some(mean_gap))),
    }
}

fn on_complete(on_complete: OnComplete) -> String {
    match on_complete {
        OnComplete::Stay => "stay".to_owned(),
        OnComplete::Leave => "leave".to_owned(),
        OnComplete::LeaveAfter(span) => format!("leave after {}", format_span(span)),
        OnComplete::LeaveAfterMean(mean) => format!("leave after {} on average", format_span(mean)),
        OnComplete::LeaveAt(at) => format!("leave at {}", format_span(at.since(Time::ZERO))),
        OnComplete::LeaveAtShareRatio { thousandths } => {
            format!("leave at share ratio {}.{:03}", thousandths / 1_000, thousandths % 1_000)
        }
        OnComplete::LeaveAfterCopies(copies) => format!("leave after {copies} copies"),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn quoted_unless_bare(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if bare { key.to_owned() } else { quoted(key) }
}

/// Axis values are kept as text; what reads as a number or a flag was one.
fn quoted_unless_number(value: &str) -> String {
    let bare = value.parse::<f64>().is_ok() || value.parse::<u64>().is_ok() || value.parse::<bool>().is_ok();
    if bare { value.to_owned() } else { quoted(value) }
}
