//! MiniBit: a simulation and benchmarking harness for BitTorrent-style swarms.
//!
//! ```text
//! scenarios/*.toml → scenario → experiment → driver {sim | tasks | processes} running peer + tracker
//!                                               → event → metrics → report → results/
//! ```
//!
//! The modules in reading order. A blank line starts a new layer: imports point from a later layer to an earlier one
//! only, and the modules of one layer do not know each other (`tests/it/layers.rs`).

pub mod fetch;
pub mod time;

pub mod id;

pub mod rng;
pub mod units;

pub mod event;
pub mod link;

pub mod torrent;

pub mod wire;

pub mod peer;
pub mod tracker;

pub mod scenario;

#[cfg(feature = "net")]
pub mod net;

pub mod driver;

pub mod metrics;

#[cfg(feature = "cli")]
pub mod experiment;

#[cfg(feature = "cli")]
pub mod report;

#[cfg(feature = "cli")]
pub mod cli;
