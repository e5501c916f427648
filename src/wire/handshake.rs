//! BEP 3's handshake: the 68 bytes that both ends send first. Knows nothing of connections or time-outs.

use crate::id::{InfoHash, PeerId};

const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";

/// The eight reserved bytes: what the sender can do beyond BEP 3. Bits that we do not know stay as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    const EXTENDED: u8 = 0x10;
    const FAST: u8 = 0x04;

    /// With the bits of the fast extension (BEP 6) and the extension protocol (BEP 10) as asked, all others clear.
    pub fn announcing(fast: bool, extended: bool) -> Reserved {
        let mut bytes = [0; 8];
        bytes[5] = if extended { Self::EXTENDED } else { 0 };
        bytes[7] = if fast { Self::FAST } else { 0 };
        Reserved(bytes)
    }

    /// BEP 6. In force only where both ends announce it.
    pub fn fast(self) -> bool {
        self.0[7] & Self::FAST != 0
    }

    /// BEP 10. In force only where both ends announce it.
    pub fn extended(self) -> bool {
        self.0[5] & Self::EXTENDED != 0
    }
}

/// The first 48 bytes: all that the accepting end needs to find the torrent and to answer. The peer id follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    pub reserved: Reserved,
    pub info_hash: InfoHash,
}

/// A whole handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    pub reserved: Reserved,
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
}

/// Why bytes are no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Also what an encrypted (MSE) attempt looks like.
    #[error("the first 20 bytes are not BitTorrent's; encrypted connections are not supported")]
    NotBitTorrent,
}

impl Opening {
    pub const LENGTH: usize = 48;

    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Result<Opening, HandshakeError> {
        // All twenty, because the key of an encrypted handshake may begin with the same byte.
        if bytes[..20] != PROTOCOL {
            return Err(HandshakeError::NotBitTorrent);
        }
        Ok(Opening { reserved: Reserved(array(&bytes[20..28])), info_hash: InfoHash(array(&bytes[28..])) })
    }
}

impl Handshake {
    pub const LENGTH: usize = 68;

    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..20].copy_from_slice(&PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved.0);
        bytes[28..48].copy_from_slice(&self.info_hash.0);
        bytes[48..].copy_from_slice(&self.peer_id.0);
        bytes
    }

    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Result<Handshake, HandshakeError> {
        let Opening { reserved, info_hash } = Opening::parse(&array(&bytes[..Opening::LENGTH]))?;
        Ok(Handshake { reserved, info_hash, peer_id: PeerId(array(&bytes[Opening::LENGTH..])) })
    }
}

/// The slice must be `N` bytes long.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &[u8; 68] =
        b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04aaaaaaaaaaaaaaaaaaaa-MB0001-abcdefghijkl";

    #[test]
    fn a_handshake_has_the_bytes_of_bep_3() {
        let handshake = Handshake {
            reserved: Reserved::announcing(true, true),
            info_hash: InfoHash([b'a'; 20]),
            peer_id: PeerId::minibit(*b"abcdefghijkl"),
        };
        assert_eq!(&handshake.encode(), SAMPLE);
        assert_eq!(Handshake::parse(SAMPLE), Ok(handshake));
        assert_eq!((handshake.reserved.fast(), handshake.reserved.extended()), (true, true));
    }

    #[test]
    fn a_plain_bep_3_handshake_announces_nothing() {
        let plain = Reserved::announcing(false, false);
        assert_eq!(plain, Reserved([0; 8]));
        assert_eq!((plain.fast(), plain.extended()), (false, false));
    }

    #[test]
    fn one_wrong_byte_anywhere_in_the_protocol_name_is_refused() {
        for at in 0..20 {
            let mut bytes = *SAMPLE;
            bytes[at] ^= 1;
            assert_eq!(Handshake::parse(&bytes), Err(HandshakeError::NotBitTorrent), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn every_handshake_round_trips_with_foreign_bits_kept(
            reserved: [u8; 8], info_hash: [u8; 20], peer_id: [u8; 20],
        ) {
            let handshake = Handshake {
                reserved: Reserved(reserved),
                info_hash: InfoHash(info_hash),
                peer_id: PeerId(peer_id),
            };
            prop_assert_eq!(Handshake::parse(&handshake.encode()), Ok(handshake));
        }
    }
}
