//! How the file spells what the code calls by a variant: the same table reads and writes.

use crate::peer::policy::{ChokerPolicy, PickerPolicy, SeedRule, StartedFirst};
use crate::scenario::{Behaviour, Client, DriverKind, Protocol, StartWith, TrackerProgram};

pub(super) const DRIVERS: &[(&str, DriverKind)] =
    &[("sim", DriverKind::Sim), ("tasks", DriverKind::Tasks), ("processes", DriverKind::Processes)];

impl DriverKind {
    /// As files and commands spell it.
    pub fn name(self) -> &'static str {
        name_of(DRIVERS, &self)
    }
}

impl Client {
    /// As files and commands spell it.
    pub fn name(self) -> &'static str {
        name_of(Client::NAMES, &self)
    }
}

pub(super) const TRACKERS: &[(&str, TrackerProgram)] =
    &[("minibit", TrackerProgram::Minibit), ("opentracker", TrackerProgram::Opentracker)];

pub(super) const PROTOCOLS: &[(&str, Protocol)] = &[("http", Protocol::Http), ("udp", Protocol::Udp)];

pub(super) const PICKERS: &[(&str, PickerPolicy)] = &[
    ("rarest-first", PickerPolicy::RarestFirst),
    ("random", PickerPolicy::Random),
    ("sequential", PickerPolicy::Sequential),
    ("hypercube", PickerPolicy::Hypercube),
];

pub(super) const CHOKERS: &[(&str, ChokerPolicy)] = &[
    ("tit-for-tat", ChokerPolicy::TitForTat),
    ("rarity", ChokerPolicy::Rarity),
    ("random", ChokerPolicy::Random),
    ("unchoke-all", ChokerPolicy::UnchokeAll),
];

pub(super) const STARTED_FIRST: &[(&str, StartedFirst)] =
    &[("equal", StartedFirst::Equal), ("always", StartedFirst::Always)];

pub(super) const SEED_RULES: &[(&str, SeedRule)] = &[
    ("upload-rate", SeedRule::UploadRate),
    ("legout2006", SeedRule::Legout2006),
    ("random", SeedRule::Random),
];

pub(super) const START_WITH: &[(&str, StartWith)] =
    &[("share", StartWith::Share), ("all", StartWith::All), ("nothing", StartWith::Nothing)];

pub(super) const BEHAVIOURS: &[(&str, Behaviour)] =
    &[("cooperative", Behaviour::Cooperative), ("free-rider", Behaviour::FreeRider)];

/// The spelling of a variant. Every variant has one.
pub(super) fn name_of<T: PartialEq>(names: &'static [(&'static str, T)], variant: &T) -> &'static str {
    names.iter().find(|(_, named)| named == variant).map_or("", |(name, _)| name)
}

/// As scenarios write it.
pub fn picker_name(picker: PickerPolicy) -> &'static str {
    name_of(PICKERS, &picker)
}

/// As scenarios write it.
pub fn choker_name(choker: ChokerPolicy) -> &'static str {
    name_of(CHOKERS, &choker)
}
