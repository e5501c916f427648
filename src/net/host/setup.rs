//! What a host is told before it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::event::Record;
use crate::id::{PeerId, PeerIndex};
use crate::net::alarm::Alarm;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::store::Store;
use crate::peer::Setup;
use crate::time::Span;
use crate::units::Rate;

/// Everything a host has to know to begin.
#[derive(Debug)]
pub struct HostSetup {
    /// Its `addr` is where `listener` listens.
    pub peer: Setup,
    pub listener: TcpListener,
    pub clock: Clock,
    pub alarm: Alarm,
    pub links: Links,
    pub contacts: Arc<Contacts>,
    /// By their positions in the peer's tiers.
    pub trackers: Vec<TrackerUrl>,
    /// Holds the pieces of `peer.have`.
    pub store: Arc<Store>,
    /// Takes what happens, a turn's worth at a time. Has to be read until the host has ended.
    pub records: mpsc::Sender<Vec<Record>>,
    /// Dial nobody beyond this machine.
    pub loopback_only: bool,
}

/// A host's two links, and how far each end of a path is from the middle, one way. `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    pub latency: Span,
}

/// What a run knows about the others: MiniBit's peers by their ids, and other clients, whose ids are their own affair, by
/// where they listen. Strangers have no row, and no latency of their own.
#[derive(Clone, Debug, Default)]
pub struct Contacts {
    by_id: BTreeMap<PeerId, Contact>,
    by_address: BTreeMap<SocketAddr, Contact>,
}

impl Contacts {
    /// Other clients delay nothing, so none of these has a latency.
    pub fn place(&mut self, addr: SocketAddr, index: PeerIndex) {
        self.by_address.insert(addr, Contact { index, latency: Span::ZERO });
    }

    /// Who it is that says it has this id, at the other end of a connection. A caller comes from any port, so it is known by
    /// its address alone, where only one listens there.
    pub fn find(&self, peer_id: PeerId, addr: SocketAddr) -> Option<Contact> {
        let first = SocketAddr::new(addr.ip(), 0);
        let mut at_ip = self.by_address.range(first..).take_while(|(at, _)| at.ip() == addr.ip());
        let alone = || at_ip.next().filter(|_| at_ip.next().is_none()).map(|(_, contact)| contact);
        self.by_id.get(&peer_id).or_else(|| self.by_address.get(&addr)).or_else(alone).copied()
    }
}

impl FromIterator<(PeerId, Contact)> for Contacts {
    fn from_iter<I: IntoIterator<Item = (PeerId, Contact)>>(known: I) -> Contacts {
        Contacts { by_id: known.into_iter().collect(), by_address: BTreeMap::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    pub index: PeerIndex,
    pub latency: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: PeerId = PeerId([1; 20]);
    const FOREIGN: PeerId = PeerId([2; 20]);

    fn known() -> Contacts {
        let mut contacts: Contacts =
            [(OURS, Contact { index: PeerIndex(0), latency: Span::from_millis(5) })].into_iter().collect();
        for (addr, index) in [("10.77.1.2:6881", 1), ("10.77.0.1:10256", 2), ("10.77.0.1:10257", 3)] {
            contacts.place(addr.parse().unwrap(), PeerIndex(index));
        }
        contacts
    }

    fn who(peer_id: PeerId, addr: &str) -> Option<u32> {
        known().find(peer_id, addr.parse().unwrap()).map(|contact| contact.index.0)
    }

    #[test]
    fn our_own_are_known_by_their_ids_wherever_they_are() {
        assert_eq!(who(OURS, "10.77.1.2:6881"), Some(0));
        assert_eq!(who(OURS, "10.77.9.9:1"), Some(0));
    }

    #[test]
    fn other_clients_are_known_by_their_addresses_also_when_they_call() {
        assert_eq!(who(FOREIGN, "10.77.1.2:6881"), Some(1));
        assert_eq!(who(FOREIGN, "10.77.1.2:45678"), Some(1));
        assert_eq!(who(FOREIGN, "10.77.9.9:6881"), None);
    }

    #[test]
    fn of_those_who_share_an_address_only_who_was_dialled_is_known() {
        assert_eq!(who(FOREIGN, "10.77.0.1:10257"), Some(3));
        assert_eq!(who(FOREIGN, "10.77.0.1:45678"), None);
    }
}
