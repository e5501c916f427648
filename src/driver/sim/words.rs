//! Requests on their way to a host, and those that have come while its uplink is busy.
//!
//! A request to a peer whose uplink is busy only takes its place in a queue. So it is no event: it waits here until its
//! receiver is stepped for another reason, and is handed over first then, with the time at which it came. Only where the
//! uplink runs out of things to do the receiver is woken for it. That gives the same records as one event per request. Where
//! many requests are under way, or the receiver has nearly as many queued as it takes, each is an event all the same.

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
    /// The receiver may refuse one of the next.
    crowded: bool,
}

/// No more than so many wait: fewer than what [`Peer::is_crowded`](crate::peer::Peer::is_crowded) leaves room for, and few
/// to look through.
const MOST: usize = 32;

impl Requests {
    /// Whether a request that sets out now may wait here.
    pub(super) fn may_wait(&self) -> bool {
        self.busy && !self.crowded && self.waiting.len() < MOST
    }

    /// A request that [may wait](Self::may_wait) has set out for this host.
    pub(super) fn post(&mut self, key: Key, conn: ConnId, block: Block) {
        debug_assert!(self.may_wait());
        self.waiting.push(Request { key, conn, block, woken: false });
    }

    /// No further request may wait until the host is gone.
    pub(super) fn crowd(&mut self) {
        self.crowded = true;
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
        *self = Requests { waiting: std::mem::take(&mut self.waiting), ..Requests::default() };
        self.waiting.clear();
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
            requests.post(key(at), ConnId(conn), BLOCK);
        }
        let due = std::iter::from_fn(|| requests.next_due(key(5)));
        assert_eq!(due.map(|request| request.key).collect::<Vec<_>>(), [key(3), key(5)]);
        assert!(requests.holds(ConnId(1)) && !requests.holds(ConnId(2)));
        requests.forget(ConnId(1));
        assert!(requests.waiting().is_empty());
    }

    #[test]
    fn an_idle_host_is_woken_once_for_each_request_that_waits() {
        let (mut requests, mut woken) = (Requests::default(), Vec::new());
        assert!(!requests.may_wait(), "nothing is served");
        requests.be_busy();
        requests.post(key(2), ConnId(0), BLOCK);
        requests.be_idle(|key| woken.push(key));
        assert_eq!(woken, [key(2)]);
        requests.be_idle(|key| panic!("woken again for {key:?}"));
    }

    #[test]
    fn few_wait_and_none_where_one_may_be_refused() {
        let mut requests = Requests::default();
        requests.be_busy();
        for _ in 0..MOST {
            requests.post(key(1), ConnId(0), BLOCK);
        }
        assert!(!requests.may_wait());
        while requests.next_due(key(1)).is_some() {}
        assert!(requests.may_wait());
        requests.crowd();
        assert!(!requests.may_wait());
        requests.clear();
        requests.be_busy();
        assert!(requests.may_wait(), "another stay");
    }
}
