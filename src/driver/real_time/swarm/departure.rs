//! A peer's stay ends: what its host left behind, whether a complete peer has the content, and whether it comes back.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::driver::real_time::member::Ending;
use crate::driver::real_time::original::Original;
use crate::driver::real_time::{Fate, Hosting, StayEnd, io_error, joined};
use crate::driver::{DriverError, Recorder};
use crate::event::Event;
use crate::id::PeerIndex;
use crate::net::store::Store;

use super::{Due, Swarm};

/// A stay that has ended, and whether a complete peer really has the content.
pub(in crate::driver) struct Departed {
    peer: PeerIndex,
    end: StayEnd,
    checked: Result<(), DriverError>,
}

impl<H: Hosting> Swarm<'_, H> {
    /// Waits for the stay's end, and looks whether what it calls complete is the content.
    pub(in crate::driver) fn watch(&mut self, peer: PeerIndex, task: JoinHandle<StayEnd>, store: Arc<Store>) {
        let original = self.original.clone();
        let rebuilt = self.rebuild.then(|| self.folder.of_peer(peer).join(&original.name));
        self.ends.spawn(async move {
            let end = joined(task.await);
            let complete = end.have.is_full();
            let check = move || if complete { check(peer, &original, &store, rebuilt) } else { Ok(()) };
            let checked = joined(tokio::task::spawn_blocking(check).await);
            Departed { peer, end, checked }
        });
    }

    pub(in crate::driver) fn departed(
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
        member.addr = end.addr.unwrap_or(member.addr);
        let event = match (end.fate, member.ending.take()) {
            (Fate::Failed(reason), _) => Some(Event::Failed { reason }),
            (Fate::Crashed, _) | (Fate::AsTold, Some(Ending::Crash)) => Some(Event::Crashed),
            (Fate::AsTold, Some(Ending::Leave)) => Some(Event::Left),
            (Fate::AsTold, Some(Ending::EndOfRun) | None) => None,
        };
        let returns = member.plan.rejoin.filter(|_| event == Some(Event::Crashed));
        match returns {
            Some(_) => self.hosts.expect(member),
            None => member.store = None,
        }
        for event in event.into_iter().chain(end.totals.map(Event::Totals)) {
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
