//! Who may download from us: once a round, and at once where a slot is free.
//!
//! A [`Choker`] is handed what a peer knows about its connections and answers with the complete set of connections
//! to unchoke. It knows no messages and no clock. All policies keep to the same rules:
//!
//! - only interested peers are unchoked, so "unchoked" and "unchoked and interested" are the same set;
//! - never more than regular + optimistic slots (but for `unchoke-all`);
//! - [`Occasion::SlotFree`] fills free slots and takes none away from a peer that is still interested;
//! - a peer that was unchoked since the last round keeps its slot in this one: nobody is choked again faster than a
//!   round, unless it loses interest;
//! - equals are drawn by lot from the seeded stream, and connection numbers, which a driver chooses, decide nothing.

mod lot;
mod random;
mod rarity;
mod service_time;
mod tit_for_tat;
mod unchoke_all;

use smallvec::SmallVec;

use crate::id::ConnId;
use crate::peer::policy::{ChokerPolicy, Policy, SeedRule};
use crate::rng::Stream;
use crate::time::Time;

use random::Random;
use rarity::Rarity;
use service_time::ServiceTime;
use tit_for_tat::TitForTat;
use unchoke_all::UnchokeAll;

pub use rarity::{rare_pieces, score as rarity_score};

/// What the peer knows about one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub conn: ConnId,
    /// It wants something from us.
    pub interested: bool,
    pub unchoked: bool,
    pub snubbed: bool,
    /// Bytes of payload it sent us within the policy's rate window.
    pub received: u64,
    /// Bytes of payload we sent it within the policy's rate window.
    pub sent: u64,
    /// How many rare pieces it holds; only looked at where [`Choker::wants_rarity`] says so.
    pub rare: u32,
    /// When we last unchoked it, also after it was choked again; `None` never yet on this connection.
    pub unchoked_at: Option<Time>,
    /// It has requests queued with us.
    pub pending: bool,
    /// The last key of every order: its place among all connections by peer id, another one for each.
    pub place: u32,
}

/// Why the choker is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// The choking round came.
    Round,
    /// Somebody became interested, or an unchoked one left or lost interest.
    SlotFree,
}

/// One peer's choking policy and what it remembers.
#[derive(Clone, Debug)]
pub struct Choker {
    active: Active,
    /// Takes over when the peer is complete.
    as_seed: Option<Active>,
    last_round: Option<Time>,
    slots: Option<u32>,
}

impl Choker {
    pub fn new(policy: &Policy) -> Choker {
        let active = match policy.choker {
            ChokerPolicy::TitForTat => Active::TitForTat(TitForTat::new(policy)),
            ChokerPolicy::Rarity => Active::Rarity(Rarity::new(policy)),
            ChokerPolicy::Random => Active::Random(Random::new(policy)),
            ChokerPolicy::UnchokeAll => Active::UnchokeAll(UnchokeAll),
        };
        let as_seed = match (policy.choker, policy.seed_rule) {
            (ChokerPolicy::TitForTat, SeedRule::Legout2006) => {
                Some(Active::ServiceTime(ServiceTime::new(policy)))
            }
            (ChokerPolicy::TitForTat, SeedRule::Random) => Some(Active::Random(Random::new(policy))),
            _ => None,
        };
        let limited = policy.choker != ChokerPolicy::UnchokeAll;
        let slots = limited.then(|| policy.unchoke_slots.saturating_add(policy.optimistic_slots));
        Choker { active, as_seed, last_round: None, slots }
    }

    /// Whether [`Candidate::rare`] has to be filled in.
    pub fn wants_rarity(&self) -> bool {
        matches!(self.active, Active::Rarity(_))
    }

    /// Replaces `unchoke` by everybody who is to be unchoked from now on, ascending. `candidates` are all
    /// connections that are interested or unchoked, ascending; `seeding` says that we have every piece, and never becomes false again.
    pub fn decide(
        &mut self,
        now: Time,
        occasion: Occasion,
        seeding: bool,
        candidates: &[Candidate],
        rng: &mut Stream,
        unchoke: &mut SmallVec<[ConnId; 16]>,
    ) {
        if seeding && let Some(as_seed) = self.as_seed.take() {
            self.active = as_seed;
        }
        let situation = Situation::new(now, candidates, self.last_round, seeding);
        let rule = self.active.rule_mut();
        let chosen = match occasion {
            Occasion::Round => rule.round(&situation, rng),
            Occasion::SlotFree => rule.fill(&situation, rng),
        };
        unchoke.clear();
        unchoke.extend(chosen.iter().map(|candidate| candidate.conn));
        unchoke.sort_unstable();
        if occasion == Occasion::Round {
            self.last_round = Some(now);
        }
    }

    /// How many slots there are; `None` without a limit.
    pub fn slots(&self) -> Option<u32> {
        self.slots
    }

    /// Whether this connection holds its slot by lot, where others hold theirs by merit.
    pub fn is_optimistic(&self, conn: ConnId) -> bool {
        self.active.rule().is_optimistic(conn)
    }

    /// Forgets a connection that is gone: its number may be used again.
    pub fn closed(&mut self, conn: ConnId) {
        self.active.rule_mut().closed(conn);
    }
}

/// What every policy answers.
trait Rule {
    /// Who is unchoked after a round.
    fn round<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a>;

    /// Fills what is free and leaves everybody else alone.
    fn fill<'a>(&mut self, situation: &Situation<'a>, rng: &mut Stream) -> Group<'a>;

    fn is_optimistic(&self, conn: ConnId) -> bool;

    fn closed(&mut self, conn: ConnId);
}

#[derive(Clone, Debug)]
enum Active {
    TitForTat(TitForTat),
    ServiceTime(ServiceTime),
    Rarity(Rarity),
    Random(Random),
    UnchokeAll(UnchokeAll),
}

impl Active {
    fn rule(&self) -> &dyn Rule {
        match self {
            Active::TitForTat(rule) => rule,
            Active::ServiceTime(rule) => rule,
            Active::Rarity(rule) => rule,
            Active::Random(rule) => rule,
            Active::UnchokeAll(rule) => rule,
        }
    }

    fn rule_mut(&mut self) -> &mut dyn Rule {
        match self {
            Active::TitForTat(rule) => rule,
            Active::ServiceTime(rule) => rule,
            Active::Rarity(rule) => rule,
            Active::Random(rule) => rule,
            Active::UnchokeAll(rule) => rule,
        }
    }
}

/// Some of the candidates; rarely more than there are slots, or fit here without allocating.
type Group<'a> = SmallVec<[&'a Candidate; 64]>;

/// What a policy sees of one decision.
struct Situation<'a> {
    interested: Group<'a>,
    now: Time,
    last_round: Option<Time>,
    seeding: bool,
}

impl<'a> Situation<'a> {
    fn new(now: Time, candidates: &'a [Candidate], last_round: Option<Time>, seeding: bool) -> Situation<'a> {
        let interested = candidates.iter().filter(|candidate| candidate.interested).collect();
        Situation { interested, now, last_round, seeding }
    }

    /// Unchoked since the last round: too early to choke it again.
    fn is_fresh(&self, candidate: &Candidate) -> bool {
        candidate.unchoked && candidate.unchoked_at > self.last_round
    }

    fn unchoked(&self) -> Group<'a> {
        self.interested.iter().copied().filter(|candidate| candidate.unchoked).collect()
    }

    /// Interested, but choked.
    fn waiting(&self) -> Group<'a> {
        self.interested.iter().copied().filter(|candidate| !candidate.unchoked).collect()
    }
}

#[cfg(test)]
mod tests;
