//! Peers as rows of bytes: an address and a port, big-endian, of IPv4 (BEP 23) or of IPv6 (BEP 7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of an IPv4 row.
pub(in crate::wire) const PEER4: usize = 6;
/// Bytes of an IPv6 row.
pub(in crate::wire) const PEER6: usize = 18;

/// Appends a peer's row, of its own family's length.
pub(in crate::wire) fn write(peer: SocketAddr, rows: &mut Vec<u8>) {
    match peer.ip() {
        IpAddr::V4(ip) => rows.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => rows.extend_from_slice(&ip.octets()),
    }
    rows.extend_from_slice(&peer.port().to_be_bytes());
}

/// Appends the peers that rows of `EACH` bytes name, but for those with port 0. False, and nothing is appended, where the
/// last row is broken off.
#[must_use]
pub(in crate::wire) fn read<const EACH: usize>(bytes: &[u8], peers: &mut Vec<SocketAddr>) -> bool {
    let (rows, rest) = bytes.as_chunks::<EACH>();
    if !rest.is_empty() {
        return false;
    }
    peers.extend(rows.iter().filter_map(|row| {
        let (address, port) = row.split_last_chunk::<2>()?;
        let ip = match *address {
            [a, b, c, d] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
        };
        dialable(ip, u16::from_be_bytes(*port))
    }));
    true
}

/// The address of a peer, unless nobody can connect to its port.
pub(in crate::wire) fn dialable(ip: IpAddr, port: u16) -> Option<SocketAddr> {
    (port != 0).then(|| SocketAddr::new(ip, port))
}
