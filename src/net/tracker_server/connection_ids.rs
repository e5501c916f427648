//! Connection ids (BEP 15): proof that whoever asks can hear at the address it asks from. An id is a keyed hash of the
//! address and the second in which it was given out, so nothing has to be remembered, and nobody guesses one. Knows no
//! packets.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use sha1::{Digest, Sha1};

use crate::wire::announce::packet::ConnectionId;

/// A tracker accepts an id for so many seconds after it was given out (BEP 15).
const VALID_FOR: u8 = 120;

/// Gives ids out and knows its own again. Time is wall time since the tracker started.
#[derive(Clone, Debug)]
pub(super) struct ConnectionIds {
    secret: [u64; 2],
}

impl ConnectionIds {
    /// With a secret that only this process has.
    pub fn new() -> ConnectionIds {
        let secret = RandomState::new();
        ConnectionIds { secret: [secret.hash_one(0), secret.hash_one(1)] }
    }

    pub fn give(&self, to: IpAddr, now: Duration) -> ConnectionId {
        self.of_second(to, now.as_secs())
    }

    /// Whether the id was given to this address, and within two minutes.
    pub fn knows(&self, id: ConnectionId, from: IpAddr, now: Duration) -> bool {
        let [.., given] = id.0.to_be_bytes();
        let [.., current] = now.as_secs().to_be_bytes();
        let age = current.wrapping_sub(given);
        let second = now.as_secs().checked_sub(age.into());
        age <= VALID_FOR && second.is_some_and(|second| self.of_second(from, second) == id)
    }

    /// 56 bits of the hash, then the second's lowest eight, so that one hash is enough to know an id again.
    fn of_second(&self, ip: IpAddr, second: u64) -> ConnectionId {
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut hash = Sha1::new();
        for part in self.secret.into_iter().chain([second]) {
            hash.update(part.to_be_bytes());
        }
        hash.update(ip.octets());
        let mut id = [0; 8];
        id[..7].copy_from_slice(&hash.finalize()[..7]);
        id[7] = second.to_be_bytes()[7];
        ConnectionId(u64::from_be_bytes(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_id_is_good_for_two_minutes_and_then_never_again() {
        let ids = ConnectionIds::new();
        for given in [0, 100, 255, 256, 1_000_000] {
            let id = ids.give(HERE, seconds(given));
            for age in 0..=120 {
                assert!(ids.knows(id, HERE, seconds(given + age)), "{age} s after {given}");
            }
            for age in 121..=1_000 {
                assert!(!ids.knows(id, HERE, seconds(given + age)), "{age} s after {given}");
            }
        }
    }

    #[test]
    fn an_id_is_good_for_its_own_address_and_tracker_only() {
        let (ids, others) = (ConnectionIds::new(), ConnectionIds::new());
        let id = ids.give(HERE, seconds(5));
        for foreign in ["127.0.0.2", "::1", "::7f00:1"] {
            assert!(!ids.knows(id, foreign.parse().unwrap(), seconds(5)), "{foreign}");
        }
        assert!(!others.knows(id, HERE, seconds(5)), "another tracker's secret");
        assert!(!ids.knows(ids.give(HERE, seconds(7)), HERE, seconds(5)), "from the future");
    }

    proptest! {
        #[test]
        fn nobody_guesses_an_id(guess: u64, now in 0u64..1_000_000) {
            prop_assert!(!ConnectionIds::new().knows(ConnectionId(guess), HERE, seconds(now)));
        }
    }
}
