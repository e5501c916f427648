//! What each policy does, by example.

use super::*;
use crate::peer::preset::Preset;

/// Two rounds of eight interested peers; who is unchoked then, optimistic ones in parentheses.
fn table_row(policy: &Policy, situation: impl Fn(Bench) -> Bench) -> String {
    let mut bench = situation(Bench::new(policy, 8));
    bench.round();
    let unchoked = bench.round();
    let optimistic = bench.optimistic();
    let shown = unchoked.iter().map(|conn| match optimistic.contains(conn) {
        true => format!("({conn})"),
        false => conn.to_string(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_policy_in_each_situation() {
    let policies = [
        ("tit-for-tat", policy(ChokerPolicy::TitForTat)),
        ("cohen2003", Policy::preset(Preset::Cohen2003)),
        ("legout2006", Policy::preset(Preset::Legout2006)),
        ("rarity", policy(ChokerPolicy::Rarity)),
        ("random", policy(ChokerPolicy::Random)),
        ("unchoke-all", policy(ChokerPolicy::UnchokeAll)),
    ];
    type Situation = fn(Bench) -> Bench;
    let situations: [(&str, Situation); 6] = [
        ("the last give most", |bench| bench.with(|it| &mut it.received, &[0, 1, 2, 3, 4, 5, 6, 7])),
        ("and the best snub us", |bench| {
            let bench = bench.with(|it| &mut it.received, &[0, 1, 2, 3, 4, 5, 6, 7]);
            bench.with(|it| &mut it.snubbed, &[false, false, false, false, false, false, true, true])
        }),
        ("only one gives", |bench| bench.with(|it| &mut it.received, &[0, 0, 0, 9])),
        ("the first are rich", |bench| bench.with(|it| &mut it.rare, &[9, 8, 7, 6, 5])),
        ("three want something", |bench| {
            bench.with(|it| &mut it.interested, &[true, false, true, false, false, true, false, false])
        }),
        ("as a seed", |bench| bench.with(|it| &mut it.sent, &[0, 1, 2, 3, 4, 5, 6, 7]).seeding()),
    ];
    let mut table = String::new();
    for (name, situation) in situations {
        table.push_str(&format!("{name}\n"));
        for (policy_name, policy) in &policies {
            table.push_str(&format!("  {policy_name:12} {}\n", table_row(policy, situation)));
        }
    }
    insta::assert_snapshot!(table, @r"
    the last give most
      tit-for-tat  (2) 4 5 6 7
      cohen2003    (3) 5 6 7
      legout2006   (3) 5 6 7
      rarity       (0) 1 2 3 6
      random       0 3 5 6 7
      unchoke-all  0 1 2 3 4 5 6 7
    and the best snub us
      tit-for-tat  2 3 4 5 (7)
      cohen2003    3 4 5 (7)
      legout2006   3 4 5 (7)
      rarity       (0) 1 2 3 6
      random       0 3 5 6 7
      unchoke-all  0 1 2 3 4 5 6 7
    only one gives
      tit-for-tat  (0) (2) 3 (4) (7)
      cohen2003    (0) 3 (4) (7)
      legout2006   (0) 3 (4) (7)
      rarity       (0) 1 2 3 6
      random       0 3 5 6 7
      unchoke-all  0 1 2 3 4 5 6 7
    the first are rich
      tit-for-tat  (0) (2) (4) (6) (7)
      cohen2003    (0) (2) (4) (7)
      legout2006   (0) (2) (4) (7)
      rarity       0 1 2 3 (4)
      random       0 3 5 6 7
      unchoke-all  0 1 2 3 4 5 6 7
    three want something
      tit-for-tat  (0) (2) (5)
      cohen2003    (0) (2) (5)
      legout2006   (0) (2) (5)
      rarity       0 2 5
      random       0 2 5
      unchoke-all  0 2 5
    as a seed
      tit-for-tat  (2) 4 5 6 7
      cohen2003    (3) 5 6 7
      legout2006   2 4 (6) 7
      rarity       (0) 1 2 3 6
      random       0 3 5 6 7
      unchoke-all  0 1 2 3 4 5 6 7
    ");
}

#[test]
fn tit_for_tat_gives_regular_slots_to_those_who_gave_most() {
    let mut bench =
        Bench::new(&Policy::default(), 10).with(|it| &mut it.received, &[0, 5, 0, 9, 0, 7, 0, 6, 0, 8]);
    let unchoked = bench.round();
    assert_eq!(unchoked.len(), 5);
    assert!([3, 5, 7, 9].iter().all(|best| unchoked.contains(best)), "{unchoked:?}");
    assert_eq!(bench.optimistic().len(), 1);
}

#[test]
fn a_snubbed_peer_earns_no_regular_slot_but_a_seed_does_not_mind() {
    let policy = Policy { optimistic_slots: 0, unchoke_slots: 1, ..Policy::default() };
    let mut bench = Bench::new(&policy, 2)
        .with(|it| &mut it.received, &[9, 1])
        .with(|it| &mut it.sent, &[9, 1])
        .with(|it| &mut it.snubbed, &[true]);
    assert_eq!(bench.round(), [1]);
    bench.seeding = true;
    assert_eq!(bench.round(), [0]);
}

#[test]
fn slots_that_nobody_earns_are_optimistic() {
    let mut bench = Bench::new(&Policy::default(), 10).with(|it| &mut it.received, &[0, 0, 0, 0, 0, 0, 7]);
    let unchoked = bench.round();
    assert!(unchoked.contains(&6));
    assert_eq!((unchoked.len(), bench.optimistic().len()), (5, 4));
}

#[test]
fn the_optimistic_slot_moves_on_every_third_round() {
    let mut bench = Bench::new(&Policy::default(), 8).with(|it| &mut it.received, &[9, 9, 9, 9]);
    let turns: Vec<_> = (0..12).map(|_| (bench.round(), bench.optimistic()).1).collect();
    for turn in turns.chunks(3) {
        assert_eq!(turn[0].len(), 1);
        assert!(turn.iter().all(|holder| *holder == turn[0]), "{turns:?}");
    }
    assert!(turns.chunks(3).zip(turns.chunks(3).skip(1)).all(|(one, next)| one[0] != next[0]), "{turns:?}");
}

#[test]
fn an_optimistic_peer_that_earns_a_slot_moves_there_and_another_is_drawn_at_once() {
    let mut bench = Bench::new(&Policy::default(), 8).with(|it| &mut it.received, &[4, 4, 4, 3]);
    bench.round();
    let [lucky] = bench.optimistic()[..] else { panic!("one optimistic slot") };
    bench.candidates[lucky as usize].received = 5;
    let unchoked = bench.round();
    assert!(unchoked.contains(&lucky));
    let [next] = bench.optimistic()[..] else { panic!("one optimistic slot") };
    assert!(next != lucky && next != 3, "{next} was not waiting");
}

#[test]
fn a_free_slot_is_filled_at_once_by_whoever_earned_it() {
    let mut bench = Bench::new(&Policy::default(), 8).with(|it| &mut it.received, &[9, 9, 9, 9, 5]);
    bench.candidates[4].interested = false;
    let before = bench.round();
    bench.candidates[4].interested = true;
    assert_eq!(bench.slot_free(), before, "no slot is free");
    bench.candidates[0].interested = false;
    let after = bench.slot_free();
    assert!(after.contains(&4) && !bench.choker.is_optimistic(ConnId(4)), "{after:?}");
}

#[test]
fn a_number_used_again_inherits_nothing() {
    let policy = Policy { unchoke_slots: 0, ..Policy::default() };
    let mut bench = Bench::new(&policy, 1);
    bench.round();
    bench.replace(0, 50);
    assert_eq!(bench.optimistic(), [] as [u32; 0]);
    bench.candidates.push(candidate(1));
    assert_eq!(bench.round().len(), 1);
}

#[test]
fn a_peer_that_loses_interest_is_not_optimistic_any_more() {
    for seeding in [false, true] {
        let mut bench = Bench::new(&Policy::preset(Preset::Legout2006), 3);
        bench.seeding = seeding;
        bench.round();
        assert_eq!(bench.optimistic(), [0, 1, 2]);
        bench.candidates[1].interested = false;
        bench.slot_free();
        assert_eq!(bench.optimistic(), [0, 2]);
    }
}

/// In how many of 240 rounds each of eight leechers was served by a seed; the last downloads ten times as fast.
fn service(seed_rule: SeedRule) -> Vec<u32> {
    let policy = Policy { seed_rule, ..Policy::preset(Preset::Legout2006) };
    let mut bench = Bench::new(&policy, 8).seeding();
    bench.candidates.iter_mut().for_each(|candidate| candidate.pending = true);
    let mut rounds = vec![0; 8];
    for _ in 0..240 {
        let unchoked = bench.round();
        for candidate in &mut bench.candidates {
            let speed = if candidate.conn.0 == 7 { 10 } else { 1 };
            candidate.sent = if candidate.unchoked { speed } else { 0 };
        }
        unchoked.iter().for_each(|conn| rounds[*conn as usize] += 1);
    }
    rounds
}

#[test]
fn a_fast_leecher_monopolises_a_seed_by_upload_rate_but_not_by_service_time() {
    let fast = |rounds: Vec<u32>| rounds[7];
    assert!(fast(service(SeedRule::UploadRate)) > 200, "{:?}", service(SeedRule::UploadRate));
    for rule in [SeedRule::Legout2006, SeedRule::Random] {
        let rounds = service(rule);
        assert!(rounds.iter().all(|&served| served.abs_diff(120) < 30), "{rule:?}: {rounds:?}");
    }
}

#[test]
fn service_time_draws_one_in_two_of_three_rounds() {
    let mut bench = Bench::new(&Policy::preset(Preset::Legout2006), 8).seeding();
    bench.candidates.iter_mut().for_each(|candidate| candidate.pending = true);
    let mut before = bench.round();
    let mut arrivals = Vec::new();
    for _ in 2..=9 {
        let after = bench.round();
        arrivals.push(after.iter().filter(|conn| !before.contains(conn)).count());
        before = after;
    }
    assert_eq!(arrivals, [1, 0, 1, 1, 0, 1, 1, 0]);
}

#[test]
fn rarity_fills_the_fixed_slots_with_the_highest_scores() {
    let mut bench =
        Bench::new(&policy(ChokerPolicy::Rarity), 9).with(|it| &mut it.rare, &[0, 3, 0, 4, 0, 5, 0, 6, 0]);
    let unchoked = bench.round();
    assert!([1, 3, 5, 7].iter().all(|rich| unchoked.contains(rich)), "{unchoked:?}");
    assert_eq!(bench.optimistic().len(), 1);
}

#[test]
fn rarity_promotes_an_optimistic_peer_that_outscores_the_weakest_fixed_one() {
    let mut bench = Bench::new(&policy(ChokerPolicy::Rarity), 9).with(|it| &mut it.rare, &[7, 3, 7, 7]);
    bench.round();
    let [lucky] = bench.optimistic()[..] else { panic!("one optimistic slot") };
    bench.candidates[lucky as usize].rare = 4;
    let unchoked = bench.round();
    assert!(unchoked.contains(&lucky) && !unchoked.contains(&1), "{unchoked:?} without {lucky}");
    assert!(!bench.choker.is_optimistic(ConnId(lucky)), "it has a fixed slot now");
}

#[test]
fn rarity_keeps_a_fixed_peer_against_an_equal_and_draws_another_optimistic_one_every_round() {
    let mut bench = Bench::new(&policy(ChokerPolicy::Rarity), 9).with(|it| &mut it.rare, &[5, 5, 5, 5, 5]);
    bench.round();
    let fixed: Vec<_> = (0..9)
        .filter(|conn| bench.candidates[*conn].unchoked && !bench.optimistic().contains(&(*conn as u32)))
        .collect();
    let mut last = bench.optimistic();
    for _ in 0..9 {
        bench.round();
        assert!(fixed.iter().all(|conn| bench.candidates[*conn].unchoked), "{fixed:?}");
        assert_ne!(bench.optimistic(), last);
        last = bench.optimistic();
    }
}

#[test]
fn random_redraws_in_every_round_and_rewards_nobody() {
    let mut bench = Bench::new(&policy(ChokerPolicy::Random), 10)
        .with(|it| &mut it.received, &[9])
        .with(|it| &mut it.sent, &[9])
        .with(|it| &mut it.rare, &[9]);
    let mut rounds = [0u32; 10];
    for _ in 0..400 {
        bench.round().iter().for_each(|conn| rounds[*conn as usize] += 1);
    }
    assert!(rounds.iter().all(|&served| served.abs_diff(200) < 45), "{rounds:?}");
}

#[test]
fn unchoke_all_unchokes_everybody_interested() {
    let mut bench = Bench::new(&policy(ChokerPolicy::UnchokeAll), 12);
    bench.candidates[3].interested = false;
    assert_eq!(bench.round(), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
}
