//! [`Bench`] is a peer's side of the bargain: it keeps the connections and applies what the choker decides.

mod policies;
mod rules;

use super::*;
use crate::id::PeerIndex;
use crate::rng::{Entity, Purpose};
use crate::time::Span;

const ROUND: Span = Span::from_secs(10);

/// One connection, as its peer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    conn: ConnId,
    interested: bool,
    unchoked: bool,
    snubbed: bool,
    received: u64,
    sent: u64,
    rare: u32,
    unchoked_at: Option<Time>,
    pending: bool,
    place: u32,
}

/// An interested, choked peer that has sent and received nothing. Peer ids fall as connection numbers rise.
fn candidate(conn: u32) -> Candidate {
    Candidate {
        conn: ConnId(conn),
        interested: true,
        unchoked: false,
        snubbed: false,
        received: 0,
        sent: 0,
        rare: 0,
        unchoked_at: None,
        pending: false,
        place: !conn,
    }
}

#[derive(Clone, Debug)]
struct Bench {
    choker: Choker,
    candidates: Vec<Candidate>,
    rng: Stream,
    now: Time,
    seeding: bool,
}

impl Bench {
    fn new(policy: &Policy, connections: u32) -> Bench {
        Bench::seeded(policy, connections, 1)
    }

    fn seeded(policy: &Policy, connections: u32, random_seed: u64) -> Bench {
        Bench {
            choker: Choker::new(policy),
            candidates: (0..connections).map(candidate).collect(),
            rng: Stream::new(random_seed, Entity::Peer(PeerIndex(0)), Purpose::Choker),
            now: Time::ZERO,
            seeding: false,
        }
    }

    /// Sets one field of all candidates.
    fn with<T: Copy>(mut self, field: impl Fn(&mut Candidate) -> &mut T, values: &[T]) -> Bench {
        for (candidate, value) in self.candidates.iter_mut().zip(values) {
            *field(candidate) = *value;
        }
        self
    }

    fn seeding(mut self) -> Bench {
        self.seeding = true;
        self
    }

    fn decide(&mut self, occasion: Occasion) -> Vec<u32> {
        let table = Table::new(&self.candidates);
        let unchoke = self.choker.decide(self.now, occasion, self.seeding, &table, &mut self.rng);
        for candidate in &mut self.candidates {
            let chosen = unchoke.contains(candidate.conn);
            if chosen && !candidate.unchoked {
                candidate.unchoked_at = Some(self.now);
            }
            candidate.unchoked = chosen;
        }
        unchoke.iter().map(|conn| conn.0).collect()
    }

    /// The next round, ten seconds later.
    fn round(&mut self) -> Vec<u32> {
        self.now += ROUND;
        self.decide(Occasion::Round)
    }

    fn slot_free(&mut self) -> Vec<u32> {
        self.now += Span::from_secs(1);
        self.decide(Occasion::SlotFree)
    }

    fn optimistic(&self) -> Vec<u32> {
        let conns = self.candidates.iter().map(|candidate| candidate.conn);
        conns.filter(|conn| self.choker.is_optimistic(*conn)).map(|conn| conn.0).collect()
    }

    /// The connection is gone; another peer gets its number.
    fn replace(&mut self, conn: u32, peer: u32) {
        self.choker.closed(ConnId(conn));
        self.candidates[conn as usize] = Candidate { conn: ConnId(conn), ..candidate(peer) };
    }
}

fn policy(choker: ChokerPolicy) -> Policy {
    Policy { choker, ..Policy::default() }
}

/// Candidates by their numbers.
struct Table<'a> {
    candidates: &'a [Candidate],
    interested: ConnSet,
    unchoked: ConnSet,
    snubbed: ConnSet,
    pending: ConnSet,
    moving: ConnSet,
}

impl Table<'_> {
    fn new(candidates: &[Candidate]) -> Table<'_> {
        let set = |is: fn(&Candidate) -> bool| {
            candidates.iter().filter(|candidate| is(candidate)).map(|candidate| candidate.conn).collect()
        };
        Table {
            candidates,
            interested: set(|candidate| candidate.interested),
            unchoked: set(|candidate| candidate.unchoked),
            snubbed: set(|candidate| candidate.snubbed),
            pending: set(|candidate| candidate.pending),
            moving: set(|candidate| candidate.received > 0 || candidate.sent > 0),
        }
    }
}

impl Candidates for Table<'_> {
    fn interested(&self) -> &ConnSet {
        &self.interested
    }

    fn unchoked(&self) -> &ConnSet {
        &self.unchoked
    }

    fn snubbed(&self) -> &ConnSet {
        &self.snubbed
    }

    fn pending(&self) -> &ConnSet {
        &self.pending
    }

    fn moving(&self) -> &ConnSet {
        &self.moving
    }

    fn received(&self, conn: ConnId) -> u64 {
        self.candidates[conn.0 as usize].received
    }

    fn sent(&self, conn: ConnId) -> u64 {
        self.candidates[conn.0 as usize].sent
    }

    fn rare(&self, conn: ConnId) -> u32 {
        self.candidates[conn.0 as usize].rare
    }

    fn unchoked_at(&self, conn: ConnId) -> Option<Time> {
        self.candidates[conn.0 as usize].unchoked_at
    }

    fn place(&self, conn: ConnId) -> u32 {
        self.candidates[conn.0 as usize].place
    }
}
