//! Whom to dial: the addresses the tracker told us, or those of a fixed overlay, and when one that failed may be tried
//! again. And how many connections are enough.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::id::PeerId;
use crate::peer::contacts::{Contacts, State};
use crate::peer::seam::Neighbours;
use crate::time::{Span, Time};

/// First wait after a failed dial or a short connection; doubled each time up to `LONGEST_WAIT`.
const FIRST_WAIT: Span = Span::from_secs(15);
const LONGEST_WAIT: Span = Span::from_secs(240);
/// More addresses than this are not remembered: a tracker's answer must not fill our memory.
const MAX_ADDRESSES: usize = 2_000;

/// The addresses a peer knows and what it has learnt about them.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    limits: Limits,
    /// It is not content with few connections: any other may be the one that gives something.
    starving: bool,
    /// Ready to be dialled, first come, first dialled.
    ready: VecDeque<SocketAddr>,
    known: Contacts,
    /// When the first of those that wait may be dialled again, or those known from the start for the first time.
    due: Option<Time>,
    dialing: u32,
}

/// How many connections a peer seeks and bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limits {
    FromTracker {
        dial: Option<u32>,
        most: u32,
    },
    /// Just its neighbours, however many.
    Fixed,
}

impl Dialer {
    pub(crate) fn new(neighbours: Neighbours, max_connections: u32) -> Dialer {
        let (limits, addresses) = match neighbours {
            Neighbours::FromTracker { dial } => {
                (Limits::FromTracker { dial, most: max_connections }, Vec::new())
            }
            Neighbours::Fixed { dial } => (Limits::Fixed, dial),
        };
        let mut dialer = Dialer {
            limits,
            starving: false,
            ready: VecDeque::new(),
            known: Contacts::default(),
            due: None,
            dialing: 0,
        };
        // A tracker's answer lets a peer dial; a neighbour it knows from the start waits for none.
        dialer.due = (!addresses.is_empty()).then_some(Time::ZERO);
        addresses.into_iter().for_each(|addr| dialer.add(addr));
        dialer
    }

    /// The tracker named these.
    pub(crate) fn learn(&mut self, addresses: &[SocketAddr], own: SocketAddr) {
        if self.limits == Limits::Fixed {
            return;
        }
        for &addr in addresses {
            if addr != own && addr.port() != 0 && self.known.len() < MAX_ADDRESSES {
                self.add(addr);
            }
        }
    }

    fn add(&mut self, addr: SocketAddr) {
        if self.known.add(addr) {
            self.ready.push_back(addr);
        }
    }

    /// The peer lacks something and has got nothing for long; or no longer so.
    pub(crate) fn starve(&mut self, starving: bool) {
        self.starving = starving;
    }

    /// Whether one more connection would be too many.
    pub(crate) fn is_full(&self, connections: u32) -> bool {
        match self.limits {
            Limits::FromTracker { most, .. } => connections >= most,
            Limits::Fixed => false,
        }
    }

    /// How many connections are enough; `None` where there are no others to be had.
    pub(crate) fn enough(&self) -> Option<u32> {
        match self.limits {
            Limits::FromTracker { dial, most } => {
                Some(dial.filter(|_| !self.starving).unwrap_or(most).min(most))
            }
            Limits::Fixed => None,
        }
    }

    /// Whether a peer with so many connections, made or in the making, dials.
    pub(crate) fn seeks(&self, connections: u32) -> bool {
        self.enough().is_none_or(|enough| connections < enough)
    }

    /// How many addresses to ask the tracker for; `None` for as many as it gives.
    pub(crate) fn wanted(&self) -> Option<u32> {
        match self.limits {
            Limits::FromTracker { dial, .. } => dial.filter(|_| !self.starving),
            Limits::Fixed => Some(0),
        }
    }

    /// Dials under way.
    pub(crate) fn dialing(&self) -> u32 {
        self.dialing
    }

