//! What can be said about a scenario before it runs: where sockets cannot follow, and where the outcome cannot
//! depend on the policy. Pure, and no verdict: every such scenario runs.

use std::collections::BTreeMap;

use crate::metrics::bound::{BoundPeer, last_completion};
use crate::metrics::{Participant, sole_bytes};
use crate::peer::policy::ChokerPolicy;
use crate::scenario::file::{Case, ScenarioFile};
use crate::scenario::population::Population;
use crate::scenario::{Cohort, DriverKind, Scenario, StartWith};
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::units::{format_size, format_span};

/// Timers of an operating system are good to a millisecond; below ten of them a wait is mostly error.
const SHORTEST_WAIT: Span = Span::from_millis(10);
/// A choker that decides fewer times than this has decided nothing.
const FEWEST_ROUNDS: u64 = 10;
/// Peers × pieces above which nobody wants to wait for a warning.
const MAX_DRAWN: u64 = 1 << 28;

/// The warnings on all cases of a file, each once, and with its case where it is not about all of them.
pub fn warnings_on(file: &ScenarioFile) -> Vec<String> {
    let mut cases_of: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut order = Vec::new();
    for (at, case) in file.cases.iter().enumerate() {
        for warning in warnings(&case.scenario) {
            let cases = cases_of.entry(warning.clone()).or_default();
            if cases.is_empty() {
                order.push(warning);
            }
            cases.push(at);
        }
    }
    order.extend(file.base.cohorts.iter().enumerate().filter_map(|(at, cohort)| {
        let pointless = |case: &Case| rejoins_without_crash(&case.scenario.cohorts[at]);
        file.cases
            .iter()
            .all(pointless)
            .then(|| format!("peers.{0}.rejoin has no effect: peers.{0}.crash is \"never\"", cohort.name))
    }));
    let told = |warning: String| match cases_of.get(&warning).map_or(&[][..], Vec::as_slice) {
        [] => warning,
        cases if cases.len() == file.cases.len() => warning,
        [only] => format!("{warning} (in the case {})", file.case_name(&file.cases[*only])),
        [first, others @ ..] => {
            format!(
                "{warning} (in the case {}, and {} more)",
                file.case_name(&file.cases[*first]),
                others.len()
            )
        }
    };
    order.into_iter().map(told).collect()
}

/// The warnings on one case.
pub fn warnings(scenario: &Scenario) -> Vec<String> {
    let mut warnings = Vec::new();
    if scenario.driver != DriverKind::Sim {
        warnings.extend(scenario.cohorts.iter().flat_map(|cohort| too_fast_for_sockets(scenario, cohort)));
        warnings.extend(scenario.cohorts.iter().filter_map(refused_on_sockets));
    }
    let nothing_moves = nobody_gives(scenario);
    let something_moves = nothing_moves.is_none();
    warnings.extend(nothing_moves);
    warnings.extend(everybody_unchoked(scenario));
    if something_moves
        && u64::from(scenario.peers()) * u64::from(scenario.content.layout.pieces()) <= MAX_DRAWN
        && let Some(bound) = bound(scenario)
    {
        warnings.extend(too_few_rounds(scenario, bound));
        warnings.extend(beyond_the_limit(scenario, bound));
    }
    warnings
}

/// Whoever starts with pieces must upload the first ones.
fn nobody_gives(scenario: &Scenario) -> Option<String> {
    let cohorts = || scenario.cohorts.iter().filter(|cohort| cohort.count > 0);
    let mut starters = cohorts().filter(|cohort| cohort.start_with != StartWith::Nothing).peekable();
    if starters.peek().is_none() {
        return Some("nobody starts with anything: every peer will be stranded".to_owned());
    }
    let lacking = cohorts().any(|cohort| cohort.start_with != StartWith::All);
    let mute = starters.all(|cohort| !cohort.uploads());
    (lacking && mute).then(|| {
        "nobody who starts with pieces uploads (0 B/s, or free-riders): every incomplete peer will be stranded".to_owned()
    })
}

