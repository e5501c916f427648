//! What a run comes to know of its foreign clients, one entry a cohort: told by many stays, read once the run is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::ForeignClient;
use crate::peer::policy::Policy;
use crate::scenario::file::{choker_name, picker_name};
use crate::scenario::{Cohort, Scenario};
use crate::units::format_span;

use super::seat::bytes_per_second;
use super::{Adapter, Installed, Settings};

#[derive(Clone, Debug, Default)]
pub(super) struct Register(Arc<Mutex<BTreeMap<String, ForeignClient>>>);

impl Register {
    /// Every cohort of this client, with what it will not do.
    pub(super) fn enter<A: Adapter>(&self, scenario: &Scenario, installed: Option<&Installed>) {
        for cohort in scenario.foreign_cohorts().filter(|cohort| cohort.client == A::CLIENT) {
            let entry = ForeignClient {
                cohort: cohort.name.clone(),
                client: A::CLIENT.name().to_owned(),
                version: installed.map(|installed| installed.version.clone()),
                no_switch: A::NO_SWITCH.iter().map(|what| (*what).to_owned()).collect(),
                not_honoured: not_honoured::<A>(scenario, cohort),
                ..ForeignClient::default()
            };
            self.entries().insert(cohort.name.clone(), entry);
        }
    }

    /// A peer has these settings. The first one's stand for its cohort: only addresses and folders differ.
    pub(super) fn settings(&self, peer: &str, settings: Settings) {
        self.of_peer(peer, |entry| {
            if entry.settings.is_empty() {
                (entry.settings, entry.told) = (settings.effective, settings.told);
            }
        });
    }

    pub(super) fn failure(&self, peer: &str, reason: &str) {
        self.of_peer(peer, |entry| entry.failures.push(format!("{peer}: {reason}")));
    }

    pub(super) fn reports(&self) -> Vec<ForeignClient> {
        self.entries().values().cloned().collect()
    }

    /// Peers are called after their cohort, with a number.
    fn of_peer(&self, peer: &str, change: impl FnOnce(&mut ForeignClient)) {
        let cohort = peer.rsplit_once('-').map_or(peer, |(cohort, _)| cohort);
        if let Some(entry) = self.entries().get_mut(cohort) {
            change(entry);
        }
    }

    /// Nobody panics while an entry is half changed.
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, ForeignClient>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the scenario asks of the cohort and its client does not do, one sentence each.
fn not_honoured<A: Adapter>(scenario: &Scenario, cohort: &Cohort) -> Vec<String> {
    let mut not = Vec::new();
    if !cohort.latency.is_zero() {
        not.push(format!("latency = {}: nothing delays what it sends", format_span(cohort.latency)));
    }
    for (key, rate) in [("upload", cohort.upload), ("download", cohort.download)] {
        if rate.is_some_and(|rate| !bytes_per_second(Some(rate)).is_multiple_of(A::RATE_UNIT)) {
            let (rate, unit) = (bytes_per_second(rate), A::RATE_UNIT);
            not.push(format!("{key} = {rate} B/s: it counts in {unit} B/s, and has the nearest"));
        }
    }
    let (policy, usual) = (&scenario.policy, Policy::default());
    if policy.picker != usual.picker {
        not.push(format!("policy.picker = {}: it picks as it does", picker_name(policy.picker)));
    }
    if policy.choker != usual.choker {
        not.push(format!("policy.choker = {}: it chokes as it does", choker_name(policy.choker)));
    }
    if !A::OPTIMISTIC_SLOTS && policy.optimistic_slots != usual.optimistic_slots {
        not.push(format!("policy.optimistic_slots = {}: it has no such setting", policy.optimistic_slots));
    }
    if !A::SLOTS {
        not.push(format!("policy.unchoke_slots = {}: it has no such setting", policy.unchoke_slots));
    }
    if !A::CONNECTIONS {
        not.push(format!("policy.max_connections = {}: it has no such setting", policy.max_connections));
    }
    not
}
