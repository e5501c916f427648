//! The picker against a slow one that states every rule in the plainest words, over random histories, with and without
//! an order.

mod model;
mod order;
mod ties;

use std::collections::BTreeMap;

use super::*;
use crate::rng::{Entity, Purpose};
use model::{Life, Model, Remote, Setting};

/// A picker and the truth, side by side.
struct History {
    picker: Picker,
    model: Model,
    chance: Stream,
    picks: Stream,
    next_conn: u32,
}

impl History {
    fn new(setting: Setting) -> History {
        let mut chance = Stream::new(setting.seed, Entity::Scenario, Purpose::Content);
        // A short last piece, and a last block of a single byte.
        let total = (u64::from(setting.pieces) * u64::from(setting.blocks)).saturating_sub(1) * 16 + 1;
        let layout = Layout::new(total, 16 * setting.blocks, 16).unwrap();
        assert_eq!(layout.pieces(), setting.pieces);
        let have = random_set(setting.pieces, 10, &mut chance);
        let mut picker =
            Picker::flat(layout, setting.policy, setting.started_first, setting.first_random, &have);
        if setting.ordered {
            picker.keep_an_order();
        }
        let lives = (0..setting.pieces)
            .map(|piece| vec![Life::Free; layout.blocks_in(PieceIndex(piece)) as usize])
            .collect();
        let ours = (0..setting.pieces).map(|piece| have.contains(PieceIndex(piece))).collect();
        let model = Model {
            setting,
            layout,
            remotes: BTreeMap::new(),
            lives,
            ours,
            exclusive: BTreeMap::new(),
            started_over: BTreeMap::new(),
        };
        let picks = Stream::new(setting.seed, Entity::Scenario, Purpose::Picker);
        History { picker, model, chance, picks, next_conn: 0 }
    }

    fn any_remote(&mut self) -> Option<ConnId> {
        let conns: Vec<_> = self.model.remotes.keys().copied().collect();
        (!conns.is_empty()).then(|| conns[self.chance.index(conns.len())])
    }

    fn step(&mut self) {
        match self.chance.below(100) {
            0..8 if self.model.remotes.len() < 12 => self.join(),
            8..11 => self.leave(),
            11..30 => self.have(),
            30..60 => self.pick(),
            60..66 => self.pick_second(),
            66..72 => self.choke(),
            72..76 => self.release_one(),
            76..97 => self.receive(),
            97 => self.lose(),
            98 => self.snub(),
            _ => self.unsolicited(),
        }
        self.judge();
        self.compare();
    }

    fn join(&mut self) {
        let pieces = self.model.setting.pieces;
        let one_in = [1, 2, 3, 40][self.chance.index(4)];
        let pieces = random_set(pieces, one_in, &mut self.chance);
        let counted_as_seed = pieces.is_full();
        if counted_as_seed {
            self.picker.join_seed()
        } else {
            self.picker.join(pieces.as_set())
        }
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.model.remotes.insert(conn, Remote { pieces, counted_as_seed, snubbed: false });
    }

    fn leave(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        self.release_all(conn);
        let remote = self.model.remotes.remove(&conn).unwrap();
        if remote.counted_as_seed {
            self.picker.leave_seed()
        } else {
            self.picker.leave(remote.pieces.as_set())
        }
    }

    fn choke(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        self.release_all(conn);
    }

    fn release_all(&mut self, conn: ConnId) {
        for block in self.model.requests_of(conn) {
            self.picker.release(block, conn);
            self.model.release(block, conn);
        }
        self.picker.end_claims(conn);
        self.model.end_claims(conn);
    }

    fn release_one(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        let requests = self.model.requests_of(conn);
        if !requests.is_empty() {
            let block = requests[self.chance.index(requests.len())];
            self.picker.release(block, conn);
            self.model.release(block, conn);
        }
    }

    fn have(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        let piece = PieceIndex(self.chance.below(u64::from(self.model.setting.pieces)) as u32);
        let remote = self.model.remotes.get_mut(&conn).unwrap();
        if remote.pieces.insert(piece) {
            self.picker.gained(piece);
        } else if !remote.counted_as_seed && self.chance.below(4) == 0 {
            remote.pieces.remove(piece);
            self.picker.dropped(piece);
        }
    }

