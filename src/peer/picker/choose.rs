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
use super::started::Started;
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
        // Only complete remotes are left out of the counts: what another has, it has itself.
        let floor = if asker.pieces.is_full() { 0 } else { 1 };
        if let Some(order) = &mut self.order {
            let wanted = || Wanted {
                counts: self.availability.counts(),
                free: self.free.words(),
                started: self.progress.open(),
            };
            match rarest(order, wanted, &eligible, floor, rng) {
                Search::Found(piece) => return Some(piece),
                Search::Nothing => return None,
                Search::GaveUp => {}
            }
        }
        self.rarest(&eligible, floor, rng)
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
        Started::of(self.progress.open(), &self.availability, eligible).one(rng)
    }

    /// A started piece among the rarest if there is one, from the counts alone. No eligible piece has fewer holders than
    /// `floor`.
    //
    // Most of these picks are further blocks of a piece that the asker alone has: nothing is rarer, and that needs no survey.
    #[inline(never)]
    fn rarest(&self, eligible: &Eligible<'_>, floor: u16, rng: &mut Stream) -> Option<PieceIndex> {
        let started = Started::of(self.progress.open(), &self.availability, eligible);
        if started.fewest() <= floor {
            return started.one(rng);
        }
        match self.availability.counts() {
            Counts::Narrow(rows) => rarest_by(rows, eligible, &started, rng),
            Counts::Wide(rows) => rarest_by(rows, eligible, &started, rng),
        }
    }
}

fn rarest_by<C: Count>(
    rows: &[Row<C>],
    eligible: &Eligible<'_>,
    started: &Started<'_>,
    rng: &mut Stream,
) -> Option<PieceIndex> {
    let survey = Survey::of(rows, eligible);
    let fewest = survey.fewest()?;
    if fewest.into() == started.fewest() { started.one(rng) } else { survey.one(fewest, rng) }
}
