//! Policies as clients and papers had them: each preset is one source's set of constants, not a mixture.

use crate::peer::policy::{ChokerPolicy, PickerPolicy, Policy, SeedRule, StartedFirst};
use crate::time::Span;

/// A named [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// The client of Cohen, "Incentives Build Robustness in BitTorrent" (2003): mainline of December 2002 to May 2003.
    Cohen2003,
    /// The client of Legout et al., "Rarest First and Choke Algorithms Are Enough" (2006): mainline 4.0.
    Legout2006,
}

impl Preset {
    pub const ALL: [Preset; 2] = [Preset::Cohen2003, Preset::Legout2006];

    /// As scenarios write it.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Cohen2003 => "cohen2003",
            Preset::Legout2006 => "legout2006",
        }
    }
}

impl Policy {
    /// Everything about picking and choking. The pipeline stays MiniBit's own: the old clients' fixed five requests
    /// (or 4 s of them) are for blocks of 16 KiB, and blocks here may be of any size.
    pub fn preset(preset: Preset) -> Policy {
        let mainline = Policy {
            picker: PickerPolicy::RarestFirst,
            started_first: StartedFirst::Equal,
            choker: ChokerPolicy::TitForTat,
            // `max_uploads` 4, the optimistic one included.
            unchoke_slots: 3,
            optimistic_slots: 1,
            // Cohen 2003 and `Choker.round_robin`: every 10 s, the optimistic unchoke every third time.
            round: Span::from_secs(10),
            optimistic_rounds: 3,
            // `max_rate_period`: 20 s.
            rate_window: Span::from_secs(20),
            ..Policy::default()
        };
        match preset {
            Preset::Cohen2003 => Policy {
                // The paper describes a random first piece, the code of its time had none.
                first_random: 0,
                // `snub_time` 60 s; the paper: "over a minute".
                snub_after: Span::from_secs(60),
                // `Choker.connection_made` inserts a newcomer at -2 … n of its list, below 0 at the front: BEP 3's
                // "three times as likely".
                newcomer_weight: 3,
                seed_rule: SeedRule::UploadRate,
                // `max_initiate`.
                max_connections: 40,
                ..mainline
            },
            Preset::Legout2006 => Policy {
                // The paper, §II: the first four pieces; mainline since July 2003.
                first_random: 4,
                // A block within the last 30 s.
                snub_after: Span::from_secs(30),
                // Gone since mainline 3.9.
                newcomer_weight: 1,
                seed_rule: SeedRule::Legout2006,
                // The paper: a peer set of at most 80.
                max_connections: 80,
                ..mainline
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_a_name_and_differs_from_the_others_and_the_defaults() {
        for (at, preset) in Preset::ALL.into_iter().enumerate() {
            assert_ne!(Policy::preset(preset), Policy::default());
            for other in &Preset::ALL[at + 1..] {
                assert_ne!(preset.name(), other.name());
                assert_ne!(Policy::preset(preset), Policy::preset(*other));
            }
        }
    }

    #[test]
    fn the_four_slots_of_2003_include_the_optimistic_one() {
        let policy = Policy::preset(Preset::Cohen2003);
        assert_eq!((policy.unchoke_slots, policy.optimistic_slots), (3, 1));
    }
}