    fn pick(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        let want = [1, 1, 2, 5, 40][self.chance.index(5)];
        let remote = self.model.remotes[&conn].pieces.clone();
        let asker = Asker { conn, pieces: remote.as_set(), connections: self.model.remotes.len() };
        let preview = self.chance.below(4) == 0;
        let mut out = Vec::new();
        if preview {
            self.picker.preview(&asker, want, &mut self.picks, &mut out);
            let choices = self.model.choices(conn);
            assert_eq!(out.is_empty(), choices.is_empty());
            assert!(out.first().is_none_or(|block| choices.contains(&block.piece)));
            let mut blocks = out.clone();
            blocks.sort();
            blocks.dedup();
            assert_eq!(blocks.len(), out.len(), "a preview lists no block twice");
            assert!(out.iter().all(|&block| *self.model.life(block) == Life::Free));
            return;
        }
        self.picker.pick(&asker, want, &mut self.picks, &mut out);
        assert!(out.len() <= want);
        let mut current = None;
        for &block in &out {
            // A call finishes the free blocks of one piece before it chooses again.
            let goes_on = current.is_some_and(|piece| self.model.lowest_free(piece).is_some());
            let choices = if goes_on { current.into_iter().collect() } else { self.model.choices(conn) };
            assert!(choices.contains(&block.piece), "{block:?} picked, {choices:?} were right");
            assert_eq!(self.model.lowest_free(block.piece), Some(block.index));
            *self.model.life(block) = Life::Requested(vec![conn]);
            if let Some(claim) = self.model.exclusive.get_mut(&block.piece) {
                *claim = Some(conn);
            }
            current = Some(block.piece);
        }
        if out.len() < want {
            assert!(self.model.choices(conn).is_empty(), "something was left to pick");
        }
    }

    fn pick_second(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        let any = self.chance.below(2) == 0;
        let remote = self.model.remotes[&conn].pieces.clone();
        let asker = Asker { conn, pieces: remote.as_set(), connections: self.model.remotes.len() };
        let may_double = |first: ConnId| any || self.model.remotes[&first].snubbed;
        let block = self.picker.pick_second(&asker, &may_double, &mut self.picks);
        let right = self.model.doublable(conn, any);
        match block {
            None => assert!(right.is_empty(), "{right:?} could have been doubled"),
            Some(block) => {
                assert!(right.contains(&block), "{block:?} doubled, {right:?} were right");
                if let Life::Requested(conns) = self.model.life(block) {
                    conns.push(conn);
                }
            }
        }
    }

    fn receive(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        let requests = self.model.requests_of(conn);
        if !requests.is_empty() {
            let block = requests[self.chance.index(requests.len())];
            self.arrive(block, conn, true);
        }
    }

    /// A block nobody asked this connection for, of a piece it need not even have.
    fn unsolicited(&mut self) {
        let Some(conn) = self.any_remote() else { return };
        let piece = PieceIndex(self.chance.below(u64::from(self.model.setting.pieces)) as u32);
        let blocks = u64::from(self.model.layout.blocks_in(piece));
        let block = BlockId { piece, index: self.chance.below(blocks) as u32 };
        if !self.model.requests_of(conn).contains(&block) {
            self.arrive(block, conn, false);
        }
    }

    fn arrive(&mut self, block: BlockId, conn: ConnId, requested: bool) {
        let got = self.picker.received(block, conn);
        let claim = self.model.exclusive.get(&block.piece).copied();
        let refused = self.model.ours[block.piece.0 as usize]
            || *self.model.life(block) == Life::Received
            || claim.is_some_and(|claimant| claimant != Some(conn));
        if refused {
            assert!(!requested, "a requested block is useful");
            assert_eq!(got, Received::Duplicate);
            return;
        }
        let first_other = match self.model.life(block) {
            Life::Requested(conns) => conns.iter().copied().find(|&asked| asked != conn),
            Life::Free | Life::Received => None,
        };
        *self.model.life(block) = Life::Received;
        let complete = self.model.lives[block.piece.0 as usize].iter().all(|life| *life == Life::Received);
        assert_eq!(got, Received::Useful { piece_complete: complete, other: first_other });
        assert_eq!(self.picker.received(block, conn), Received::Duplicate, "received twice");
    }

