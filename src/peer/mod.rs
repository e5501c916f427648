//! One participant in one torrent, as a pure state machine: no sockets, no clock, no disk, no threads, no global
//! randomness. Every driver runs this same code.

pub mod announcer;
pub mod choker;
pub mod picker;
pub mod pipeline;
pub mod policy;
pub mod rates;
pub mod seam;

pub use seam::{
    Action, ConnSet, Deadline, DeadlineReason, Direction, Features, Input, RemotePeer, Setup, Verdict,
};
