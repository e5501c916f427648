//! What a scenario may ask of other people's clients and trackers. They keep their own time, their own policies and their own tongue: a
//! scenario that would need another one is refused here, whatever its driver. (What they merely cannot honour, a latency
//! say, is told with the results.)

use super::report::Problem;
use super::section::{Section, Wrong};
use crate::scenario::{Behaviour, Client, Cohort, DriverKind, Overlay, Protocol, TrackerProgram};
use crate::torrent::layout::Layout;
use crate::units::format_size;

/// What the clients of a scenario stand on.
#[derive(Clone, Copy)]
pub(super) struct Ground {
    pub driver: DriverKind,
    pub time_scale: f64,
    pub overlay: Overlay,
    pub block_size: u32,
    pub tracker: TrackerProgram,
    pub protocol: Protocol,
}

pub(super) fn check_clients(
    top: &Section<'_>,
    ground: Ground,
    cohorts: &[Cohort],
    problems: &mut Vec<Problem>,
) {
    let mut foreign = cohorts.iter().filter(|cohort| cohort.client.is_foreign() && cohort.count > 0);
    let mute = |cohort: &&Cohort| ground.protocol == Protocol::Udp && cohort.client == Client::Aria2;
    if let Some(cohort) = foreign.clone().find(mute) {
        let who = format!("peers.{}.client is \"aria2\"", cohort.name);
        let what = "aria2 asks no tracker over UDP while its DHT is off";
        top.wrong("tracker", wrong(what, &who, "write `protocol = \"http\"`"), problems);
    }
    let client = foreign.next().map(|cohort| {
        format!("peers.{}.client is {:?}, a program of its own", cohort.name, cohort.client.name())
    });
    let tracker = (ground.tracker != TrackerProgram::Minibit)
        .then(|| "tracker.program is none of MiniBit's, but a program of its own".to_owned());
    let of_client =
        client.as_deref().and_then(|who| unfit(ground, who).or_else(|| unfit_for_client(ground, who)));
    let of_tracker = || tracker.as_deref().and_then(|who| unfit(ground, who));
    if let Some((key, wrong)) = of_client.or_else(of_tracker) {
        top.wrong(key, wrong, problems);
    }
}

/// What a cohort of a foreign client may not be told.
pub(super) fn check_cohort(section: &Section<'_>, cohort: &Cohort, problems: &mut Vec<Problem>) {
    if !cohort.client.is_foreign() {
        return;
    }
    let name = cohort.client.name();
    if cohort.behaviour == Behaviour::FreeRider {
        let what = format!("{name} behaves as its authors wanted it");
        section.wrong("behaviour", Wrong::new(what, "only MiniBit's peers can be free-riders"), problems);
    }
    for (link, rate) in [("upload", cohort.upload), ("download", cohort.download)] {
        if rate.is_some_and(|rate| rate.bits_per_second() < LEAST_BITS) {
            let what = format!("{name} cannot be held to less than 1 KiB/s");
            section.wrong(link, Wrong::new(what, "expected 1 KiB/s or more"), problems);
        }
    }
}

/// Clients count their limits in KiB/s or whole bytes, and 0 is none to most of them.
const LEAST_BITS: u64 = 8 * 1024;

/// What is wrong, whose fault that is, and what to do about it.
fn wrong(what: &str, who: &str, help: &str) -> Wrong {
    Wrong { what: what.to_owned(), expected: who.to_owned(), help: Some(help.to_owned()) }
}

/// Why no other program can take part at all.
fn unfit(ground: Ground, who: &str) -> Option<(&'static str, Wrong)> {
    if ground.driver != DriverKind::Processes {
        let what = format!("{:?} runs MiniBit's own peers and tracker only", ground.driver.name());
        let help = "run it with `--driver processes`, or write `driver = \"processes\"`";
        return Some(("driver", wrong(&what, who, help)));
    }
    if ground.time_scale != 1.0 {
        let what = format!("{} is not the time that other programs keep", ground.time_scale);
        return Some(("time_scale", wrong(&what, who, "write `time_scale = 1`")));
    }
    None
}

/// Why no other client can.
fn unfit_for_client(ground: Ground, who: &str) -> Option<(&'static str, Wrong)> {
    if !matches!(ground.overlay, Overlay::Tracker { .. }) {
        let what = "nobody can tell other clients whom to dial";
        return Some(("overlay", wrong(what, who, "write `kind = \"tracker\"`")));
    }
    if ground.block_size != Layout::STANDARD_BLOCK {
        let block_size = format_size(u64::from(ground.block_size));
        let what = format!("other clients ask for 16 KiB at a time, not {block_size}");
        return Some(("content", wrong(&what, who, "write `block_size = \"16 KiB\"`")));
    }
    None
}
