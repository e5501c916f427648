//! Answers as a distrustful peer reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bendy::decoding::{Decoder, DictDecoder, ListDecoder, Object};

use super::{PEER4, PEER6};
use crate::id::InfoHash;
use crate::time::Span;
use crate::wire::announce::{AnnounceResponse, Refusal, RetryIn, ScrapeResponse, SwarmCounts};

/// Longer answers are refused: room for a hundred thousand peers.
pub const MAX_BODY: usize = 1 << 20;
/// An answer's own values nest three deep; foreign ones may a little more.
const MAX_DEPTH: usize = 8;
/// Of a refusal's text, in characters.
pub(super) const MAX_REASON: usize = 200;

/// What an announce or a scrape brought.
pub type Answer<T> = Result<T, Refusal>;

/// Why bytes are no answer of a tracker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("{0} bytes where {MAX_BODY} are allowed")]
    TooLong(usize),
    #[error("not bencode: {0}")]
    Bencode(Box<str>),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} has a wrong type or value")]
    BadValue(&'static str),
    #[error("{key} has {length} bytes, no multiple of {each}")]
    BrokenPeers { key: &'static str, length: usize, each: usize },
}

impl From<bendy::decoding::Error> for ReplyError {
    fn from(error: bendy::decoding::Error) -> ReplyError {
        ReplyError::Bencode(error.to_string().into())
    }
}

/// Reads the answer to an announce, compact or not. Peers with port 0 or a name instead of an address are left out.
pub fn parse_response(body: &[u8]) -> Result<Answer<AnnounceResponse>, ReplyError> {
    let mut refusal = RefusalKeys::default();
    let mut interval = None;
    let (mut min_interval, mut complete, mut incomplete) = (None, None, None);
    let mut peers = Vec::new();
    parse_dict(body, |key, value| {
        match key {
            b"complete" => complete = count(value),
            b"incomplete" => incomplete = count(value),
            b"interval" => interval = Some(seconds("interval", value)?),
            b"min interval" => min_interval = Some(seconds("min interval", value)?),
            b"peers" => read_peers(value, &mut peers)?,
            b"peers6" => read_compact::<PEER6>("peers6", string("peers6", value)?, &mut peers)?,
            _ => refusal.note(key, value)?,
        }
        Ok(())
    })?;
    if let Some(refusal) = refusal.finish() {
        return Ok(Err(refusal));
    }
    let interval = interval.ok_or(ReplyError::Missing("interval"))?;
    Ok(Ok(AnnounceResponse { interval, min_interval, complete, incomplete, peers }))
}

/// Reads the answer to a scrape.
pub fn parse_scrape(body: &[u8]) -> Result<Answer<ScrapeResponse>, ReplyError> {
    let mut refusal = RefusalKeys::default();
    let mut files = None;
    parse_dict(body, |key, value| {
        match key {
            b"files" => files = Some(read_files(dictionary("files", value)?)?),
            _ => refusal.note(key, value)?,
        }
        Ok(())
    })?;
    if let Some(refusal) = refusal.finish() {
        return Ok(Err(refusal));
    }
    Ok(Ok(ScrapeResponse { files: files.ok_or(ReplyError::Missing("files"))? }))
}

/// Hands every pair of the body's one dictionary to `each`.
fn parse_dict<'b>(
    body: &'b [u8],
    each: impl for<'o> FnMut(&'b [u8], Object<'o, 'b>) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    if body.len() > MAX_BODY {
        return Err(ReplyError::TooLong(body.len()));
    }
    let mut decoder = Decoder::new(body).with_max_depth(MAX_DEPTH);
    let object = decoder.next_object()?.ok_or(ReplyError::Missing("the answer"))?;
    pairs(dictionary("the answer", object)?, each)?;
    match decoder.next_object()? {
        None => Ok(()),
        Some(_) => Err(ReplyError::Bencode("more than one value".into())),
    }
}

fn pairs<'b>(
    mut dict: DictDecoder<'_, 'b>,
    mut each: impl for<'o> FnMut(&'b [u8], Object<'o, 'b>) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    while let Some((key, value)) = dict.next_pair()? {
        each(key, value)?;
    }
    Ok(())
}

fn dictionary<'o, 'b>(key: &'static str, value: Object<'o, 'b>) -> Result<DictDecoder<'o, 'b>, ReplyError> {
    value.dictionary_or(Err(ReplyError::BadValue(key)))
}

fn string<'b>(key: &'static str, value: Object<'_, 'b>) -> Result<&'b [u8], ReplyError> {
    value.bytes_or(Err(ReplyError::BadValue(key)))
}

fn integer<T: std::str::FromStr>(key: &'static str, value: Object<'_, '_>) -> Result<T, ReplyError> {
    value.integer_or(Err(ReplyError::BadValue(key)))?.parse().map_err(|_| ReplyError::BadValue(key))
}

