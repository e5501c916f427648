//! Answers as a distrustful peer reads them.

use std::net::SocketAddr;

use crate::id::InfoHash;
use crate::time::Span;
use crate::torrent::bencode::{BencodeError, Dict, List, Value};
use crate::wire::announce::{AnnounceResponse, Refusal, RetryIn, ScrapeResponse, SwarmCounts};
use crate::wire::compact::{self, PEER4, PEER6, dialable};

/// Longer answers are refused: room for a hundred thousand peers.
pub const MAX_BODY: usize = 1 << 20;

/// What an announce or a scrape brought.
pub type Answer<T> = Result<T, Refusal>;

/// Why bytes are no answer of a tracker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("{0} bytes where {MAX_BODY} are allowed")]
    TooLong(usize),
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} has a wrong type or value")]
    BadValue(&'static str),
    #[error("{key} has {length} bytes, no multiple of {each}")]
    BrokenPeers { key: &'static str, length: usize, each: usize },
}

/// Reads the answer to an announce, compact or not. Peers with port 0 or a name instead of an address are left out.
pub fn parse_response(body: &[u8]) -> Result<Answer<AnnounceResponse>, ReplyError> {
    let entries = entries(body)?;
    if let Some(refusal) = refusal(&entries)? {
        return Ok(Err(refusal));
    }
    let mut peers = Vec::new();
    match entries.get("peers") {
        None => {}
        Some(Value::Bytes(bytes)) => read_compact::<PEER4>("peers", bytes, &mut peers)?,
        Some(Value::List(list)) => read_peer_dicts(list, &mut peers)?,
        Some(Value::Dict(_) | Value::Integer(_)) => return Err(ReplyError::BadValue("peers")),
    }
    if let Some(bytes) = entries.bytes("peers6")? {
        read_compact::<PEER6>("peers6", bytes, &mut peers)?;
    }
    Ok(Ok(AnnounceResponse {
        interval: entries.seconds("interval")?.ok_or(ReplyError::Missing("interval"))?,
        min_interval: entries.seconds("min interval")?,
        complete: entries.count("complete"),
        incomplete: entries.count("incomplete"),
        peers,
    }))
}

/// Reads the answer to a scrape.
pub fn parse_scrape(body: &[u8]) -> Result<Answer<ScrapeResponse>, ReplyError> {
    let entries = entries(body)?;
    if let Some(refusal) = refusal(&entries)? {
        return Ok(Err(refusal));
    }
    let files = entries.get("files").ok_or(ReplyError::Missing("files"))?;
    let files = files.as_dict().ok_or(ReplyError::BadValue("files"))?.entries()?;
    let files = files.into_iter().map(|(key, value)| {
        let info_hash = key.try_into().map_err(|_| ReplyError::BadValue("an info hash"))?;
        let counts = Entries::of("a swarm's counts", value)?;
        let count = |key| counts.count(key).unwrap_or(0);
        let counts = SwarmCounts {
            complete: count("complete"),
            downloaded: count("downloaded"),
            incomplete: count("incomplete"),
        };
        Ok((InfoHash(info_hash), counts))
    });
    Ok(Ok(ScrapeResponse { files: files.collect::<Result<_, ReplyError>>()? }))
}

/// The entries of the answer's one dictionary.
fn entries(body: &[u8]) -> Result<Entries<'_>, ReplyError> {
    if body.len() > MAX_BODY {
        return Err(ReplyError::TooLong(body.len()));
    }
    Entries::of("the answer", Value::parse(body)?)
}

fn refusal(entries: &Entries<'_>) -> Result<Option<Refusal>, ReplyError> {
    let Some(reason) = entries.bytes("failure reason")? else {
        return Ok(None);
    };
    let retry_in = match entries.get("retry in") {
        Some(Value::Bytes(b"never")) => Some(RetryIn::Never),
        Some(Value::Integer(minutes)) => u32::try_from(minutes).ok().map(RetryIn::Minutes),
        _ => None,
    };
    Ok(Some(Refusal::heard(reason, retry_in)))
}

/// A dictionary's entries, looked up by key.
struct Entries<'b>(Vec<(&'b [u8], Value<'b>)>);

impl<'b> Entries<'b> {
    fn of(what: &'static str, value: Value<'b>) -> Result<Entries<'b>, ReplyError> {
        let dict: Dict<'b> = value.as_dict().ok_or(ReplyError::BadValue(what))?;
        Ok(Entries(dict.entries()?))
    }

    fn get(&self, key: &str) -> Option<Value<'b>> {
        let at = self.0.binary_search_by_key(&key.as_bytes(), |(key, _)| key).ok()?;
        Some(self.0[at].1)
    }

    fn bytes(&self, key: &'static str) -> Result<Option<&'b [u8]>, ReplyError> {
        self.get(key).map(|value| value.as_bytes().ok_or(ReplyError::BadValue(key))).transpose()
    }

    /// Refuses negative seconds; many become [`Span::MAX`].
    fn seconds(&self, key: &'static str) -> Result<Option<Span>, ReplyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let seconds = value.as_integer().and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Some(Span::from_secs(1) * seconds.ok_or(ReplyError::BadValue(key))?))
    }

    /// Only informative, so an absurd one is as good as none.
    fn count(&self, key: &str) -> Option<u32> {
        u32::try_from(self.get(key)?.as_integer()?).ok()
    }
}

fn read_compact<const EACH: usize>(
    key: &'static str,
    bytes: &[u8],
    peers: &mut Vec<SocketAddr>,
) -> Result<(), ReplyError> {
    let whole = compact::read::<EACH>(bytes, peers);
    if whole { Ok(()) } else { Err(ReplyError::BrokenPeers { key, length: bytes.len(), each: EACH }) }
}

fn read_peer_dicts(list: List<'_>, peers: &mut Vec<SocketAddr>) -> Result<(), ReplyError> {
    for peer in list.items()? {
        let peer = Entries::of("a peer", peer)?;
        let ip = peer.get("ip").ok_or(ReplyError::Missing("a peer's ip"))?;
        let ip = ip.as_bytes().ok_or(ReplyError::BadValue("a peer's ip"))?;
        let port = peer.get("port").ok_or(ReplyError::Missing("a peer's port"))?;
        let port = port.as_integer().and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or(ReplyError::BadValue("a peer's port"))?;
        let ip = std::str::from_utf8(ip).ok().and_then(|ip| ip.parse().ok());
        peers.extend(ip.and_then(|ip| dialable(ip, port)));
    }
    Ok(())
}
