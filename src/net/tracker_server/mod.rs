//! The tracker on a TCP port: HTTP/1.1 in front of one [`Tracker`], `/announce` and `/scrape` (BEP 3, 23, 48).
//! Strangers may be slow, silent or many: headers are limited in time and size, connections in number. Knows
//! nothing of what the tracker decides.

mod state;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::net::clock::Clock;
use crate::tracker::{Tracker, TrackerReply};
use crate::wire::announce::Refusal;
use crate::wire::announce::query::{QueryError, parse_announce, parse_scrape};
use crate::wire::announce::reply::{write_refusal, write_response, write_scrape};

use state::{Asker, Question};

/// Bytes of a request's line and headers.
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
/// After a failed `accept` (no file descriptor left, say), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one tracker grants strangers. Wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a request's headers to be whole; the whole exchange, one request and its answer, may take twice that.
    pub header_time: Duration,
    /// Open at a time; further ones are closed at once.
    pub connections: usize,
    /// For requests under way when the tracker stops.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_time: Duration::from_secs(10),
            connections: 2_048,
            stop_time: Duration::from_millis(500),
        }
    }
}

/// A tracker that serves until [`TrackerServer::stop`]; dropped, it stops as well, though nobody waits for it.
#[derive(Debug)]
pub struct TrackerServer {
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl TrackerServer {
    /// Listens on `addr` (port 0: one that the system chooses) and serves `tracker` in `clock`'s time. Must be called
    /// within a tokio runtime. The error says which address it was and what to do.
    pub fn start(
        addr: SocketAddr,
        tracker: Tracker,
        clock: Clock,
        limits: Limits,
    ) -> io::Result<TrackerServer> {
        let listener = listen(addr, limits).map_err(|error| explain(addr, &error))?;
        let addr = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let asker = state::spawn(tracker, clock, &tasks, stop.clone());
        let door = Door { asker, limits, stop: stop.clone(), tasks: tasks.clone() };
        tasks.spawn(door.accept_all(listener));
        tasks.close();
        Ok(TrackerServer { addr, stop, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, lets requests under way finish (briefly), and returns when no task or socket is left.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for TrackerServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// With a queue as long as a whole swarm that arrives at once: who does not fit would try again a second later.
fn listen(addr: SocketAddr, limits: Limits) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows this would let two programs share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(u32::try_from(limits.connections).unwrap_or(u32::MAX))
}

fn explain(addr: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; stop it or choose another port",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; use 127.0.0.1",
        io::ErrorKind::PermissionDenied => "not allowed; choose a port above 1023",
        _ => "choose another address",
    };
    io::Error::new(error.kind(), format!("tracker cannot listen on {addr}: {error} ({advice})"))
}

/// What every connection needs.
#[derive(Clone)]
struct Door {
    asker: Asker,
    limits: Limits,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Door {
    async fn accept_all(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                        self.tasks.spawn(self.clone().serve(stream, from.ip().to_canonical(), place));
                    }
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn serve(self, stream: TcpStream, from: IpAddr, _place: OwnedSemaphorePermit) {
        let asker = &self.asker;
        let service =
            service_fn(|request| async move { Ok::<_, Infallible>(answer(asker, from, &request).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_time)
            .keep_alive(false)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // How a connection ends is its client's affair: the tracker has answered or has nobody to answer.
        tokio::select! {
            _ = timeout(self.limits.header_time * 2, connection.as_mut()) => return,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = timeout(self.limits.stop_time, connection).await;
    }
}

/// Only the connection says where a request comes from: `ip=` in a query could send the swarm to a third party.
async fn answer(asker: &Asker, from: IpAddr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, b"only GET\n".to_vec());
    }
    let query = request.uri().query().unwrap_or("").as_bytes();
    let body = match request.uri().path() {
        "/announce" => announce(asker, from, query).await,
        "/scrape" => scrape(asker, query).await,
        _ => return plain(StatusCode::NOT_FOUND, b"a tracker: /announce and /scrape\n".to_vec()),
    };
    match body {
        Some(body) => plain(StatusCode::OK, body),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, b"the tracker is stopping\n".to_vec()),
    }
}

/// `None` when the tracker is gone.
async fn announce(asker: &Asker, from: IpAddr, query: &[u8]) -> Option<Vec<u8>> {
    let query = match parse_announce(query) {
        Ok(query) => query,
        Err(error) => return Some(refuse(&error)),
    };
    let addr = SocketAddr::new(from, query.request.port);
    let reply = asker.ask(Question::Announce { addr, request: query.request }).await?;
    Some(write_reply(&reply, query.compact))
}

/// `None` when the tracker is gone.
async fn scrape(asker: &Asker, query: &[u8]) -> Option<Vec<u8>> {
    let info_hashes = match parse_scrape(query) {
        Ok(info_hashes) => info_hashes,
        Err(error) => return Some(refuse(&error)),
    };
    let reply = asker.ask(Question::Scrape { info_hashes }).await?;
    Some(write_reply(&reply, true))
}

fn write_reply(reply: &TrackerReply, compact: bool) -> Vec<u8> {
    match reply {
        TrackerReply::Announce(response) => write_response(response, compact),
        TrackerReply::Scrape(response) => write_scrape(response),
        TrackerReply::Refused(refusal) => write_refusal(refusal),
    }
}

/// A failure is an answer as well: BEP 3 sends it with status 200.
fn refuse(error: &QueryError) -> Vec<u8> {
    write_refusal(&Refusal { reason: error.to_string().into(), retry_in: None })
}

fn plain(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests;