/// Waits of the cohort that are too short in wall time, with the largest `time_scale` that would do.
fn too_fast_for_sockets(scenario: &Scenario, cohort: &Cohort) -> Vec<String> {
    let block = scenario.content.layout.block_size();
    let block_time = |rate: Option<crate::units::Rate>| {
        rate.filter(|rate| !rate.is_zero()).map(|rate| rate.time_for(u64::from(block)))
    };
    let size = format_size(u64::from(block));
    let waits = [
        ("upload", block_time(cohort.upload), format!("a block of {size} takes")),
        ("download", block_time(cohort.download), format!("a block of {size} takes")),
        ("latency", Some(cohort.latency).filter(|latency| !latency.is_zero()), "it is".to_owned()),
    ];
    let too_short = waits.into_iter().filter_map(|(key, wait, what)| {
        let wait = wait?;
        let wall = wait.as_secs_f64() / scenario.time_scale;
        let enough = wait.as_secs_f64() / SHORTEST_WAIT.as_secs_f64();
        (wall < SHORTEST_WAIT.as_secs_f64()).then(|| {
            format!(
                "sockets cannot follow peers.{}.{key}: {what} {:.3} ms of wall time, less than {}; \
                 time_scale = {} or less would do",
                cohort.name,
                wall * 1e3,
                format_span(SHORTEST_WAIT),
                rounded_down(enough),
            )
        })
    });
    too_short.collect()
}

fn refused_on_sockets(cohort: &Cohort) -> Option<String> {
    (!cohort.jitter.is_zero())
        .then(|| format!("sockets will refuse peers.{}.jitter, which is for virtual time only", cohort.name))
}

/// With two significant digits at least, so that the advice is short and still true.
fn rounded_down(number: f64) -> String {
    let decimals = (1.0 - libm::floor(libm::log10(number))).max(0.0);
    let power = libm::pow(10.0, decimals);
    format!("{:.*}", decimals as usize, libm::floor(number * power + 1e-9) / power)
}

fn rejoins_without_crash(cohort: &Cohort) -> bool {
    cohort.rejoin.is_some() && cohort.crash_every.is_none()
}

/// Slots for everybody leave the choker nothing to decide.
fn everybody_unchoked(scenario: &Scenario) -> Option<String> {
    let policy = &scenario.policy;
    let slots = policy.unchoke_slots.saturating_add(policy.optimistic_slots);
    let connections = scenario.most_connections();
    (policy.choker != ChokerPolicy::UnchokeAll && slots >= connections).then(|| {
        format!(
            "the choker decides nothing: {slots} slots are enough for all of at most {connections} connections"
        )
    })
}

fn too_few_rounds(scenario: &Scenario, bound: Time) -> Option<String> {
    let rounds = bound.as_nanos() / scenario.policy.round.as_nanos().max(1);
    (scenario.policy.choker != ChokerPolicy::UnchokeAll && rounds < FEWEST_ROUNDS).then(|| {
        format!(
            "the choker may decide nothing: with these rates all can be done after {rounds} rounds of {}, \
             fewer than {FEWEST_ROUNDS}; take lower rates or more content",
            format_span(scenario.policy.round)
        )
    })
}

fn beyond_the_limit(scenario: &Scenario, bound: Time) -> Option<String> {
    (bound.since(Time::ZERO) > scenario.time_limit).then(|| {
        format!(
            "not everybody can complete: no policy is done before {:.0} s, and time_limit is {}",
            bound.as_secs_f64(),
            format_span(scenario.time_limit)
        )
    })
}

