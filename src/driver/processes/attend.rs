//! One stay of a peer in a process of its own, from the process's start to its end, as the run sees it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::driver::processes::child::{Child, Said};
use crate::driver::processes::words::{Begin, Order, Over, Word, line};
use crate::driver::real_time::{Fate, StayEnd};
use crate::event::{Event, Record, json};
use crate::id::PeerIndex;
use crate::net::clock::Clock;
use crate::net::host::HostHandle;
use crate::net::pace::Lateness;
use crate::torrent::bitfield::Bitfield;

/// For a process to get ready, in wall time; many may start at once.
const READY: Duration = Duration::from_secs(30);
/// For a process that is told to stop, before it is killed.
const STOP: Duration = Duration::from_secs(5);

/// Peers by name.
pub(super) type Names = Arc<BTreeMap<String, PeerIndex>>;

/// A process that gets ready for its peer's next stay, or has.
#[derive(Debug)]
pub(super) struct Attended {
    handle: HostHandle,
    begin: oneshot::Sender<Orders>,
    /// Ends when the process is ready, or will never be.
    pub(super) ready: Option<oneshot::Receiver<()>>,
    end: JoinHandle<StayEnd>,
}

impl Attended {
    /// Starts the process. A peer that others dial as soon as they come listens before anybody comes. Within a runtime.
    pub(super) fn start(
        command: Command,
        stderr: PathBuf,
        have: Bitfield,
        names: Names,
        listen_early: Option<SocketAddr>,
    ) -> Attended {
        Attended::by(|handle, ready, begin| {
            let attendant = Attendant { handle, names, listen_early, end: untold(have) };
            attendant.attend(command, stderr, ready, begin)
        })
    }

    /// Whoever attends tells when the process is ready (or never will be), waits for orders, and follows them.
    pub(super) fn by<F: Future<Output = StayEnd> + Send + 'static>(
        attend: impl FnOnce(HostHandle, oneshot::Sender<()>, oneshot::Receiver<Orders>) -> F,
    ) -> Attended {
        let handle = HostHandle::default();
        let (begin, ordered) = oneshot::channel();
        let (said_ready, ready) = oneshot::channel();
        let end = tokio::spawn(attend(handle.clone(), said_ready, ordered));
        Attended { handle, begin, ready: Some(ready), end }
    }

    /// The stay begins as soon as the process is ready.
    pub(super) fn begin(self, orders: Orders) -> (HostHandle, JoinHandle<StayEnd>) {
        // Refused where the process is dead already, and then the end says so.
        let _ = self.begin.send(orders);
        (self.handle, self.end)
    }

    /// The peer will not come. Returns when its process is gone.
    pub(super) async fn dismiss(self) {
        drop(self.begin);
        // How it would have ended concerns nobody.
        let _ = self.end.await;
    }
}

/// What a process is told when its stay begins.
#[derive(Debug)]
pub(super) struct Orders {
    /// Unless it listens already.
    pub(super) listen: SocketAddr,
    pub(super) begin: Begin,
    /// The run's.
    pub(super) clock: Clock,
    /// Where what it tells goes.
    pub(super) records: mpsc::Sender<Vec<Record>>,
}

/// The end of a stay that has told nothing yet.
pub(super) fn untold(have: Bitfield) -> StayEnd {
    StayEnd { have, totals: None, lateness: Lateness::default(), addr: None, fate: Fate::AsTold }
}

struct Attendant {
    handle: HostHandle,
    names: Names,
    listen_early: Option<SocketAddr>,
    /// As far as it is known.
    end: StayEnd,
}

impl Attendant {
    async fn attend(
        mut self,
        command: Command,
        stderr: PathBuf,
        ready: oneshot::Sender<()>,
        begin: oneshot::Receiver<Orders>,
    ) -> StayEnd {
        self.end.fate = match Child::start(command, &stderr) {
            Ok(child) => self.accompany(child, ready, begin).await,
            Err(error) => {
                drop(ready);
                // It fails when it comes, not before.
                let _ = begin.await;
                Fate::Failed(format!("its process could not be started: {error}").into())
            }
        };
        self.end
    }

    async fn accompany(
        &mut self,
        mut child: Child,
        ready: oneshot::Sender<()>,
        begin: oneshot::Receiver<Orders>,
    ) -> Fate {
        let handle = self.handle.clone();
        let unready = tokio::select! {
            got_ready = self.get_ready(&mut child) => got_ready.err(),
            () = handle.told_to_stop() => None,
        };
        drop(ready);
        let Ok(Orders { listen, begin, records, .. }) = begin.await else {
            child.end().await;
            return Fate::AsTold;
        };
        if let Some(fate) = unready {
            return fate;
        }
        if self.end.addr.is_none() {
            child.tell(&line(&Order::Listen(listen)));
        }
        child.tell(&line(&Order::Begin(begin)));
        let fate = self.follow(&mut child, &records).await;
        child.end().await;
        fate
    }

