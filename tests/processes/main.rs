//! Swarms whose peers and tracker are processes of their own: what they do, and what is left when some of them are
//! killed. In a program of its own, because a test that counts seconds wants the machine for itself.
#![cfg(target_os = "linux")] // looks into /proc
#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // processes live in wall time

mod clients;
#[path = "../it/command.rs"]
#[allow(dead_code)] // of what it offers, half is enough here
mod command;
mod hostile;
mod killed;
mod proc;
mod stays;
