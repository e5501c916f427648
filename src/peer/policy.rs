//! What a peer may be told to do differently: picker, choker and their constants, with the source of every default.

use crate::time::Span;

/// Everything a scenario's `[policy]` decides for a peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub picker: PickerPolicy,
    pub started_first: StartedFirst,
    /// So many first pieces are picked at random before the policy takes over (mainline July 2003: 4; before: 0).
    pub first_random: u32,
    pub choker: ChokerPolicy,
    /// Regular unchoke slots; optimistic ones come on top.
    pub unchoke_slots: u32,
    pub optimistic_slots: u32,
    /// Time between two choking decisions.
    pub round: Span,
    /// The optimistic unchoke moves on every so many rounds.
    pub optimistic_rounds: u32,
    /// How much likelier than others a peer that was never unchoked yet is drawn for a slot.
    pub newcomer_weight: u32,
    /// What `tit-for-tat` goes by once everything is complete.
    pub seed_rule: SeedRule,
    /// How far back the choker looks when it compares rates.
    pub rate_window: Span,
    /// A connection that owes us blocks and has delivered nothing for so long is snubbed.
    pub snub_after: Span,
    pub max_connections: u32,
    /// Announces the fast extension (BEP 6).
    pub fast_extension: bool,
    /// Announces the extension protocol (BEP 10).
    pub extension_protocol: bool,
    /// Over the extension protocol, takes part in peer exchange (BEP 11).
    pub peer_exchange: bool,
    pub pipeline: Pipeline,
}

impl Default for Policy {
    /// The scenario file's defaults: mainline of spring 2003 with five slots in all, the assignment's numbers.
    fn default() -> Policy {
        Policy {
            picker: PickerPolicy::RarestFirst,
            started_first: StartedFirst::Equal,
            first_random: 0,
            choker: ChokerPolicy::TitForTat,
            // The assignment: 4 fixed and 1 optimistic.
            unchoke_slots: 4,
            optimistic_slots: 1,
            // BEP 3 and Cohen 2003: 10 s rounds, the optimistic unchoke every third, 20 s rolling average.
            round: Span::from_secs(10),
            optimistic_rounds: 3,
            // Mainline since 3.9; 3 before.
            newcomer_weight: 1,
            seed_rule: SeedRule::UploadRate,
            rate_window: Span::from_secs(20),
            // Cohen 2003: "over a minute goes by without getting a single piece".
            snub_after: Span::from_secs(60),
            // Mainline 2003: 40 connections it makes itself.
            max_connections: 40,
            // None of the papers' clients had it.
            fast_extension: false,
            extension_protocol: false,
            peer_exchange: false,
            pipeline: Pipeline::default(),
        }
    }
}

/// Which piece comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PickerPolicy {
    /// Fewest holders among the connected peers first, ties uniform.
    RarestFirst,
    /// The same rule with every availability taken as equal.
    Random,
    /// The lowest piece with a free block.
    Sequential,
    /// Whatever an oracle's schedule has others offer us; it decides about choking and the order of uploads, too.
    Hypercube,
}

/// When a piece that was already started wins over an unopened one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartedFirst {
    /// Only among pieces of equal availability (mainline 2003, libtorrent).
    Equal,
    /// Always (Cohen 2003's "strict priority", Transmission).
    Always,
}

/// Who may download from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChokerPolicy {
    TitForTat,
    Rarity,
    Random,
    UnchokeAll,
}

/// Whom a `tit-for-tat` peer unchokes once it is complete and has nothing to gain any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeedRule {
    /// Those it sends most to, so that its uplink stays full (mainline 1.0 to 3.9, Cohen 2003).
    UploadRate,
    /// The same service time for everybody (mainline 4.0, Legout et al. 2006).
    Legout2006,
    /// Slots are drawn anew in every round.
    Random,
}

/// How many requests may be outstanding on a connection: `rate × time` in blocks, clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// How much time's worth of blocks is asked for (libtorrent's `request_queue_time`: 3 s).
    pub time: Span,
    /// Over which time the connection's rate is taken.
    pub rate_window: Span,
    pub min: u32,
    pub max: u32,
}

impl Default for Pipeline {
    fn default() -> Pipeline {
        Pipeline { time: Span::from_secs(3), rate_window: Span::from_secs(2), min: 2, max: 250 }
    }
}
