//! The swarm by hand: what `minibit start` keeps of it beside the folder `peers`, so that `status`, `logs`, `stop` and
//! `cleanup` find it again from any shell.

pub(super) mod folder;
pub(super) mod launch;
pub(super) mod process;
pub(super) mod state;
