//! Who gave how much of what could have been given: the bytes that arrived from each group of peers, against what the
//! uplinks of those present could have sent.

use crate::time::Time;
use crate::units::Rate;

/// Bit/s × ns in a byte.
const PER_BYTE: u128 = 8 * 1_000_000_000;

/// The peers of one cohort that start alike: complete, or lacking something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupId {
    pub(super) cohort: u32,
    pub(super) starts_complete: bool,
}

impl GroupId {
    fn index(self) -> usize {
        2 * self.cohort as usize + if self.starts_complete { 0 } else { 1 }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// Bit/s of those present, the same since …
    rate: u64,
    since: Time,
    /// Bit/s × ns that could have been sent up to `since`.
    offered: u128,
    given_bytes: u64,
    /// The part of it that peers of the same cohort received.
    own_bytes: u64,
    unlimited: bool,
    /// Given bytes and the offer at the last completion of the run.
    at_last_completion: (u64, u128),
}

impl Group {
    fn offered_until(&self, now: Time) -> u128 {
        self.offered + u128::from(self.rate) * u128::from(now.since(self.since).as_nanos())
    }

    fn set_rate(&mut self, now: Time, rate: u64) {
        *self = Group { rate, since: self.since.max(now), offered: self.offered_until(now), ..*self };
    }
}

/// Constant work a block and an arrival; O(cohorts) a completion.
#[derive(Clone, Debug)]
pub(super) struct Uplinks {
    /// Two a cohort: those that started complete, then the leechers.
    groups: Vec<Group>,
    /// Everything received at the last completion, from strangers too.
    received: Option<u64>,
}

/// Bytes that arrived by the last completion, and bytes that could have been sent by then.
pub(super) type Use = Option<(u64, u64)>;

impl Uplinks {
    pub(super) fn new(cohorts: usize) -> Uplinks {
        Uplinks { groups: vec![Group::default(); 2 * cohorts], received: None }
    }

    /// A peer with this uplink takes part in the run, sooner or later.
    pub(super) fn expect(&mut self, group: GroupId, upload: Option<Rate>) {
        if upload.is_none() {
            self.groups[group.index()].unlimited = true;
        }
    }

    pub(super) fn joined(&mut self, now: Time, group: GroupId, upload: Option<Rate>) {
        let group = &mut self.groups[group.index()];
        group.set_rate(now, group.rate.saturating_add(bits_per_second(upload)));
    }

    pub(super) fn parted(&mut self, now: Time, group: GroupId, upload: Option<Rate>) {
        let group = &mut self.groups[group.index()];
        group.set_rate(now, group.rate.saturating_sub(bits_per_second(upload)));
    }

    /// `to` received so many bytes from `from`.
    pub(super) fn gave(&mut self, from: GroupId, to: GroupId, bytes: u64) {
        let group = &mut self.groups[from.index()];
        group.given_bytes += bytes;
        if from.cohort == to.cohort {
            group.own_bytes += bytes;
        }
    }

    pub(super) fn completion(&mut self, now: Time, received_bytes: u64) {
        self.received = Some(received_bytes);
        for group in &mut self.groups {
            group.at_last_completion = (group.given_bytes, group.offered_until(now));
        }
    }

    /// Of everybody, with what came from strangers.
    pub(super) fn of_all(&self) -> Use {
        let (_, offered) = self.sum(self.groups.iter())?;
        Some((self.received?, offered))
    }

    /// Of those that started without everything.
    pub(super) fn of_leechers(&self) -> Use {
        self.sum(self.groups.iter().skip(1).step_by(2))
    }

    pub(super) fn of_cohort(&self, cohort: usize) -> Use {
        self.sum(self.pair(cohort).iter())
    }

    /// What a cohort's peers gave in the whole run, and what of it stayed in the cohort.
    pub(super) fn given_and_own_bytes(&self, cohort: usize) -> (u64, u64) {
        let [a, b] = self.pair(cohort);
        (a.given_bytes + b.given_bytes, a.own_bytes + b.own_bytes)
    }

    fn pair(&self, cohort: usize) -> &[Group; 2] {
        self.groups[2 * cohort..].first_chunk().expect("every cohort has two groups")
    }

    fn sum<'a>(&self, groups: impl Iterator<Item = &'a Group>) -> Use {
        self.received?;
        let mut sum = (0, 0u128);
        for group in groups {
            if group.unlimited {
                return None;
            }
            sum = (sum.0 + group.at_last_completion.0, sum.1 + group.at_last_completion.1);
        }
        Some((sum.0, u64::try_from(sum.1 / PER_BYTE).unwrap_or(u64::MAX)))
    }
}

fn bits_per_second(upload: Option<Rate>) -> u64 {
    upload.map_or(0, |rate| rate.bits_per_second())
}
