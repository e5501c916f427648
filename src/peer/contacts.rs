//! The addresses a peer knows, and how it stands with each.

use std::net::SocketAddr;

use crate::id::PeerId;
use crate::time::Time;

/// What is known of one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    pub(crate) state: State,
    /// A dial is under way (somebody may have connected from there meanwhile).
    pub(crate) dialing: bool,
    pub(crate) failures: u32,
    /// Who answered there last.
    pub(crate) peer_id: Option<PeerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// Being dialled, or connected.
    Busy,
    WaitingUntil(Time),
    /// As complete as we are: nothing to gain until we lose something.
    Complete,
    /// Ourselves, or banned.
    Never,
}

impl State {
    pub(crate) fn waiting_until(self) -> Option<Time> {
        match self {
            State::WaitingUntil(until) => Some(until),
            State::Ready | State::Busy | State::Complete | State::Never => None,
        }
    }
}

/// All addresses, ascending. They are looked up rarely, and a simulated peer has room for little else: no tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contacts(Vec<(SocketAddr, Contact)>);

impl Contacts {
    /// Room is made for so many at a time.
    const ROOM: usize = 8;

    /// Returns whether the address is new; then it is ready.
    pub(crate) fn add(&mut self, addr: SocketAddr) -> bool {
        let Err(at) = self.find(addr) else { return false };
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(Self::ROOM);
        }
        let contact = Contact { state: State::Ready, dialing: false, failures: 0, peer_id: None };
        self.0.insert(at, (addr, contact));
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, addr: SocketAddr) -> Option<&Contact> {
        self.find(addr).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn get_mut(&mut self, addr: SocketAddr) -> Option<&mut Contact> {
        self.find(addr).ok().map(|at| &mut self.0[at].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.0.iter().map(|(_, contact)| contact)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SocketAddr, &mut Contact)> {
        self.0.iter_mut().map(|(addr, contact)| (*addr, contact))
    }

    fn find(&self, addr: SocketAddr) -> Result<usize, usize> {
        self.0.binary_search_by_key(&addr, |(addr, _)| *addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn addresses_are_found_whatever_the_order_they_came_in_and_added_once() {
        let mut contacts = Contacts::default();
        for port in [9, 3, 7, 1, 8, 2, 6, 4, 5, 10, 12, 11] {
            assert!(contacts.add(addr(port)));
        }
        assert!(!contacts.add(addr(7)) && contacts.len() == 12);
        contacts.get_mut(addr(7)).expect("known").failures = 2;
        assert_eq!(contacts.get(addr(7)).map(|contact| contact.failures), Some(2));
        assert!(contacts.get(addr(13)).is_none());
        assert!(contacts.iter_mut().map(|(addr, _)| addr).is_sorted());
    }
}
