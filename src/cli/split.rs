//! `minibit split`.

use super::Exit;

/// Splits a file into blocks and distributes them over peers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("not built yet")
}
