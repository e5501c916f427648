//! The section `[policy]`: a preset, or the defaults, and every key that differs.

use super::names::{CHOKERS, PICKERS, SEED_RULES, STARTED_FIRST};
use super::report::Problem;
use super::section::{Section, Wrong, choice, some_time, whole, yes_or_no};
use crate::peer::policy::{ChokerPolicy, PickerPolicy, Pipeline, Policy};
use crate::peer::preset::Preset;
use crate::scenario::{Cohort, Overlay, Scenario, hypercube};

/// More slots or rounds than anything can use.
const MANY: u32 = Scenario::MAX_PEERS;

pub(super) fn read_policy(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Policy {
    let presets = Preset::ALL.map(|preset| (preset.name(), preset));
    let preset = section.read("preset", problems, choice(&presets));
    let base = preset.map_or_else(Policy::default, Policy::preset);
    let slots = section.read("unchoke_slots", problems, whole(0..=MANY)).unwrap_or(base.unchoke_slots);
    let optimistic =
        section.read("optimistic_slots", problems, whole(0..=MANY)).unwrap_or(base.optimistic_slots);
    let choker = section.read("choker", problems, choice(CHOKERS)).unwrap_or(base.choker);
    if slots == 0 && optimistic == 0 && choker != ChokerPolicy::UnchokeAll {
        let none = Wrong::new("no slot at all", "nobody would ever be unchoked");
        section.wrong("unchoke_slots", none, problems);
    }
    let policy = Policy {
        picker: section.read("picker", problems, choice(PICKERS)).unwrap_or(base.picker),
        started_first: section
            .read("started_first", problems, choice(STARTED_FIRST))
            .unwrap_or(base.started_first),
        first_random: section.read("first_random", problems, whole(0..=MANY)).unwrap_or(base.first_random),
        choker,
        unchoke_slots: slots,
        optimistic_slots: optimistic,
        round: section.read("round", problems, some_time).unwrap_or(base.round),
        optimistic_rounds: section
            .read("optimistic_rounds", problems, whole(1..=MANY))
            .unwrap_or(base.optimistic_rounds),
        newcomer_weight: section
            .read("newcomer_weight", problems, whole(1..=MANY))
            .unwrap_or(base.newcomer_weight),
        seed_rule: section.read("seed_rule", problems, choice(SEED_RULES)).unwrap_or(base.seed_rule),
        rate_window: section.read("rate_window", problems, some_time).unwrap_or(base.rate_window),
        snub_after: section.read("snub_after", problems, some_time).unwrap_or(base.snub_after),
        max_connections: section
            .read("max_connections", problems, whole(1..=MANY))
            .unwrap_or(base.max_connections),
        fast_extension: section.read("fast_extension", problems, yes_or_no).unwrap_or(base.fast_extension),
        extension_protocol: section
            .read("extension_protocol", problems, yes_or_no)
            .unwrap_or(base.extension_protocol),
        peer_exchange: section.read("peer_exchange", problems, yes_or_no).unwrap_or(base.peer_exchange),
        pipeline: read_pipeline(section.section("pipeline", problems), base.pipeline, problems),
    };
    section.finish(problems);
    policy
}

fn read_pipeline(mut section: Section<'_>, base: Pipeline, problems: &mut Vec<Problem>) -> Pipeline {
    let pipeline = Pipeline {
        time: section.read("time", problems, some_time).unwrap_or(base.time),
        rate_window: section.read("rate_window", problems, some_time).unwrap_or(base.rate_window),
        min: section.read("min", problems, whole(1..=MANY)).unwrap_or(base.min),
        max: section.read("max", problems, whole(1..=MANY)).unwrap_or(base.max),
    };
    if pipeline.min > pipeline.max {
        let title = format!("{} is more than max = {}", pipeline.min, pipeline.max);
        section.wrong("min", Wrong::new(title, "expected at most max"), problems);
    }
    section.finish(problems);
    pipeline
}

/// What only shows when the peers are known.
pub(super) fn check_policy(
    top: &Section<'_>,
    policy: &Policy,
    overlay: Overlay,
    cohorts: &[Cohort],
    problems: &mut Vec<Problem>,
) {
    if policy.picker == PickerPolicy::Hypercube
        && let Err(error) = hypercube::check(cohorts, overlay)
    {
        top.wrong("policy", Wrong::new(error.to_string(), "not possible with these peers"), problems);
    }
}
