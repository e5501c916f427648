//! Words on their way to a host: small messages that change nothing there but its notes.
//!
//! A request to a peer whose uplink is busy only takes its place in a queue; interest in a peer whose slots are all taken,
//! its loss by one who has none of them, and an unchoke by somebody who has nothing the other lacks, are only noted. So
//! none of them is an event: it waits here until its receiver is stepped for another reason, and is handed over first
//! then, with the time at which it came. Only where things change so that it would do something about a word under way,
//! the receiver is woken for it. That gives the same records as one event per word. Where many words are under way, or
//! the receiver has nearly as many requests queued as it takes, each further one is an event all the same.

use crate::driver::sim::queue::Key;
use crate::fetch;
use crate::id::{Block, ConnId, PieceIndex};
use crate::peer::Unmoved;
use crate::wire::message::Message;

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    Request(Block),
    Interested,
    NotInterested,
    Unchoke,
}

impl Saying {
    /// What this message says, if it is one that may wait.
    pub(super) fn of(message: &Message) -> Option<Saying> {
        match message {
            Message::Request(block) => Some(Saying::Request(*block)),
            Message::Interested => Some(Saying::Interested),
            Message::NotInterested => Some(Saying::NotInterested),
            Message::Unchoke => Some(Saying::Unchoke),
            _ => None,
        }
    }

    pub(super) fn message(self) -> Message {
        match self {
            Saying::Request(block) => Message::Request(block),
            Saying::Interested => Message::Interested,
            Saying::NotInterested => Message::NotInterested,
            Saying::Unchoke => Message::Unchoke,
        }
    }
}

/// A word for this host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// Its place among all events.
    pub(super) key: Key,
    pub(super) conn: ConnId,
    pub(super) saying: Saying,
    /// The host is woken for it.
    pub(super) woken: bool,
}

impl Word {
    /// The piece that a request is for.
    pub(super) fn asked(&self) -> Option<PieceIndex> {
        if let Saying::Request(block) = self.saying { Some(block.piece) } else { None }
    }
}

/// One host's words. What a sender touches lies together.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Words {
    /// By their places, first come first.
    waiting: Vec<Word>,
    unmoved: Unmoved,
    /// The uplink has something to do.
    busy: bool,
    /// The receiver may refuse one of the next requests.
    crowded: bool,
}

/// No more than so many wait: fewer than what [`Peer::is_crowded`](crate::peer::Peer::is_crowded) leaves room for, few to
/// look through, and little memory a host.
const MOST: usize = 16;

impl Words {
    /// Whether a word that sets out now may wait here.
    pub(super) fn may_wait(&self, conn: ConnId, saying: Saying) -> bool {
        self.waiting.len() < MOST && self.is_only_noted(conn, saying)
    }

    fn is_only_noted(&self, conn: ConnId, saying: Saying) -> bool {
        match saying {
            Saying::Request(_) => self.busy && !self.crowded,
            Saying::Interested => self.unmoved.by_interest(),
            Saying::NotInterested => self.unmoved.by_loss_of_interest(conn),
            Saying::Unchoke => self.unmoved.by_unchoke(conn),
        }
    }

    /// A word that [may wait](Self::may_wait) has set out for this host.
    pub(super) fn post(&mut self, key: Key, conn: ConnId, saying: Saying) {
        debug_assert!(self.may_wait(conn, saying));
        // Few overtake one another.
        let later = self.waiting.iter().rev().take_while(|word| word.key > key).count();
        self.waiting.insert(self.waiting.len() - later, Word { key, conn, saying, woken: false });
    }

    /// No request may wait any more until the host is gone; `wake` as below. To be called when none is left that has come:
    /// a host is not woken for what has passed.
    pub(super) fn crowd(&mut self, wake: impl FnMut(Key)) {
        if !std::mem::replace(&mut self.crowded, true) {
            self.heed(wake);
        }
    }

    /// The uplink serves something from now on.
    pub(super) fn be_busy(&mut self) {
        self.busy = true;
    }

    /// The uplink has nothing to do; calls `wake` for the place of every word that the host has to be woken for now.
    pub(super) fn be_idle(&mut self, wake: impl FnMut(Key)) {
        self.busy = false;
        self.heed(wake);
    }

    /// The host does nothing about this from now on, and about all else it does; `wake` as above.
    #[inline]
    pub(super) fn be_unmoved(&mut self, unmoved: Unmoved, wake: impl FnMut(Key)) {
        if self.unmoved != unmoved {
            self.unmoved = unmoved;
            self.heed(wake);
        }
    }

