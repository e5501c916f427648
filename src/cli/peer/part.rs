//! A peer of a run in processes, as the run starts it: what to do comes over stdin, what happens goes to stdout.

use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::{Args, read_metainfo};
use crate::cli::{Exit, Usage, parent};
use crate::driver::processes::inside::{self, Part};
use crate::driver::processes::words::Order;
use crate::scenario::file::{Overrides, load};

/// What the run says instead.
const OF_A_PEER_ALONE: [&str; 12] = [
    "listen",
    "trackers",
    "peers",
    "on_complete",
    "records",
    "name",
    "one_of",
    "picker",
    "choker",
    "set",
    "upload",
    "download",
];

/// Whose part it takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Part of a run")]
pub(super) struct PartArgs {
    /// Take part in the run of --scenario with --random-seed as its peer of this name: that is how `minibit run` starts
    /// peers with the driver `processes`. Orders come on stdin and what happens goes to stdout (docs/processes.md); the
    /// end of stdin ends the peer at once
    #[arg(long, value_name = "PEER", requires_all = ["scenario", "random_seed"], conflicts_with_all = OF_A_PEER_ALONE)]
    take_part_as: Option<String>,
    /// The run's scenario, one case of it
    #[arg(long, value_name = "FILE", requires = "take_part_as")]
    scenario: Option<PathBuf>,
}

impl PartArgs {
    pub(super) fn is_given(&self) -> bool {
        self.take_part_as.is_some()
    }
}

pub(super) fn take(args: &Args) -> anyhow::Result<Exit> {
    let (Some(name), Some(path), Some(random_seed)) =
        (&args.part.take_part_as, &args.part.scenario, args.random_seed)
    else {
        return Err(Usage("--take-part-as needs --scenario and --random-seed".to_owned()).into());
    };
    let (to_orders, orders) = mpsc::unbounded_channel();
    parent::listen(move |line| match serde_json::from_str::<Order>(line) {
        // Refused only when the stay is over.
        Ok(order) => drop(to_orders.send(order)),
        Err(error) => eprintln!("minibit: {line:?} is no order: {error}"),
    })?;
    let torrent = read_metainfo(&args.torrent)?;
    let file = load(path, &Overrides::default()).map_err(|error| Usage(error.to_string()))?;
    let [case] = &file.cases[..] else {
        return Err(Usage(format!("{} has several cases", path.display())).into());
    };
    let part = Part { scenario: &case.scenario, random_seed, torrent: &torrent, name, dir: &args.dir };
    inside::take_part(part, orders, io::stdout())?;
    Ok(Exit::Done)
}
