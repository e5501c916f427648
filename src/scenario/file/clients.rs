//! What a scenario may ask of other people's clients. They keep their own time, their own policies and their own tongue: a
//! scenario that would need another one is refused here, whatever its driver. (What they merely cannot honour, a latency
//! say, is told with the results.)

use super::report::Problem;
use super::section::{Section, Wrong};
use crate::scenario::{Behaviour, Cohort, DriverKind, Overlay};
use crate::torrent::layout::Layout;
use crate::units::format_size;

/// What the clients of a scenario stand on.
#[derive(Clone, Copy)]
pub(super) struct Ground {
    pub driver: DriverKind,
    pub time_scale: f64,
    pub overlay: Overlay,
    pub block_size: u32,
}

pub(super) fn check_clients(
    top: &Section<'_>,
    ground: Ground,
    cohorts: &[Cohort],
    problems: &mut Vec<Problem>,
) {
    let mut foreign = cohorts.iter().filter(|cohort| cohort.client.is_foreign() && cohort.count > 0);
    let Some(first) = foreign.next() else { return };
    let who = format!("peers.{}.client is {:?}", first.name, first.client.name());
    if let Some((key, wrong)) = unfit(ground, &who) {
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

/// Why no foreign client can take part at all.
fn unfit(ground: Ground, who: &str) -> Option<(&'static str, Wrong)> {
    let wrong = |what: &str, help: &str| Wrong {
        what: what.to_owned(),
        expected: format!("{who}, a program of its own"),
        help: Some(help.to_owned()),
    };
    if ground.driver != DriverKind::Processes {
        let what = format!("{:?} runs MiniBit peers only", ground.driver.name());
        return Some((
            "driver",
            wrong(&what, "run it with `--driver processes`, or write `driver = \"processes\"`"),
        ));
    }
    if ground.time_scale != 1.0 {
        let what = format!("{} is not the time that other clients keep", ground.time_scale);
        return Some(("time_scale", wrong(&what, "write `time_scale = 1`")));
    }
    if !matches!(ground.overlay, Overlay::Tracker { .. }) {
        return Some((
            "overlay",
            wrong("nobody can tell other clients whom to dial", "write `kind = \"tracker\"`"),
        ));
    }
    if ground.block_size != Layout::STANDARD_BLOCK {
        let what = format!(
            "other clients ask for 16 KiB at a time, not {}",
            format_size(u64::from(ground.block_size))
        );
        return Some(("content", wrong(&what, "write `block_size = \"16 KiB\"`")));
    }
    None
}
