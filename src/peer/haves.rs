//! HAVEs by the batch, for a driver that carries very many of them: most of what a simulated peer is told. Knows
//! nothing of how they travel.

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
            // It only takes its place in a queue.
            Input::Received { conn, message: Message::Request(block) } => self.refuses(*conn, *block),
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

    /// Takes out of `waiting` what came before a time, and notes it: HAVEs on open connections that are not
    /// [heeded](Peer::heeded_haves), for which [`handle`](Peer::handle) would do no more. Returns how many are left, all at
    /// the beginning and in their order.
    pub fn note_haves(&mut self, waiting: &mut [Have], before: Time) -> usize {
        let connections = self.connections.count();
        let left = match self.picker.counts_below(connections) {
            Some(counts) => {
                self.connections.note(waiting, before, &self.have, |piece| counts[piece.0 as usize] += 1)
            }
            None => self.connections.note(waiting, before, &self.have, |piece| self.picker.gained(piece)),
        };
        self.totals.messages_received += (waiting.len() - left) as u64;
        left
    }
}
