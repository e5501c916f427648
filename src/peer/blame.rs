//! Who sent a bad piece. A peer that alone sent one is guilty; of several, the one whose block differs once the piece
//! has come right. An honest peer is never banned: every ban rests on a hash.

mod senders;

use std::collections::{BTreeMap, BTreeSet};

use crate::fetch;
use crate::id::{BlockId, PeerId, PieceIndex};
use senders::Senders;

/// A peer that alone sent this many failed pieces is banned.
const SOLE_FAILURES: u32 = 2;

/// The senders of unverified blocks, and the evidence kept from failed pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blame {
    senders: Senders,
    failed: BTreeMap<PieceIndex, Vec<Attempt>>,
    sole_failures: BTreeMap<PeerId, u32>,
    banned: BTreeSet<PeerId>,
}

/// One failed attempt at a piece: the digest of every block and who sent it.
#[derive(Clone, Debug)]
struct Attempt {
    blocks: Vec<(u64, Option<PeerId>)>,
}

impl Attempt {
    fn senders(&self) -> BTreeSet<PeerId> {
        self.blocks.iter().filter_map(|(_, from)| *from).collect()
    }
}

impl Blame {
    /// What every block looks at will be looked at soon.
    pub(crate) fn fetch(&self) {
        self.senders.fetch();
        fetch::one(&self.failed);
    }

    /// The same of what a block has to be noted in.
    pub(crate) fn fetch_pieces(&self) {
        self.senders.fetch_pieces();
    }

    /// The same of where a block of this piece is noted.
    pub(crate) fn fetch_piece(&self, piece: PieceIndex) {
        self.senders.fetch_piece(piece);
    }

    pub(crate) fn received(&mut self, block: BlockId, from: PeerId) {
        self.senders.insert(block, from);
    }

    /// Whether digests are needed to judge an earlier failure of this piece.
    pub(crate) fn wants_digests(&self, piece: PieceIndex) -> bool {
        self.failed.contains_key(&piece)
    }

    pub(crate) fn is_banned(&self, peer: PeerId) -> bool {
        self.banned.contains(&peer)
    }

    /// Whether any piece that failed has not come right yet.
    pub(crate) fn suspects_anybody(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Who sent blocks of the piece when it failed last.
    pub(crate) fn suspects(&self, piece: PieceIndex) -> BTreeSet<PeerId> {
        let last = self.failed.get(&piece).and_then(|attempts| attempts.last());
        last.map(Attempt::senders).unwrap_or_default()
    }

    /// The pieces that failed with blocks of this peer and of others, none of whom is known for a liar, and that have not come
    /// right yet.
    pub(crate) fn unsettled(&self, peer: PeerId) -> impl Iterator<Item = PieceIndex> + '_ {
        let open = move |attempt: &Attempt| {
            let senders = attempt.senders();
            senders.len() > 1 && senders.contains(&peer) && senders.is_disjoint(&self.banned)
        };
        self.failed.iter().filter(move |(_, attempts)| attempts.iter().any(open)).map(|(piece, _)| *piece)
    }

    /// The pieces without a verdict of which it has sent blocks.
    pub(crate) fn unverified_from(&self, peer: PeerId) -> BTreeSet<PieceIndex> {
        self.senders.pieces_from(peer).collect()
    }

    /// Nothing of the piece counts any more (it could not be stored).
    pub(crate) fn forget(&mut self, piece: PieceIndex) {
        self.senders.forget(piece);
    }

    /// No piece is under way: gives back the memory for those.
    pub(crate) fn rest(&mut self) {
        self.senders = Senders::default();
    }

