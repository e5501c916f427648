//! A peer's stay ends: what its host left behind, whether a complete peer has the content, and whether it comes back.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::driver::tasks::io_error;
use crate::driver::tasks::member::Ending;
use crate::driver::tasks::original::Original;
use crate::driver::{DriverError, Recorder};
use crate::event::Event;
use crate::id::PeerIndex;
use crate::net::host::HostEnd;
use crate::net::store::Store;

use super::{Due, Swarm};

/// A host that has ended, and whether a complete peer really has the content.
pub(super) struct Departed {
    peer: PeerIndex,
    end: HostEnd,
    checked: Result<(), DriverError>,
}

impl Swarm<'_> {
    /// Waits for the host's end, and looks whether what it calls complete is the content.
    pub(super) fn watch(&mut self, peer: PeerIndex, task: JoinHandle<HostEnd>, store: Arc<Store>) {
        let original = self.original.clone();
        let number = peer.0 + 1;
        let rebuilt = self.folder.path.join("peers").join(format!("peer_{number}")).join(&original.name);
        let rebuilt = self.rebuild.then_some(rebuilt);
        self.ends.spawn(async move {
            let end = joined(task.await);
            let complete = end.have.is_full();
            let check = move || if complete { check(peer, &original, &store, rebuilt) } else { Ok(()) };
            let checked = joined(tokio::task::spawn_blocking(check).await);
            Departed { peer, end, checked }
        });
    }

    pub(super) fn departed(
        &mut self,
        departed: Departed,
        recorder: &mut dyn Recorder,
    ) -> Result<(), DriverError> {
        // Everything the host had to say is in the channel by now.
        while let Ok(records) = self.records.try_recv() {
            self.take_in(records, recorder);
        }
        let Departed { peer, end, checked } = departed;
        checked?;
        self.lateness.add(&end.lateness);
        let now = self.clock.now();
        let member = &mut self.members[peer.0 as usize];
        member.host = None;
        member.stay += 1;
        member.leaving = false;
        member.have = end.have;
        let crashed = end.failed.is_none() && member.ending == Some(Ending::Crash);
        let returns = member.plan.rejoin.filter(|_| crashed);
        if returns.is_none() {
            member.store = None;
        }
        let event = match (end.failed, member.ending.take()) {
            (Some(reason), _) => Some(Event::Failed { reason }),
            (None, Some(Ending::Leave)) => Some(Event::Left),
            (None, Some(Ending::Crash)) => Some(Event::Crashed),
            (None, Some(Ending::EndOfRun) | None) => None,
        };
        for event in event.into_iter().chain([Event::Totals(end.totals)]) {
            self.record(now, peer, event, recorder);
        }
        if let Some(after) = returns {
            self.schedule(now + after, Due::Arrive { peer });
        }
        Ok(())
    }
}

/// A complete peer has the content, or this is an error.
fn check(
    peer: PeerIndex,
    original: &Original,
    store: &Arc<Store>,
    rebuilt: Option<PathBuf>,
) -> Result<(), DriverError> {
    if !original.is_in(store)? {
        return Err(DriverError::WrongContent { peer });
    }
    if let Some(path) = rebuilt {
        let context = format!("cannot rebuild {}", path.display());
        store.rebuild(&path).map_err(|error| io_error(context)(std::io::Error::other(error)))?;
    }
    Ok(())
}

/// A panic in a task goes on here.
pub(super) fn joined<T>(result: Result<T, tokio::task::JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
