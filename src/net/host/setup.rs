//! What a host is told before it starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::event::Record;
use crate::id::{PeerId, PeerIndex};
use crate::net::alarm::Alarm;
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::store::Store;
use crate::peer::Setup;
use crate::time::Span;
use crate::units::Rate;

/// Everything a host has to know to begin.
#[derive(Debug)]
pub struct HostSetup {
    /// Its `addr` is where `listener` listens.
    pub peer: Setup,
    pub listener: TcpListener,
    pub clock: Clock,
    pub alarm: Alarm,
    pub links: Links,
    pub contacts: Arc<Contacts>,
    /// By their positions in the peer's tiers.
    pub trackers: Vec<TrackerUrl>,
    /// Holds the pieces of `peer.have`.
    pub store: Arc<Store>,
    /// Takes what happens, a turn's worth at a time. Has to be read until the host has ended.
    pub records: mpsc::Sender<Vec<Record>>,
    /// Dial nobody beyond this machine.
    pub loopback_only: bool,
}

/// A host's two links, and how far each end of a path is from the middle, one way. `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    pub latency: Span,
}

/// What a run knows about the others, by peer id. Strangers have no row, and no latency of their own.
pub type Contacts = BTreeMap<PeerId, Contact>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    pub index: PeerIndex,
    pub latency: Span,
}