    /// The piece failed its hash. Returns who is banned for it now.
    pub(crate) fn bad(&mut self, piece: PieceIndex, digests: &[u64]) -> Vec<PeerId> {
        let senders = self.senders.last_of(piece, digests.len());
        self.forget(piece);
        let attempt = Attempt { blocks: digests.iter().copied().zip(senders).collect() };
        let suspects = attempt.senders();
        self.failed.entry(piece).or_default().push(attempt);
        match suspects.first() {
            Some(&only) if suspects.len() == 1 => {
                let failures = self.sole_failures.entry(only).or_default();
                *failures += 1;
                if *failures >= SOLE_FAILURES { self.ban([only]) } else { Vec::new() }
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The piece is right. Whoever sent a block that differs from it in an earlier attempt is banned.
    pub(crate) fn good(&mut self, piece: PieceIndex, digests: &[u64]) -> Vec<PeerId> {
        self.forget(piece);
        let attempts = self.failed.remove(&piece).unwrap_or_default();
        let guilty = attempts.iter().flat_map(|attempt| {
            let wrong = attempt.blocks.iter().zip(digests).filter(|((sent, _), right)| sent != *right);
            wrong.filter_map(|((_, from), _)| *from)
        });
        let guilty: Vec<PeerId> = guilty.collect();
        self.ban(guilty)
    }

    fn ban(&mut self, guilty: impl IntoIterator<Item = PeerId>) -> Vec<PeerId> {
        guilty.into_iter().filter(|peer| self.banned.insert(*peer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: PieceIndex = PieceIndex(3);
    const HONEST: PeerId = PeerId([1; 20]);
    const LIAR: PeerId = PeerId([2; 20]);

    fn send(blame: &mut Blame, senders: &[PeerId]) {
        for (index, from) in senders.iter().enumerate() {
            blame.received(BlockId { piece: PIECE, index: index as u32 }, *from);
        }
    }

    #[test]
    fn a_sole_sender_is_banned_at_its_second_failure() {
        let mut blame = Blame::default();
        send(&mut blame, &[LIAR, LIAR]);
        assert_eq!(blame.bad(PIECE, &[8, 9]), []);
        send(&mut blame, &[LIAR, LIAR]);
        assert_eq!(blame.bad(PIECE, &[8, 9]), [LIAR]);
        assert!(blame.is_banned(LIAR));
    }

    #[test]
    fn of_two_senders_only_the_one_whose_block_differs_is_banned() {
        let mut blame = Blame::default();
        send(&mut blame, &[HONEST, LIAR]);
        assert_eq!(blame.bad(PIECE, &[1, 666]), []);
        assert!(blame.wants_digests(PIECE));
        send(&mut blame, &[HONEST, HONEST]);
        assert_eq!(blame.good(PIECE, &[1, 2]), [LIAR]);
        assert!(!blame.is_banned(HONEST) && !blame.wants_digests(PIECE));
    }

    #[test]
    fn a_failure_of_several_is_unsettled_until_the_piece_is_right_or_one_of_them_a_known_liar() {
        let unsettled = |blame: &Blame, peer| blame.unsettled(peer).collect::<Vec<_>>();
        let mut blame = Blame::default();
        send(&mut blame, &[HONEST, LIAR]);
        assert_eq!(blame.unverified_from(LIAR), [PIECE].into());
        blame.bad(PIECE, &[1, 666]);
        assert_eq!((unsettled(&blame, HONEST), unsettled(&blame, LIAR)), (vec![PIECE], vec![PIECE]));
        assert_eq!((blame.suspects(PIECE), blame.unverified_from(LIAR)), ([HONEST, LIAR].into(), [].into()));
        let mut elsewhere = blame.clone();
        elsewhere.ban([LIAR]);
        assert_eq!(unsettled(&elsewhere, HONEST), []);
        send(&mut blame, &[HONEST, HONEST]);
        blame.good(PIECE, &[1, 2]);
        assert_eq!(unsettled(&blame, HONEST), []);
        assert!(!blame.suspects_anybody());
    }

    #[test]
    fn what_one_alone_sent_leaves_nothing_open() {
        let mut blame = Blame::default();
        send(&mut blame, &[LIAR, LIAR]);
        blame.bad(PIECE, &[8, 9]);
        assert_eq!(blame.unsettled(LIAR).count(), 0);
    }

    #[test]
    fn a_block_that_was_sent_again_counts_for_its_last_sender() {
        let mut blame = Blame::default();
        send(&mut blame, &[LIAR]);
        send(&mut blame, &[HONEST]);
        blame.bad(PIECE, &[5]);
        assert_eq!(blame.good(PIECE, &[6]), [HONEST]);
    }
}
