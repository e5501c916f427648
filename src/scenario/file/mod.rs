//! The scenario file: TOML that people write, read into [`Scenario`]s. A wrong file is refused before anything runs,
//! with everything that is wrong in it.
//!
//! Opens the file itself and the content it names, and nothing else. It must not know what a driver does with a
//! scenario, or which metrics exist ([`ScenarioFile::check_metrics`] is told).

mod axes;
mod bounds;
mod clients;
mod cohorts;
mod conditions;
mod expect;
mod names;
mod origin;
mod overlay;
mod policy;
mod report;
mod resolve;
mod section;
#[cfg(test)]
mod tests;
mod tree;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Scenario;
use axes::{AxisForm, combinations, overlap, patch, read_axes, spelled};
use origin::Origin;
use report::{Problem, Sources, nearest, one_of, shown};
use resolve::{Context, resolve};
use tree::{Table, Value};

pub use bounds::Bounds;
pub use expect::{Expect, Side, Statistic};
pub use names::{choker_name, picker_name};
pub use report::ScenarioError;
pub use resolve::MAX_REPEAT;

/// Bytes of a file that somebody can have written by hand.
const MAX_FILE: u64 = 1 << 20;

/// A scenario file, read and checked as a whole.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    pub path: PathBuf,
    /// The file's stem: names the results folder.
    pub name: String,
    /// The scenario as written, without its axes.
    pub base: Scenario,
    /// In the order of the file.
    pub axes: Vec<Axis>,
    /// Every combination of the axes' values, the last axis changing fastest; one without values if there are none.
    pub cases: Vec<Case>,
    pub expects: Vec<Expect>,
    sources: Sources,
}

/// A key that differs between cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// In full: `policy.picker`, `peers.*.upload`.
    pub key: String,
    /// As written, in the order of the file; no two are the same.
    pub values: Vec<String>,
}

/// The scenario with every axis at one of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// One per axis.
    pub values: Vec<String>,
    pub scenario: Scenario,
}

/// What the command line changes: each replaces the key, and its axis if there is one.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `key=value`, as `--set` takes it; later ones win.
    pub set: Vec<String>,
    pub driver: Option<String>,
    pub repeat: Option<u32>,
    pub random_seed: Option<u64>,
}

/// Reads a scenario file and everything it says, content files included.
pub fn load(path: &Path, overrides: &Overrides) -> Result<ScenarioFile, ScenarioError> {
    match read(path) {
        Ok(text) => from_text(path, text, overrides),
        Err(reason) => {
            let sources = Sources { path: path.display().to_string(), ..Sources::default() };
            let problem = Problem::new(Origin::Anywhere, "cannot read the scenario", reason);
            Err(ScenarioError::new(sources, vec![problem]))
        }
    }
}

/// Reads a scenario from `text` as if it stood at `path`.
pub fn from_text(path: &Path, text: String, overrides: &Overrides) -> Result<ScenarioFile, ScenarioError> {
    let sources = Sources { path: path.display().to_string(), text, settings: overrides.settings() };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = stem.unwrap_or_else(|| "scenario".to_owned());
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut context = Context { name: name.clone(), folder, inspected: BTreeMap::new() };
    match expand(&sources, &mut context) {
        Ok((base, axes, cases, expects)) => {
            Ok(ScenarioFile { path: path.to_owned(), name, base, axes, cases, expects, sources })
        }
        Err(problems) => Err(ScenarioError::new(sources, problems)),
    }
}

/// The text of the file, or why there is none.
fn read(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err("it is a folder; name a .toml file in it".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("it is larger than 1 MiB, which no scenario is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        format!("line {} is not UTF-8 text", line + 1)
    })
}

type Expanded = (Scenario, Vec<Axis>, Vec<Case>, Vec<Expect>);

fn expand(sources: &Sources, context: &mut Context) -> Result<Expanded, Vec<Problem>> {
    let mut document = tree::parse(&sources.text)?;
    let mut problems = Vec::new();
    let mut forms = read_axes(&document, &mut problems);
    let fixed = apply(&sources.settings, &mut document, &mut forms, &mut problems);
    let expects = expect::read_expects(&document, &forms, &fixed, &mut problems);
    let base = resolve(&document, context).map_err(|found| problems.extend(found)).ok();
    let (Some(base), true) = (base, problems.is_empty()) else { return Err(problems) };
    let cases = cases(&document, &forms, context)?;
    let axis = |form: &AxisForm| Axis {
        key: form.key.clone(),
        values: form.values.iter().filter_map(spelled).collect(),
    };
    Ok((base, forms.iter().map(axis).collect(), cases, expects))
}

