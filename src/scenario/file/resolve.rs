//! From a document to a [`Scenario`]: every key read, every default filled in, every contradiction found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::clients::{Ground, check_clients};
use super::cohorts::read_cohorts;
use super::names::{DRIVERS, PROTOCOLS, TRACKERS};
use super::overlay::{check_overlay, read_overlay};
use super::policy::{check_policy, read_policy};
use super::report::Problem;
use super::section::{Section, Wrong, choice, line, quantity, some_time, text, whole};
use super::tree::{Kind, Table, Value};
use crate::scenario::{
    Cohort, Content, ContentFile, ContentSource, Distribution, DriverKind, Protocol, Scenario, StartWith,
    TrackerProgram, TrackerSettings,
};
use crate::time::Span;
use crate::torrent::layout::{Layout, LayoutError};
use crate::units::{format_size, parse_size};

/// Fewer pairs than ten decide nothing: a two-sided sign test needs six that all agree.
const DEFAULT_REPEAT: u32 = 10;
/// Random seeds per case at the most.
pub const MAX_REPEAT: u32 = 100_000;
const DEFAULT_TIME_LIMIT: Span = Span::from_secs(3_600);
/// So that a byte range within a piece fits the wire's 32 bits with room to spare.
const MAX_PIECE: u64 = 1 << 30;
/// Bits of all initial bitfields together: 2 GiB of memory.
const MAX_PEER_PIECES: u64 = 1 << 34;

/// What resolving needs besides the document, kept over all cases of a file.
pub(super) struct Context {
    /// The file's stem.
    pub name: String,
    /// What content files are named from.
    pub folder: PathBuf,
    /// Every content file is read once, however many cases there are.
    pub inspected: BTreeMap<String, Result<(ContentFile, u64), String>>,
}

/// Reads the whole document; `None` exactly where there are problems.
pub(super) fn resolve(document: &Table, context: &mut Context) -> Result<Scenario, Vec<Problem>> {
    let mut found = Vec::new();
    let problems = &mut found;
    let mut top = Section::top(document);
    // Read by `axes` and `expect`.
    top.value("compare");
    top.value("expect");
    let title = top.read("title", problems, line);
    let driver = top.read("driver", problems, choice(DRIVERS));
    let repeat = top.read("repeat", problems, whole(1..=MAX_REPEAT));
    let random_seed = top.read("random_seed", problems, whole(0..=u64::MAX));
    let time_scale = top.read("time_scale", problems, scale);
    let time_limit = top.read("time_limit", problems, some_time);
    let content = read_content(top.section("content", problems), context, problems);
    let distribution = read_distribution(top.section("distribution", problems), problems);
    let (tracker, tracker_protocol, tracker_program) =
        read_tracker(top.section("tracker", problems), problems);
    let overlay = read_overlay(top.section("overlay", problems), problems);
    let policy = read_policy(top.section("policy", problems), problems);
    let cohorts = read_cohorts(top.section("peers", problems), problems);
    if let (Some(content), true) = (&content, problems.is_empty()) {
        check_swarm(&top, content, distribution, &cohorts, problems);
        check_overlay(&top, overlay, &cohorts, problems);
        check_policy(&top, &policy, overlay, &cohorts, problems);
        let driver = driver.unwrap_or(DriverKind::Sim);
        let time_scale = time_scale.unwrap_or(1.0);
        let block_size = content.layout.block_size();
        let ground = Ground {
            driver,
            time_scale,
            overlay,
            block_size,
            tracker: tracker_program,
            protocol: tracker_protocol,
        };
        check_clients(&top, ground, &cohorts, problems);
    }
    top.finish(problems);
    match content {
        Some(content) if found.is_empty() => Ok(Scenario {
            title: title.unwrap_or_else(|| context.name.clone()),
            name: context.name.clone(),
            driver: driver.unwrap_or(DriverKind::Sim),
            repeat: repeat.unwrap_or(DEFAULT_REPEAT),
            random_seed: random_seed.unwrap_or(1),
            time_scale: time_scale.unwrap_or(1.0),
            time_limit: time_limit.unwrap_or(DEFAULT_TIME_LIMIT),
            content,
            distribution,
            tracker,
            tracker_protocol,
            tracker_program,
            overlay,
            policy,
            cohorts,
        }),
        _ => Err(found),
    }
}

