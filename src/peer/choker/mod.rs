//! Who may download from us: once a round, and at once where a slot is free.
//!
//! A [`Choker`] asks for what a peer knows about its connections and answers with the complete set of connections
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

use crate::id::ConnId;
use crate::peer::policy::{ChokerPolicy, Policy, SeedRule};
use crate::peer::seam::ConnSet;
use crate::rng::Stream;
use crate::time::Time;

use random::Random;
use rarity::Rarity;
use service_time::ServiceTime;
use tit_for_tat::TitForTat;
use unchoke_all::UnchokeAll;

pub use rarity::{rare_pieces, score as rarity_score};

/// What the peer knows about its connections. All are in sets, and the rest is asked for one at a time, because a
/// decision looks at few of them: at those on which something flows, and those that have a slot.
pub trait Candidates {
    /// Those that want something from us.
    fn interested(&self) -> &ConnSet;

    fn unchoked(&self) -> &ConnSet;

    fn snubbed(&self) -> &ConnSet;

    /// Those with requests queued with us.
    fn pending(&self) -> &ConnSet;

    /// Those over which payload may have come or gone within the policy's rate window: of all others it is none.
    fn moving(&self) -> &ConnSet;

    /// Bytes of payload it sent us within the policy's rate window.
    fn received(&self, conn: ConnId) -> u64;

    /// Bytes of payload we sent it within the policy's rate window.
    fn sent(&self, conn: ConnId) -> u64;

    /// How many rare pieces it holds; only asked for where [`Choker::wants_rarity`] says so.
    fn rare(&self, conn: ConnId) -> u32;

    /// When we last unchoked it, also after it was choked again; `None` never yet on this connection.
    fn unchoked_at(&self, conn: ConnId) -> Option<Time>;

    /// The last key of every order: its place among all connections by peer id, another one for each.
    fn place(&self, conn: ConnId) -> u32;
}

/// Why the choker is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// The choking round came.
    Round,
    /// Somebody became interested, or an unchoked one left or lost interest.
    SlotFree,
}

/// One peer's choking policy and what it remembers. First comes what is asked after every input.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Choker {
    slots: Option<u32>,
    last_round: Option<Time>,
    active: Active,
    /// Takes over when the peer is complete.
    as_seed: Option<Active>,
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

    /// Whether [`Candidates::rare`] is asked for.
    pub fn wants_rarity(&self) -> bool {
        matches!(self.active, Active::Rarity(_))
    }

    /// Everybody who is to be unchoked from now on; `seeding` says that we have every piece, and never becomes false
    /// again.
    pub fn decide(
        &mut self,
        now: Time,
        occasion: Occasion,
        seeding: bool,
        candidates: &impl Candidates,
        rng: &mut Stream,
    ) -> ConnSet {
        if seeding && let Some(as_seed) = self.as_seed.take() {
            self.active = as_seed;
        }
        let situation = Situation::new(now, candidates, self.last_round, seeding);
        let chosen = match &mut self.active {
            Active::TitForTat(rule) => rule.decide(occasion, &situation, rng),
            Active::ServiceTime(rule) => rule.decide(occasion, &situation, rng),
            Active::Rarity(rule) => rule.decide(occasion, &situation, rng),
            Active::Random(rule) => rule.decide(occasion, &situation, rng),
            Active::UnchokeAll(rule) => rule.decide(occasion, &situation, rng),
        };
        if occasion == Occasion::Round {
            self.last_round = Some(now);
        }
        chosen
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
    fn round(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet
    where
        Self: Sized;

    /// Fills what is free and leaves everybody else alone.
    fn fill(&mut self, situation: &Situation<'_, impl Candidates>, rng: &mut Stream) -> ConnSet
    where
        Self: Sized;

    fn is_optimistic(&self, conn: ConnId) -> bool;

    fn closed(&mut self, conn: ConnId);

    fn decide(
        &mut self,
        occasion: Occasion,
        situation: &Situation<'_, impl Candidates>,
        rng: &mut Stream,
    ) -> ConnSet
    where
        Self: Sized,
    {
        match occasion {
            Occasion::Round => self.round(situation, rng),
            Occasion::SlotFree => self.fill(situation, rng),
        }
    }
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

/// What a policy sees of one decision.
struct Situation<'a, C> {
    candidates: &'a C,
    interested: &'a ConnSet,
    /// Interested too: whoever has lost interest loses its slot, whatever the policy.
    unchoked: ConnSet,
    /// Interested, but choked.
    waiting: ConnSet,
    now: Time,
    last_round: Option<Time>,
    seeding: bool,
}

impl<'a, C: Candidates> Situation<'a, C> {
    fn new(now: Time, candidates: &'a C, last_round: Option<Time>, seeding: bool) -> Situation<'a, C> {
        let (interested, unchoked) = (candidates.interested(), candidates.unchoked());
        let waiting = interested.without(unchoked);
        let unchoked = interested.intersection(unchoked);
        Situation { candidates, interested, unchoked, waiting, now, last_round, seeding }
    }

    /// Unchoked since the last round: too early to choke them again.
    fn fresh(&self) -> ConnSet {
        let is_fresh = |conn: &ConnId| self.candidates.unchoked_at(*conn) > self.last_round;
        self.unchoked.iter().filter(is_fresh).collect()
    }

    /// Draws up to `count` of `from`, each as likely.
    fn draw(&self, from: &ConnSet, count: usize, rng: &mut Stream) -> ConnSet {
        lot::draw(from, count, |conn| self.candidates.place(conn), rng)
    }

    /// Sorts ascending by key, equals in drawn order.
    fn rank<K: Ord + Copy>(&self, entries: &mut [(K, ConnId)], rng: &mut Stream) {
        lot::rank(entries, |conn| self.candidates.place(conn), rng);
    }
}

#[cfg(test)]
mod tests;
