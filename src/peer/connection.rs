//! One connection as the peer sees it: what the remote has, who chokes whom, what is asked for on either side.

use std::collections::VecDeque;

use crate::id::{Block, BlockId, ConnId};
use crate::peer::policy::Policy;
use crate::peer::rates::Window;
use crate::peer::seam::RemotePeer;
use crate::time::Time;
use crate::torrent::bitfield::Bitfield;

/// The state of one connection. All times are the peer's own clock.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) remote: RemotePeer,
    pub(crate) opened_at: Time,
    /// What the remote has announced.
    pub(crate) pieces: Bitfield,
    /// The picker counts it as a seed: it announced everything in its bitfield.
    pub(crate) counted_as_seed: bool,
    /// It has sent a message: a bitfield is no longer welcome.
    pub(crate) heard: bool,
    /// How many pieces it has that we lack; we are interested while there is one.
    pub(crate) useful: u32,
    pub(crate) am_interested: bool,
    pub(crate) remote_interested: bool,
    /// We let it download from us.
    pub(crate) unchoked: bool,
    /// When we last unchoked it, also after it was choked again.
    pub(crate) unchoked_at: Option<Time>,
    /// It lets us download.
    pub(crate) unchokes_us: bool,
    /// Our requests that are not answered yet, oldest first.
    pub(crate) outstanding: Vec<BlockId>,
    /// When we first asked for something since it unchoked us; from then on its rate counts.
    pub(crate) asking_since: Option<Time>,
    /// Since when it owes us a block without having delivered one.
    pub(crate) owing_since: Time,
    pub(crate) snubbed: bool,
    /// It could be asked for more, if it had more that is free: a piece it gets is asked for at once.
    pub(crate) starved: bool,
    /// Its requests that are not answered yet, oldest first.
    pub(crate) uploads: VecDeque<Block>,
    /// Bytes over the choker's window.
    pub(crate) received: Window,
    pub(crate) sent: Window,
    /// Bytes over the pipeline's window.
    pub(crate) recent: Window,
    pub(crate) last_received_at: Time,
    pub(crate) last_sent_at: Time,
    /// Requests we took back and that it may have answered all the same.
    pub(crate) cancelled: u32,
    /// Blocks it sent without being asked.
    pub(crate) unrequested: u32,
}

impl Connection {
    pub(crate) fn new(remote: RemotePeer, now: Time, pieces: u32, policy: &Policy) -> Connection {
        Connection {
            remote,
            opened_at: now,
            pieces: Bitfield::empty(pieces),
            counted_as_seed: false,
            heard: false,
            useful: 0,
            am_interested: false,
            remote_interested: false,
            unchoked: false,
            unchoked_at: None,
            unchokes_us: false,
            outstanding: Vec::new(),
            asking_since: None,
            owing_since: now,
            snubbed: false,
            starved: false,
            uploads: VecDeque::new(),
            received: Window::new(policy.rate_window),
            sent: Window::new(policy.rate_window),
            recent: Window::new(policy.pipeline.rate_window),
            last_received_at: now,
            last_sent_at: now,
            cancelled: 0,
            unrequested: 0,
        }
    }

    /// We may ask it for something: it has what we lack and lets us download.
    pub(crate) fn can_ask(&self) -> bool {
        self.unchokes_us && self.useful > 0
    }

    /// Takes a block off the outstanding ones; false if it was not among them.
    pub(crate) fn settle(&mut self, block: BlockId) -> bool {
        let position = self.outstanding.iter().position(|outstanding| *outstanding == block);
        position.map(|at| self.outstanding.remove(at)).is_some()
    }
}

/// The connections of a peer, by the driver's numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    slots: Vec<Option<Box<Connection>>>,
    count: u32,
}

impl Connections {
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.slots.get(conn.0 as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.slots.get_mut(conn.0 as usize)?.as_deref_mut()
    }

    pub(crate) fn insert(&mut self, conn: ConnId, connection: Connection) {
        let at = conn.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        assert!(self.slots[at].is_none(), "the driver used {conn:?} twice");
        self.slots[at] = Some(Box::new(connection));
        self.count += 1;
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Box<Connection>> {
        let removed = self.slots.get_mut(conn.0 as usize)?.take()?;
        self.count -= 1;
        Some(removed)
    }

    /// Ascending by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Connection)> {
        (0..).map(ConnId).zip(&self.slots).filter_map(|(conn, slot)| Some((conn, slot.as_deref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Connection)> {
        (0..).map(ConnId).zip(&mut self.slots).filter_map(|(conn, slot)| Some((conn, slot.as_deref_mut()?)))
    }

    /// One more than the highest number in use.
    pub(crate) fn end(&self) -> u32 {
        self.slots.len() as u32
    }
}
