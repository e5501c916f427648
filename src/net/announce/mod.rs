//! The announce client: one request per announce over HTTP or UDP, from the peer's own address, so that the tracker sees
//! where the peer listens. A tracker is a stranger: time, bytes and redirects are limited. Knows nothing of when to
//! announce, and its time-outs are wall time.

mod http;
mod udp;
mod url;

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::StatusCode;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::wire::announce::reply::ReplyError;
use crate::wire::announce::{AnnounceRequest, AnnounceResponse, Protocol, Refusal};

pub use url::{TrackerUrl, TrackerUrlError};

/// How long to wait, in wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOuts {
    /// For a TCP connection to stand.
    pub connect: Duration,
    /// For everything over HTTP, the look-up of the name and the last byte of the answer included.
    pub http: Duration,
    /// For the answer to a packet, before it is sent again; doubles from try to try (BEP 15).
    pub packet: Duration,
    /// For everything over UDP.
    pub udp: Duration,
}

impl Default for TimeOuts {
    /// A tracker on the same machine answers in a millisecond, one far away in a second. BEP 15 would have a packet sent
    /// again for more than an hour; after three times there are other trackers to ask.
    fn default() -> TimeOuts {
        TimeOuts {
            connect: Duration::from_secs(5),
            http: Duration::from_secs(15),
            packet: Duration::from_secs(15),
            udp: Duration::from_secs(60),
        }
    }
}

/// An announce that came to nothing.
#[derive(Debug, thiserror::Error)]
#[error("tracker {tracker}: {failure}")]
pub struct AnnounceError {
    pub tracker: TrackerUrl,
    pub failure: AnnounceFailure,
}

#[derive(Debug, thiserror::Error)]
pub enum AnnounceFailure {
    #[error("no address that {from} can reach: {cause}")]
    Unresolved { from: IpAddr, cause: io::Error },
    #[error("cannot connect from {from}: {cause}; is the tracker running?")]
    Connect { from: IpAddr, cause: io::Error },
    #[error("no connection within {0:?}")]
    ConnectTimedOut(Duration),
    #[error("no whole answer within {0:?}")]
    TimedOut(Duration),
    #[error("no answer to any packet")]
    Silence,
    #[error("broken HTTP: {0}")]
    Http(Box<dyn Error + Send + Sync>),
    #[error("redirects to another place, which is not followed (HTTP status {0})")]
    Redirect(StatusCode),
    #[error("HTTP status {0}")]
    Status(StatusCode),
    #[error("the answer is compressed, which was not asked for")]
    Compressed,
    #[error("not a tracker's answer: {0}")]
    Reply(#[from] ReplyError),
    #[error("refused: {}", .0.reason)]
    Refused(Refusal),
}

impl From<hyper::Error> for AnnounceFailure {
    fn from(error: hyper::Error) -> AnnounceFailure {
        AnnounceFailure::Http(error.into())
    }
}

/// Announces to one tracker. Sockets are bound to `from` and closed after the answer; nothing runs on afterwards.
pub async fn announce(
    tracker: &TrackerUrl,
    from: IpAddr,
    request: &AnnounceRequest,
    time_outs: TimeOuts,
) -> Result<AnnounceResponse, AnnounceError> {
    let total = match tracker.protocol() {
        Protocol::Http => time_outs.http,
        Protocol::Udp => time_outs.udp,
    };
    let exchange = async {
        let addr =
            resolve(tracker, from).await.map_err(|cause| AnnounceFailure::Unresolved { from, cause })?;
        match tracker.protocol() {
            Protocol::Http => http::announce(tracker, addr, from, request, time_outs.connect).await,
            Protocol::Udp => udp::announce(addr, from, request, time_outs.packet).await,
        }
    };
    let outcome = timeout(total, exchange).await;
    outcome
        .unwrap_or(Err(AnnounceFailure::TimedOut(total)))
        .map_err(|failure| AnnounceError { tracker: tracker.clone(), failure })
}

/// The first address of the tracker in the IP version of `from`.
async fn resolve(tracker: &TrackerUrl, from: IpAddr) -> io::Result<SocketAddr> {
    let mut found = lookup_host(tracker.authority()).await?;
    found
        .find(|addr| addr.is_ipv4() == from.is_ipv4())
        .ok_or_else(|| io::Error::other("its addresses are of the other IP version"))
}