    fn heed(&mut self, mut wake: impl FnMut(Key)) {
        for at in 0..self.waiting.len() {
            let Word { key, conn, saying, woken } = self.waiting[at];
            if !woken && !self.is_only_noted(conn, saying) {
                self.waiting[at].woken = true;
                wake(key);
            }
        }
    }

    /// Takes out the first of those that have come, up to this place among all events.
    #[inline]
    pub(super) fn next_due(&mut self, position: Key) -> Option<Word> {
        let has_come = self.waiting.first()?.key <= position;
        has_come.then(|| self.waiting.remove(0))
    }

    /// What has not been handed over.
    pub(super) fn waiting(&self) -> &[Word] {
        &self.waiting
    }

    /// What waits will be looked at soon.
    pub(super) fn fetch_waiting(&self) {
        fetch::all(&self.waiting);
    }

    /// Whether a word of this connection has not been handed over yet.
    pub(super) fn holds(&self, conn: ConnId) -> bool {
        self.waiting.iter().any(|word| word.conn == conn)
    }

    /// The connection is gone, and its number may be used again.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.retain(|word| word.conn != conn);
    }

    /// The host is gone.
    pub(super) fn clear(&mut self) {
        *self = Words { waiting: std::mem::take(&mut self.waiting), ..Words::default() };
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn key(nanos: u64) -> Key {
        Key::start_of(Time::from_nanos(nanos))
    }

    const REQUEST: Saying = Saying::Request(Block { piece: PieceIndex(0), begin: 0, length: 1 });

    fn waits(words: &Words, saying: Saying) -> bool {
        words.may_wait(ConnId(0), saying)
    }

    #[test]
    fn what_has_come_is_handed_over_in_order_and_what_is_under_way_stays() {
        let mut words = Words::default();
        words.be_busy();
        for (at, conn) in [(9, 1), (5, 2), (3, 1)] {
            words.post(key(at), ConnId(conn), REQUEST);
        }
        let due = std::iter::from_fn(|| words.next_due(key(5)));
        assert_eq!(due.map(|word| word.key).collect::<Vec<_>>(), [key(3), key(5)]);
        assert!(words.holds(ConnId(1)) && !words.holds(ConnId(2)));
        words.forget(ConnId(1));
        assert!(words.waiting().is_empty());
    }

    #[test]
    fn an_idle_host_is_woken_once_for_each_request_that_waits() {
        let (mut words, mut woken) = (Words::default(), Vec::new());
        assert!(!waits(&words, REQUEST), "nothing is served");
        words.be_busy();
        words.post(key(2), ConnId(0), REQUEST);
        words.be_idle(|key| woken.push(key));
        assert_eq!(woken, [key(2)]);
        words.be_idle(|key| panic!("woken again for {key:?}"));
    }

    #[test]
    fn a_host_that_may_be_moved_now_is_woken_for_what_is_under_way() {
        let (mut words, mut woken) = (Words::default(), Vec::new());
        assert!(!waits(&words, Saying::Interested), "a slot may be free");
        assert!(waits(&words, Saying::Unchoke), "nobody has what it lacks");
        words.post(key(2), ConnId(0), Saying::Unchoke);
        words.be_unmoved(Unmoved::default(), |key| panic!("woken for {key:?}, and nothing has changed"));
        words.be_unmoved(Unmoved::doctored(true, 0, 1), |key| woken.push(key));
        assert_eq!(woken, [key(2)], "interested in it by now");
        assert!(!waits(&words, Saying::Unchoke) && waits(&words, Saying::Interested));
        words.post(key(3), ConnId(0), Saying::Interested);
        words.be_unmoved(Unmoved::doctored(false, 0, 1), |key| woken.push(key));
        assert_eq!(woken, [key(2), key(3)], "a slot is free");
    }

    #[test]
    fn few_wait_and_no_request_where_one_may_be_refused() {
        let mut words = Words::default();
        words.be_busy();
        for _ in 0..MOST {
            words.post(key(1), ConnId(0), REQUEST);
        }
        assert!(!waits(&words, REQUEST));
        while words.next_due(key(1)).is_some() {}
        assert!(waits(&words, REQUEST));
        words.post(key(1), ConnId(0), REQUEST);
        let mut woken = Vec::new();
        words.crowd(|key| woken.push(key));
        assert_eq!(woken, [key(1)], "it may be refused when it comes");
        words.crowd(|key| panic!("woken again for {key:?}"));
        assert!(!waits(&words, REQUEST));
        words.clear();
        words.be_busy();
        assert!(waits(&words, REQUEST), "another stay");
    }
}
