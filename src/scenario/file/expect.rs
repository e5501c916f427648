//! The sections `[[expect]]`: what the results are expected to be, checked when they are there.
//! `docs/expectations.md` explains them.

use super::axes::AxisForm;
use super::bounds::Bounds;
use super::conditions::{Condition, Conditions};
use super::origin::Origin;
use super::report::{Problem, shown};
use super::section::{Section, Wrong, choice, line, text};
use super::tree::{Kind, Table, Value};

/// A threshold: a metric, or the ratio of two, lies in the range, in every case or in those that `only` names.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    pub of: Side,
    /// What it is divided by, run by run; `None` is not divided at all.
    pub over: Option<Side>,
    pub statistic: Statistic,
    pub range: Bounds,
    /// Axes and the value that a case must have there to be meant.
    pub only: Vec<(String, String)>,
    /// Where the metrics are named.
    pub(super) metric_origin: Origin,
}

/// One number of each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// A column of `runs.csv`, or with a cohort of `cohorts.csv`.
    pub metric: String,
    pub cohort: Option<String>,
    /// Axes and the value that they have on this side of a ratio; empty where there is no ratio.
    pub axes: Vec<(String, String)>,
}

/// What the repeats of a case, or their pairs, are summed up to before they are held against the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Nothing: every run or pair lies in the range for itself.
    Every,
    /// The mean of the runs; of pairs the ratio of the two sides' means.
    Mean,
    /// The middle value of the runs, or of the pairs' ratios.
    Median,
    Least,
    Most,
    /// The whole 95 % interval of the mean lies in the range.
    Interval,
}

const OF_RUNS: &[(&str, Statistic)] = &[
    ("every-run", Statistic::Every),
    ("mean", Statistic::Mean),
    ("median", Statistic::Median),
    ("min", Statistic::Least),
    ("max", Statistic::Most),
    ("interval", Statistic::Interval),
];

const OF_PAIRS: &[(&str, Statistic)] = &[
    ("every-pair", Statistic::Every),
    ("mean", Statistic::Mean),
    ("median", Statistic::Median),
    ("min", Statistic::Least),
    ("max", Statistic::Most),
    ("interval", Statistic::Interval),
];

impl Expect {
    /// As the file spells it.
    pub fn statistic_name(&self) -> &'static str {
        super::names::name_of(statistics(self.over.is_some()), &self.statistic)
    }

    /// What is held against the range: `mean_completion_s of slow`,
    /// `mean_completion_s: policy.picker=random / policy.picker=rarest-first`.
    pub fn subject(&self) -> String {
        let Some(over) = &self.over else {
            return match &self.of.cohort {
                Some(cohort) => format!("{} of {cohort}", self.of.metric),
                None => self.of.metric.clone(),
            };
        };
        let [of, over] = self.of.against(over).map(|conditions| told(&conditions).join(", "));
        match &self.of.cohort {
            _ if self.of.metric != self.over_metric() => format!("{of} / {over}"),
            Some(cohort) if self.shares_cohort() => format!("{} of {cohort}: {of} / {over}", self.of.metric),
            _ => format!("{}: {of} / {over}", self.of.metric),
        }
    }

    fn over_metric(&self) -> &str {
        self.over.as_ref().map_or(&self.of.metric, |over| &over.metric)
    }

    pub(super) fn shares_cohort(&self) -> bool {
        self.over.as_ref().is_none_or(|over| over.cohort == self.of.cohort)
    }

    pub(super) fn shares_metric(&self) -> bool {
        self.of.metric == self.over_metric()
    }
}

impl Side {
    /// What this side and the other have of their own: conditions as a ratio in the file names them.
    pub(super) fn against(&self, other: &Side) -> [Vec<Condition>; 2] {
        [(self, other), (other, self)].map(|(side, other)| {
            let metric = (side.metric != other.metric).then(|| ("metric".to_owned(), side.metric.clone()));
            let cohort = side.cohort.clone().filter(|_| side.cohort != other.cohort);
            let cohort = cohort.map(|cohort| ("cohort".to_owned(), cohort));
            metric.into_iter().chain(cohort).chain(side.axes.iter().cloned()).collect()
        })
    }
}

/// `key=value` each.
pub(super) fn told(conditions: &[Condition]) -> Vec<String> {
    conditions.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

fn statistics(of_pairs: bool) -> &'static [(&'static str, Statistic)] {
    if of_pairs { OF_PAIRS } else { OF_RUNS }
}

