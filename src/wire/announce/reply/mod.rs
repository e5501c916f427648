//! A tracker's answer in bencode: written by a tracker, read by a peer that does not trust it. Reading is strict
//! (sorted keys, no trailing bytes, little depth, [`MAX_BODY`]); what a peer makes of an absurd interval or of a
//! long list of peers is its own business.

mod read;
mod write;

pub use read::{Answer, MAX_BODY, ReplyError, parse_response, parse_scrape};
pub use write::{write_refusal, write_response, write_scrape};

/// Bytes of a compact IPv4 peer (BEP 23).
const PEER4: usize = 6;
/// Bytes of a compact IPv6 peer (BEP 7).
const PEER6: usize = 18;

#[cfg(test)]
mod tests;
