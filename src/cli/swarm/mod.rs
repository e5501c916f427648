//! The swarm by hand: what `minibit start` keeps of it beside the folder `peers`, so that `status`, `logs`, `stop` and
//! `cleanup` find it again from any shell. What a peer does is known from its records alone, what becomes of its process
//! from the system.

pub(super) mod folder;
pub(super) mod heading;
pub(super) mod launch;
pub(super) mod lines;
pub(super) mod narration;
pub(super) mod process;
mod recent;
pub(super) mod standing;
pub(super) mod state;