/// All expectations in the order of the file. `fixed` are the axes that options have replaced, with their value: an
/// expectation about another value of such an axis, or about two of its values, has no case left, and goes.
pub(super) fn read_expects(
    document: &Table,
    axes: &[AxisForm],
    fixed: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> Vec<Expect> {
    let forms = match document.get("expect").map(|entry| &entry.value) {
        None => &[],
        Some(Value { kind: Kind::Array(forms), .. }) => &forms[..],
        Some(other) => std::slice::from_ref(other),
    };
    let conditions = Conditions::new(document, axes, fixed);
    let mut expects = Vec::new();
    for form in forms {
        let section = Section::at("expect".to_owned(), form, problems);
        let Some(mut expect) = read_expect(section, &conditions, problems) else { continue };
        let is_open = |axis: &str| conditions.fixed_value(axis).is_none();
        let sides = expect.of.axes.iter().all(|(axis, _)| is_open(axis));
        let holds = |value: &str, axis: &str| conditions.fixed_value(axis).is_none_or(|fixed| fixed == value);
        if sides && expect.only.iter().all(|(axis, value)| holds(value, axis)) {
            expect.only.retain(|(axis, _)| is_open(axis));
            expects.push(expect);
        }
    }
    expects
}

fn read_expect(
    mut section: Section<'_>,
    conditions: &Conditions<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Expect> {
    let known_problems = problems.len();
    let metric_origin =
        ["metric", "ratio"].into_iter().find_map(|key| section.value(key)).map(|value| &value.origin);
    let metric = section.read("metric", problems, line);
    let cohort = section.read("cohort", problems, |value| {
        let name = text(value)?;
        conditions.cohort(name).map(|()| name.to_owned())
    });
    let of_pairs = section.value("ratio").is_some();
    let ratio = section.read("ratio", problems, |value| read_ratio(value, conditions));
    let range = section.read("range", problems, read_range);
    if section.value("range").is_none() {
        section.wrong("range", Wrong::new("missing", r#"like "<= 1.3" or "0.9..1.1""#), problems);
    }
    let statistic = section.read("statistic", problems, choice(statistics(of_pairs)));
    let only = section.read("only", problems, |value| conditions.on_axes(value)).unwrap_or_default();
    let mut sides = None;
    if problems.len() == known_problems {
        let common = Common { metric, cohort };
        let read = match &ratio {
            Some([of, over]) => common.side(of).and_then(|of| Ok((of, Some(common.side(over)?)))),
            None => common.side(&[]).map(|of| (of, None)),
        };
        sides = read.map_err(|(key, wrong)| section.wrong(key, wrong, problems)).ok();
    }
    section.finish(problems);
    let (of, over) = sides?;
    let default = if of_pairs { Statistic::Mean } else { Statistic::Every };
    Some(Expect {
        of,
        over,
        statistic: statistic.unwrap_or(default),
        range: range?,
        only,
        metric_origin: metric_origin?.clone(),
    })
}

fn read_range(value: &Value) -> Result<Bounds, Wrong> {
    let written = text(value)?;
    Bounds::parse(written).ok_or_else(|| {
        let expected = r#"expected "<= 1.3", ">= 0.9", "= 5" or "0.9..1.1""#;
        Wrong::new(format!("{} is not a range", shown(written)), expected)
    })
}

/// Two sides that name the same keys with other values.
fn read_ratio(value: &Value, conditions: &Conditions<'_>) -> Result<[Vec<Condition>; 2], Wrong> {
    const EXPECTED: &str =
        r#"expected two sides, like ["policy.picker=random", "policy.picker=rarest-first"]"#;
    let Kind::Array(sides) = &value.kind else { return Err(Wrong::kind(&value.kind, EXPECTED)) };
    let [of, over] = &sides[..] else {
        return Err(Wrong::new(format!("{} sides", sides.len()), EXPECTED));
    };
    let (of, over) = (conditions.side(of)?, conditions.side(over)?);
    let keys = |side: &[Condition]| {
        let mut keys: Vec<String> = side.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    };
    if keys(&of) != keys(&over) {
        return Err(Wrong::new("the sides name different keys", "each side must say what the other says"));
    }
    if keys(&of).windows(2).any(|two| two[0] == two[1]) {
        return Err(Wrong::new("a side names a key twice", "which of the two is it?"));
    }
    let same = of.iter().all(|condition| over.contains(condition));
    if same {
        return Err(Wrong::new("both sides are the same", "their ratio is always 1"));
    }
    Ok([of, over])
}

/// What both sides of a ratio share.
struct Common {
    metric: Option<String>,
    cohort: Option<String>,
}

impl Common {
    /// The key that is wrong, and how, where the side says too little or too much.
    fn side(&self, conditions: &[Condition]) -> Result<Side, (&'static str, Wrong)> {
        let own = |key: &str| conditions.iter().find(|(own, _)| own == key).map(|(_, value)| value.clone());
        let one = |key: &'static str, common: &Option<String>| match (common, own(key)) {
            (Some(_), Some(_)) => {
                Err((key, Wrong::new("named here and in the ratio", "which of the two is it?")))
            }
            (common, own) => Ok(own.or_else(|| common.clone())),
        };
        let metric = one("metric", &self.metric)?;
        let metric = metric.ok_or(("metric", Wrong::new("missing", "which column of runs.csv?")))?;
        let cohort = one("cohort", &self.cohort)?;
        let of_axes = |(key, _): &&Condition| key != "metric" && key != "cohort";
        Ok(Side { metric, cohort, axes: conditions.iter().filter(of_axes).cloned().collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::file::{Overrides, ScenarioError, from_text};

    const SWARM: &str = "[content]\nsize = \"1 MiB\"\n[peers.leecher]\ncount = 3\n[peers.seed]\n\
                         [compare]\n\"policy.picker\" = [\"random\", \"sequential\"]\n[[expect]]\n";

    fn read(expect: &str, set: &[&str]) -> Result<Vec<Expect>, ScenarioError> {
        let overrides =
            Overrides { set: set.iter().map(|one| (*one).to_owned()).collect(), ..Overrides::default() };
        from_text(Path::new("swarm.toml"), format!("{SWARM}{expect}"), &overrides).map(|file| file.expects)
    }

    fn one(expect: &str) -> Expect {
        read(expect, &[]).unwrap_or_else(|error| panic!("{error}")).remove(0)
    }

    fn refused(expect: &str) -> String {
        read(expect, &[]).expect_err("this is wrong").to_string()
    }

    const POLICIES: &str = r#"ratio = ["policy.picker=random", "policy.picker=sequential"]"#;

    #[test]
    fn what_is_held_against_the_range_is_told_in_words() {
        let subject = |text: &str| one(&format!("{text}\nrange = \"< 1\"")).subject();
        assert_eq!(subject("metric = \"m\""), "m");
        assert_eq!(subject("metric = \"m\"\ncohort = \"seed\""), "m of seed");
        let of_policies = subject(&format!("metric = \"m\"\n{POLICIES}"));
        assert_eq!(of_policies, "m: policy.picker=random / policy.picker=sequential");
        let of_a_cohort = subject(&format!("metric = \"m\"\ncohort = \"seed\"\n{POLICIES}"));
        assert_eq!(of_a_cohort, "m of seed: policy.picker=random / policy.picker=sequential");
        let of_cohorts = subject("metric = \"m\"\nratio = [\"cohort=leecher\", \"cohort=seed\"]");
        assert_eq!(of_cohorts, "m: cohort=leecher / cohort=seed");
        assert_eq!(subject("ratio = [\"metric=a\", \"metric=b\"]"), "metric=a / metric=b");
    }

    #[test]
    fn without_a_statistic_every_run_counts_and_of_a_ratio_the_means() {
        assert_eq!(one("metric = \"m\"\nrange = \"< 1\"").statistic, Statistic::Every);
        let ratio = one(&format!("metric = \"m\"\n{POLICIES}\nrange = \"< 1\""));
        assert_eq!((ratio.statistic, ratio.statistic_name()), (Statistic::Mean, "mean"));
    }

    #[test]
    fn a_ratio_goes_with_its_axis_and_stays_with_others() {
        let text = format!("metric = \"m\"\n{POLICIES}\nrange = \"< 1\"");
        assert_eq!(read(&text, &["policy.picker=random"]).unwrap().len(), 0);
        assert_eq!(read(&text, &["policy.choker=random"]).unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_expectation_is_refused_with_what_was_expected() {
        let ratio = |sides: &str| refused(&format!("metric = \"m\"\nrange = \"< 1\"\nratio = {sides}"));
        let cases = [
            (ratio(r#"["a", "b"]"#), r#"expect.ratio: "a" is no condition"#),
            (ratio("\"cohort=seed\""), "expected two sides"),
            (ratio(r#"["policy.picker=random"]"#), "expect.ratio: 1 sides"),
            (ratio(r#"["policy.picker=random", "cohort=seed"]"#), "the sides name different keys"),
            (ratio(r#"[["cohort=seed", "cohort=leecher"], ["cohort=seed", "cohort=seed"]]"#), "twice"),
            (ratio(r#"["policy.picker=random", "policy.picker=random"]"#), "both sides are the same"),
            (ratio(r#"["policy.picker=rare", "policy.picker=random"]"#), "policy.picker never is \"rare\""),
            (ratio(r#"["policy.choker=rarity", "policy.choker=random"]"#), "no axis \"policy.choker\""),
            (ratio(r#"["cohort=lecher", "cohort=seed"]"#), r#"did you mean "leecher"?"#),
            (ratio(r#"["metric=a", "metric=b"]"#), "expect.metric: named here and in the ratio"),
            (
                refused(&format!("metric = \"m\"\n{POLICIES}\nrange = \"< 1\"\nstatistic = \"every-run\"")),
                "expected every-pair, mean, median, min, max or interval",
            ),
            (refused("metric = \"m\"\ncohort = \"seeds\"\nrange = \"< 1\""), r#"no cohort is named "seeds""#),
            (refused(&format!("{POLICIES}\nrange = \"< 1\"")), "expect.metric: missing"),
            (refused("metric = 5\nrange = \"< 1\""), "expect.metric: unexpected the number 5"),
            (refused("metric = \"m\""), "expect.range: missing"),
        ];
        for (report, expected) in cases {
            assert!(report.contains(expected), "{expected:?} is not in: {report}");
        }
    }
}
