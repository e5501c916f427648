//! `minibit cleanup`.

use super::Exit;

/// Removes what split left behind, and only that.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> anyhow::Result<Exit> {
    anyhow::bail!("not built yet")
}
