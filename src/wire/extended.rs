//! What the extension protocol carries (BEP 10): its own handshake, and peer exchange (BEP 11). The messages around it are
//! `message`'s.

use std::net::SocketAddr;

use bendy::encoding::{Encoder, Error};
use bytes::Bytes;

use super::compact::{self, PEER4, PEER6};
use crate::torrent::bencode::{BencodeError, Dict, Value};

/// The id of the extension protocol's handshake.
pub const HANDSHAKE: u8 = 0;
/// The id under which MiniBit takes in peer exchange; the id to send it under is the remote's.
pub const PEER_EXCHANGE: u8 = 1;
/// A message names at most so many added and so many dropped peers (BEP 11).
pub const MOST_EXCHANGED: usize = 50;

/// The handshake, as far as MiniBit uses it. A later one changes only what it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedHandshake {
    /// The id under which the sender takes in peer exchange; 0: no more.
    pub peer_exchange: Option<u8>,
    /// Where the sender listens.
    pub port: Option<u16>,
    /// How many requests of ours it keeps at a time (`reqq`).
    pub requests: Option<u32>,
}

impl ExtendedHandshake {
    pub fn encode(&self) -> Bytes {
        bencoded(|encoder| {
            encoder.emit_dict(|mut top| {
                top.emit_pair_with(b"m", |e| {
                    e.emit_dict(|mut m| match self.peer_exchange {
                        Some(id) => m.emit_pair(b"ut_pex", id),
                        None => Ok(()),
                    })
                })?;
                if let Some(port) = self.port {
                    top.emit_pair(b"p", port)?;
                }
                if let Some(requests) = self.requests {
                    top.emit_pair(b"reqq", requests)?;
                }
                top.emit_pair(b"v", concat!("MiniBit ", env!("CARGO_PKG_VERSION")))
            })
        })
    }

    /// What it does not understand it passes over: everything in it is optional.
    pub fn parse(bytes: &[u8]) -> Result<ExtendedHandshake, BencodeError> {
        let Some(top) = Value::parse(bytes)?.as_dict() else { return Ok(ExtendedHandshake::default()) };
        let [m, port, requests] = top.pick(["m", "p", "reqq"])?;
        let exchange = match m.and_then(Value::as_dict) {
            Some(m) => m.pick(["ut_pex"])?[0],
            None => None,
        };
        Ok(ExtendedHandshake {
            peer_exchange: number(exchange),
            port: number(port).filter(|port| *port != 0),
            requests: number(requests),
        })
    }
}

/// Who is connected to the sender, as far as that has changed since its last message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerExchange {
    /// With what is known of each.
    pub added: Vec<(SocketAddr, Flags)>,
    pub dropped: Vec<SocketAddr>,
}

/// What a sender says of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// It has everything.
    pub seed: bool,
    /// Somebody has connected to it.
    pub reachable: bool,
}

impl Flags {
    const SEED: u8 = 0x02;
    const REACHABLE: u8 = 0x10;

    fn byte(self) -> u8 {
        (if self.seed { Self::SEED } else { 0 }) | (if self.reachable { Self::REACHABLE } else { 0 })
    }

    fn of(byte: u8) -> Flags {
        Flags { seed: byte & Self::SEED != 0, reachable: byte & Self::REACHABLE != 0 }
    }
}

impl PeerExchange {
    pub fn encode(&self) -> Bytes {
        let ([added, added6], [flags, flags6]) = self.added_rows();
        let [dropped, dropped6] = rows(self.dropped.iter().copied());
        let pairs: [(&[u8], Vec<u8>); 6] = [
            (b"added", added),
            (b"added.f", flags),
            (b"added6", added6),
            (b"added6.f", flags6),
            (b"dropped", dropped),
            (b"dropped6", dropped6),
        ];
        bencoded(|encoder| {
            encoder.emit_dict(|mut top| {
                pairs.iter().try_for_each(|(key, bytes)| top.emit_pair_with(key, |e| e.emit_bytes(bytes)))
            })
        })
    }

    fn added_rows(&self) -> ([Vec<u8>; 2], [Vec<u8>; 2]) {
        let mut flags = [Vec::new(), Vec::new()];
        for (peer, of) in &self.added {
            flags[usize::from(peer.is_ipv6())].push(of.byte());
        }
        (rows(self.added.iter().map(|(peer, _)| *peer)), flags)
    }

    /// The first [`MOST_EXCHANGED`] of each kind. Rows of the wrong length count as none, missing flags as clear.
    pub fn parse(bytes: &[u8]) -> Result<PeerExchange, BencodeError> {
        let Some(top) = Value::parse(bytes)?.as_dict() else { return Ok(PeerExchange::default()) };
        let flags = |key| -> Result<&[u8], BencodeError> { bytes_of(top, key) };
        let (flags4, flags6) = (flags("added.f")?, flags("added6.f")?);
        let with = |peers: Vec<SocketAddr>, flags: &[u8]| {
            let of = |at: usize| Flags::of(flags.get(at).copied().unwrap_or(0));
            peers.into_iter().enumerate().map(|(at, peer)| (peer, of(at))).collect::<Vec<_>>()
        };
        let mut added = with(peers::<PEER4>(bytes_of(top, "added")?), flags4);
        added.extend(with(peers::<PEER6>(bytes_of(top, "added6")?), flags6));
        added.truncate(MOST_EXCHANGED);
        let mut dropped = peers::<PEER4>(bytes_of(top, "dropped")?);
        dropped.extend(peers::<PEER6>(bytes_of(top, "dropped6")?));
        dropped.truncate(MOST_EXCHANGED);
        Ok(PeerExchange { added, dropped })
    }
}

