//! What one peer's client is told: where it is, what it has, and what the scenario asks of it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::net::loopback::PRIVATE_NETWORK;
use crate::units::Rate;

/// Where a client listens whose address is its own.
const PORT: u16 = 6881;
/// Where a client is asked how far it is, at its own address or, where it cannot be told one, at everybody's.
const ASKED_AT: u16 = 9091;

/// Above those that need rights, below those that the system gives to callers.
const OWN_PORTS: std::ops::Range<u32> = 10_000..32_000;

#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) address: IpAddr,
    pub(super) listen: SocketAddr,
    /// Holds the content's file, with what the peer starts with at its place.
    pub(super) folder: PathBuf,
    /// The file's name.
    pub(super) content: String,
    pub(super) torrent: PathBuf,
    pub(super) pieces: u32,
    /// What it has when the stay begins.
    pub(super) initial_bytes: u64,
    /// For the client's settings and whatever else it writes; made.
    pub(super) settings: PathBuf,
    pub(super) upload: Option<Rate>,
    pub(super) download: Option<Rate>,
    pub(super) unchoke_slots: u32,
    pub(super) optimistic_slots: u32,
    pub(super) max_connections: u32,
}

impl Seat {
    pub(super) fn asked_at(&self) -> SocketAddr {
        SocketAddr::new(self.address, ASKED_AT)
    }

    pub(super) fn port_of_its_own(&self) -> u16 {
        port_of(self.address)
    }
}

/// At its own address, or, where it cannot be told one, at the address that is nobody's own.
pub(super) fn listens_at(address: IpAddr, own: bool) -> SocketAddr {
    match own {
        true => SocketAddr::new(address, PORT),
        false => SocketAddr::from((PRIVATE_NETWORK.0, port_of(address))),
    }
}

/// Nobody else of the private network has it, and the system gives it to no caller.
fn port_of(address: IpAddr) -> u16 {
    let IpAddr::V4(address) = address else { return PORT };
    let [_, _, high, low] = address.octets();
    let number = u32::from(high) * 254 + u32::from(low);
    (OWN_PORTS.start + number % (OWN_PORTS.end - OWN_PORTS.start)) as u16
}

/// In the unit of most clients. 0 is no limit to them, so there is none that rounds to it.
pub(super) fn bytes_per_second(rate: Option<Rate>) -> u64 {
    rate.map_or(0, |rate| (rate.bits_per_second() / 8).max(1))
}
