//! HAVEs on their way to a host, and those that have come but make no difference yet.
//!
//! A HAVE is the most frequent message by far, and mostly it is only noted. So it is no event: it waits here until its
//! receiver is stepped for another reason, and is handed over first then, with the time at which it came. Only where
//! the receiver may act at once ([`Peer::heeded_haves`](crate::peer::Peer::heeded_haves)) is it woken for it. That
//! gives the same records as one event per HAVE.
//!
//! Every piece is told to dozens of hosts, which lie in no cache. So what decides where a HAVE goes is kept small for all
//! hosts together, and the place itself is only written to: nothing waits for it.

use crate::fetch;
use crate::id::{ConnId, PeerIndex, PieceIndex};
use crate::peer::{ConnSet, Have};
use crate::time::Time;

/// Room for the HAVEs of a host at first. Few are told of more between two steps; they are handed what has come before.
const ROOM: usize = 64;

/// The HAVEs of every host.
#[derive(Clone, Debug)]
pub(super) struct Inboxes {
    heads: Vec<Head>,
    /// So many may wait for a host.
    room: usize,
    /// For each host so many, in the order in which they were sent.
    places: Vec<Have>,
    /// The connections whose HAVEs wake each host, as of its last step.
    heeded: Vec<ConnSet>,
}

/// What a sender looks at.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// The first word of the connections that the host heeds.
    heeded: u64,
    waiting: u32,
}

/// In a place where nothing waits.
const NOTHING: Have = Have { at: Time::ZERO, conn: ConnId(0), piece: PieceIndex(0) };

/// Where HAVEs are posted: all that takes, looked up once.
pub(super) struct PostBox<'a> {
    heads: &'a mut [Head],
    places: &'a mut [Have],
    room: usize,
}

impl PostBox<'_> {
    /// A HAVE has set out for this host, whose inbox is not full. Returns whether anything has to be done about that: whether
    /// the host [heeds](Inboxes::heeds) it, or its inbox [is full](Inboxes::is_full) now.
    #[must_use]
    #[inline]
    pub(super) fn post(&mut self, PeerIndex(host): PeerIndex, have: Have) -> bool {
        let head = &mut self.heads[host as usize];
        let place = head.waiting as usize;
        head.waiting += 1;
        // Of further connections the answer is looked up.
        let heeded = have.conn.0 >= 64 || head.heeded >> have.conn.0 & 1 == 1;
        self.places[host as usize * self.room + place] = have;
        heeded || place + 1 == self.room
    }
}

impl Inboxes {
    /// One for each of so many hosts.
    pub(super) fn new(hosts: usize) -> Inboxes {
        Inboxes {
            heads: vec![Head::default(); hosts],
            room: ROOM,
            places: vec![NOTHING; hosts * ROOM],
            heeded: vec![ConnSet::default(); hosts],
        }
    }

