//! Integration tests: what only shows when the parts stand together.
#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too
#![allow(clippy::disallowed_types)] // programs and sockets run in wall time

mod bad_data;
#[cfg(unix)]
mod by_hand;
mod cleanup;
mod command;
mod documents;
mod extension_protocol;
mod fast_extension;
mod foreground;
mod layers;
mod metainfo;
mod misbehaviour;
mod one_peer;
mod other_clients;
mod reference;
mod run;
mod scenarios;
mod seed_and_get;
mod several_files;
mod sharing;
mod sockets;
mod split;
#[cfg(target_os = "linux")] // counts in /proc
mod strangers;
