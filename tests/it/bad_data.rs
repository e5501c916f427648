//! How soon who sends bad data is banned, in whole swarms: within two failed pieces that it alone sent, within five that
//! others had a part in (Transmission's strikes), and nobody else ever.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use minibit::driver::sim::{self, Fault, Options};
use minibit::driver::{Control, Ended};
use minibit::event::{BlockFate, Event, Record};
use minibit::id::{PeerIndex, PieceIndex};
use minibit::scenario::file::{Overrides, from_text};

/// Comes after the seed.
const LIAR: PeerIndex = PeerIndex(1);
const LEECHERS: usize = 8;
const SOLE: u32 = 2;
const MIXED: u32 = 5;

/// Pieces of 16 blocks, so that most come from several. The liar has everything and is fast: many ask it.
const SWARM: &str = r#"
driver = "sim"
repeat = 1
time_limit = "2 h"
[content]
size = "8 MiB"
piece_size = "256 KiB"
[policy]
choker = "unchoke-all"
[peers.seed]
start_with = "all"
upload = "200 KiB/s"
[peers.liar]
start_with = "all"
upload = "200 KiB/s"
[peers.leecher]
count = 8
start_with = "nothing"
upload = "200 KiB/s"
latency = "20 ms"
"#;

/// The liar's failed pieces at one victim: those that it alone sent, and those that it had a part in.
#[derive(Clone, Copy, Debug, Default)]
struct Strikes {
    sole: u32,
    mixed: u32,
}

/// What every victim had suffered from the liar when it banned it.
fn strikes(records: &[Record]) -> Vec<Strikes> {
    let mut senders: BTreeMap<(PeerIndex, PieceIndex), BTreeSet<PeerIndex>> = BTreeMap::new();
    let (mut suffered, mut banned) = (BTreeMap::<PeerIndex, Strikes>::new(), Vec::new());
    for Record { peer, event, .. } in records {
        match event {
            Event::Downloaded { from: Some(from), block, fate: BlockFate::Useful } => {
                senders.entry((*peer, block.piece)).or_default().insert(*from);
            }
            Event::PieceFailed { piece, .. } => {
                let senders = senders.remove(&(*peer, *piece)).unwrap();
                assert!(senders.contains(&LIAR), "{piece:?} failed at {peer:?} without the liar");
                let strikes = suffered.entry(*peer).or_default();
                if senders.len() == 1 { strikes.sole += 1 } else { strikes.mixed += 1 }
            }
            Event::Banned { remote } => {
                assert!(remote.is_none_or(|remote| remote == LIAR), "{peer:?} banned {remote:?}");
                banned.push(suffered[peer]);
            }
            _ => {}
        }
    }
    banned
}

#[test]
fn who_sends_bad_data_is_banned_within_two_failures_of_its_own_or_five_with_others() {
    let file = from_text(Path::new("liar.toml"), SWARM.to_owned(), &Overrides::default()).unwrap();
    let scenario = &file.cases[0].scenario;
    let mut seen = Vec::new();
    for random_seed in 0..20 {
        let fault = Fault { corrupters: BTreeSet::from([LIAR]), every: 1, ..Fault::default() };
        let options = Options { check: true, fault, ..Options::default() };
        let mut records: Vec<Record> = Vec::new();
        let outcome = sim::run(scenario, random_seed, &options, &mut records, &Control::default()).unwrap();
        assert_eq!(outcome.ended, Ended::Complete, "random seed {random_seed}");
        let banned = strikes(&records);
        assert_eq!(banned.len(), LEECHERS, "random seed {random_seed}: not everybody has banned the liar");
        seen.extend(banned.into_iter().map(|strikes| (random_seed, strikes)));
    }
    for (random_seed, strikes) in &seen {
        assert!(strikes.sole <= SOLE && strikes.mixed <= MIXED, "random seed {random_seed}: {strikes:?}");
    }
    assert!(seen.iter().any(|(_, strikes)| strikes.mixed > 0), "no piece came from several: {seen:?}");
}