/// Writes every setting into the document and takes the axes it replaces out. Returns these with their value.
fn apply(
    settings: &[(&'static str, String)],
    document: &mut Table,
    forms: &mut Vec<AxisForm>,
    problems: &mut Vec<Problem>,
) -> Vec<(String, String)> {
    let mut fixed = Vec::new();
    for (number, (_, setting)) in settings.iter().enumerate() {
        let Some((key, text)) = setting.split_once('=') else {
            let origin = Origin::Set { number, start: 0, end: setting.len() };
            let title = format!("{} is no setting", shown(setting));
            problems.push(Problem::new(origin, title, "expected key=value, like policy.picker=random"));
            continue;
        };
        let key_origin = Origin::Set { number, start: 0, end: key.len() };
        let value = tree::parse_setting(text, number, key.len() + 1);
        let replaced = |form: &AxisForm| overlap(&form.key, key.trim());
        let spelling = spelled(&value).unwrap_or_default();
        fixed.extend(
            forms.iter().filter(|form| replaced(form)).map(|form| (form.key.clone(), spelling.clone())),
        );
        forms.retain(|form| !replaced(form));
        if let Err(problem) = patch(document, key.trim(), &key_origin, &value) {
            problems.push(*problem);
        }
    }
    fixed
}

/// Resolves every combination of the axes; problems name the case in which they first arise.
fn cases(document: &Table, forms: &[AxisForm], context: &mut Context) -> Result<Vec<Case>, Vec<Problem>> {
    let mut cases: Vec<Case> = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for combination in combinations(forms) {
        let values: Vec<String> = combination.iter().filter_map(|value| spelled(value)).collect();
        match resolve_case(document, forms, &combination, context) {
            Ok(scenario) => {
                if let Some(twin) = seen.insert(scenario.identity(), cases.len()) {
                    problems.push(twins(forms, &cases[twin].values, &combination));
                }
                cases.push(Case { values, scenario });
            }
            Err(found) => {
                for mut problem in found {
                    let known =
                        |old: &Problem| (&old.origin, &old.title) == (&problem.origin, &problem.title);
                    if !problems.iter().any(known) {
                        problem.note = written_elsewhere(&problem.origin, forms)
                            .then(|| format!("in the case {}", case_name(forms, &values)));
                        problems.push(problem);
                    }
                }
            }
        }
    }
    if problems.is_empty() { Ok(cases) } else { Err(problems) }
}

fn resolve_case(
    document: &Table,
    forms: &[AxisForm],
    combination: &[&Value],
    context: &mut Context,
) -> Result<Scenario, Vec<Problem>> {
    let mut document = document.clone();
    for (form, value) in forms.iter().zip(combination) {
        patch(&mut document, &form.key, &form.key_origin, value).map_err(|problem| vec![*problem])?;
    }
    resolve(&document, context)
}

/// Whether a problem points at neither key nor value of an axis, so that its case must be named.
fn written_elsewhere(origin: &Origin, forms: &[AxisForm]) -> bool {
    !forms
        .iter()
        .any(|form| form.key_origin == *origin || form.values.iter().any(|value| value.origin == *origin))
}

/// Two values that are spelled differently and mean the same.
fn twins(forms: &[AxisForm], earlier: &[String], later: &[&Value]) -> Problem {
    let differs = |(text, value): &(&String, &&Value)| spelled(value).as_ref() != Some(text);
    let differing = earlier.iter().zip(later).zip(forms).find(|(pair, _)| differs(pair));
    let origin = differing.map_or(Origin::Anywhere, |((_, value), _)| value.origin.clone());
    let key = differing.map_or("compare", |(_, form)| &form.key);
    let title = format!("{key}: this case is the same as {}", case_name(forms, earlier));
    Problem::new(origin, title, "makes no difference")
}

/// `policy.picker = random, policy.choker = rarity`
fn case_name(forms: &[AxisForm], values: &[String]) -> String {
    let pairs: Vec<String> =
        forms.iter().zip(values).map(|(form, value)| format!("{} = {value}", form.key)).collect();
    pairs.join(", ")
}

impl Overrides {
    /// Every option as `key=value`, with the name the user knows it by.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let set = self.set.iter().map(|setting| ("--set", setting.clone()));
        let driver = self.driver.iter().map(|driver| ("--driver", format!("driver={driver}")));
        let repeat = self.repeat.iter().map(|repeat| ("--repeat", format!("repeat={repeat}")));
        let seed = self.random_seed.iter().map(|seed| ("--seed", format!("random_seed={seed}")));
        set.chain(driver).chain(repeat).chain(seed).collect()
    }
}

impl ScenarioFile {
    /// Refuses expectations about metrics that are none of `of_runs`, or with a cohort none of `of_cohorts`.
    pub fn check_metrics(&self, of_runs: &[&str], of_cohorts: &[&str]) -> Result<(), ScenarioError> {
        let mut problems = Vec::new();
        for expect in &self.expects {
            for side in [&expect.of].into_iter().chain(&expect.over) {
                let (known, file) = match side.cohort {
                    None => (of_runs, "runs.csv"),
                    Some(_) => (of_cohorts, "cohorts.csv"),
                };
                if known.contains(&side.metric.as_str()) {
                    continue;
                }
                let help = match nearest(&side.metric, known.iter().copied()) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None => format!("there is {}", one_of(known.iter().copied())),
                };
                let title = format!("expect.metric: unknown metric {}", shown(&side.metric));
                let expected = format!("expected a column of {file}");
                problems.push(Problem::new(expect.metric_origin.clone(), title, expected).help(help));
            }
        }
        problems.dedup();
        if problems.is_empty() { Ok(()) } else { Err(ScenarioError::new(self.sources.clone(), problems)) }
    }

    /// The case in words: `policy.picker = random, policy.choker = rarity`; empty without axes.
    pub fn case_name(&self, case: &Case) -> String {
        let pairs: Vec<String> = self
            .axes
            .iter()
            .zip(&case.values)
            .map(|(axis, value)| format!("{} = {value}", axis.key))
            .collect();
        pairs.join(", ")
    }
}
