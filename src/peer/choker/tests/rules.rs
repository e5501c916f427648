//! What holds for every policy, whatever happens on the connections.

use proptest::prelude::*;

use super::*;
use crate::peer::preset::Preset;

fn policies() -> Vec<(String, Policy)> {
    let tit_for_tat = |seed_rule| Policy { seed_rule, ..policy(ChokerPolicy::TitForTat) };
    let mut policies: Vec<_> = [
        ("tit-for-tat", tit_for_tat(SeedRule::UploadRate)),
        ("tit-for-tat, random as a seed", tit_for_tat(SeedRule::Random)),
        ("one slot", Policy { unchoke_slots: 1, optimistic_slots: 0, ..Policy::default() }),
        ("all by lot", Policy { unchoke_slots: 0, optimistic_slots: 3, ..Policy::default() }),
        ("hasty", Policy { optimistic_rounds: 1, ..Policy::default() }),
        ("rarity", policy(ChokerPolicy::Rarity)),
        ("random", policy(ChokerPolicy::Random)),
        ("unchoke-all", policy(ChokerPolicy::UnchokeAll)),
    ]
    .map(|(name, policy)| (name.to_owned(), policy))
    .into();
    policies.extend(Preset::ALL.map(|preset| (preset.name().to_owned(), Policy::preset(preset))));
    policies
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Interest(usize, bool),
    /// Received, sent, rare.
    Traffic(usize, u64, u64, u32),
    Snub(usize, bool),
    Pending(usize, bool),
    Replace(usize),
    Complete,
    Round,
}

fn steps(connections: usize) -> impl Strategy<Value = Vec<Step>> {
    let conn = 0..connections;
    let step = prop_oneof![
        3 => (conn.clone(), any::<bool>()).prop_map(|(conn, on)| Step::Interest(conn, on)),
        3 => (conn.clone(), 0u64..4, 0u64..4, 0u32..4)
            .prop_map(|(conn, received, sent, rare)| Step::Traffic(conn, received, sent, rare)),
        1 => (conn.clone(), any::<bool>()).prop_map(|(conn, on)| Step::Snub(conn, on)),
        1 => (conn.clone(), any::<bool>()).prop_map(|(conn, on)| Step::Pending(conn, on)),
        1 => conn.prop_map(Step::Replace),
        1 => Just(Step::Complete),
        4 => Just(Step::Round),
    ];
    prop::collection::vec(step, 1..80)
}

impl Bench {
    /// What happened between two rounds is spread over the ten seconds between them.
    fn apply(&mut self, step: Step, next_round: &mut Time) -> Option<Occasion> {
        let pause = next_round.since(self.now).div(4);
        self.now += pause;
        match step {
            Step::Interest(conn, on) => {
                self.candidates[conn].interested = on;
                return Some(Occasion::SlotFree);
            }
            Step::Traffic(conn, received, sent, rare) => {
                let candidate = &mut self.candidates[conn];
                (candidate.received, candidate.sent, candidate.rare) = (received, sent, rare);
            }
            Step::Snub(conn, on) => self.candidates[conn].snubbed = on,
            Step::Pending(conn, on) => self.candidates[conn].pending = on,
            Step::Replace(conn) => {
                self.replace(conn as u32, conn as u32 + 100);
                return Some(Occasion::SlotFree);
            }
            Step::Complete => self.seeding = true,
            Step::Round => {
                self.now = *next_round;
                *next_round += ROUND;
                return Some(Occasion::Round);
            }
        }
        None
    }
}

/// Who holds a slot by lot, since which round.
type Lots = Vec<(ConnId, u64)>;

fn check(policy: &Policy, before: &Bench, after: &Bench, occasion: Occasion) -> Result<(), String> {
    let unchoked: Vec<_> = after.candidates.iter().filter(|candidate| candidate.unchoked).collect();
    let interested = after.candidates.iter().filter(|candidate| candidate.interested).count();
    let slots = match policy.choker {
        ChokerPolicy::UnchokeAll => usize::MAX,
        _ => (policy.unchoke_slots + policy.optimistic_slots) as usize,
    };
    if unchoked.len() != slots.min(interested) {
        return Err(format!("{} of {interested} interested are unchoked in {slots} slots", unchoked.len()));
    }
    for (was, is) in before.candidates.iter().zip(&after.candidates) {
        if is.unchoked && !is.interested {
            return Err(format!("{:?} is unchoked without interest", is.conn));
        }
        let choked = was.unchoked && was.interested && !is.unchoked;
        let held = was.unchoked_at.map_or(Span::ZERO, |since| after.now.since(since));
        if choked && (occasion == Occasion::SlotFree || held < ROUND) {
            return Err(format!("{:?} is choked at a {occasion:?} after {held}", is.conn));
        }
        if after.choker.is_optimistic(is.conn) && !is.unchoked {
            return Err(format!("{:?} is optimistic and choked", is.conn));
        }
    }
    Ok(())
}

/// After a round nobody holds a slot by lot longer than its turn while somebody waits.
fn check_turns(
    policy: &Policy,
    lots: &mut Lots,
    before: &Bench,
    bench: &Bench,
    round: u64,
) -> Result<(), String> {
    lots.retain(|(conn, _)| bench.choker.is_optimistic(*conn));
    for candidate in bench.candidates.iter().filter(|candidate| bench.choker.is_optimistic(candidate.conn)) {
        if !lots.iter().any(|(conn, _)| *conn == candidate.conn) {
            lots.push((candidate.conn, round));
        }
    }
    let turn = u64::from(policy.optimistic_rounds.max(1));
    let mut both = before.candidates.iter().zip(&bench.candidates);
    let waits = both.any(|(was, is)| is.interested && !is.unchoked && !was.unchoked);
    match lots.iter().find(|(_, since)| round - since >= turn) {
        Some((conn, since)) if waits => {
            Err(format!("{conn:?} holds a slot by lot since round {since}, in round {round}"))
        }
        _ => Ok(()),
    }
}