    /// Gives complete pieces their verdict, usually good, sometimes after a while.
    fn judge(&mut self) {
        for piece in self.model.all() {
            let at = piece.0 as usize;
            let complete = self.model.lives[at].iter().all(|life| *life == Life::Received);
            if self.model.ours[at] || !complete || self.chance.below(3) > 0 {
                continue;
            }
            self.model.free_all(piece);
            match self.chance.below(10) {
                0 => {
                    self.picker.failed(piece, false);
                    self.model.exclusive.entry(piece).and_modify(|claim| *claim = None);
                }
                1 | 2 => {
                    self.picker.failed(piece, true);
                    self.model.exclusive.insert(piece, None);
                    self.model.started_over.remove(&piece);
                }
                _ => {
                    self.picker.verified(piece);
                    self.model.ours[at] = true;
                    self.model.exclusive.remove(&piece);
                    self.model.started_over.remove(&piece);
                }
            }
        }
    }

    fn lose(&mut self) {
        let piece = PieceIndex(self.chance.below(u64::from(self.model.setting.pieces)) as u32);
        if self.model.ours[piece.0 as usize] {
            self.picker.lost(piece);
            self.model.ours[piece.0 as usize] = false;
        }
    }

    fn snub(&mut self) {
        if let Some(conn) = self.any_remote() {
            let remote = self.model.remotes.get_mut(&conn).unwrap();
            remote.snubbed = !remote.snubbed;
        }
    }

    /// Everything the picker shows is as the truth has it.
    fn compare(&mut self) {
        let mut unverified = 0;
        let mut started = 0;
        for piece in self.model.all() {
            assert_eq!(
                self.picker.availability(piece),
                self.model.availability(piece),
                "availability of {piece}"
            );
            let ours = self.model.ours[piece.0 as usize];
            started += usize::from(!ours && self.model.is_started(piece));
            for index in 0..self.model.layout.blocks_in(piece) {
                let block = BlockId { piece, index };
                let life = if ours { Life::Free } else { self.model.life(block).clone() };
                let mut requesters = self.picker.requesters(block).to_vec();
                requesters.sort();
                let expected = match life {
                    Life::Requested(mut conns) => {
                        conns.sort();
                        conns
                    }
                    Life::Free => Vec::new(),
                    Life::Received => {
                        unverified += u64::from(self.model.layout.block(block).length);
                        Vec::new()
                    }
                };
                assert_eq!(requesters, expected, "requesters of {block:?}");
            }
        }
        if let Some(order) = &self.picker.order {
            order.check(
                &self.model.all().filter(|&piece| self.model.has_free(piece)).collect::<Vec<_>>(),
                |piece| rank(self.picker.availability.count(piece), self.model.is_started(piece)),
            );
        }
        assert_eq!(self.picker.started_pieces(), started);
        assert_eq!(self.picker.unverified_bytes(), unverified);
        let free = |piece: PieceIndex| self.model.has_free(piece);
        assert_eq!(self.picker.has_free_block(), self.model.all().any(free));
    }
}

fn random_set(pieces: u32, one_in: u64, chance: &mut Stream) -> Bitfield {
    let mut set = Bitfield::empty(pieces);
    for piece in (0..pieces).map(PieceIndex) {
        if chance.below(one_in) == 0 {
            set.insert(piece);
        }
    }
    set
}

/// Names the setting when a history goes wrong.
struct Replay(Setting);

impl Drop for Replay {
    #[allow(clippy::print_stderr)]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the history that failed: {:?}", self.0);
        }
    }
}

fn play(setting: Setting, steps: u32) {
    let _replay = Replay(setting);
    let mut history = History::new(setting);
    for _ in 0..steps {
        history.step();
    }
}

fn play_all(policy: PickerPolicy, first_random: u32) {
    for seed in 0..8 {
        for (pieces, blocks) in [(1, 1), (1, 70), (9, 4), (64, 1), (70, 3), (150, 2), (300, 1), (33, 130)] {
            for ordered in [false, true] {
                for started_first in [StartedFirst::Equal, StartedFirst::Always] {
                    let setting =
                        Setting { seed, pieces, blocks, ordered, policy, started_first, first_random };
                    play(setting, 250);
                }
            }
        }
    }
}

