//! One stay of a foreign client, from its process's start to its end, as the run sees it. What happens is asked for, ten
//! times a second, and told as records.

use std::path::Path;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::driver::processes::attend::{Attended, Orders, untold};
use crate::driver::processes::child::{Child, Said, bound_to_us};
use crate::driver::real_time::{Fate, StayEnd};
use crate::event::{Event, Record, Traffic};
use crate::id::PeerIndex;
use crate::net::clock::Clock;
use crate::net::host::HostHandle;
use crate::net::store::{PieceHashes, Store};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;

use super::{Adapter, Installed, Register, Seat, Seen};

/// Between two looks how far a client is.
const LOOK: Duration = Duration::from_millis(100);
/// For a client to start and to check its files.
const READY: Duration = Duration::from_secs(30);
/// For an answer; after that it hangs.
const ANSWER: Duration = Duration::from_secs(10);
/// The same at its end, when the answer only makes the sums exact.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// For saying goodbye to the tracker.
const GOODBYE: Duration = Duration::from_secs(5);
/// Between what a client calls complete and all of it in its file.
const FLUSH: Duration = Duration::from_secs(10);

/// What a stay begins with.
pub(super) struct Stay {
    pub(super) seat: Seat,
    pub(super) peer: PeerIndex,
    pub(super) name: String,
    pub(super) found: Result<Installed, String>,
    pub(super) have: Bitfield,
    pub(super) layout: Layout,
    pub(super) hashes: PieceHashes,
    pub(super) register: Register,
}

impl Stay {
    pub(super) fn attend<A: Adapter>(self) -> Attended {
        Attended::by(|handle, ready, begin| async move {
            let register = self.register.clone();
            let name = self.name.clone();
            let mut companion = Companion {
                handle,
                sums: [None; 3],
                end: StayEnd { addr: Some(self.seat.listen), ..untold(self.have.clone()) },
                stay: self,
            };
            companion.end.fate = companion.attend::<A>(ready, begin).await;
            if let Fate::Failed(reason) = &companion.end.fate {
                register.failure(&name, reason);
            }
            companion.end
        })
    }
}

struct Companion {
    stay: Stay,
    handle: HostHandle,
    /// Downloaded, uploaded, wasted, as told last.
    sums: [Option<u64>; 3],
    /// As far as it is known.
    end: StayEnd,
}

/// What is told, to whom, and when.
struct Telling {
    clock: Clock,
    records: mpsc::Sender<Vec<Record>>,
}

impl Companion {
    async fn attend<A: Adapter>(
        &mut self,
        ready: oneshot::Sender<()>,
        begin: oneshot::Receiver<Orders>,
    ) -> Fate {
        match self.start::<A>() {
            Ok((adapter, process)) => self.accompany(adapter, process, ready, begin).await,
            Err(reason) => {
                drop(ready);
                // It fails when it comes, not before.
                let _ = begin.await;
                Fate::Failed(reason.into())
            }
        }
    }

    fn start<A: Adapter>(&self) -> Result<(A, Child), String> {
        let seat = &self.stay.seat;
        let installed = self.stay.found.as_ref().map_err(Clone::clone)?;
        let start = || {
            std::fs::create_dir_all(&seat.settings)?;
            let (adapter, command) = A::set_up(seat, installed)?;
            let process = Child::start(bound_to_us(&command), &seat.settings.join("stderr.log"))?;
            Ok((adapter, process))
        };
        start().map_err(|error: std::io::Error| format!("it could not be started: {error}"))
    }

    async fn accompany<A: Adapter>(
        &mut self,
        mut adapter: A,
        mut process: Child,
        ready: oneshot::Sender<()>,
        begin: oneshot::Receiver<Orders>,
    ) -> Fate {
        let handle = self.handle.clone();
        let unready = tokio::select! {
            got_ready = timeout(READY, adapter.get_ready(&mut process)) => match got_ready {
                Ok(Ok(settings)) => {
                    self.stay.register.settings(&self.stay.name, settings);
                    None
                }
                Ok(Err(reason)) => Some(reason),
                Err(_) => Some(format!("it was not ready within {} s", READY.as_secs())),
            },
            () = handle.told_to_stop() => None,
        };
        drop(ready);
        let Ok(Orders { clock, records, .. }) = begin.await else {
            end(process).await;
            return Fate::AsTold;
        };
        let fate = match unready {
            Some(reason) => Err(reason),
            None => self.follow(&mut adapter, &mut process, Telling { clock, records }).await,
        };
        let last_words = process.last_words();
        end(process).await;
        match fate {
            Ok(()) => Fate::AsTold,
            Err(reason) if last_words.is_empty() => Fate::Failed(reason.into()),
            Err(reason) => Fate::Failed(format!("{reason}: {last_words}").into()),
        }
    }

