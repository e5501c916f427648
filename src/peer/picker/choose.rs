//! The picking rule: which piece the next block comes from. Reads the picker's state, changes no block.
//!
//! The next block has minimum availability over started pieces with a free block and unopened pieces; a started piece
//! wins among equals (mainline 2003, libtorrent) or always, and with many pieces started in any case. Ties are uniform.

use super::availability::Counts;
use super::draw::one_of;
use super::eligible::Eligible;
use super::order::Wanted;
use super::rarest::Survey;
use super::rows::{Count, Row};
use super::search::{Search, rarest};
use super::{Asker, Picker};
use crate::id::PieceIndex;
use crate::peer::policy::{PickerPolicy, StartedFirst};
use crate::rng::Stream;

impl Picker {
    /// A piece with a free block that `asker` has, none of those in `kept`.
    #[inline]
    pub(super) fn choose(
        &mut self,
        asker: &Asker<'_>,
        kept: &[PieceIndex],
        rng: &mut Stream,
    ) -> Option<PieceIndex> {
        if self.free.is_empty() {
            return None;
        }
        let eligible = Eligible { asker: asker.pieces.words(), free: &self.free, kept };
        let policy = if self.verified < self.first_random { PickerPolicy::Random } else { self.policy };
        if policy != PickerPolicy::RarestFirst {
            return self.choose_without_counts(policy, &eligible, rng);
        }
        if self.started_win(asker)
            && let Some(piece) = self.rarest_started(&eligible, rng)
        {
            return Some(piece);
        }
        if let Some(order) = &mut self.order {
            let wanted = || Wanted {
                rows: self.availability.wide_rows(),
                free: self.free.words(),
                started: self.progress.open(),
            };
            match rarest(order, wanted, &eligible, rng) {
                Search::Found(piece) => return Some(piece),
                Search::Nothing => return None,
                Search::GaveUp => {}
            }
        }
        self.rarest(&eligible, rng)
    }

    // Out of the way of the usual policy: what every block pays for stays short.
    #[inline(never)]
    fn choose_without_counts(
        &self,
        policy: PickerPolicy,
        eligible: &Eligible<'_>,
        rng: &mut Stream,
    ) -> Option<PieceIndex> {
        match policy {
            PickerPolicy::Sequential | PickerPolicy::Hypercube => eligible.lowest(),
            PickerPolicy::Random | PickerPolicy::RarestFirst => {
                self.any_started(eligible, rng).or_else(|| eligible.any(rng))
            }
        }
    }

    /// A started piece with a free block that `asker` has, by the same policy.
    #[inline(never)]
    pub(super) fn choose_started(
        &mut self,
        asker: &Asker<'_>,
        kept: &[PieceIndex],
        rng: &mut Stream,
    ) -> Option<PieceIndex> {
        let eligible = Eligible { asker: asker.pieces.words(), free: &self.free, kept };
        match self.policy {
            PickerPolicy::Sequential | PickerPolicy::Hypercube => {
                self.progress.open().iter().copied().filter(|&piece| eligible.allows(piece)).min()
            }
            PickerPolicy::Random => self.any_started(&eligible, rng),
            PickerPolicy::RarestFirst => self.rarest_started(&eligible, rng),
        }
    }

    /// Whether a started piece comes before a rarer unopened one. libtorrent's limit: more pieces started than one and a
    /// half per connection.
    fn started_win(&self, asker: &Asker<'_>) -> bool {
        self.started_first == StartedFirst::Always || 2 * self.started_pieces() > 3 * asker.connections
    }

    fn any_started(&self, eligible: &Eligible<'_>, rng: &mut Stream) -> Option<PieceIndex> {
        one_of(self.progress.open(), |piece| eligible.allows(piece), rng)
    }

    #[inline(never)]
    fn rarest_started(&self, eligible: &Eligible<'_>, rng: &mut Stream) -> Option<PieceIndex> {
        let holders = |&piece: &PieceIndex| self.availability.count(piece) | eligible.barred(piece);
        let least = self.progress.open().iter().map(holders).min()?;
        self.one_started(least, eligible, rng)
    }

    fn one_started(&self, holders: u16, eligible: &Eligible<'_>, rng: &mut Stream) -> Option<PieceIndex> {
        let fits = |piece| eligible.allows(piece) & (self.availability.count(piece) == holders);
        one_of(self.progress.open(), fits, rng)
    }

    /// A started piece among the rarest if there is one, from the counts alone.
    #[inline(never)]
    fn rarest(&self, eligible: &Eligible<'_>, rng: &mut Stream) -> Option<PieceIndex> {
        match self.availability.counts() {
            Counts::Narrow(rows) => self.rarest_by(rows, eligible, rng),
            Counts::Wide(rows) => self.rarest_by(rows, eligible, rng),
        }
    }

    fn rarest_by<C: Count>(
        &self,
        rows: &[Row<C>],
        eligible: &Eligible<'_>,
        rng: &mut Stream,
    ) -> Option<PieceIndex> {
        let mut survey = Survey::of(rows, eligible);
        let least = survey.fewest()?.into();
        self.one_started(least, eligible, rng).or_else(|| survey.one(rng))
    }
}