#[test]
fn rarest_first_is_what_brute_force_says() {
    play_all(PickerPolicy::RarestFirst, 0);
}

#[test]
fn random_is_what_brute_force_says() {
    play_all(PickerPolicy::Random, 0);
}

#[test]
fn sequential_is_what_brute_force_says() {
    play_all(PickerPolicy::Sequential, 0);
}

#[test]
fn the_first_random_pieces_are_what_brute_force_says() {
    play_all(PickerPolicy::RarestFirst, 20);
}

#[test]
fn a_copied_picker_goes_on_alike() {
    let setting = Setting {
        seed: 3,
        pieces: 150,
        blocks: 2,
        ordered: true,
        policy: PickerPolicy::RarestFirst,
        started_first: StartedFirst::Equal,
        first_random: 0,
    };
    let mut history = History::new(setting);
    (0..300).for_each(|_| history.step());
    let (mut copy, mut draws) = (history.picker.clone(), history.picks.clone());
    let all = Bitfield::full(setting.pieces);
    let asker = Asker { conn: ConnId(999), pieces: all.as_set(), connections: 4 };
    let (mut one, mut other) = (Vec::new(), Vec::new());
    history.picker.pick(&asker, 100, &mut history.picks, &mut one);
    copy.pick(&asker, 100, &mut draws, &mut other);
    assert!(!one.is_empty());
    assert_eq!(one, other);
}

#[test]
fn only_failed_pieces_are_to_be_had_for_who_is_to_send_them_alone_and_each_for_one() {
    let layout = Layout::new(3 * 8, 8, 4).unwrap();
    let equal = StartedFirst::Equal;
    let mut picker = Picker::new(layout, PickerPolicy::RarestFirst, equal, 0, &Bitfield::empty(3));
    let all = Bitfield::full(3);
    let picked = |picker: &mut Picker, conn, want| {
        let mut out = Vec::new();
        picker.pick_retries(
            &Asker { conn: ConnId(conn), pieces: all.as_set(), connections: 2 },
            want,
            &mut out,
        );
        out.iter().map(|block| (block.piece.0, block.index)).collect::<Vec<_>>()
    };
    picker.join_seed();
    assert_eq!(picked(&mut picker, 0, 9), []);
    picker.failed(PieceIndex(1), true);
    picker.failed(PieceIndex(2), true);
    assert_eq!(picked(&mut picker, 0, 1), [(1, 0)]);
    assert_eq!(picked(&mut picker, 1, 9), [(2, 0), (2, 1)], "the first is spoken for");
    assert_eq!(picked(&mut picker, 0, 9), [(1, 1)]);
}

#[test]
fn a_failed_piece_keeps_what_it_has_when_it_started_over_twice_as_in_swarm_5495() {
    let layout = Layout::new(3 * 4, 3 * 4, 4).unwrap();
    let equal = StartedFirst::Equal;
    let mut picker = Picker::new(layout, PickerPolicy::RarestFirst, equal, 0, &Bitfield::empty(1));
    let (all, mut picks) = (Bitfield::full(1), Stream::new(1, Entity::Scenario, Purpose::Picker));
    picker.join_seed();
    picker.failed(PieceIndex(0), true);
    for attempt in 0..3 {
        let asker = Asker { conn: ConnId(0), pieces: all.as_set(), connections: 1 };
        let mut out = Vec::new();
        picker.pick(&asker, 3, &mut picks, &mut out);
        assert_eq!(out.len(), 3, "attempt {attempt} begins with nothing");
        picker.received(out[0], ConnId(0));
        picker.release(out[1], ConnId(0));
        picker.release(out[2], ConnId(0));
        picker.end_claims(ConnId(0));
    }
    let another = Asker { conn: ConnId(1), pieces: all.as_set(), connections: 2 };
    let mut out = Vec::new();
    picker.pick(&another, 3, &mut picks, &mut out);
    assert_eq!((out.len(), picker.is_exclusive(PieceIndex(0))), (2, false), "what came last is kept");
}
