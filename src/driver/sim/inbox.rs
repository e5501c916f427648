//! HAVEs on their way to a host, and those that have come but make no difference yet.
//!
//! A HAVE is the most frequent message by far, and mostly it is only noted. So it is no event: it waits here until its
//! receiver is stepped for another reason, and is handed over first then, with the time at which it came. Only where
//! the receiver may act at once ([`Peer::heeded_haves`](crate::peer::Peer::heeded_haves)) is it woken for it. That
//! gives the same records as one event per HAVE.

use crate::driver::sim::queue::Key;
use crate::id::{ConnId, PieceIndex};
use crate::peer::ConnSet;

/// A HAVE for one of the host's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Have {
    /// Its place in the order of all events.
    pub(super) key: Key,
    pub(super) conn: ConnId,
    pub(super) piece: PieceIndex,
}

/// One host's HAVEs. What a sender touches lies together in it, in one cache line.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Inbox {
    /// In no order.
    waiting: Vec<Have>,
    /// The connections whose HAVEs wake the host, as of its last step.
    heeded: ConnSet,
}

impl Inbox {
    /// A HAVE has set out for this host; returns whether the host has to be woken for it.
    #[must_use]
    pub(super) fn post(&mut self, have: Have) -> bool {
        self.waiting.push(have);
        self.heeded.contains(have.conn)
    }

    /// How many HAVEs have not been handed over.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Moves what has come up to `position` (included) to `due`, in order.
    pub(super) fn take_due(&mut self, position: Key, due: &mut Vec<Have>) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_unstable_by_key(|have| have.key);
        let count = self.waiting.partition_point(|have| have.key <= position);
        due.extend(self.waiting.drain(..count));
    }

    /// Whether a HAVE of this connection has not been handed over yet.
    pub(super) fn holds(&self, conn: ConnId) -> bool {
        self.waiting.iter().any(|have| have.conn == conn)
    }

    /// The host heeds these connections from now on; calls `wake` for what is under way on those that are new.
    pub(super) fn heed(&mut self, heeded: &ConnSet, mut wake: impl FnMut(Key)) {
        if self.heeded == *heeded {
            return;
        }
        for have in &self.waiting {
            if heeded.contains(have.conn) && !self.heeded.contains(have.conn) {
                wake(have.key);
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
    use crate::driver::sim::queue::Queue;
    use crate::time::Time;

    fn have(queue: &mut Queue<()>, nanos: u64, conn: u32) -> Have {
        Have { key: queue.stamp(Time::from_nanos(nanos), 0), conn: ConnId(conn), piece: PieceIndex(0) }
    }

    #[test]
    fn what_has_come_is_handed_over_in_order_and_what_is_under_way_stays() {
        let (mut inbox, mut queue, mut due) = (Inbox::default(), Queue::new([0]), Vec::new());
        let [late, early, now] = [9, 3, 5].map(|nanos| have(&mut queue, nanos, 1));
        for have in [late, early, now] {
            assert!(!inbox.post(have), "nobody is heeded");
        }
        inbox.take_due(now.key, &mut due);
        assert_eq!(due, [early, now]);
        inbox.take_due(late.key, &mut due);
        assert_eq!(due, [early, now, late]);
    }

    #[test]
    fn a_heeded_connection_wakes_its_host_also_for_what_was_sent_before() {
        let (mut inbox, mut queue) = (Inbox::default(), Queue::new([0]));
        let [first, other] = [1, 2].map(|conn| have(&mut queue, 5, conn));
        assert!(!inbox.post(first) && !inbox.post(other));
        let (mut heeded, mut woken) = (ConnSet::default(), Vec::new());
        heeded.insert(ConnId(1));
        inbox.heed(&heeded, |key| woken.push(key));
        assert_eq!(woken, [first.key]);
        inbox.heed(&heeded, |key| panic!("woken again for {key:?}"));
        assert!(inbox.post(have(&mut queue, 6, 1)), "heeded by now");
        inbox.forget(ConnId(1));
        let mut due = Vec::new();
        inbox.take_due(queue.stamp(Time::NEVER, 0), &mut due);
        assert_eq!(due, [other]);
    }
}
