//! One number that stands for every record of a run, in order: two virtual runs with equal digests did the same.

use std::hash::{Hash, Hasher};

use crate::event::Record;

/// Folds records into 64 bits, word by word, without allocating. Equal on every machine, but only comparable within
/// one version of MiniBit: a new kind of event changes the numbers.
#[derive(Clone, Debug, Default)]
pub struct TraceDigest(u64);

/// Odd and without pattern (the golden ratio's fraction).
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

impl TraceDigest {
    pub fn record_all(&mut self, records: &[Record]) {
        records.iter().for_each(|record| record.hash(self));
    }

    /// As sixteen hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:016x}", self.0)
    }
}

impl Hasher for TraceDigest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // Both halves of the product, so that every bit of the word reaches every bit of the state.
        let product = u128::from(self.0 ^ word ^ FACTOR) * u128::from(FACTOR);
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ self.0.rotate_left(23);
    }

    // The same word whatever the width of the machine's own integers and their order of bytes.
    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CloseReason, Event};
    use crate::id::{PeerIndex, PieceIndex};
    use crate::time::Time;

    fn digest(records: &[Record]) -> String {
        let mut digest = TraceDigest::default();
        digest.record_all(records);
        digest.hex()
    }

    fn verified(at: u64, peer: u32, piece: u32) -> Record {
        let event = Event::PieceVerified { piece: PieceIndex(piece) };
        Record { at: Time::from_nanos(at), peer: PeerIndex(peer), event }
    }

    #[test]
    fn time_peer_content_kind_and_order_all_change_the_digest() {
        let base = [verified(1, 2, 3), verified(4, 5, 6)];
        let others = [
            vec![verified(0, 2, 3), verified(4, 5, 6)],
            vec![verified(1, 3, 3), verified(4, 5, 6)],
            vec![verified(1, 2, 0), verified(4, 5, 6)],
            vec![verified(4, 5, 6), verified(1, 2, 3)],
            vec![verified(1, 2, 3)],
            vec![verified(1, 2, 3), Record { event: Event::Completed, ..verified(4, 5, 6) }],
        ];
        assert_eq!(digest(&base), digest(&base.clone()));
        for other in others {
            assert_ne!(digest(&base), digest(&other), "{other:?}");
        }
    }

    #[test]
    fn reasons_count_with_every_byte() {
        let failed =
            |reason: &str| Record { event: Event::Failed { reason: reason.into() }, ..verified(1, 1, 1) };
        assert_ne!(digest(&[failed("disk full")]), digest(&[failed("disk fuller")]));
        let closed =
            |reason| Record { event: Event::Disconnected { remote: None, reason }, ..verified(1, 1, 1) };
        assert_ne!(digest(&[closed(CloseReason::Idle)]), digest(&[closed(CloseReason::Leaving)]));
    }

    #[test]
    fn many_small_records_do_not_collide() {
        let mut seen = std::collections::BTreeSet::new();
        for at in 0..20 {
            for peer in 0..20 {
                for piece in 0..20 {
                    assert!(seen.insert(digest(&[verified(at, peer, piece)])), "{at} {peer} {piece}");
                }
            }
        }
    }
}
