//! HAVEs on their way to a host, and those that have come but make no difference yet.
//!
//! A HAVE is the most frequent message by far, and mostly it is only noted. So it is no event: it waits here until its
//! receiver is stepped for another reason, and is handed over first then, with the time at which it came. Only where
//! the receiver may act at once ([`Peer::heeded_haves`](crate::peer::Peer::heeded_haves)) is it woken for it. That
//! gives the same records as one event per HAVE.

use crate::fetch;
use crate::id::ConnId;
use crate::peer::{ConnSet, Have};
use crate::time::Time;

/// One host's HAVEs. What a sender touches lies together in it, in one cache line.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Inbox {
    /// In the order in which they were sent.
    waiting: Vec<Have>,
    /// The connections whose HAVEs wake the host, as of its last step.
    heeded: ConnSet,
}

impl Inbox {
    /// A HAVE has set out for this host; returns whether the host has to be woken for it.
    #[must_use]
    #[inline]
    pub(super) fn post(&mut self, have: Have) -> bool {
        self.waiting.push(have);
        self.heeded.contains(have.conn)
    }

    /// What waits will be looked at soon.
    pub(super) fn fetch_waiting(&self) {
        fetch::all(&self.waiting);
    }

    /// What has not been handed over.
    pub(super) fn waiting(&self) -> &[Have] {
        &self.waiting
    }

    /// The same, to be taken from.
    pub(super) fn waiting_mut(&mut self) -> &mut Vec<Have> {
        &mut self.waiting
    }

    /// No HAVE has still to be handed over.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Moves what has come until `now` to `due`, which has nothing yet, in the order in which it was sent; of what comes
    /// at this very moment only what `has_come` says.
    pub(super) fn take_due(&mut self, now: Time, has_come: impl Fn(&Have) -> bool, due: &mut Vec<Have>) {
        due.extend(self.waiting.extract_if(.., |have| have.at < now || (have.at == now && has_come(have))));
    }

    /// Whether a HAVE of this connection has not been handed over yet.
    pub(super) fn holds(&self, conn: ConnId) -> bool {
        self.waiting.iter().any(|have| have.conn == conn)
    }

    /// The host heeds these connections from now on; calls `wake` for what is under way on those that are new.
    pub(super) fn heed(&mut self, heeded: &ConnSet, mut wake: impl FnMut(&Have)) {
        if self.heeded == *heeded {
            return;
        }
        for have in &self.waiting {
            if heeded.contains(have.conn) && !self.heeded.contains(have.conn) {
                wake(have);
            }
        }
        self.heeded.clone_from(heeded);
    }

    /// The connection is gone, and its number may be used again.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.retain(|have| have.conn != conn);
    }

    /// The host is gone.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.heeded = ConnSet::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PieceIndex;

    fn have(nanos: u64, conn: u32) -> Have {
        Have { at: Time::from_nanos(nanos), conn: ConnId(conn), piece: PieceIndex(0) }
    }

    #[test]
    fn what_has_come_is_handed_over_and_what_is_under_way_stays() {
        let (mut inbox, mut due) = (Inbox::default(), Vec::new());
        let [late, early, one, other] = [(9, 1), (3, 1), (5, 1), (5, 2)].map(|(at, conn)| have(at, conn));
        for have in [late, one, other, early] {
            assert!(!inbox.post(have), "nobody is heeded");
        }
        inbox.take_due(one.at, |have| have.conn == one.conn, &mut due);
        assert_eq!(due, [one, early]);
        due.clear();
        inbox.take_due(late.at, |_| false, &mut due);
        assert_eq!(due, [other]);
        due.clear();
        inbox.take_due(late.at, |_| true, &mut due);
        assert_eq!(due, [late]);
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_heeded_connection_wakes_its_host_also_for_what_was_sent_before() {
        let mut inbox = Inbox::default();
        let [first, other] = [1, 2].map(|conn| have(5, conn));
        assert!(!inbox.post(first) && !inbox.post(other));
        let (mut heeded, mut woken) = (ConnSet::default(), Vec::new());
        heeded.insert(ConnId(1));
        inbox.heed(&heeded, |have| woken.push(*have));
        assert_eq!(woken, [first]);
        inbox.heed(&heeded, |have| panic!("woken again for {have:?}"));
        assert!(inbox.post(have(6, 1)), "heeded by now");
        inbox.forget(ConnId(1));
        let mut due = Vec::new();
        inbox.take_due(Time::NEVER, |_| true, &mut due);
        assert_eq!(due, [other]);
    }
}