proptest! {
    #[test]
    fn every_policy_keeps_the_rules(random_seed: u64, steps in steps(9)) {
        for (name, policy) in policies() {
            let mut bench = Bench::seeded(&policy, 9, random_seed);
            bench.candidates.iter_mut().for_each(|candidate| candidate.interested = false);
            let (mut next_round, mut round, mut lots) = (Time::ZERO + ROUND, 0, Lots::new());
            for step in &steps {
                let Some(occasion) = bench.apply(*step, &mut next_round) else { continue };
                let before = bench.clone();
                bench.decide(occasion);
                let mut copy = before.clone();
                copy.decide(occasion);
                prop_assert_eq!(&copy.candidates, &bench.candidates, "{}: equal inputs", &name);
                let kept = check(&policy, &before, &bench, occasion);
                prop_assert!(kept.is_ok(), "{}: {}", name, kept.unwrap_err());
                if occasion == Occasion::Round {
                    round += 1;
                    let turns = check_turns(&policy, &mut lots, &before, &bench, round);
                    prop_assert!(turns.is_ok(), "{}: {}", name, turns.unwrap_err());
                }
                let replaced = if let Step::Replace(conn) = *step { conn as u32 } else { u32::MAX };
                lots.retain(|(conn, _)| bench.choker.is_optimistic(*conn) && conn.0 != replaced);
            }
        }
    }

    /// A driver numbers connections as it likes; the same peers are unchoked.
    #[test]
    fn connection_numbers_decide_nothing(random_seed: u64, steps in steps(7)) {
        for (name, policy) in policies() {
            let mut bench = Bench::seeded(&policy, 7, random_seed);
            let mut mirror = bench.clone();
            mirror.candidates.reverse();
            for (conn, candidate) in (0..).map(ConnId).zip(&mut mirror.candidates) {
                candidate.conn = conn;
            }
            let (mut next_round, mut next_mirrored) = (Time::ZERO + ROUND, Time::ZERO + ROUND);
            for step in &steps {
                let mirrored = match *step {
                    Step::Interest(conn, on) => Step::Interest(6 - conn, on),
                    Step::Traffic(conn, received, sent, rare) => Step::Traffic(6 - conn, received, sent, rare),
                    Step::Snub(conn, on) => Step::Snub(6 - conn, on),
                    Step::Pending(conn, on) => Step::Pending(6 - conn, on),
                    // Would bring different peers.
                    Step::Replace(_) => continue,
                    Step::Complete | Step::Round => *step,
                };
                let Some(occasion) = bench.apply(*step, &mut next_round) else {
                    mirror.apply(mirrored, &mut next_mirrored);
                    continue;
                };
                mirror.apply(mirrored, &mut next_mirrored);
                let chosen = bench.decide(occasion);
                let mut other: Vec<_> = mirror.decide(occasion).iter().map(|conn| 6 - conn).collect();
                other.reverse();
                prop_assert_eq!(chosen, other, "{}", name);
            }
        }
    }
}

/// How often each of `connections` equal peers has the only slot after the first round, over many random seeds.
fn winners(policy: &Policy, connections: u32, equal: impl Fn(&mut Candidate)) -> Vec<u32> {
    let mut wins = vec![0; connections as usize];
    for random_seed in 0..4_000 {
        let mut bench = Bench::seeded(policy, connections, random_seed);
        bench.candidates.iter_mut().for_each(&equal);
        wins[bench.round()[0] as usize] += 1;
    }
    wins
}

#[test]
fn equals_are_drawn_by_lot_everywhere() {
    let give = |candidate: &mut Candidate| {
        (candidate.received, candidate.sent, candidate.rare) = (5, 5, 5);
    };
    for (name, policy) in policies() {
        if policy.choker == ChokerPolicy::UnchokeAll {
            continue;
        }
        let by_merit = Policy { unchoke_slots: 1, optimistic_slots: 0, ..policy.clone() };
        let by_lot = Policy { unchoke_slots: 0, optimistic_slots: 1, ..policy };
        for policy in [by_merit, by_lot] {
            let wins = winners(&policy, 8, give);
            let chi_squared: f64 = wins.iter().map(|&wins| (f64::from(wins) - 500.0).powi(2) / 500.0).sum();
            assert!(chi_squared < 24.3, "{name}: {wins:?}: {chi_squared} is beyond the 99.9 % quantile");
        }
    }
}

#[test]
fn a_newcomer_is_drawn_three_times_as_often_in_cohen2003() {
    // Of 4,000 draws: 3 tickets of 8, and 1 of 6.
    for (preset, expected) in [(Preset::Cohen2003, 1_500), (Preset::Legout2006, 667)] {
        let policy = Policy { unchoke_slots: 0, ..Policy::preset(preset) };
        let wins = winners(&policy, 6, |candidate| {
            candidate.unchoked_at = (candidate.conn.0 > 0).then_some(Time::ZERO);
        });
        assert!(wins[0].abs_diff(expected) < 120, "{}: {wins:?}", preset.name());
    }
}