/// Scenario seconds per wall second. Below the limit a run would take weeks, above it no clock keeps up.
fn scale(value: &Value) -> Result<f64, Wrong> {
    const EXPECTED: &str = "expected a number from 0.001 to 1000000";
    let scale = match value.kind {
        Kind::Integer(number) => number as f64,
        Kind::Float(number) => number,
        ref other => return Err(Wrong::kind(other, EXPECTED)),
    };
    if !(0.001..=1e6).contains(&scale) {
        return Err(Wrong::new(format!("{scale} is out of range"), EXPECTED));
    }
    Ok(scale)
}

fn read_content(
    mut section: Section<'_>,
    context: &mut Context,
    problems: &mut Vec<Problem>,
) -> Option<Content> {
    let file = section.read("file", problems, |value| text(value).map(str::to_owned));
    let size = section.read("size", problems, quantity(parse_size));
    let digest = section.read("sha1", problems, |value| text(value).map(str::to_owned));
    let block_size = section.read("block_size", problems, block).unwrap_or(Layout::STANDARD_BLOCK);
    let piece_size = section.read("piece_size", problems, block).unwrap_or(block_size);
    let (source, total) = match (file, section.value("size").is_some(), size) {
        (Some(_), true, _) => {
            let both = Wrong::new("given together with content.file", "the size is the file's own");
            section.wrong(
                "size",
                Wrong { help: Some("leave one of the two out".to_owned()), ..both },
                problems,
            );
            return None;
        }
        (Some(named), false, _) => read_file(&named, digest, &section, context, problems)?,
        (None, _, Some(size)) => (ContentSource::Synthetic, size),
        (None, ..) => {
            if section.value("file").is_none() && section.value("size").is_none() {
                let problem =
                    Problem::new(section.origin.clone(), "content: missing", "nothing to distribute")
                        .help("write `file = \"story.txt\"` or `size = \"64 MiB\"` in the section [content]");
                problems.push(problem);
            }
            return None;
        }
    };
    if total == 0 {
        let key = if source == ContentSource::Synthetic { "size" } else { "file" };
        section.wrong(key, Wrong::new("0 bytes are nothing to distribute", "expected content"), problems);
    }
    let layout = Layout::new(total, piece_size, block_size)
        .map_err(|error| section.wrong(culprit(&error), layout_advice(error), problems))
        .ok();
    section.finish(problems);
    layout.map(|layout| Content { source, layout })
}

/// Bytes of a piece or block.
fn block(value: &Value) -> Result<u32, Wrong> {
    match quantity(parse_size)(value)? {
        0 => Err(Wrong::new("0 bytes", "expected at least 1 B")),
        size if size > MAX_PIECE => {
            Err(Wrong::new(format!("{} is too large", format_size(size)), "expected at most 1 GiB"))
        }
        size => Ok(size as u32),
    }
}

