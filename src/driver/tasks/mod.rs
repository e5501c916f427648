//! Real sockets in one process: every peer a task with its own loopback address, and a real HTTP tracker.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
