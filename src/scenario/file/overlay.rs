//! The section `[overlay]`: who may be connected to whom.

use super::report::Problem;
use super::section::{Section, Wrong, choice, whole};
use crate::scenario::overlay::OverlayError;
use crate::scenario::{Cohort, Overlay, Scenario, StartWith};

/// The kinds, before they know their numbers.
const KINDS: &[(&str, Overlay)] = &[
    ("tracker", Overlay::Tracker { dial: None }),
    ("full-mesh", Overlay::FullMesh),
    ("star", Overlay::Star),
    ("random-regular", Overlay::RandomRegular { degree: 0 }),
];

pub(super) fn read_overlay(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Overlay {
    let kind = section.read("kind", problems, choice(KINDS)).unwrap_or(Overlay::Tracker { dial: None });
    let dial = section.read("dial", problems, whole(1..=Scenario::MAX_PEERS));
    let degree = section.read("degree", problems, whole(1..=Scenario::MAX_PEERS));
    let mut stray = |key: &str, wanted: &str| {
        let what = format!("only for kind = \"{wanted}\"");
        section.wrong(key, Wrong::new(what, "no such number here"), problems);
    };
    if dial.is_some() && !matches!(kind, Overlay::Tracker { .. }) {
        stray("dial", "tracker");
    }
    if degree.is_some() && !matches!(kind, Overlay::RandomRegular { .. }) {
        stray("degree", "random-regular");
    }
    let overlay = match (kind, degree) {
        (Overlay::Tracker { .. }, _) => Overlay::Tracker { dial },
        (Overlay::RandomRegular { .. }, Some(degree)) => Overlay::RandomRegular { degree },
        (Overlay::RandomRegular { .. }, None) if section.value("degree").is_none() => {
            let missing = Wrong::new("missing", "how many neighbours has each peer?");
            let help = Some("write `degree = 10`".to_owned());
            section.wrong("degree", Wrong { help, ..missing }, problems);
            kind
        }
        _ => kind,
    };
    section.finish(problems);
    overlay
}

/// What only shows when the peers are known.
pub(super) fn check_overlay(
    top: &Section<'_>,
    overlay: Overlay,
    cohorts: &[Cohort],
    problems: &mut Vec<Problem>,
) {
    let count = |cohorts: &mut dyn Iterator<Item = &Cohort>| {
        cohorts.fold(0, |sum: u32, cohort| sum.saturating_add(cohort.count))
    };
    let peers = count(&mut cohorts.iter());
    let complete = count(&mut cohorts.iter().filter(|cohort| cohort.start_with == StartWith::All));
    if let Err(error) = overlay.check(peers, complete) {
        let help = match error {
            OverlayError::DegreeTooLarge { .. } => format!("at most {} work", peers.saturating_sub(1)),
            OverlayError::OddEnds { .. } => "take an even `degree`, or one peer more".to_owned(),
            OverlayError::Disconnected { .. } => "from `degree = 2` on everybody can be reached".to_owned(),
            OverlayError::NoCentre => "give the server's cohort `start_with = \"all\"`".to_owned(),
            OverlayError::TooManyEdges { .. } => "take kind = \"random-regular\", or fewer peers".to_owned(),
        };
        let wrong = Wrong::new(error.to_string(), "not possible with these peers");
        top.wrong("overlay", Wrong { help: Some(help), ..wrong }, problems);
    }
}
