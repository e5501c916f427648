//! Requests on their way to a host, and those that have come while its uplink is busy.
//!
//! A request to a peer whose uplink is busy only takes its place in a queue. So it is no event: it waits here until its
//! receiver is stepped for another reason, and is handed over first then, with the time at which it came. Only where the
//! uplink has nothing to do the receiver is woken for it. That gives the same records as one event per request.

use crate::driver::sim::queue::Key;
use crate::fetch;
use crate::id::{Block, ConnId};

/// A request for this host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Its place among all events.
    pub(super) key: Key,
    pub(super) conn: ConnId,
    pub(super) block: Block,
    /// The host will be woken for it.
    woken: bool,
}

/// One host's requests. What a sender touches lies together.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// In the order in which they were sent.
    waiting: Vec<Request>,
    /// The uplink has something to do.
    busy: bool,
}

impl Requests {
    /// A request has set out for this host; returns whether the host has to be woken for it.
    #[must_use]
    pub(super) fn post(&mut self, key: Key, conn: ConnId, block: Block) -> bool {
        let woken = !self.busy;
        self.waiting.push(Request { key, conn, block, woken });
        woken
    }

    /// The uplink serves something from now on.
    pub(super) fn be_busy(&mut self) {
        self.busy = true;
    }

    /// The uplink has nothing to do; calls `wake` for the place of every request that it has to be woken for now.
    pub(super) fn be_idle(&mut self, mut wake: impl FnMut(Key)) {
        self.busy = false;
        for request in self.waiting.iter_mut().filter(|request| !request.woken) {
            request.woken = true;
            wake(request.key);
        }
    }

    /// Takes out the first of those that have come, up to this place among all events. Few wait at a time.
    #[inline]
    pub(super) fn next_due(&mut self, position: Key) -> Option<Request> {
        let first = self.waiting.iter().enumerate().min_by_key(|(_, request)| request.key);
        let (at, _) = first.filter(|(_, request)| request.key <= position)?;
        Some(self.waiting.remove(at))
    }

    /// What has not been handed over.
    pub(super) fn waiting(&self) -> &[Request] {
        &self.waiting
    }

    /// What waits will be looked at soon.
    pub(super) fn fetch_waiting(&self) {
        fetch::all(&self.waiting);
    }

    /// Whether a request of this connection has not been handed over yet.
    pub(super) fn holds(&self, conn: ConnId) -> bool {
        self.waiting.iter().any(|request| request.conn == conn)
    }

    /// The connection is gone, and its number may be used again.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.retain(|request| request.conn != conn);
    }

    /// The host is gone.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.busy = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PieceIndex;
    use crate::time::Time;

    fn key(nanos: u64) -> Key {
        Key::start_of(Time::from_nanos(nanos))
    }

    const BLOCK: Block = Block { piece: PieceIndex(0), begin: 0, length: 1 };

    #[test]
    fn what_has_come_is_handed_over_in_order_and_what_is_under_way_stays() {
        let mut requests = Requests::default();
        requests.be_busy();
        for (at, conn) in [(9, 1), (5, 2), (3, 1)] {
            assert!(!requests.post(key(at), ConnId(conn), BLOCK));
        }
        let due = std::iter::from_fn(|| requests.next_due(key(5)));
        assert_eq!(due.map(|request| request.key).collect::<Vec<_>>(), [key(3), key(5)]);
        assert!(requests.holds(ConnId(1)) && !requests.holds(ConnId(2)));
        requests.forget(ConnId(1));
        assert!(requests.waiting().is_empty());
    }

    #[test]
    fn an_idle_host_is_woken_once_for_each_also_for_what_was_sent_before() {
        let (mut requests, mut woken) = (Requests::default(), Vec::new());
        assert!(requests.post(key(1), ConnId(0), BLOCK), "nothing has been served yet");
        requests.be_busy();
        assert!(!requests.post(key(2), ConnId(0), BLOCK));
        requests.be_idle(|key| woken.push(key));
        assert_eq!(woken, [key(2)]);
        requests.be_idle(|key| panic!("woken again for {key:?}"));
    }
}