/// Refuses negative seconds and those beyond 63 bits; many become [`Span::MAX`].
fn seconds(key: &'static str, value: Object<'_, '_>) -> Result<Span, ReplyError> {
    let seconds = u64::try_from(integer::<i64>(key, value)?).map_err(|_| ReplyError::BadValue(key))?;
    Ok(Span::from_secs(1).saturating_mul(seconds))
}

/// Only informative, so an absurd one is as good as none.
fn count(value: Object<'_, '_>) -> Option<u32> {
    integer("count", value).ok()
}

fn read_peers(value: Object<'_, '_>, peers: &mut Vec<SocketAddr>) -> Result<(), ReplyError> {
    match value {
        Object::Bytes(bytes) => read_compact::<PEER4>("peers", bytes, peers),
        Object::List(list) => read_peer_dicts(list, peers),
        Object::Dict(_) | Object::Integer(_) => Err(ReplyError::BadValue("peers")),
    }
}

/// BEP 23 for `EACH` = 6, BEP 7 for 18: an address and a port, big-endian.
fn read_compact<const EACH: usize>(
    key: &'static str,
    bytes: &[u8],
    peers: &mut Vec<SocketAddr>,
) -> Result<(), ReplyError> {
    let (rows, rest) = bytes.as_chunks::<EACH>();
    if !rest.is_empty() {
        return Err(ReplyError::BrokenPeers { key, length: bytes.len(), each: EACH });
    }
    peers.extend(rows.iter().filter_map(|row| {
        let (address, port) = row.split_last_chunk::<2>()?;
        let ip = match *address {
            [a, b, c, d] => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
        };
        dialable(ip, u16::from_be_bytes(*port))
    }));
    Ok(())
}

fn read_peer_dicts(mut list: ListDecoder<'_, '_>, peers: &mut Vec<SocketAddr>) -> Result<(), ReplyError> {
    while let Some(peer) = list.next_object()? {
        let (mut ip, mut port) = (None, None);
        pairs(dictionary("a peer", peer)?, |key, value| {
            match key {
                b"ip" => ip = Some(string("a peer's ip", value)?),
                b"port" => port = Some(integer::<u16>("a peer's port", value)?),
                _ => {}
            }
            Ok(())
        })?;
        let ip = ip.ok_or(ReplyError::Missing("a peer's ip"))?;
        let port = port.ok_or(ReplyError::Missing("a peer's port"))?;
        let ip = std::str::from_utf8(ip).ok().and_then(|ip| ip.parse().ok());
        peers.extend(ip.and_then(|ip| dialable(ip, port)));
    }
    Ok(())
}

fn dialable(ip: IpAddr, port: u16) -> Option<SocketAddr> {
    (port != 0).then(|| SocketAddr::new(ip, port))
}

fn read_files(files: DictDecoder<'_, '_>) -> Result<Vec<(InfoHash, SwarmCounts)>, ReplyError> {
    let mut read = Vec::new();
    pairs(files, |key, value| {
        let info_hash = InfoHash(key.try_into().map_err(|_| ReplyError::BadValue("an info hash"))?);
        let mut counts = SwarmCounts::default();
        pairs(dictionary("a swarm's counts", value)?, |key, value| {
            match key {
                b"complete" => counts.complete = count(value).unwrap_or(0),
                b"downloaded" => counts.downloaded = count(value).unwrap_or(0),
                b"incomplete" => counts.incomplete = count(value).unwrap_or(0),
                _ => {}
            }
            Ok(())
        })?;
        read.push((info_hash, counts));
        Ok(())
    })?;
    Ok(read)
}

/// The keys that make an answer a refusal.
#[derive(Default)]
struct RefusalKeys {
    reason: Option<Box<str>>,
    retry_in: Option<RetryIn>,
}

impl RefusalKeys {
    fn note(&mut self, key: &[u8], value: Object<'_, '_>) -> Result<(), ReplyError> {
        match (key, value) {
            (b"failure reason", value) => self.reason = Some(printable(string("failure reason", value)?)),
            (b"retry in", Object::Bytes(b"never")) => self.retry_in = Some(RetryIn::Never),
            (b"retry in", Object::Integer(minutes)) => {
                self.retry_in = minutes.parse().ok().map(RetryIn::Minutes);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Option<Refusal> {
        self.reason.map(|reason| Refusal { reason, retry_in: self.retry_in })
    }
}

/// A stranger's text for logs and terminals: of bounded length, without control or invisible characters.
fn printable(text: &[u8]) -> Box<str> {
    let shown = |c: char| matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1;
    let text = String::from_utf8_lossy(text);
    text.chars().take(MAX_REASON).map(|c| if shown(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
