//! `minibit get`: a torrent's content, downloaded to files.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Exit;
use super::exit::in_time;
use super::peer::{Conduct, Place, Reach, read_metainfo};
use super::quantity::time;
use super::transfer::{Output, Transfer, Until};

/// Downloads what a .torrent file describes, and ends when it is there.
///
/// Every piece is checked against its hash before it counts. What is there already is checked too and stays: after an
/// interruption the same command goes on. Progress goes to stderr, and one line to stdout at the end: bytes, time, mean rate,
/// peers and share ratio. Ends with 0 when everything is there, with 3 when it is not within --timeout.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The .torrent file
    torrent: PathBuf,
    /// Where the file or the folder of files is to be
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Give up when it is not there within this time, as `30 s` or `10 min`
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// Seed when it is there, until Ctrl-C
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    conduct: Conduct,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let metainfo = read_metainfo(&args.torrent)?;
    let place = Arc::new(Place::of_files(&args.to, &metainfo)?);
    let have = place.begun(&metainfo)?;
    // Who has everything needs nobody.
    let tiers =
        if have.is_full() { args.reach.tiers(&metainfo) } else { args.reach.some_tiers(&metainfo)? };
    let is_done = have.is_full() && !args.stay;
    let listener = if is_done { None } else { Some(args.reach.bind()?) };
    let store = place.open(&metainfo)?;
    let transfer = Transfer {
        began,
        torrent: &args.torrent,
        metainfo: &metainfo,
        place,
        store: Arc::new(store),
        have,
        reach: &args.reach,
        listener,
        tiers,
        conduct: &args.conduct,
        output: args.output,
        until: Until { complete: !args.stay, complete_within: args.timeout, ..Until::default() },
        tells_address: args.stay,
    };
    let asks_nobody = transfer.tiers.is_empty();
    let ended = transfer.run()?;
    if ended.exit == Exit::Done && !ended.is_complete {
        let (pieces, peers) = (ended.pieces, ended.peers);
        let of = metainfo.layout.pieces();
        let advice = match peers {
            0 if asks_nobody => {
                "no peer was reached: is anybody there who seeds it, at the address of --peer?"
            }
            0 => "no peer was reached: is the tracker right, and does anybody seed?",
            _ => "the same command goes on from there",
        };
        let line = format!("minibit: not complete within the --timeout: {pieces} of {of} pieces; {advice}");
        // Whether somebody hears it or not.
        let _ = in_time(move || writeln!(io::stderr(), "{line}"));
        return Ok(Exit::Unfinished);
    }
    Ok(ended.exit)
}
