//! The announce client: one HTTP/1.1 request per announce, from the peer's own address, so that the tracker sees
//! where the peer listens. A tracker is a stranger: time, bytes and redirects are limited. Knows nothing of when to
//! announce, and its time-outs are wall time.

mod url;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_ENCODING, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use crate::wire::announce::query::write_announce;
use crate::wire::announce::reply::{MAX_BODY, ReplyError, parse_response};
use crate::wire::announce::{AnnounceRequest, AnnounceResponse, Refusal};

pub use url::{TrackerUrl, TrackerUrlError};

/// Bytes of an answer's status line and headers.
const MAX_HEAD: usize = 16 * 1024;

/// How long to wait, in wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOuts {
    /// For the connection to stand.
    pub connect: Duration,
    /// For everything, the look-up of the name and the last byte of the answer included.
    pub total: Duration,
}

impl Default for TimeOuts {
    /// A tracker on the same machine answers in a millisecond, one far away in a second.
    fn default() -> TimeOuts {
        TimeOuts { connect: Duration::from_secs(5), total: Duration::from_secs(15) }
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

/// Announces to one tracker. The connection comes from `from` and ends with the answer; nothing runs on afterwards.
pub async fn announce(
    tracker: &TrackerUrl,
    from: IpAddr,
    request: &AnnounceRequest,
    time_outs: TimeOuts,
) -> Result<AnnounceResponse, AnnounceError> {
    let exchange = async {
        let stream = connect(tracker, from, time_outs.connect).await?;
        let body = fetch(tracker, stream, request).await?;
        parse_response(&body)?.map_err(AnnounceFailure::Refused)
    };
    let outcome = timeout(time_outs.total, exchange).await;
    outcome
        .unwrap_or(Err(AnnounceFailure::TimedOut(time_outs.total)))
        .map_err(|failure| AnnounceError { tracker: tracker.clone(), failure })
}

async fn connect(
    tracker: &TrackerUrl,
    from: IpAddr,
    patience: Duration,
) -> Result<TcpStream, AnnounceFailure> {
    let addr = resolve(tracker, from).await.map_err(|cause| AnnounceFailure::Unresolved { from, cause })?;
    let dial = async {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(addr).await
    };
    match timeout(patience, dial).await {
        Ok(connected) => connected.map_err(|cause| AnnounceFailure::Connect { from, cause }),
        Err(_) => Err(AnnounceFailure::ConnectTimedOut(patience)),
    }
}

/// The first address of the tracker in the IP version of `from`.
async fn resolve(tracker: &TrackerUrl, from: IpAddr) -> io::Result<SocketAddr> {
    let mut found = lookup_host(tracker.authority()).await?;
    found
        .find(|addr| addr.is_ipv4() == from.is_ipv4())
        .ok_or_else(|| io::Error::other("its addresses are of the other IP version"))
}

/// One GET, and the whole body of its answer.
async fn fetch(
    tracker: &TrackerUrl,
    stream: TcpStream,
    request: &AnnounceRequest,
) -> Result<Bytes, AnnounceFailure> {
    let request = Request::get(tracker.with_query(&write_announce(request)))
        .header(HOST, tracker.authority())
        .header(USER_AGENT, concat!("MiniBit/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| AnnounceFailure::Http(error.into()))?;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    let exchange = async { read_body(sender.send_request(request).await?).await };
    // The connection has to be driven, but its end, good or bad, shows in the exchange.
    let drive = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        body = exchange => body,
        never = drive => match never {},
    }
}

async fn read_body(response: Response<Incoming>) -> Result<Bytes, AnnounceFailure> {
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(AnnounceFailure::Redirect(status)),
        status => return Err(AnnounceFailure::Status(status)),
    }
    if response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(AnnounceFailure::Compressed);
    }
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
    Ok(body.map_err(AnnounceFailure::Http)?.to_bytes())
}

#[cfg(test)]
mod tests;
