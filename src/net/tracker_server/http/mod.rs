//! The tracker on a TCP port: HTTP/1.1, `/announce` and `/scrape` (BEP 3, 7, 23, 31, 48), and `/metrics`. Strangers may
//! be slow, silent or many: headers are limited in time and size, connections in number. Knows nothing of what the
//! tracker decides.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Limits;
use super::desk::Desk;
use super::metrics;
use super::places::{Place, Places};
use crate::tracker::Families;
use crate::wire::announce::query::{QueryError, parse_announce, parse_scrape};
use crate::wire::announce::reply::{PeersForm, write_refusal, write_response, write_scrape};
use crate::wire::announce::{Refusal, RetryIn};

/// Bytes of a request's line and headers.
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
/// After a failed `accept` (no file descriptor left, say), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection needs.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub desk: Arc<Desk>,
    pub limits: Limits,
    pub places: Places,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

impl Door {
    /// Lets everybody in until the stop.
    pub async fn accept_all(self, listener: TcpListener) {
        while let Some(accepted) = self.stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, from)) => {
                    let (place, evicted) = self.places.take();
                    if evicted {
                        self.desk.counters.http.evicted.add_one();
                    }
                    self.tasks.spawn(self.clone().serve(stream, from.ip().to_canonical(), place));
                }
                Err(error) if is_the_clients(&error) => {}
                Err(_) => {
                    // What holds the system's last sockets may be the slow ones.
                    if self.places.evict() {
                        self.desk.counters.http.evicted.add_one();
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// One request and its answer. How a connection ends is its client's affair: the tracker has answered, or has nobody
    /// to answer.
    async fn serve(self, stream: TcpStream, from: IpAddr, place: Place) {
        let (desk, counters) = (&self.desk, &self.desk.counters.http);
        let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(desk, from, &request)) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_time)
            .keep_alive(false)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = timeout(self.limits.header_time * 2, connection.as_mut()) => {
                match ended {
                    Ok(Err(error)) if error.is_timeout() => counters.slow.add_one(),
                    Ok(Err(error)) if error.is_parse() => counters.malformed.add_one(),
                    Ok(_) => {}
                    Err(_) => counters.slow.add_one(),
                }
                return;
            }
            () = place.given_up() => return,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = timeout(self.limits.stop_time, connection).await;
    }
}

/// Whether a connection failed that its client had given up already, and not the system.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Only the connection says where a request comes from: `ip=` in a query could send the swarm to a third party.
fn answer(desk: &Desk, from: IpAddr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let malformed = |status, advice: &'static str| {
        desk.counters.http.malformed.add_one();
        plain(status, advice)
    };
    if request.method() != Method::GET {
        return malformed(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    let query = request.uri().query().unwrap_or("").as_bytes();
    match request.uri().path() {
        "/announce" => plain(StatusCode::OK, announce(desk, from, query)),
        "/scrape" => plain(StatusCode::OK, scrape(desk, query)),
        "/metrics" if is_asked_by_address(request.headers()) => {
            let text = desk.counters.render(desk.load(), desk.uptime());
            with_type(StatusCode::OK, metrics::CONTENT_TYPE, text)
        }
        "/metrics" => malformed(StatusCode::FORBIDDEN, "ask by address, as http://127.0.0.1:6969/metrics\n"),
        _ => malformed(StatusCode::NOT_FOUND, "a tracker: /announce, /scrape and /metrics\n"),
    }
}

fn announce(desk: &Desk, from: IpAddr, query: &[u8]) -> Vec<u8> {
    let query = match parse_announce(query) {
        Ok(query) => query,
        Err(error) => return refuse(desk, &unusable(&error)),
    };
    let addr = SocketAddr::new(from, query.request.port);
    let response = match desk.announce(addr, &query.request, Families::Both) {
        Ok(response) => response,
        Err(refusal) => return refuse(desk, &refusal),
    };
    desk.counters.http.announces.add_one();
    if query.compact {
        return write_response(&response, PeersForm::Compact);
    }
    let ids = match query.no_peer_id {
        true => Vec::new(),
        false => desk.peer_ids(&query.request.info_hash, &response.peers),
    };
    write_response(&response, PeersForm::Dictionaries(&ids))
}

fn scrape(desk: &Desk, query: &[u8]) -> Vec<u8> {
    match parse_scrape(query) {
        Ok(info_hashes) => {
            desk.counters.http.scrapes.add_one();
            write_scrape(&desk.scrape(&info_hashes))
        }
        Err(error) => refuse(desk, &unusable(&error)),
    }
}

/// The same query will not be better another time.
fn unusable(error: &QueryError) -> Refusal {
    Refusal { reason: error.to_string().into(), retry_in: Some(RetryIn::Never) }
}

/// A failure is an answer as well: BEP 3 sends it with status 200.
fn refuse(desk: &Desk, refusal: &Refusal) -> Vec<u8> {
    desk.counters.http.refused.add_one();
    write_refusal(refusal)
}

/// A web page can make a name of its own lead to this machine and then read what it finds there; an address it cannot.
fn is_asked_by_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = host.host();
    name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    with_type(status, "text/plain", body)
}

fn with_type(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests;
