//! What is wrong with a scenario file, all of it at once, in the manner of rustc: file, line, column, key, what was
//! expected, and the nearest valid spelling.

use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin as Place, Renderer, Snippet};

use super::origin::Origin;

/// Problems beyond these are only counted: a file that is no scenario at all would fill the screen.
const SHOWN: usize = 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub origin: Origin,
    /// The key and what is wrong with it.
    pub title: String,
    /// What was expected there.
    pub label: String,
    /// The nearest valid spelling, or what else to do.
    pub help: Option<String>,
    /// Under which circumstances.
    pub note: Option<String>,
}

impl Problem {
    pub fn new(origin: Origin, title: impl Into<String>, label: impl Into<String>) -> Problem {
        Problem { origin, title: title.into(), label: label.into(), help: None, note: None }
    }

    pub fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    pub fn maybe_help(self, help: Option<String>) -> Problem {
        Problem { help, ..self }
    }
}

/// What the problems' origins refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// The file's path as the user gave it.
    pub path: String,
    pub text: String,
    /// `key=value` of every option that changes something, and the option's name.
    pub settings: Vec<(&'static str, String)>,
}

/// Why a scenario cannot be run: at least one problem. Displayed as a plain report of several lines.
#[derive(Clone, Debug)]
pub struct ScenarioError {
    sources: Sources,
    problems: Vec<Problem>,
}

impl ScenarioError {
    pub(super) fn new(sources: Sources, problems: Vec<Problem>) -> ScenarioError {
        ScenarioError { sources, problems }
    }

    /// How many things are wrong.
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// The report, several lines without a final line break.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
        let shown = self.problems.iter().take(SHOWN);
        let mut reports: Vec<String> = shown.map(|problem| renderer.render(&self.groups(problem))).collect();
        if self.problems.len() > SHOWN {
            reports.push(format!("and {} more", self.problems.len() - SHOWN));
        }
        reports.join("\n\n")
    }

    fn groups<'a>(&'a self, problem: &'a Problem) -> [Group<'a>; 1] {
        let title = Level::ERROR.primary_title(&problem.title);
        let snippet = |text: &'a str, path: &'a str, start: usize, end: usize| {
            let (start, end) = within(text, start, end);
            let annotation = AnnotationKind::Primary.span(start..end).label(&problem.label);
            Snippet::source(text).path(path).annotation(annotation)
        };
        let mut group = match problem.origin {
            Origin::File { start, end } => {
                title.element(snippet(&self.sources.text, &self.sources.path, start, end))
            }
            Origin::Set { number, start, end } => {
                let (option, text) = &self.sources.settings[number];
                title.element(snippet(text, option, start, end))
            }
            Origin::Anywhere => {
                title.element(Place::path(&self.sources.path)).element(Level::NOTE.message(&problem.label))
            }
        };
        if let Some(note) = &problem.note {
            group = group.element(Level::NOTE.message(note));
        }
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        [group]
    }
}

/// A span that the renderer can mark: inside the text, on one line where it begins, on character boundaries.
fn within(text: &str, start: usize, end: usize) -> (usize, usize) {
    let start = text.floor_char_boundary(start);
    let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    (start, text.ceil_char_boundary(end.min(line_end)).max(start))
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ScenarioError {}

/// A text from the file in quotes, without control characters and not endlessly long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}

/// The candidate that was most likely meant by `word`.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes that much, and the distance costs the product of the lengths.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let word = plain(word);
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        let begins = word.len() >= 3 && candidate.starts_with(&word);
        if begins { 1 } else { strsim::osa_distance(&word, &candidate) }
    };
    let allowed = (word.chars().count() / 3).max(1);
    let scored = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    scored.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}

/// `a, b or c`.
pub(super) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spelling_forgives_case_separators_beginnings_and_a_slip() {
        let pickers = ["rarest-first", "random", "sequential"];
        for (word, expected) in [
            ("Rarest_First", Some("rarest-first")),
            ("rarest", Some("rarest-first")),
            ("radnom", Some("random")),
            ("squential", Some("sequential")),
            ("endgame", None),
        ] {
            assert_eq!(nearest(word, pickers), expected, "{word}");
        }
        assert_eq!(nearest(&"r".repeat(1_000_000), pickers), None);
    }
}
