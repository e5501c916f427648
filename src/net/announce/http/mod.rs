//! An announce over HTTP/1.1: one connection for one request (BEP 3).

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_ENCODING, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{AnnounceFailure, TrackerUrl};
use crate::wire::announce::query::write_announce;
use crate::wire::announce::reply::{MAX_BODY, parse_response};
use crate::wire::announce::{AnnounceRequest, AnnounceResponse};

/// Bytes of an answer's status line and headers.
const MAX_HEAD: usize = 16 * 1024;

/// Asks `tracker`, which is found at `addr`. The connection has to stand within `patience`.
pub(super) async fn announce(
    tracker: &TrackerUrl,
    addr: SocketAddr,
    from: IpAddr,
    request: &AnnounceRequest,
    patience: Duration,
) -> Result<AnnounceResponse, AnnounceFailure> {
    let stream = connect(addr, from, patience).await?;
    let body = fetch(tracker, stream, request).await?;
    parse_response(&body)?.map_err(AnnounceFailure::Refused)
}

async fn connect(addr: SocketAddr, from: IpAddr, patience: Duration) -> Result<TcpStream, AnnounceFailure> {
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