    /// The next address to dial. `connected` tells whether we are connected to this address, or to who was there.
    pub(crate) fn next(
        &mut self,
        now: Time,
        connected: impl Fn(SocketAddr, Option<PeerId>) -> bool,
    ) -> Option<SocketAddr> {
        while let Some(addr) = self.ready.pop_front() {
            let Some(contact) = self.known.get_mut(addr) else { continue };
            if contact.state != State::Ready {
                continue;
            }
            if connected(addr, contact.peer_id) {
                self.set_state(addr, State::WaitingUntil(now + LONGEST_WAIT));
                continue;
            }
            contact.state = State::Busy;
            contact.dialing = true;
            self.dialing += 1;
            return Some(addr);
        }
        // Given back: most peers learn most addresses once.
        self.ready = VecDeque::new();
        None
    }

    /// Somebody is connected from or at this address now; `dialled` if we did it.
    pub(crate) fn connected(&mut self, addr: SocketAddr, peer_id: PeerId, dialled: bool) {
        if dialled {
            self.dial_over(addr);
        }
        if let Some(contact) = self.known.get_mut(addr) {
            contact.peer_id = Some(peer_id);
            self.set_state(addr, State::Busy);
        }
    }

    /// We dialled this peer and do not want the connection.
    pub(crate) fn refused(&mut self, now: Time, addr: SocketAddr, peer_id: PeerId) {
        if let Some(contact) = self.known.get_mut(addr) {
            contact.peer_id = Some(peer_id);
        }
        self.failed(now, addr);
    }

    /// The dial came to nothing.
    pub(crate) fn failed(&mut self, now: Time, addr: SocketAddr) {
        self.dial_over(addr);
        self.wait(now, addr);
    }

    /// The connection is over; a long-lived one may be dialled again soon, a short one waits longer each time.
    pub(crate) fn closed(&mut self, now: Time, addr: SocketAddr, opened_at: Time) {
        if let Some(contact) = self.known.get_mut(addr)
            && now.since(opened_at) > LONGEST_WAIT
        {
            contact.failures = 0;
        }
        self.wait(now, addr);
    }

    /// Both of us have everything: there is no reason to dial it.
    pub(crate) fn both_complete(&mut self, addr: SocketAddr) {
        if self.known.get(addr).is_some_and(|contact| contact.state != State::Never) {
            self.set_state(addr, State::Complete);
        }
    }

    /// We lack something again.
    pub(crate) fn lack_again(&mut self) {
        for (addr, contact) in self.known.iter_mut() {
            if contact.state == State::Complete {
                contact.state = State::Ready;
                self.ready.push_back(addr);
            }
        }
    }

    /// Never dial this address again.
    pub(crate) fn forget(&mut self, addr: SocketAddr) {
        self.set_state(addr, State::Never);
    }

    /// When the next waiting address becomes ready, or neighbours known from the start are to be dialled.
    pub(crate) fn due(&self) -> Option<Time> {
        self.due
    }

