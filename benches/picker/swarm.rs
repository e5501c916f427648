//! The swarm every benchmark starts from, reproducible from its seeds in any language.

use minibit::id::{ConnId, PieceIndex};
use minibit::peer::picker::{Asker, Picker};
use minibit::peer::policy::{PickerPolicy, StartedFirst};
use minibit::rng::{Entity, Purpose, Stream};
use minibit::torrent::bitfield::Bitfield;
use minibit::torrent::layout::Layout;

/// Blocks of 16 KiB in every piece.
pub const BLOCKS: u32 = 16;

/// SplitMix64.
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The upper half of a draw times `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub fn piece(&mut self, pieces: u32) -> PieceIndex {
        PieceIndex(self.below(u64::from(pieces)) as u32)
    }

    /// Fisher–Yates from the end.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// Every piece with probability 1/2: successive draws are its words, lowest piece in the lowest bit.
pub fn half_of(pieces: u32, seed: u64) -> Bitfield {
    let mut rng = SplitMix(seed);
    let mut word = 0;
    set_of(
        pieces,
        (0..pieces).filter(|piece| {
            if piece % 64 == 0 {
                word = rng.next();
            }
            word >> (piece % 64) & 1 == 1
        }),
    )
}

/// Every piece with probability 1/m, one draw per piece.
pub fn one_in(m: u64, pieces: u32, seed: u64) -> Bitfield {
    let mut rng = SplitMix(seed);
    set_of(pieces, (0..pieces).filter(|_| rng.below(m) < 1))
}

pub fn set_of(pieces: u32, members: impl Iterator<Item = u32>) -> Bitfield {
    let mut set = Bitfield::empty(pieces);
    members.for_each(|piece| {
        set.insert(PieceIndex(piece));
    });
    set
}

/// Connected peers and what they have.
pub struct Swarm {
    pub pieces: u32,
    pub peers: Vec<Bitfield>,
}

impl Swarm {
    pub fn new(pieces: u32, peers: u32) -> Swarm {
        let peers = (0..peers).map(|peer| half_of(pieces, 0x5EED_0000 + u64::from(peer))).collect();
        Swarm { pieces, peers }
    }

    /// A picker that has nothing and knows every peer of the swarm.
    pub fn picker(&self, policy: PickerPolicy, started_first: StartedFirst) -> Picker {
        let size = BLOCKS * Layout::STANDARD_BLOCK;
        let total = u64::from(self.pieces) * u64::from(size);
        let layout = Layout::new(total, size, Layout::STANDARD_BLOCK).expect("sizes of a real torrent");
        let mut picker = Picker::new(layout, policy, started_first, 0, &Bitfield::empty(self.pieces));
        self.peers.iter().for_each(|pieces| picker.join(pieces.as_set()));
        picker
    }

    pub fn rarest_first(&self) -> Picker {
        self.picker(PickerPolicy::RarestFirst, StartedFirst::Equal)
    }

    pub fn asker(&self, peer: usize) -> Asker<'_> {
        Asker { conn: ConnId(peer as u32), pieces: self.peers[peer].as_set(), connections: self.peers.len() }
    }
}

/// The draws of the picker itself.
pub fn draws() -> Stream {
    Stream::new(1, Entity::Scenario, Purpose::Picker)
}

/// One dry pick of one block, so that the order stands.
pub fn settle(picker: &mut Picker, asker: Asker<'_>) {
    picker.preview(&asker, 1, &mut draws(), &mut Vec::new());
}
