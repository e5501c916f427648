//! The swarms that are measured: one seed with ten times a leecher's uplink, leechers on five latencies, fifty
//! connections each in a random regular graph, mainline's slots, rarest first; everybody stays.

use std::path::Path;

use minibit::scenario::Scenario;
use minibit::scenario::file::{Overrides, from_text};

/// How large a swarm, and how long.
pub struct Size {
    pub peers: u32,
    pub pieces: u32,
    pub blocks_per_piece: u32,
    /// Virtual time.
    pub limit: String,
}

const PIECE: u32 = 256 << 10;

impl Size {
    fn new(peers: u32, pieces: u32, blocks_per_piece: u32) -> Size {
        Size { peers, pieces, blocks_per_piece, limit: "10 h".to_owned() }
    }

    pub fn scenario(&self) -> Scenario {
        let cohort = |number: u32| {
            format!(
                "[peers.leecher-{number}]\ncount = {}\nstart_with = \"nothing\"\nupload = \"400 kB/s\"\n\
                 download = \"1500 kB/s\"\nlatency = \"{} ms\"\n",
                self.peers / 5,
                number * 5
            )
        };
        let text = format!(
            "title = \"scale\"\ndriver = \"sim\"\ntime_limit = \"{}\"\n[content]\nsize = \"{} B\"\npiece_size = \"{PIECE} B\"\n\
             block_size = \"{} B\"\n[overlay]\nkind = \"random-regular\"\ndegree = {}\n[tracker]\ninterval = \"30 min\"\n[policy]\n\
             unchoke_slots = 3\noptimistic_slots = 1\n[peers.seed]\ncount = 1\nstart_with = \"all\"\n\
             upload = \"4 MB/s\"\nlatency = \"5 ms\"\n{}",
            self.limit,
            u64::from(self.pieces) * u64::from(PIECE),
            PIECE / self.blocks_per_piece,
            50.min(self.peers / 2 * 2),
            (1..=5).map(cohort).collect::<String>(),
        );
        let file = from_text(Path::new("scale.toml"), text, &Overrides::default());
        file.expect("a scenario without a mistake").cases.swap_remove(0).scenario
    }
}

/// What the command line asks for: `PEERS PIECES [BLOCKS_PER_PIECE [SECONDS]]`, `hour`, or nothing for the sizes that take
/// seconds. Cargo's own arguments are passed over; where `cargo test` runs this, without `--bench`, a sign of life is
/// enough.
pub fn sizes(arguments: impl Iterator<Item = String>) -> Vec<Size> {
    let arguments: Vec<String> = arguments.collect();
    if arguments.iter().any(|argument| argument == "hour") {
        return vec![Size { limit: "1 h".to_owned(), ..Size::new(500, 6_000, 16) }];
    }
    let numbers: Vec<u32> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    match numbers[..] {
        [] if !arguments.iter().any(|argument| argument == "--bench") => vec![Size::new(20, 20, 4)],
        [] => vec![Size::new(100, 1_000, 1), Size::new(1_000, 1_000, 1)],
        [peers] => vec![Size::new(peers, 1_000, 1)],
        [peers, pieces] => vec![Size::new(peers, pieces, 1)],
        [peers, pieces, blocks] => vec![Size::new(peers, pieces, blocks)],
        [peers, pieces, blocks, seconds, ..] => {
            vec![Size { limit: format!("{seconds} s"), ..Size::new(peers, pieces, blocks) }]
        }
    }
}