    async fn get_ready(&mut self, child: &mut Child) -> Result<(), Fate> {
        word(child).await?;
        if let Some(addr) = self.listen_early {
            child.tell(&line(&Order::Listen(addr)));
            if let Word::Listening(addr) = word(child).await? {
                self.end.addr = Some(addr);
            }
        }
        Ok(())
    }

    /// Passes orders on to the process, and on to the run what it tells, until it has ended.
    async fn follow(&mut self, child: &mut Child, records: &mpsc::Sender<Vec<Record>>) -> Fate {
        let handle = self.handle.clone();
        let (mut leaving, mut kill_at) = (false, None::<Instant>);
        let mut over = None;
        loop {
            tokio::select! {
                said = child.next() => match said {
                    Some(Said::Lines(lines)) => match self.understand(&lines, &mut over) {
                        // The run listens until the stay is over.
                        Ok(happened) => drop(records.send(happened).await),
                        Err(reason) => {
                            child.kill();
                            return Fate::Failed(reason.into());
                        }
                    },
                    Some(Said::Ended(status)) => return self.fate(over, status.ok(), child, kill_at.is_some()),
                    None => return Fate::Crashed,
                },
                () = handle.told_to_leave(), if !leaving => {
                    leaving = true;
                    child.tell(&line(&Order::Leave));
                }
                () = handle.told_to_stop(), if kill_at.is_none() => {
                    kill_at = Some(Instant::now() + STOP);
                    child.tell(&line(&Order::Stop));
                }
                () = sleep_until(kill_at), if kill_at.is_some() => {
                    child.kill();
                    // Its end comes, and is waited for.
                    kill_at = Some(Instant::now() + STOP);
                }
            }
        }
    }

    fn understand(&mut self, lines: &[String], over: &mut Option<Over>) -> Result<Vec<Record>, String> {
        let mut happened = Vec::with_capacity(lines.len());
        for line in lines {
            if let Ok(record) = json::read(line, &|name| self.names.get(name).copied()) {
                match record.event {
                    Event::PieceVerified { piece } => drop(self.end.have.insert(piece)),
                    Event::StorageFailed { piece } => drop(self.end.have.remove(piece)),
                    _ => {}
                }
                happened.push(record);
                continue;
            }
            match serde_json::from_str(line) {
                Ok(Word::Listening(addr)) => self.end.addr = Some(addr),
                Ok(Word::Over(word)) => *over = Some(word),
                Ok(Word::Ready) => {}
                Err(error) => return Err(format!("its process said {:?}: {error}", line.trim_end())),
            }
        }
        Ok(happened)
    }

    fn fate(&mut self, over: Option<Over>, status: Option<ExitStatus>, child: &Child, told: bool) -> Fate {
        match over {
            Some(Over { totals, lateness, failed }) => {
                self.end.totals = Some(totals);
                self.end.lateness = Lateness::from(&lateness);
                failed.map_or(Fate::AsTold, Fate::Failed)
            }
            None if told => Fate::AsTold,
            None => end_of(status, child),
        }
    }
}

/// How a process ended that nobody had told to: killed, or with an error of its own.
fn end_of(status: Option<ExitStatus>, child: &Child) -> Fate {
    let words = child.last_words();
    match status.and_then(|status| status.code()) {
        Some(code) if !words.is_empty() => {
            Fate::Failed(format!("its process ended with code {code}: {words}").into())
        }
        // Elsewhere than on Unix a killed process has a code as well, but it says nothing.
        _ => Fate::Crashed,
    }
}

/// The first word it says; anything else is a failure.
async fn word(child: &mut Child) -> Result<Word, Fate> {
    let failed = |reason: String| Fate::Failed(format!("its process {reason}").into());
    match tokio::time::timeout(READY, child.next()).await {
        Ok(Some(Said::Lines(lines))) => serde_json::from_str(&lines.concat())
            .map_err(|_| failed(format!("said {:?} instead of being ready", lines.concat()))),
        Ok(Some(Said::Ended(status))) => Err(end_of(status.ok(), child)),
        Ok(None) => Err(Fate::Crashed),
        Err(_) => {
            child.kill();
            Err(failed(format!("was not ready within {} s {}", READY.as_secs(), child.last_words())))
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