    /// Makes every address ready whose wait is over.
    pub(crate) fn wake(&mut self, now: Time) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        for (addr, contact) in self.known.iter_mut() {
            if contact.state.waiting_until().is_some_and(|until| until <= now) {
                contact.state = State::Ready;
                self.ready.push_back(addr);
            }
        }
        self.due = self.earliest();
    }

    fn earliest(&self) -> Option<Time> {
        self.known.iter().filter_map(|contact| contact.state.waiting_until()).min()
    }

    fn set_state(&mut self, addr: SocketAddr, state: State) {
        let Some(contact) = self.known.get_mut(addr) else { return };
        let before = std::mem::replace(&mut contact.state, state);
        let (ended, begun) = (before.waiting_until(), state.waiting_until());
        if ended.is_some() && ended == self.due {
            self.due = self.earliest();
        } else {
            self.due = self.due.into_iter().chain(begun).min();
        }
    }

    /// Whether there is an address that could be dialled, now or after a wait.
    pub(crate) fn has_others(&self) -> bool {
        !self.ready.is_empty() || self.due().is_some()
    }

    fn dial_over(&mut self, addr: SocketAddr) {
        if let Some(contact) = self.known.get_mut(addr) {
            self.dialing -= u32::from(std::mem::take(&mut contact.dialing));
        }
    }

    fn wait(&mut self, now: Time, addr: SocketAddr) {
        if let Some(contact) = self.known.get_mut(addr)
            && contact.state != State::Never
        {
            let wait = FIRST_WAIT * (1 << contact.failures.min(8));
            contact.failures += 1;
            self.set_state(addr, State::WaitingUntil(now + wait.min(LONGEST_WAIT)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 6881))
    }

    fn from_tracker(dial: Option<u32>) -> Dialer {
        Dialer::new(Neighbours::FromTracker { dial }, 40)
    }

    fn nobody(_: SocketAddr, _: Option<PeerId>) -> bool {
        false
    }

    #[test]
    fn each_address_is_dialled_once_and_never_our_own() {
        let mut dialer = from_tracker(None);
        dialer.learn(&[addr(1), addr(2), addr(1)], addr(2));
        assert_eq!(dialer.next(Time::ZERO, nobody), Some(addr(1)));
        dialer.learn(&[addr(1)], addr(2));
        assert_eq!(dialer.next(Time::ZERO, nobody), None);
    }

    #[test]
    fn a_failed_dial_waits_longer_each_time() {
        let mut dialer = from_tracker(None);
        dialer.learn(&[addr(1)], addr(9));
        let mut now = Time::ZERO;
        for expected in [15, 30, 60, 120, 240, 240] {
            assert_eq!(dialer.next(now, nobody), Some(addr(1)));
            dialer.failed(now, addr(1));
            assert_eq!((dialer.dialing(), dialer.due()), (0, Some(now + Span::from_secs(expected))));
            now += Span::from_secs(expected);
            dialer.wake(now);
        }
    }

    #[test]
    fn an_address_whose_peer_is_connected_otherwise_is_left_alone() {
        let mut dialer = from_tracker(None);
        let id = PeerId([7; 20]);
        dialer.learn(&[addr(1)], addr(9));
        dialer.next(Time::ZERO, nobody);
        dialer.connected(addr(1), id, true);
        dialer.closed(Time::ZERO, addr(1), Time::ZERO);
        let later = Time::ZERO + LONGEST_WAIT;
        dialer.wake(later);
        assert_eq!(dialer.next(later, |_, other| other == Some(id)), None);
    }

    #[test]
    fn a_peer_dials_up_to_its_number_and_bears_more() {
        let dialer = from_tracker(Some(7));
        assert!(dialer.seeks(6) && !dialer.seeks(7) && !dialer.is_full(39) && dialer.is_full(40));
        assert_eq!((dialer.wanted(), from_tracker(None).wanted()), (Some(7), None));
        assert!(from_tracker(None).seeks(39) && !from_tracker(Some(90)).seeks(40));
    }

    #[test]
    fn a_peer_that_starves_is_not_content_with_its_number_as_in_swarm_2739() {
        let mut dialer = from_tracker(Some(7));
        dialer.starve(true);
        assert!(dialer.seeks(39) && !dialer.seeks(40));
        assert_eq!(dialer.wanted(), None);
        dialer.starve(false);
        assert!(!dialer.seeks(7));
    }

    #[test]
    fn in_a_fixed_overlay_the_neighbours_alone_are_dialled_and_no_limit_holds() {
        let mut dialer = Dialer::new(Neighbours::Fixed { dial: vec![addr(1), addr(2)] }, 1);
        dialer.learn(&[addr(3)], addr(9));
        assert!(dialer.seeks(1_000) && !dialer.is_full(1_000));
        let dialled = std::iter::from_fn(|| dialer.next(Time::ZERO, nobody));
        assert_eq!(dialled.collect::<Vec<_>>(), [addr(1), addr(2)]);
        assert_eq!(dialer.wanted(), Some(0), "it announces and asks for nobody");
    }
}
