//! What a peer tells a tracker and what it hears back (BEP 3, 7, 23, 31, 48), as typed values; `query` and `reply`
//! hold their HTTP forms, `packet` the UDP ones (BEP 15). Knows nothing of sockets.

pub mod packet;
mod percent;
pub mod query;
pub mod reply;

use std::net::SocketAddr;

use crate::id::{InfoHash, PeerId};
use crate::time::Span;

/// How a tracker is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// BEP 3.
    Http,
    /// BEP 15.
    Udp,
}

/// Of more swarms than this nobody is told with one scrape: so many fit into a packet (BEP 15).
pub const MAX_SCRAPED: usize = 74;

/// The `event` of an announce (BEP 3); `None` at the regular interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnnounceEvent {
    None,
    Started,
    Completed,
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
    /// The listening port; the tracker takes the address from the connection, or in virtual time from the driver.
    pub port: u16,
    /// Bytes of payload this session.
    pub uploaded: u64,
    pub downloaded: u64,
    /// Bytes still missing; `None` where a foreign client does not say.
    pub left: Option<u64>,
    pub event: AnnounceEvent,
    /// How many peers are wanted at the most; `None` leaves it to the tracker.
    pub num_want: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceResponse {
    /// Until the next regular announce.
    pub interval: Span,
    /// The tracker wants no earlier one, if it says so.
    pub min_interval: Option<Span>,
    /// Seeds and leechers the tracker knows of, the asker included, if it says so.
    pub complete: Option<u32>,
    pub incomplete: Option<u32>,
    pub peers: Vec<SocketAddr>,
}

/// A tracker says no (BEP 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Box<str>,
    /// When to come back (BEP 31), if it says so.
    pub retry_in: Option<RetryIn>,
}

/// Of a stranger's reason, in characters.
const MAX_REASON: usize = 200;

impl Refusal {
    /// What a tracker said: of bounded length, without control or invisible characters, fit for logs and terminals.
    fn heard(reason: &[u8], retry_in: Option<RetryIn>) -> Refusal {
        let shown = |c: char| matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1;
        let reason = String::from_utf8_lossy(reason);
        let reason = reason.chars().take(MAX_REASON);
        Refusal {
            reason: reason.map(|c| if shown(c) { c } else { char::REPLACEMENT_CHARACTER }).collect(),
            retry_in,
        }
    }
}

/// BEP 31's `retry in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryIn {
    Minutes(u32),
    Never,
}

/// What a tracker answers to a scrape (BEP 48): the swarms that were asked for and that it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeResponse {
    pub files: Vec<(InfoHash, SwarmCounts)>,
}

/// One swarm in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwarmCounts {
    /// Seeds.
    pub complete: u32,
    /// How often `completed` was announced.
    pub downloaded: u32,
    /// Leechers.
    pub incomplete: u32,
}

/// Rounded up: nobody is to come back too early.
fn whole_seconds(span: Span) -> u64 {
    span.as_nanos().div_ceil(Span::from_secs(1).as_nanos())
}
