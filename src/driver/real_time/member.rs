//! One row of the population as this driver carries it through the run: its store outlives its stays.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::driver::DriverError;
use crate::driver::real_time::Stores;
use crate::driver::real_time::original::{Original, store_error};
use crate::net::host::HostHandle;
use crate::net::store::Store;
use crate::scenario::population::PeerPlan;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;

#[derive(Debug)]
pub(in crate::driver) struct Member {
    pub(in crate::driver) plan: PeerPlan,
    /// Counts the stays; the first is 0.
    pub(in crate::driver) stay: u32,
    /// Present while the peer is.
    pub(in crate::driver) host: Option<HostHandle>,
    /// Why the host was told to end.
    pub(in crate::driver) ending: Option<Ending>,
    /// `None` once it is not needed any more.
    pub(in crate::driver) store: Option<Arc<Store>>,
    /// What was verified when the last stay ended.
    pub(in crate::driver) have: Bitfield,
    /// Where it listened last: it comes back to the same place.
    pub(in crate::driver) addr: SocketAddr,
    pub(in crate::driver) complete: bool,
    /// Payload bytes over all stays.
    pub(in crate::driver) uploaded: u64,
    /// It is going to leave.
    pub(in crate::driver) leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Ending {
    Leave,
    Crash,
    EndOfRun,
}

impl Member {
    /// A peer that has not arrived yet, with its first pieces in its store. `folder` is its own.
    pub(in crate::driver) fn new(
        plan: PeerPlan,
        addr: SocketAddr,
        layout: Layout,
        original: &Original,
        stores: Stores,
        folder: &Path,
    ) -> Result<Member, DriverError> {
        let hashes = original.hashes.clone();
        let store = match stores {
            Stores::Memory | Stores::Automatic => Ok(Store::in_memory(layout, hashes)),
            Stores::Files => Store::in_file(layout, hashes, &folder.join(&original.name)),
            Stores::Blocks => Store::in_blocks(layout, hashes, &folder.join("blocks")),
        };
        let store = store.map_err(|error| store_error(error.to_string()))?;
        original.fill(&store, &plan.initial)?;
        Ok(Member {
            have: plan.initial.clone(),
            complete: plan.initial.is_full(),
            plan,
            stay: 0,
            host: None,
            ending: None,
            store: Some(Arc::new(store)),
            addr,
            uploaded: 0,
            leaving: false,
        })
    }

    pub(in crate::driver) fn is_here(&self, stay: u32) -> bool {
        self.stay == stay && self.host.is_some()
    }

    /// Whether it is now time to leave of its own will, and how long to wait with it.
    pub(in crate::driver) fn wants_to_leave(&self, now: Time, content: u64) -> Option<Span> {
        if self.leaving || !self.complete || self.host.is_none() {
            return None;
        }
        self.plan.leaves_after(self.stay, now, self.uploaded, content)
    }

    /// Ends its stay, if it has not been told already.
    pub(in crate::driver) fn end(&mut self, ending: Ending) {
        let Some(host) = &self.host else { return };
        if self.ending.is_none() || ending == Ending::EndOfRun {
            self.ending.get_or_insert(ending);
            match ending {
                Ending::Leave => host.leave(),
                Ending::Crash | Ending::EndOfRun => host.stop(),
            }
        }
    }
}
