//! Who takes part in a run: a scenario and a random seed drawn out into one plan per peer, the same in every driver.

use std::net::SocketAddr;

use crate::id::{PeerId, PeerIndex};
use crate::scenario::OnComplete;
use crate::time::{Span, Time};
use crate::torrent::bitfield::Bitfield;
use crate::units::Rate;

/// What is decided about one peer before the run begins.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerPlan {
    pub index: PeerIndex,
    /// Position in `Scenario::cohorts`.
    pub cohort: usize,
    /// `leecher-3`: cohort and number within it, from 1.
    pub name: String,
    pub peer_id: PeerId,
    /// Its address in virtual time, unique in the run; real-time drivers choose their own.
    pub virtual_addr: SocketAddr,
    pub initial: Bitfield,
    pub upload: Option<Rate>,
    pub download: Option<Rate>,
    pub latency: Span,
    pub arrival: Time,
    pub on_complete: OnComplete,
    pub rejoin: Option<Span>,
    crash_every: Option<Span>,
    random_seed: u64,
}

impl PeerPlan {
    /// A peer whose uplink is 0 B/s takes and never gives.
    pub fn uploads(&self) -> bool {
        self.upload.is_none_or(|rate| !rate.is_zero())
    }
}
