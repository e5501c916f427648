//! The tracker of a run in a process of its own. When it dies it is started again at the same port: the peers do not
//! wait for it, and have registered again after an interval.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::driver::processes::child::{Child, Said};

/// For the tracker to get ready, in wall time.
const READY: Duration = Duration::from_secs(30);
/// Between two attempts to start it again.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two attempts to reach one that has been started.
const LOOK: Duration = Duration::from_millis(20);
/// A tracker that dies at once is not started for ever.
const ATTEMPTS: u32 = 100;
/// What it says when it is ready.
const LISTENING: &str = "listening on ";

/// A tracker that is kept running.
#[derive(Debug)]
pub(super) struct TrackerProcess {
    /// Where it answers.
    pub(super) url: String,
    stop: CancellationToken,
    keeper: JoinHandle<()>,
}

impl TrackerProcess {
    /// Returns once it listens at `at`, where port 0 leaves the port to the system. `command` gets the address as its
    /// last argument.
    /// # Errors
    /// What the tracker said before it gave up.
    pub(super) async fn start(
        at: SocketAddr,
        command: impl Fn(SocketAddr) -> Command + Send + Sync + 'static,
        stderr: PathBuf,
    ) -> Result<TrackerProcess, String> {
        TrackerProcess::keep_running(at, command, stderr, Ready::Said).await
    }

    /// The same for a tracker that tells in another way when it is ready.
    pub(super) async fn keep_running(
        at: SocketAddr,
        command: impl Fn(SocketAddr) -> Command + Send + Sync + 'static,
        stderr: PathBuf,
        ready: Ready,
    ) -> Result<TrackerProcess, String> {
        let (child, url) = listening(command(at), &stderr, &ready).await?;
        let at = address(&url).ok_or_else(|| format!("it listens on {url:?}, which is no address"))?;
        let stop = CancellationToken::new();
        let keeper = keep(child, move || command(at), stderr, ready, stop.clone());
        Ok(TrackerProcess { url, stop, keeper: tokio::spawn(keeper) })
    }

    /// Returns when the process is gone.
    pub(super) async fn end(self) {
        self.stop.cancel();
        // A panic in there has been printed, and the process is gone with its handle.
        let _ = self.keeper.await;
    }
}

async fn keep(
    mut child: Child,
    command: impl Fn() -> Command,
    stderr: PathBuf,
    ready: Ready,
    stop: CancellationToken,
) {
    for _ in 0..ATTEMPTS {
        let lived = async { while child.next().await.is_some() {} };
        if stop.run_until_cancelled(lived).await.is_none() {
            return child.end().await;
        }
        let again = async {
            tokio::time::sleep(PAUSE).await;
            listening(command(), &stderr, &ready).await
        };
        match stop.run_until_cancelled(again).await {
            Some(Ok((started, _))) => child = started,
            Some(Err(_)) => {}
            None => return,
        }
    }
}

/// How a tracker tells that it is ready, and where.
#[derive(Clone, Debug)]
pub(super) enum Ready {
    /// It says so.
    Said,
    /// It can be reached there by TCP.
    Reached { addr: SocketAddr, url: String },
}

/// Starts it and waits until it listens.
async fn listening(
    command: Command,
    stderr: &std::path::Path,
    ready: &Ready,
) -> Result<(Child, String), String> {
    let mut child = Child::start(command, stderr).map_err(|error| error.to_string())?;
    let heard = async {
        if let Ready::Reached { addr, url } = ready {
            while TcpStream::connect(addr).await.is_err() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    said = child.next() => if !matches!(said, Some(Said::Lines(_))) { return None; }
                }
            }
            return Some(url.clone());
        }
        while let Some(said) = child.next().await {
            if let Said::Lines(lines) = said
                && let Some(url) = lines.iter().find_map(|line| line.strip_prefix(LISTENING))
            {
                return Some(url.trim_end().to_owned());
            }
        }
        None
    };
    match tokio::time::timeout(READY, heard).await {
        Ok(Some(url)) => Ok((child, url)),
        Ok(None) => Err(child.last_words()),
        Err(_) => Err(format!("it was not ready within {} s {}", READY.as_secs(), child.last_words())),
    }
}

/// `http://IP:PORT/…`, or the same with `udp`.
fn address(url: &str) -> Option<SocketAddr> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()?.parse().ok()
}
