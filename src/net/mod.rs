//! Real time: the clock, sockets, disks and bandwidth that a peer does not know. Wall clocks, threads and I/O are
//! allowed from here on.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod alarm;
pub mod announce;
pub mod clock;
pub mod delay;
pub mod greeting;
pub mod host;
mod inbound;
pub mod loopback;
pub mod open_files;
mod outbox;
pub mod pace;
pub mod store;
pub mod tracker_server;

/// Threads of a process for hashing and disk; more would only wait for the same cores. One host hashes on half of them at
/// most: the others stay free for reads and for the names of trackers.
pub const WORKERS: usize = 8;