fn bencoded(emit: impl FnOnce(bendy::encoding::SingleItemEncoder<'_>) -> Result<(), Error>) -> Bytes {
    let mut encoder = Encoder::new();
    let bytes = encoder.emit_with(emit).and_then(|()| encoder.get_output());
    bytes.expect("the keys are emitted in ascending order and nest twice").into()
}

/// IPv4, then IPv6.
fn rows(peers: impl Iterator<Item = SocketAddr>) -> [Vec<u8>; 2] {
    let mut rows = [Vec::new(), Vec::new()];
    peers.for_each(|peer| compact::write(peer, &mut rows[usize::from(peer.is_ipv6())]));
    rows
}

fn peers<const EACH: usize>(bytes: &[u8]) -> Vec<SocketAddr> {
    let mut peers = Vec::new();
    // A row that is broken off spoils all: where the others begin is anybody's guess.
    if compact::read::<EACH>(bytes, &mut peers) { peers } else { Vec::new() }
}

fn bytes_of<'a>(dict: Dict<'a>, key: &str) -> Result<&'a [u8], BencodeError> {
    Ok(dict.pick([key])?[0].and_then(Value::as_bytes).unwrap_or_default())
}

fn number<N: TryFrom<i64>>(value: Option<Value<'_>>) -> Option<N> {
    N::try_from(value?.as_integer()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = SocketAddr> {
        let port = 1..u16::MAX;
        prop_oneof![
            (any::<[u8; 4]>(), port.clone()).prop_map(SocketAddr::from),
            (any::<[u8; 16]>(), port).prop_map(SocketAddr::from),
        ]
    }

    fn flags() -> impl Strategy<Value = Flags> {
        (any::<bool>(), any::<bool>()).prop_map(|(seed, reachable)| Flags { seed, reachable })
    }

    proptest! {
        #[test]
        fn what_is_exchanged_is_read_again(
            mut added in prop::collection::vec((address(), flags()), 0..20),
            mut dropped in prop::collection::vec(address(), 0..20),
        ) {
            let message = PeerExchange { added: added.clone(), dropped: dropped.clone() }.encode();
            added.sort_by_key(|(peer, _)| peer.is_ipv6());
            dropped.sort_by_key(SocketAddr::is_ipv6);
            prop_assert_eq!(PeerExchange::parse(&message), Ok(PeerExchange { added, dropped }));
        }

        #[test]
        fn a_handshake_is_read_again(
            peer_exchange: Option<u8>,
            port in prop::option::of(1..u16::MAX),
            requests: Option<u32>,
        ) {
            let handshake = ExtendedHandshake { peer_exchange, port, requests };
            prop_assert_eq!(ExtendedHandshake::parse(&handshake.encode()), Ok(handshake));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (ExtendedHandshake::parse(&bytes), PeerExchange::parse(&bytes));
        }
    }

    #[test]
    fn the_handshake_is_as_bep_10_has_it() {
        let handshake = ExtendedHandshake { peer_exchange: Some(1), port: Some(6881), requests: Some(500) };
        let bytes = String::from_utf8(handshake.encode().to_vec()).unwrap();
        assert!(bytes.starts_with("d1:md6:ut_pexi1ee1:pi6881e4:reqqi500e1:v"), "{bytes}");
    }

    #[test]
    fn what_others_say_besides_is_passed_over() {
        let said = b"d1:md11:LT_metadatai3e6:ut_pexi2ee1:pi0e4:reqqi-1e6:yourip4:\x7f\0\0\x01e";
        let expected = ExtendedHandshake { peer_exchange: Some(2), port: None, requests: None };
        assert_eq!(ExtendedHandshake::parse(said), Ok(expected));
        assert_eq!(ExtendedHandshake::parse(b"i1e"), Ok(ExtendedHandshake::default()));
        assert!(ExtendedHandshake::parse(b"d1:m").is_err());
    }

    #[test]
    fn broken_rows_and_too_many_peers_do_no_harm() {
        assert_eq!(PeerExchange::parse(b"d5:added7:1234567e"), Ok(PeerExchange::default()));
        let many = (0..200).map(|last| (SocketAddr::from(([10, 0, 0, last], 1)), Flags::default()));
        let message = PeerExchange { added: many.collect(), dropped: Vec::new() }.encode();
        assert_eq!(PeerExchange::parse(&message).unwrap().added.len(), MOST_EXCHANGED);
    }
}