/// The lower bound of the first repeat, if everybody completes.
fn bound(scenario: &Scenario) -> Option<Time> {
    let population = Population::draw(scenario, scenario.random_seed_of(0));
    let participants = Participant::all(scenario, &population);
    let initials: Vec<Option<&Bitfield>> = participants.iter().map(|peer| Some(&peer.initial)).collect();
    let sole = sole_bytes(&initials, &scenario.content.layout);
    let peers: Vec<BoundPeer> = participants
        .iter()
        .zip(&population.peers)
        .zip(sole)
        .map(|((peer, plan), sole)| BoundPeer {
            arrival: plan.arrival,
            lacking: peer.lacking_bytes,
            sole,
            upload: peer.upload,
            download: peer.download,
            completer: !peer.starts_complete(),
        })
        .collect();
    last_completion(&peers)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::file::{Overrides, from_text};

    fn told(text: &str) -> Vec<String> {
        let file = from_text(Path::new("swarm.toml"), text.to_owned(), &Overrides::default());
        warnings_on(&file.unwrap_or_else(|error| panic!("{error}")))
    }

    /// A swarm without any reason for a warning: 100 KiB at 100 B/s take 1,000 s.
    const QUIET: &str = "driver = \"tasks\"\ntime_scale = 10\n[content]\nsize = \"100 KiB\"\nblock_size = \"1 KiB\"\n\
                         [peers.seed]\nstart_with = \"all\"\nupload = \"100 B/s\"\n\
                         [peers.leecher]\ncount = 9\nstart_with = \"nothing\"\nupload = \"100 B/s\"\nlatency = \"1 s\"\n";

    #[test]
    fn a_sound_scenario_has_no_warning() {
        assert_eq!(told(QUIET), [""; 0]);
    }

    #[test]
    fn waits_that_sockets_cannot_keep_are_named_with_the_time_scale_that_would_do() {
        let fast =
            format!("{QUIET}download = \"80 kB/s\"\n").replace("latency = \"1 s\"", "latency = \"30 ms\"");
        assert_eq!(
            told(&fast),
            [
                "sockets cannot follow peers.leecher.download: a block of 1 KiB takes 1.280 ms of wall time, \
                 less than 10 ms; time_scale = 1.2 or less would do",
                "sockets cannot follow peers.leecher.latency: it is 3.000 ms of wall time, less than 10 ms; \
                 time_scale = 3.0 or less would do",
            ]
        );
        assert_eq!(told(&fast.replace("\"tasks\"", "\"sim\"")), [""; 0]);
        let jittery = format!("{QUIET}jitter = \"50 ms\"\n");
        let refused = "sockets will refuse peers.leecher.jitter, which is for virtual time only";
        assert_eq!(told(&jittery), [refused]);
        assert_eq!(told(&jittery.replace("\"tasks\"", "\"sim\"")), [""; 0]);
    }

    #[test]
    fn swarms_in_which_the_choker_decides_nothing_are_named() {
        let four = told(&QUIET.replace("count = 9", "count = 4"));
        assert_eq!(four, ["the choker decides nothing: 5 slots are enough for all of at most 4 connections"]);
        let short = told(&QUIET.replace("100 KiB", "5 KiB"));
        assert!(
            short[0].starts_with("the choker may decide nothing") && short[0].contains("5 rounds of 10 s"),
            "{short:?}"
        );
        let all = format!("{QUIET}[policy]\nchoker = \"unchoke-all\"\n").replace("100 KiB", "5 KiB");
        assert_eq!(told(&all), [""; 0]);
    }

    #[test]
    fn swarms_that_cannot_complete_are_named() {
        let long = told(&format!("time_limit = \"10 min\"\n{QUIET}"));
        assert_eq!(
            long,
            ["not everybody can complete: no policy is done before 1024 s, and time_limit is 10 min"]
        );
        let nobody = told(&QUIET.replace("\"all\"", "\"nothing\""));
        assert!(nobody[0].starts_with("nobody starts with anything"), "{nobody:?}");
        let mute = told(&QUIET.replace("upload = \"100 B/s\"", "upload = \"0 B/s\""));
        assert_eq!(
            mute,
            [
                "nobody who starts with pieces uploads (0 B/s, or free-riders): every incomplete peer will be stranded"
            ]
        );
        let rejoin = told(&format!("{QUIET}rejoin = \"1 min\"\n"));
        assert_eq!(rejoin, ["peers.leecher.rejoin has no effect: peers.leecher.crash is \"never\""]);
        let sometimes =
            "rejoin = \"1 min\"\n[compare]\n\"peers.leecher.crash\" = [\"never\", \"1 per hour\"]\n";
        assert_eq!(told(&format!("{QUIET}{sometimes}")), [""; 0]);
    }

    #[test]
    fn a_warning_on_some_cases_names_the_first() {
        let text = format!("{QUIET}[compare]\n\"peers.leecher.count\" = [9, 4, 3]\n");
        let told = told(&text);
        assert!(told[0].ends_with("(in the case peers.leecher.count = 4)"), "{told:?}");
    }
}
