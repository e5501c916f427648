//! `minibit scenario check|show`.

use super::Exit;

/// Checks or shows a scenario without running it.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Check {},
    Show {},
}

pub(super) fn run(_command: Command) -> anyhow::Result<Exit> {
    anyhow::bail!("not built yet")
}
