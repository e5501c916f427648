//! A tracker's answer in bencode: written by a tracker, read by a peer that does not trust it. Reading is strict
//! (sorted keys, no trailing bytes, little depth, [`MAX_BODY`]); what a peer makes of an absurd interval or of a
//! long list of peers is its own business.

mod read;
mod write;

pub use read::{Answer, MAX_BODY, ReplyError, parse_response, parse_scrape};
pub use write::{PeersForm, write_refusal, write_response, write_scrape};

#[cfg(test)]
mod tests;