    /// Tells what happens until the stay is over. The process may still be there then.
    async fn follow<A: Adapter>(
        &mut self,
        adapter: &mut A,
        process: &mut Child,
        telling: Telling,
    ) -> Result<(), String> {
        let handle = self.handle.clone();
        timeout(READY, adapter.begin(process))
            .await
            .unwrap_or_else(|_| Err(format!("it did not begin within {} s", READY.as_secs())))?;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    let seen = answered(adapter.look(process)).await.and_then(|seen| self.plausible(seen))?;
                    self.tell(seen, &telling).await?;
                }
                said = process.next() => match said {
                    // A word that nobody asked for.
                    Some(Said::Lines(_)) => {}
                    Some(Said::Ended(Ok(status))) => return Err(format!("its process ended by itself ({status})")),
                    Some(Said::Ended(Err(_))) | None => return Err("its process ended by itself".to_owned()),
                },
                () = handle.told_to_leave() => {
                    self.look_once_more(adapter, process, &telling).await?;
                    // One that leaves without a word has left all the same.
                    let _ = timeout(GOODBYE, adapter.leave(process)).await;
                    return self.complete_is_whole().await;
                }
                () = handle.told_to_stop() => {
                    self.look_once_more(adapter, process, &telling).await?;
                    return self.complete_is_whole().await;
                }
            }
        }
    }

    async fn look_once_more<A: Adapter>(
        &mut self,
        adapter: &mut A,
        process: &mut Child,
        telling: &Telling,
    ) -> Result<(), String> {
        if let Ok(Ok(seen)) = timeout(LAST_ANSWER, adapter.look(process)).await
            && let Ok(seen) = self.plausible(seen)
        {
            self.tell(seen, telling).await?;
        }
        Ok(())
    }

    /// It speaks of the same torrent.
    fn plausible(&self, seen: Seen) -> Result<Seen, String> {
        match (seen.pieces.pieces(), self.stay.layout.pieces()) {
            (told, pieces) if told == pieces => Ok(seen),
            (told, pieces) => Err(format!("it tells of {told} pieces, and there are {pieces}")),
        }
    }

    /// Tells what has changed. Complete is who has the content in its file: a client's word alone would make a liar the fastest.
    async fn tell(&mut self, seen: Seen, telling: &Telling) -> Result<(), String> {
        let mut happened = Vec::new();
        let told = [seen.downloaded, seen.uploaded, seen.wasted];
        // What it does not tell this time it has told before.
        let sums = std::array::from_fn(|at| told[at].or(self.sums[at]));
        if sums != self.sums {
            let [downloaded, uploaded, wasted] =
                std::array::from_fn(|at| sums[at].map(|sum| sum.saturating_sub(self.sums[at].unwrap_or(0))));
            happened.push(Event::Traffic(Box::new(Traffic { downloaded, uploaded, wasted })));
            self.sums = sums;
        }
        let was_complete = self.end.have.is_full();
        for piece in (0..self.stay.layout.pieces()).map(crate::id::PieceIndex) {
            match (self.end.have.contains(piece), seen.pieces.contains(piece)) {
                (false, true) => happened.push(Event::PieceVerified { piece }),
                (true, false) => happened.push(Event::StorageFailed { piece }),
                _ => {}
            }
        }
        self.end.have = seen.pieces;
        let mut whole = Ok(());
        if self.end.have.is_full() && !was_complete {
            whole = self.complete_is_whole().await;
            if whole.is_ok() {
                happened.push(Event::Completed);
            } else {
                happened.retain(|event| !matches!(event, Event::PieceVerified { .. }));
            }
        }
        let (at, peer) = (telling.clock.now(), self.stay.peer);
        let records: Vec<Record> = happened.into_iter().map(|event| Record { at, peer, event }).collect();
        if !records.is_empty() {
            // The run listens until the stay is over.
            let _ = telling.records.send(records).await;
        }
        whole
    }

    /// What a client calls complete is in its file, soon, or it has failed.
    async fn complete_is_whole(&mut self) -> Result<(), String> {
        if !self.end.have.is_full() {
            return Ok(());
        }
        let until = Instant::now() + FLUSH;
        loop {
            let there = self.in_file().await?;
            if there.is_full() {
                return Ok(());
            }
            if Instant::now() > until {
                let lacking = self.stay.layout.pieces() - there.count();
                self.end.have = there;
                return Err(format!("it says it is complete, but {lacking} pieces in its file are wrong"));
            }
            sleep(LOOK).await;
        }
    }

    /// The pieces whose hashes are right in the file that bears the content's name now.
    async fn in_file(&self) -> Result<Bitfield, String> {
        let (layout, hashes) = (self.stay.layout, self.stay.hashes.clone());
        let path = self.stay.seat.folder.join(&self.stay.seat.content);
        let scan = move || scan(layout, hashes, &path);
        tokio::task::spawn_blocking(scan).await.map_err(|error| error.to_string())?
    }
}

fn scan(layout: Layout, hashes: PieceHashes, path: &Path) -> Result<Bitfield, String> {
    let store = Store::in_file(layout, hashes, path).map_err(|error| error.to_string())?;
    Ok(store.scan())
}

async fn answered<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match timeout(ANSWER, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("it has not answered for {} s", ANSWER.as_secs())),
    }
}

/// At once: whoever wanted to say goodbye has. Returns when it is gone.
async fn end(mut process: Child) {
    process.kill();
    while process.next().await.is_some() {}
}
