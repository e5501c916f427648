//! One peer in the foreground, from its first announce to its last, and whoever looks on: what `minibit peer`, `seed` and
//! `get` have in common. Knows neither files nor terminals.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::acquaintance::OneOf;
use super::conduct::Conduct;
use super::reach::Reach;
use crate::cli::Exit;
use crate::cli::signals::Signals;
use crate::event::{Event, Record};
use crate::net;
use crate::net::alarm::Alarm;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::host::{self, HostEnd, HostSetup};
use crate::net::store::Store;
use crate::peer::Setup;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;

/// Batches of records that may wait to be shown.
const UNSHOWN: usize = 64;
/// For what cannot be interrupted, when the peer has ended.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// How often to look whether everything is said, when the peer has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A peer that is about to join.
pub(in crate::cli) struct Stay<'a> {
    pub metainfo: &'a Metainfo,
    pub reach: &'a Reach,
    pub listener: std::net::TcpListener,
    pub tiers: Vec<Vec<TrackerUrl>>,
    pub conduct: &'a Conduct,
    pub store: Arc<Store>,
    pub have: &'a Bitfield,
    pub one_of: OneOf,
    pub random_seed: u64,
    pub clock: Clock,
}

/// Who looks on, and decides how long the peer stays. It is asked on the peer's own thread: what may wait for a reader, as all
/// output may, it leaves to a [`Voice`](super::voice::Voice).
pub(in crate::cli) trait Company {
    /// How often to be asked whether it is over although nothing happens.
    fn asked_every(&self) -> Duration;

    /// The peer listens, and nothing has happened yet.
    fn begins(&mut self, addr: SocketAddr);

    fn sees(&mut self, records: Vec<Record>);

    /// What is to be done once the content is whole. It may take a while; the peer serves meanwhile.
    fn finishing(&self) -> Finishing;

    /// That is done.
    fn is_finished(&mut self);

    /// Whether the peer is to leave now.
    fn is_over(&mut self) -> bool;

    /// The stay has ended, and how.
    fn ends(&mut self, event: Event, end: &HostEnd);

    /// How much of what it has to say is not said yet.
    fn unsaid(&mut self) -> usize;
}

pub(in crate::cli) type Finishing = Box<dyn FnOnce() -> anyhow::Result<()> + Send>;

impl Stay<'_> {
    /// Lets the peer take part until its company has enough, a signal comes, or it cannot go on, which is an error.
    pub(in crate::cli) fn run(self, company: &mut impl Company) -> anyhow::Result<Exit> {
        // One thread for all that is asynchronous: most of it follows from what came before it, and to hand that to a second
        // thread costs more than it gains. Hashing and files have threads of their own.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(net::WORKERS)
            .enable_all()
            .build()
            .context("cannot start the threads of a peer")?;
        let ended = runtime.block_on(self.attend(company));
        // A name that is still being looked up must not keep the user waiting.
        runtime.shutdown_timeout(SHUTDOWN);
        ended
    }

    async fn attend(self, company: &mut impl Company) -> anyhow::Result<Exit> {
        let mut signals = Signals::listen()?;
        let addr = self.listener.local_addr()?;
        let (records, mut happened) = mpsc::channel(UNSHOWN);
        let (handle, host) = host::start(self.setup(addr, records)?);
        company.begins(addr);

        let mut questions = interval(company.asked_every());
        questions.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut exit, mut vanished, mut leaving) = (Exit::Done, false, false);
        let mut finishing: Option<JoinHandle<anyhow::Result<()>>> = None;
        let mut finished = Ok(());
        loop {
            tokio::select! {
                batch = happened.recv() => {
                    // The host has ended.
                    let Some(batch) = batch else { break };
                    let completed = batch.iter().any(|record| record.event == Event::Completed);
                    company.sees(batch);
                    if completed {
                        finishing = Some(tokio::task::spawn_blocking(company.finishing()));
                    }
                }
                result = async { finishing.as_mut().expect("the branch is only open with one").await },
                    if finishing.is_some() =>
                {
                    finishing = None;
                    finished = result?;
                    match &finished {
                        Ok(()) => company.is_finished(),
                        Err(_) => handle.leave(),
                    }
                }
                signal = signals.next() => {
                    // The first one ends the stay in good order, a second one at once.
                    vanished = exit != Exit::Done;
                    if vanished { handle.stop() } else { handle.leave() }
                    exit = signal;
                }
                _ = questions.tick() => {}
            }
            if !leaving && company.is_over() {
                leaving = true;
                handle.leave();
            }
        }
        if let Some(finishing) = finishing {
            finished = finishing.await?;
        }
        let end = host.await?;
        let event = match &end.failed {
            Some(reason) => Event::Failed { reason: reason.clone() },
            None if vanished => Event::Crashed,
            None => Event::Left,
        };
        company.ends(event, &end);
        if !vanished && let Some(signal) = let_finish_speaking(company, &mut signals).await {
            exit = signal;
        }
        match end.failed {
            Some(reason) => bail!("the peer could not go on: {reason}"),
            None => finished.map(|()| exit),
        }
    }

    fn setup(self, addr: SocketAddr, records: mpsc::Sender<Vec<Record>>) -> anyhow::Result<HostSetup> {
        let Stay { metainfo, one_of, random_seed, .. } = self;
        Ok(HostSetup {
            peer: Setup {
                index: one_of.index(),
                random_seed,
                peer_id: one_of.peer_id(random_seed),
                addr,
                info_hash: metainfo.info_hash,
                layout: metainfo.layout,
                have: self.have.clone(),
                policy: self.conduct.policy_for(metainfo)?,
                uploads: true,
                neighbours: self.reach.neighbours(),
                schedule: None,
                trackers: self.tiers.iter().map(Vec::len).collect(),
            },
            listener: TcpListener::from_std(self.listener)?,
            clock: self.clock,
            alarm: Alarm::start().context("cannot start the thread that keeps time")?,
            links: self.conduct.links(),
            contacts: Arc::new(one_of.others(random_seed)),
            trackers: self.tiers.into_iter().flatten().collect(),
            store: self.store,
            records,
            loopback_only: addr.ip().is_loopback(),
        })
    }
}

/// Waits as long as somebody takes what is said, and no longer than until a signal comes, which it returns.
async fn let_finish_speaking(company: &mut impl Company, signals: &mut Signals) -> Option<Exit> {
    let (mut unsaid, mut since) = (company.unsaid(), Instant::now());
    while unsaid > 0 && since.elapsed() < SHUTDOWN {
        tokio::select! {
            signal = signals.next() => return Some(signal),
            () = sleep(LOOK) => {}
        }
        let left = company.unsaid();
        if left < unsaid {
            (unsaid, since) = (left, Instant::now());
        }
    }
    None
}
