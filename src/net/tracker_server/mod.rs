//! The tracker on the network: HTTP ports and UDP ports in front of one [`Tracker`]. Knows nothing of what the tracker
//! decides.

mod connection_ids;
mod desk;
mod http;
mod metrics;
mod places;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::tracker::Tracker;
use crate::wire::announce::Protocol;

use connection_ids::ConnectionIds;
pub use desk::Announced;
use desk::Desk;
use http::Door;
use places::Places;
use udp::Port;

/// What one tracker grants strangers. Wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the headers of an HTTP request to be whole; the whole exchange, one request and its answer, may take twice
    /// that.
    pub header_time: Duration,
    /// HTTP connections open at a time; for a further one the oldest is closed.
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

/// Where a tracker is to listen, any number of addresses of either IP version; port 0 is one that the system chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    pub http: Vec<SocketAddr>,
    pub udp: Vec<SocketAddr>,
}

impl Listen {
    /// On one TCP port.
    pub fn http(addr: SocketAddr) -> Listen {
        Listen { http: vec![addr], udp: Vec::new() }
    }

    /// On one UDP port.
    pub fn udp(addr: SocketAddr) -> Listen {
        Listen { http: Vec::new(), udp: vec![addr] }
    }

    /// On one port of this kind.
    pub fn at(protocol: Protocol, addr: SocketAddr) -> Listen {
        match protocol {
            Protocol::Http => Listen::http(addr),
            Protocol::Udp => Listen::udp(addr),
        }
    }
}

/// A tracker that serves until [`TrackerServer::stop`]; dropped, it stops as well, though nobody waits for it.
#[derive(Debug)]
pub struct TrackerServer {
    listening: Listen,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl TrackerServer {
    /// Listens, and serves `tracker` in `clock`'s time. Must be called within a tokio runtime. The error says which
    /// address it was and what to do.
    pub fn start(
        listen: &Listen,
        tracker: Tracker,
        clock: Clock,
        limits: Limits,
    ) -> io::Result<TrackerServer> {
        TrackerServer::begin(listen, tracker, clock, limits, None)
    }

    /// The same, and tells `watcher` of every announce; it misses some where it falls behind.
    pub fn start_watched(
        listen: &Listen,
        tracker: Tracker,
        clock: Clock,
        limits: Limits,
        watcher: mpsc::Sender<Announced>,
    ) -> io::Result<TrackerServer> {
        TrackerServer::begin(listen, tracker, clock, limits, Some(watcher))
    }

    fn begin(
        listen: &Listen,
        tracker: Tracker,
        clock: Clock,
        limits: Limits,
        watcher: Option<mpsc::Sender<Announced>>,
    ) -> io::Result<TrackerServer> {
        let (mut listeners, mut sockets, mut listening) = (Vec::new(), Vec::new(), Listen::default());
        for addr in &listen.http {
            let listener = listen_for_http(*addr, limits).map_err(|error| explain(*addr, &error))?;
            listening.http.push(listener.local_addr()?);
            listeners.push(listener);
        }
        for addr in &listen.udp {
            let socket = listen_for_udp(*addr).map_err(|error| explain(*addr, &error))?;
            listening.udp.push(socket.local_addr()?);
            sockets.push(socket);
        }

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let desk = Arc::new(Desk::open(tracker, clock, watcher));
        let places = Places::new(limits.connections);
        for listener in listeners {
            let (desk, places, stop) = (desk.clone(), places.clone(), stop.clone());
            let door = Door { desk, limits, places, stop, tasks: tasks.clone() };
            tasks.spawn(door.accept_all(listener));
        }
        let ids = ConnectionIds::new();
        for socket in sockets {
            let port = Port { socket, ids: ids.clone(), desk: desk.clone(), stop: stop.clone() };
            tasks.spawn(port.serve());
        }
        let stop_sweeping = stop.clone();
        tasks.spawn(async move { desk.sweep(stop_sweeping).await });
        tasks.close();
        Ok(TrackerServer { listening, stop, tasks })
    }

    /// Where it listens, with the ports that the system chose.
    pub fn listening(&self) -> &Listen {
        &self.listening
    }

    /// Where peers are to announce, HTTP first.
    pub fn urls(&self) -> impl Iterator<Item = TrackerUrl> {
        let http = self.listening.http.iter().map(|addr| TrackerUrl::http_at(*addr));
        http.chain(self.listening.udp.iter().map(|addr| TrackerUrl::udp_at(*addr)))
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
fn listen_for_http(addr: SocketAddr, limits: Limits) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows this would let two programs share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(u32::try_from(limits.connections).unwrap_or(u32::MAX))
}

fn listen_for_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(addr)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
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

#[cfg(test)]
mod tests;