fn read_file(
    named: &str,
    digest: Option<String>,
    section: &Section<'_>,
    context: &mut Context,
    problems: &mut Vec<Problem>,
) -> Option<(ContentSource, u64)> {
    let folder = &context.folder;
    let inspect = || ContentFile::inspect(named, folder).map_err(|error| error.to_string());
    match context.inspected.entry(named.to_owned()).or_insert_with(inspect) {
        Ok((file, size)) => {
            if digest.is_some_and(|digest| digest != hex(&file.sha1)) {
                let other =
                    Wrong::new("not the digest of the file", "the file has changed since this was written");
                section.wrong("sha1", other, problems);
            }
            Some((ContentSource::File(file.clone()), *size))
        }
        Err(error) => {
            let path = folder.join(named);
            let what = format!("cannot read {}: {error}", path.display());
            let help = "the path is taken from the scenario's folder";
            section.wrong(
                "file",
                Wrong { help: Some(help.to_owned()), ..Wrong::new(what, "cannot be read") },
                problems,
            );
            None
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn culprit(error: &LayoutError) -> &'static str {
    match error {
        LayoutError::ZeroBlock => "block_size",
        LayoutError::NotAMultiple { .. } | LayoutError::TooManyPieces { .. } => "piece_size",
    }
}

fn layout_advice(error: LayoutError) -> Wrong {
    let help = match error {
        LayoutError::ZeroBlock => None,
        LayoutError::NotAMultiple { piece_size, block_size } => {
            let nearest = piece_size.div_ceil(block_size).max(1) * block_size;
            Some(format!("the next multiple is {:?}", format_size(u64::from(nearest))))
        }
        LayoutError::TooManyPieces { total, .. } => {
            let least = total.div_ceil(u64::from(Layout::MAX_PIECES)).next_power_of_two();
            Some(format!("from {:?} on it works", format_size(least)))
        }
    };
    Wrong { what: error.to_string(), expected: "does not fit".to_owned(), help }
}

fn read_distribution(mut section: Section<'_>, problems: &mut Vec<Problem>) -> Distribution {
    /// The kinds, before `fixed` knows its number of pieces.
    const KINDS: &[(&str, Distribution)] = &[
        ("random-subset", Distribution::RandomSubset),
        ("single-seed", Distribution::SingleSeed),
        ("disjoint", Distribution::Disjoint),
        ("fixed", Distribution::Fixed { pieces_each: 0 }),
    ];
    let kind = section.read("kind", problems, choice(KINDS)).unwrap_or(Distribution::RandomSubset);
    let pieces = section.read("pieces", problems, whole(0..=Layout::MAX_PIECES));
    let distribution = match (kind, pieces) {
        (Distribution::Fixed { .. }, Some(pieces_each)) => Distribution::Fixed { pieces_each },
        (Distribution::Fixed { .. }, None) => {
            if section.value("pieces").is_none() {
                let missing = Wrong::new("missing", "how many pieces has each peer?");
                section.wrong(
                    "pieces",
                    Wrong { help: Some("write `pieces = 10`".to_owned()), ..missing },
                    problems,
                );
            }
            kind
        }
        (_, Some(_)) => {
            section.wrong("pieces", Wrong::new("only for kind = \"fixed\"", "no such number here"), problems);
            kind
        }
        (_, None) => kind,
    };
    section.finish(problems);
    distribution
}

fn read_tracker(
    mut section: Section<'_>,
    problems: &mut Vec<Problem>,
) -> (TrackerSettings, Protocol, TrackerProgram) {
    let interval = section.read("interval", problems, some_time);
    let peers_returned = section.read("peers_returned", problems, whole(1..=Scenario::MAX_PEERS));
    let protocol = section.read("protocol", problems, choice(PROTOCOLS));
    let program = section.read("program", problems, choice(TRACKERS));
    section.finish(problems);
    let default = TrackerSettings::default();
    let settings = TrackerSettings {
        interval: interval.unwrap_or(default.interval),
        peers_returned: peers_returned.unwrap_or(default.peers_returned),
    };
    (settings, protocol.unwrap_or(Protocol::Http), program.unwrap_or(TrackerProgram::Minibit))
}

/// What only shows when content, distribution and cohorts stand together.
fn check_swarm(
    top: &Section<'_>,
    content: &Content,
    distribution: Distribution,
    cohorts: &[Cohort],
    problems: &mut Vec<Problem>,
) {
    let count = |cohorts: &mut dyn Iterator<Item = &Cohort>| {
        cohorts.map(|cohort| u64::from(cohort.count)).sum::<u64>()
    };
    let peers = count(&mut cohorts.iter());
    let sharing = count(&mut cohorts.iter().filter(|cohort| cohort.start_with == StartWith::Share));
    let pieces = u64::from(content.layout.pieces());
    let mut wrong = |what: String, expected: &str, help: &str| {
        let help = Some(help.to_owned());
        top.wrong("peers", Wrong { what, expected: expected.to_owned(), help }, problems);
    };
    if peers == 0 {
        return wrong("nobody takes part".to_owned(), "zero peers", "give a section [peers.NAME] a `count`");
    }
    if peers > u64::from(Scenario::MAX_PEERS) {
        let what = format!("{peers} peers are more than {}", Scenario::MAX_PEERS);
        return wrong(what, "too many", "lower a `count`");
    }
    if peers * pieces > MAX_PEER_PIECES {
        let what = format!("{peers} peers times {pieces} pieces are more than {MAX_PEER_PIECES}");
        return wrong(what, "too many", "take fewer peers or larger pieces");
    }
    if sharing > 0
        && let Err(error) = distribution.check(content.layout.pieces(), sharing as u32)
    {
        let title = Wrong::new(error.to_string(), "not possible with these peers");
        return top.wrong("distribution", title, problems);
    }
    let everything = match distribution {
        Distribution::Fixed { pieces_each } => u64::from(pieces_each) == pieces,
        _ => sharing <= 1,
    };
    let incomplete = |cohort: &Cohort| match cohort.start_with {
        StartWith::All => false,
        StartWith::Nothing => cohort.count > 0,
        StartWith::Share => cohort.count > 0 && !everything,
    };
    if !cohorts.iter().any(incomplete) {
        wrong(
            "everybody starts complete".to_owned(),
            "nothing to download",
            "add a cohort with `start_with = \"nothing\"`, or more than one that shares",
        );
    }
}
