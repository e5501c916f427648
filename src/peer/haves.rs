//! HAVEs by the batch, for a driver that carries very many of them: most of what a simulated peer is told. Knows
//! nothing of how they travel.

use std::cmp::Ordering;

use crate::id::{ConnId, PieceIndex};
use crate::peer::Peer;
use crate::peer::seam::{ConnSet, Input};
use crate::time::Time;
use crate::wire::message::Message;

/// A HAVE that comes at `at`. Sixteen bytes: hosts are sent these about all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Have {
    pub at: Time,
    pub conn: ConnId,
    pub piece: PieceIndex,
}

/// HAVEs for one peer, and on which connections they came: so that this is asked once of all of them.
#[derive(Clone, Debug, Default)]
pub struct Haves {
    all: Vec<Have>,
    from: ConnSet,
}

impl Haves {
    /// Takes out of `waiting` those that are due, in their order; it must have none yet. Nearly all are due as a rule: so
    /// the two change places, and what is not due goes back.
    pub fn take(&mut self, waiting: &mut Vec<Have>, is_due: impl Fn(&Have) -> bool) {
        debug_assert!(self.all.is_empty() && self.from.is_empty());
        std::mem::swap(&mut self.all, waiting);
        let from = &mut self.from;
        self.all.retain(|have| {
            let due = is_due(have);
            if due {
                from.insert(have.conn);
            } else {
                waiting.push(*have);
            }
            due
        });
    }

    pub fn all(&self) -> &[Have] {
        &self.all
    }

    /// The connections they came on.
    pub fn from(&self) -> &ConnSet {
        &self.from
    }

    /// Stable.
    pub fn sort_by(&mut self, order: impl FnMut(&Have, &Have) -> Ordering) {
        self.all.sort_by(order);
    }

    /// Keeps its memory.
    pub fn clear(&mut self) {
        self.all.clear();
        self.from.clear();
    }

    /// Those that came on these connections.
    fn on(&self, conns: &ConnSet) -> Haves {
        let mut some = Haves::default();
        some.take(&mut self.all.clone(), |have| conns.contains(have.conn));
        some
    }
}

impl Peer {
    /// The connections on which a HAVE may make this peer do something at once. On all others a HAVE is only
    /// noted: a driver may hand it over later, with the time it came, as long as that is before the next input that
    /// [asks for it](Peer::asks_for_haves).
    pub fn heeded_haves(&self) -> &ConnSet {
        &self.heeded_haves
    }

    /// Whether what this input brings about may depend on who has which piece, or on when somebody was heard last.
    pub fn asks_for_haves(&self, input: &Input) -> bool {
        match input {
            Input::Received { message: Message::Request(_), .. } => false,
            Input::Received { message: Message::Interested | Message::NotInterested, .. } => {
                self.choker.wants_rarity()
            }
            _ => true,
        }
    }

    /// Whether it makes a difference in which order HAVEs are [noted](Peer::note_haves).
    pub fn minds_the_order_of_haves(&self) -> bool {
        self.picker.keeps_an_order()
    }

    /// HAVEs came on connections that are not [heeded](Peer::heeded_haves): what [`handle`](Peer::handle) would do with
    /// each, which comes to nothing but noting it.
    pub fn note_haves(&mut self, haves: &Haves) {
        debug_assert!(haves.from.is_disjoint(&self.heeded_haves), "what is heeded is not only noted");
        if !haves.from.is_subset_of(&self.connections.open) {
            return self.note_haves(&haves.on(&self.connections.open));
        }
        self.connections.heard.insert_all(&haves.from);
        self.totals.messages_received += haves.all.len() as u64;
        let (connections, picker) = (&mut self.connections, &mut self.picker);
        connections.gained_all(&haves.all, &self.have, |piece| picker.gained(piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn have(conn: u32) -> Have {
        Have { at: Time::ZERO, conn: ConnId(conn), piece: PieceIndex(0) }
    }

    #[test]
    fn haves_know_the_connections_they_came_on_until_they_are_cleared() {
        let mut haves = Haves::default();
        haves.take(&mut [3, 70, 3].map(have).into(), |_| true);
        assert_eq!(haves.from().iter().collect::<Vec<_>>(), [ConnId(3), ConnId(70)]);
        let mut some = ConnSet::default();
        some.insert(ConnId(70));
        assert_eq!(haves.on(&some).all(), [have(70)]);
        haves.clear();
        assert!(haves.all().is_empty() && haves.from().is_empty());
    }
}
