//! The truth by brute force: every rule of the picker in the plainest words.

use std::collections::BTreeMap;

use super::super::*;

/// What a history is played with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) pieces: u32,
    pub(super) blocks: u32,
    pub(super) ordered: bool,
    pub(super) policy: PickerPolicy,
    pub(super) started_first: StartedFirst,
    pub(super) first_random: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Life {
    Free,
    Requested(Vec<ConnId>),
    Received,
}

pub(super) struct Remote {
    pub(super) pieces: Bitfield,
    pub(super) counted_as_seed: bool,
    pub(super) snubbed: bool,
}

/// The truth by brute force.
pub(super) struct Model {
    pub(super) setting: Setting,
    pub(super) layout: Layout,
    pub(super) remotes: BTreeMap<ConnId, Remote>,
    pub(super) lives: Vec<Vec<Life>>,
    pub(super) ours: Vec<bool>,
    pub(super) exclusive: BTreeMap<PieceIndex, Option<ConnId>>,
    /// How often an exclusive piece has started over.
    pub(super) started_over: BTreeMap<PieceIndex, u32>,
}

impl Model {
    pub(super) fn availability(&self, piece: PieceIndex) -> u32 {
        self.remotes.values().filter(|remote| remote.pieces.contains(piece)).count() as u32
    }

    pub(super) fn all(&self) -> impl Iterator<Item = PieceIndex> + use<> {
        (0..self.setting.pieces).map(PieceIndex)
    }

    pub(super) fn life(&mut self, block: BlockId) -> &mut Life {
        &mut self.lives[block.piece.0 as usize][block.index as usize]
    }

    pub(super) fn is_started(&self, piece: PieceIndex) -> bool {
        self.lives[piece.0 as usize].iter().any(|life| *life != Life::Free)
    }

    pub(super) fn has_free(&self, piece: PieceIndex) -> bool {
        !self.ours[piece.0 as usize] && self.lives[piece.0 as usize].contains(&Life::Free)
    }

    pub(super) fn is_candidate(&self, piece: PieceIndex, conn: ConnId) -> bool {
        self.has_free(piece)
            && self.remotes[&conn].pieces.contains(piece)
            && self.exclusive.get(&piece).is_none_or(|claim| claim.is_none_or(|claimant| claimant == conn))
    }

    /// Every piece the next block may come from.
    pub(super) fn choices(&self, conn: ConnId) -> Vec<PieceIndex> {
        let candidates: Vec<_> = self.all().filter(|&piece| self.is_candidate(piece, conn)).collect();
        let started: Vec<_> = candidates.iter().copied().filter(|&piece| self.is_started(piece)).collect();
        let verified = self.ours.iter().filter(|ours| **ours).count() as u32;
        let policy =
            if verified < self.setting.first_random { PickerPolicy::Random } else { self.setting.policy };
        let in_all =
            self.all().filter(|&piece| !self.ours[piece.0 as usize] && self.is_started(piece)).count();
        let started_win = self.setting.started_first == StartedFirst::Always
            || in_all as f64 > 1.5 * self.remotes.len() as f64
            || policy == PickerPolicy::Random;
        let pool = if started_win && !started.is_empty() { started.clone() } else { candidates };
        match policy {
            PickerPolicy::Sequential | PickerPolicy::Hypercube => {
                let conn_has = self.all().find(|&piece| self.is_candidate(piece, conn));
                conn_has.into_iter().collect()
            }
            PickerPolicy::Random => pool,
            PickerPolicy::RarestFirst => {
                let least = pool.iter().map(|&piece| self.availability(piece)).min();
                let rarest: Vec<_> =
                    pool.into_iter().filter(|&piece| Some(self.availability(piece)) == least).collect();
                let preferred: Vec<_> =
                    rarest.iter().copied().filter(|piece| started.contains(piece)).collect();
                if preferred.is_empty() { rarest } else { preferred }
            }
        }
    }

    pub(super) fn lowest_free(&self, piece: PieceIndex) -> Option<u32> {
        self.lives[piece.0 as usize].iter().position(|life| *life == Life::Free).map(|at| at as u32)
    }

    pub(super) fn free_all(&mut self, piece: PieceIndex) {
        self.lives[piece.0 as usize].fill(Life::Free);
    }

    /// Every block requested from exactly one connection that `asker` may be asked for as well.
    pub(super) fn doublable(&self, asker: ConnId, any: bool) -> Vec<BlockId> {
        let mut found = Vec::new();
        for piece in self.all().filter(|&piece| self.remotes[&asker].pieces.contains(piece)) {
            for (index, life) in self.lives[piece.0 as usize].iter().enumerate() {
                let Life::Requested(conns) = life else { continue };
                if conns.len() == 1
                    && conns[0] != asker
                    && (any || self.remotes[&conns[0]].snubbed)
                    && !self.exclusive.contains_key(&piece)
                {
                    found.push(BlockId { piece, index: index as u32 });
                }
            }
        }
        found
    }

    pub(super) fn requests_of(&self, conn: ConnId) -> Vec<BlockId> {
        self.blocks_where(|life| matches!(life, Life::Requested(conns) if conns.contains(&conn)))
    }

    pub(super) fn blocks_where(&self, wanted: impl Fn(&Life) -> bool) -> Vec<BlockId> {
        let mut found = Vec::new();
        for piece in self.all() {
            for (index, life) in self.lives[piece.0 as usize].iter().enumerate() {
                if wanted(life) {
                    found.push(BlockId { piece, index: index as u32 });
                }
            }
        }
        found
    }

    pub(super) fn release(&mut self, block: BlockId, conn: ConnId) {
        if let Life::Requested(conns) = self.life(block) {
            conns.retain(|&asked| asked != conn);
            if conns.is_empty() {
                *self.life(block) = Life::Free;
            }
        }
        let requested =
            self.lives[block.piece.0 as usize].iter().any(|life| matches!(life, Life::Requested(_)));
        if self.exclusive.get(&block.piece) == Some(&Some(conn)) && !requested {
            self.give_up(block.piece);
        }
    }

    fn give_up(&mut self, piece: PieceIndex) {
        let started_over = self.started_over.entry(piece).or_default();
        *started_over += 1;
        if *started_over <= 2 {
            self.free_all(piece);
            self.exclusive.insert(piece, None);
        } else {
            self.exclusive.remove(&piece);
            self.started_over.remove(&piece);
        }
    }

    pub(super) fn end_claims(&mut self, conn: ConnId) {
        for piece in self.all() {
            let complete = self.lives[piece.0 as usize].iter().all(|life| *life == Life::Received);
            if self.exclusive.get(&piece) == Some(&Some(conn)) && !complete {
                self.give_up(piece);
            }
        }
    }
}
