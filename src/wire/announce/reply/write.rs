//! Answers as a tracker writes them.

use std::net::SocketAddr;

use bendy::encoding::{Encoder, Error, SingleItemEncoder};

use crate::id::PeerId;
use crate::wire::announce::{AnnounceResponse, Refusal, RetryIn, ScrapeResponse, SwarmCounts, whole_seconds};
use crate::wire::compact::{self, PEER4};

/// How an answer names peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeersForm<'a> {
    /// As strings (BEP 7, 23).
    Compact,
    /// As dictionaries (BEP 3). With the ids of the peers, in their order; nameless ones have none, and without any ids
    /// nobody has.
    Dictionaries(&'a [Option<PeerId>]),
}

/// Intervals go out as whole seconds, rounded up.
pub fn write_response(response: &AnnounceResponse, form: PeersForm<'_>) -> Vec<u8> {
    bencode(|e| {
        e.emit_dict(|mut e| {
            if let Some(complete) = response.complete {
                e.emit_pair(b"complete", complete)?;
            }
            if let Some(incomplete) = response.incomplete {
                e.emit_pair(b"incomplete", incomplete)?;
            }
            e.emit_pair(b"interval", whole_seconds(response.interval))?;
            if let Some(min_interval) = response.min_interval {
                e.emit_pair(b"min interval", whole_seconds(min_interval))?;
            }
            if let PeersForm::Dictionaries(ids) = form {
                return e.emit_pair_with(b"peers", |e| emit_peer_dicts(e, &response.peers, ids));
            }
            let (peers, peers6) = compact_peers(&response.peers);
            e.emit_pair_with(b"peers", |e| e.emit_bytes(&peers))?;
            if peers6.is_empty() { Ok(()) } else { e.emit_pair_with(b"peers6", |e| e.emit_bytes(&peers6)) }
        })
    })
}

pub fn write_refusal(refusal: &Refusal) -> Vec<u8> {
    bencode(|e| {
        e.emit_dict(|mut e| {
            e.emit_pair_with(b"failure reason", |e| e.emit_str(&refusal.reason))?;
            match refusal.retry_in {
                None => Ok(()),
                Some(RetryIn::Minutes(minutes)) => e.emit_pair(b"retry in", minutes),
                Some(RetryIn::Never) => e.emit_pair_with(b"retry in", |e| e.emit_str("never")),
            }
        })
    })
}

/// `files` must be free of repeated hashes; any order will do.
pub fn write_scrape(response: &ScrapeResponse) -> Vec<u8> {
    let mut files = response.files.clone();
    files.sort_by_key(|(info_hash, _)| *info_hash);
    files.dedup_by_key(|(info_hash, _)| *info_hash);
    bencode(|e| {
        e.emit_dict(|mut e| {
            e.emit_pair_with(b"files", |e| {
                e.emit_dict(|mut e| {
                    files.iter().try_for_each(|(info_hash, counts)| {
                        e.emit_pair_with(&info_hash.0, |e| emit_counts(e, *counts))
                    })
                })
            })
        })
    })
}

fn bencode(content: impl FnOnce(SingleItemEncoder<'_>) -> Result<(), Error>) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder
        .emit_with(content)
        .and_then(|()| encoder.get_output())
        .expect("keys are written in order, a few deep")
}

fn emit_peer_dicts(
    e: SingleItemEncoder<'_>,
    peers: &[SocketAddr],
    ids: &[Option<PeerId>],
) -> Result<(), Error> {
    let ids = ids.iter().copied().chain(std::iter::repeat(None));
    e.emit_list(|e| {
        peers.iter().zip(ids).try_for_each(|(peer, id)| {
            e.emit_dict(|mut e| {
                e.emit_pair_with(b"ip", |e| e.emit_str(&peer.ip().to_string()))?;
                if let Some(id) = id {
                    e.emit_pair_with(b"peer id", |e| e.emit_bytes(&id.0))?;
                }
                e.emit_pair(b"port", peer.port())
            })
        })
    })
}

fn compact_peers(peers: &[SocketAddr]) -> (Vec<u8>, Vec<u8>) {
    let (mut v4, mut v6) = (Vec::with_capacity(peers.len() * PEER4), Vec::new());
    for peer in peers {
        compact::write(*peer, if peer.is_ipv4() { &mut v4 } else { &mut v6 });
    }
    (v4, v6)
}

fn emit_counts(e: SingleItemEncoder<'_>, counts: SwarmCounts) -> Result<(), Error> {
    e.emit_dict(|mut e| {
        e.emit_pair(b"complete", counts.complete)?;
        e.emit_pair(b"downloaded", counts.downloaded)?;
        e.emit_pair(b"incomplete", counts.incomplete)
    })
}