    /// For many HAVEs to be posted.
    #[inline]
    pub(super) fn post_box(&mut self) -> PostBox<'_> {
        PostBox { heads: &mut self.heads, places: &mut self.places, room: self.room }
    }

    /// A HAVE has set out for this host; see [`PostBox::post`].
    #[must_use]
    pub(super) fn post(&mut self, host: PeerIndex, have: Have) -> bool {
        self.post_box().post(host, have)
    }

    /// Whether the host has to be woken for what comes on this connection.
    pub(super) fn heeds(&self, PeerIndex(host): PeerIndex, conn: ConnId) -> bool {
        self.heeded[host as usize].contains(conn)
    }

    /// No more fits in: what has come has to be handed over before anything else is posted, or room be made.
    pub(super) fn is_full(&self, PeerIndex(host): PeerIndex) -> bool {
        self.heads[host as usize].waiting as usize == self.room
    }

    /// Makes room for as many again, for every host: so many are under way to one at a time.
    pub(super) fn make_room(&mut self) {
        let mut places = vec![NOTHING; 2 * self.places.len()];
        let rooms = places.chunks_exact_mut(2 * self.room).zip(self.places.chunks_exact(self.room));
        for (Head { waiting, .. }, (more, before)) in self.heads.iter().zip(rooms) {
            // What was never written to takes no memory yet.
            let waiting = ..*waiting as usize;
            more[waiting].copy_from_slice(&before[waiting]);
        }
        (self.room, self.places) = (2 * self.room, places);
    }

    /// The host's inbox will be looked at soon,
    pub(super) fn fetch(&self, PeerIndex(host): PeerIndex) {
        fetch::at(&self.heads, host as usize);
        fetch::at(&self.heeded, host as usize);
    }

    /// and what waits in it.
    pub(super) fn fetch_waiting(&self, host: PeerIndex) {
        fetch::all(self.waiting(host));
    }

    /// What has not been handed over.
    pub(super) fn waiting(&self, PeerIndex(host): PeerIndex) -> &[Have] {
        let (host, Head { waiting, .. }) = (host as usize, self.heads[host as usize]);
        &self.places[host * self.room..][..waiting as usize]
    }

    /// The same, to be taken from; what is left has to be at the beginning, and to be [said](Self::leave).
    pub(super) fn waiting_mut(&mut self, PeerIndex(host): PeerIndex) -> &mut [Have] {
        let (host, Head { waiting, .. }) = (host as usize, self.heads[host as usize]);
        &mut self.places[host * self.room..][..waiting as usize]
    }

    /// Only the first so many wait.
    pub(super) fn leave(&mut self, PeerIndex(host): PeerIndex, waiting: usize) {
        self.heads[host as usize].waiting = waiting as u32;
    }

    /// Keeps what waits for a host where `keep` says so.
    fn retain(&mut self, host: PeerIndex, mut keep: impl FnMut(&Have) -> bool) {
        let (waiting, mut kept) = (self.waiting_mut(host), 0);
        for place in 0..waiting.len() {
            let have = waiting[place];
            if keep(&have) {
                waiting[kept] = have;
                kept += 1;
            }
        }
        self.leave(host, kept);
    }

    /// Moves what has come until `now` to `due`, which has nothing yet, in the order in which it was sent; of what comes
    /// at this very moment only what `has_come` says.
    pub(super) fn take_due(
        &mut self,
        host: PeerIndex,
        now: Time,
        has_come: impl Fn(&Have) -> bool,
        due: &mut Vec<Have>,
    ) {
        self.retain(host, |have| {
            let is_due = have.at < now || (have.at == now && has_come(have));
            due.extend(is_due.then_some(*have));
            !is_due
        });
    }

    /// Whether a HAVE of this connection has not been handed over yet.
    pub(super) fn holds(&self, host: PeerIndex, conn: ConnId) -> bool {
        self.waiting(host).iter().any(|have| have.conn == conn)
    }

    /// The host heeds these connections from now on; calls `wake` for what is under way on those that are new.
    pub(super) fn heed(&mut self, host: PeerIndex, heeded: &ConnSet, mut wake: impl FnMut(&Have)) {
        let before = &self.heeded[host.0 as usize];
        if before == heeded {
            return;
        }
        for have in self.waiting(host) {
            if heeded.contains(have.conn) && !before.contains(have.conn) {
                wake(have);
            }
        }
        self.heads[host.0 as usize].heeded = heeded.first_word();
        self.heeded[host.0 as usize].clone_from(heeded);
    }

    /// The connection is gone, and its number may be used again.
    pub(super) fn forget(&mut self, host: PeerIndex, conn: ConnId) {
        self.retain(host, |have| have.conn != conn);
    }

    /// The host is gone.
    pub(super) fn clear(&mut self, PeerIndex(host): PeerIndex) {
        self.heads[host as usize] = Head::default();
        self.heeded[host as usize] = ConnSet::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: PeerIndex = PeerIndex(1);

    fn have(nanos: u64, conn: u32) -> Have {
        Have { at: Time::from_nanos(nanos), conn: ConnId(conn), piece: PieceIndex(0) }
    }

    #[test]
    fn what_has_come_is_handed_over_and_what_is_under_way_stays() {
        let (mut inboxes, mut due) = (Inboxes::new(2), Vec::new());
        let [late, early, one, other] = [(9, 1), (3, 1), (5, 1), (5, 2)].map(|(at, conn)| have(at, conn));
        for have in [late, one, other, early] {
            assert!(!inboxes.post(HOST, have), "nobody is heeded");
        }
        inboxes.take_due(HOST, one.at, |have| have.conn == one.conn, &mut due);
        assert_eq!(due, [one, early]);
        due.clear();
        inboxes.take_due(HOST, late.at, |_| false, &mut due);
        assert_eq!(due, [other]);
        due.clear();
        inboxes.take_due(HOST, late.at, |_| true, &mut due);
        assert_eq!(due, [late]);
        assert!(inboxes.waiting(HOST).is_empty());
    }

    #[test]
    fn a_heeded_connection_wakes_its_host_also_for_what_was_sent_before() {
        let mut inboxes = Inboxes::new(2);
        let [first, other, further] = [1, 2, 70].map(|conn| have(5, conn));
        assert!(!inboxes.post(HOST, first) && !inboxes.post(HOST, other));
        assert!(inboxes.post(HOST, further) && !inboxes.heeds(HOST, further.conn), "it has to be looked up");
        let (mut heeded, mut woken) = (ConnSet::default(), Vec::new());
        heeded.insert(ConnId(1));
        heeded.insert(ConnId(70));
        inboxes.heed(HOST, &heeded, |have| woken.push(*have));
        assert_eq!(woken, [first, further]);
        inboxes.heed(HOST, &heeded, |have| panic!("woken again for {have:?}"));
        assert!(inboxes.post(HOST, have(6, 1)) && inboxes.heeds(HOST, ConnId(1)), "heeded by now");
        assert!(inboxes.heeds(HOST, ConnId(70)) && !inboxes.heeds(PeerIndex(0), ConnId(1)));
        inboxes.forget(HOST, ConnId(1));
        let mut due = Vec::new();
        inboxes.take_due(HOST, Time::NEVER, |_| true, &mut due);
        assert_eq!(due, [other, further]);
    }

    #[test]
    fn a_full_inbox_says_so_and_has_room_for_as_many_again() {
        let mut inboxes = Inboxes::new(3);
        let sent: Vec<Have> = (0..2 * ROOM as u64).map(|nanos| have(nanos, 3)).collect();
        for (at, have) in (1..).zip(&sent) {
            assert_eq!(inboxes.post(HOST, *have), at == ROOM || at == 2 * ROOM);
            assert_eq!(inboxes.is_full(HOST), at == ROOM || at == 2 * ROOM);
            if at == ROOM {
                inboxes.make_room();
            }
        }
        assert_eq!(inboxes.waiting(HOST), sent);
        assert!(inboxes.waiting(PeerIndex(0)).is_empty() && inboxes.waiting(PeerIndex(2)).is_empty());
        assert!(inboxes.holds(HOST, ConnId(3)));
        inboxes.clear(HOST);
        assert!(inboxes.waiting(HOST).is_empty());
    }
}
