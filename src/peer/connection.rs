//! One connection as the peer sees it: what is asked for on either side, and who is at the other end.

use thin_vec::ThinVec;

use crate::event::Remote;
use crate::id::{Block, BlockId, PeerId};
use crate::peer::exchange::Extended;
use crate::peer::rates::Rates;
use crate::peer::seam::RemotePeer;
use crate::time::Time;

/// What blocks and requests change. All times are the peer's own clock. A cache line, because every one of them looks at
/// it: a peer has many connections, and what only those need on which something flows takes a pointer.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Connection {
    /// The remote's row in the run's population; only ever echoed in events.
    pub(crate) index: Remote,
    /// Our requests that are not answered yet, oldest first.
    pub(crate) outstanding: ThinVec<BlockId>,
    /// When we first asked for something since it unchoked us; from then on its rate counts. Before, `Time::NEVER`.
    pub(crate) asking_since: Time,
    /// Since when it owes us a block without having delivered one.
    pub(crate) owing_since: Time,
    /// Its requests that are not answered yet, oldest first.
    pub(crate) uploads: ThinVec<Block>,
    pub(crate) rates: Rates,
    /// Requests we took back and that it may have answered all the same.
    pub(crate) cancelled: u32,
    /// Blocks it sent without being asked.
    pub(crate) unrequested: u32,
    /// The most requests that it keeps, as far as it has said (BEP 10).
    pub(crate) requests_kept: u32,
    /// The picker counts it as a seed: it announced everything in its bitfield.
    pub(crate) counted_as_seed: bool,
    /// Both ends announced the fast extension (BEP 6).
    pub(crate) fast: bool,
}

impl Connection {
    pub(crate) fn new(remote: &RemotePeer, now: Time) -> Connection {
        Connection {
            index: remote.index,
            outstanding: ThinVec::new(),
            asking_since: Time::NEVER,
            owing_since: now,
            uploads: ThinVec::new(),
            rates: Rates::default(),
            cancelled: 0,
            unrequested: 0,
            requests_kept: u32::MAX,
            counted_as_seed: false,
            fast: remote.features.fast,
        }
    }

    /// Takes a block off the outstanding ones; false if it was not among them.
    pub(crate) fn settle(&mut self, block: BlockId) -> bool {
        let position = self.outstanding.iter().position(|outstanding| *outstanding == block);
        position.map(|at| self.outstanding.remove(at)).is_some()
    }
}

/// Who is at the other end of a connection, and what is rarely asked about it.
#[derive(Clone, Debug)]
pub(crate) struct FarEnd {
    pub(crate) peer: RemotePeer,
    pub(crate) opened_at: Time,
    /// Present once its extension handshake has come.
    pub(crate) extended: Option<Box<Extended>>,
}

impl FarEnd {
    pub(crate) fn is(&self, peer_id: PeerId) -> bool {
        self.peer.peer_id == peer_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_takes_one_cache_line() {
        assert_eq!(size_of::<Option<Connection>>(), 64);
    }
}
