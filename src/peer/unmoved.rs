//! Which messages bring about nothing by themselves, as things stand: a driver may hand them over later, with the time
//! they came, as long as that is before the next input and before things stand differently.

use crate::id::ConnId;
use crate::peer::Peer;

/// What a peer does nothing about, as of its last input. Of connections from number 64 on it knows nothing: what it says
/// of single ones, it says of none of those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unmoved {
    /// Every slot is taken by somebody who wants it, or there never is one.
    slots_taken: bool,
    /// Bit `i` for connection `i`: we unchoke it.
    unchoked: u64,
    /// We are interested in it.
    interesting: u64,
}

impl Unmoved {
    #[cfg(test)]
    pub(crate) fn doctored(slots_taken: bool, unchoked: u64, interesting: u64) -> Unmoved {
        Unmoved { slots_taken, unchoked, interesting }
    }

    /// Whether one more who is interested changes nothing.
    pub fn by_interest(self) -> bool {
        self.slots_taken
    }

    /// Whether nothing changes when this one is no longer interested.
    pub fn by_loss_of_interest(self, conn: ConnId) -> bool {
        self.slots_taken && is_none_of(self.unchoked, conn)
    }

    /// Whether nothing will be asked of this one when it unchokes us: we are interested in everybody who has what we lack.
    pub fn by_unchoke(self, conn: ConnId) -> bool {
        is_none_of(self.interesting, conn)
    }
}

fn is_none_of(connections: u64, conn: ConnId) -> bool {
    conn.0 < 64 && connections >> conn.0 & 1 == 0
}

impl Peer {
    /// What it does nothing about until its next input.
    pub fn unmoved(&self) -> Unmoved {
        let (interested, unchoked) = (&self.connections.interested, &self.connections.unchoked);
        let taken = |slots| unchoked.count() >= slots && unchoked.is_subset_of(interested);
        Unmoved {
            slots_taken: !self.uploads || self.choker.slots().is_some_and(taken),
            unchoked: unchoked.first_word(),
            interesting: self.connections.interesting.first_word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_holds_a_slot_gives_one_back() {
        let unmoved = Unmoved { slots_taken: true, unchoked: 1 << 3, interesting: 0 };
        assert!(unmoved.by_interest());
        assert!(unmoved.by_loss_of_interest(ConnId(2)) && !unmoved.by_loss_of_interest(ConnId(3)));
        let unmoved = Unmoved { slots_taken: false, ..unmoved };
        assert!(!unmoved.by_interest() && !unmoved.by_loss_of_interest(ConnId(2)));
    }

    #[test]
    fn an_unchoke_moves_whoever_is_interested() {
        let unmoved = Unmoved { interesting: 1 << 5, ..Unmoved::default() };
        assert!(unmoved.by_unchoke(ConnId(4)) && !unmoved.by_unchoke(ConnId(5)));
    }

    #[test]
    fn of_many_connections_the_last_are_not_known() {
        let unmoved = Unmoved { slots_taken: true, ..Unmoved::default() };
        assert!(!unmoved.by_loss_of_interest(ConnId(64)) && !unmoved.by_unchoke(ConnId(64)));
    }
}
