//! Addresses of this machine for many peers: on Linux each its own in 127.0.0.0/8, elsewhere all 127.0.0.1 with
//! different ports. In a private network each its own in 10.77.0.0/16, because some clients believe in no neighbour at
//! 127.0.0.0/8.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

/// 127.1.0.1 to 127.255.255.254.
const FIRST: u32 = 0x7F01_0001;
const ADDRESSES: u32 = 0x7FFF_FFFE - FIRST + 1;

/// Where programs call from that cannot be told their address; nobody listens there.
pub const PRIVATE_NETWORK: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 77, 0, 1), 16);
/// 10.77.1.1 to 10.77.254.254, without the ends of every 256: they look like no host's.
const PRIVATE_FIRST: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 0);
const PRIVATE_ADDRESSES: u32 = 254 * 254;

/// How many addresses this process has given out.
static GIVEN: AtomicU32 = AtomicU32::new(0);

/// Addresses in a row that no other swarm of this process uses (until sixteen million have been given out). Other
/// processes may use the same ones; the system keeps their ports apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopbackRange {
    first: u32,
    private: bool,
}

impl LoopbackRange {
    pub fn reserve(count: u32) -> LoopbackRange {
        LoopbackRange { first: GIVEN.fetch_add(count, Ordering::Relaxed), private: false }
    }

    /// In the private network that this process is in.
    pub fn reserve_private(count: u32) -> LoopbackRange {
        LoopbackRange { private: true, ..LoopbackRange::reserve(count) }
    }

    /// The address number `index`, from 0.
    pub fn address(&self, index: u32) -> IpAddr {
        let number = self.first.wrapping_add(index);
        if self.private {
            let place = number % PRIVATE_ADDRESSES;
            let host = place / 254 * 256 + place % 254 + 1;
            IpAddr::V4(Ipv4Addr::from_bits(PRIVATE_FIRST.to_bits() + host))
        } else if cfg!(target_os = "linux") {
            let place = number % ADDRESSES;
            IpAddr::V4(Ipv4Addr::from_bits(FIRST + place))
        } else {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_do_not_overlap_and_every_address_can_be_listened_on() {
        let ranges = [LoopbackRange::reserve(300), LoopbackRange::reserve(300)];
        let addresses: BTreeSet<IpAddr> =
            ranges.iter().flat_map(|range| (0..300).map(|index| range.address(index))).collect();
        assert_eq!(addresses.len(), 600);
        assert!(addresses.iter().all(IpAddr::is_loopback));
        for address in addresses.iter().step_by(97) {
            std::net::TcpListener::bind((*address, 0)).unwrap();
        }
    }

    #[test]
    fn the_last_address_is_followed_by_the_first() {
        let range = LoopbackRange { first: ADDRESSES - 1, private: false };
        assert_eq!(range.address(0).to_string(), "127.255.255.254");
        assert_eq!(range.address(1).to_string(), "127.1.0.1");
        let range = LoopbackRange { first: PRIVATE_ADDRESSES - 1, private: true };
        assert_eq!(range.address(0).to_string(), "10.77.254.254");
        assert_eq!(range.address(1).to_string(), "10.77.1.1");
    }
}
