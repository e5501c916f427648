//! `minibit split`: a file becomes a torrent and every peer's first blocks.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::quantity::size;
use super::swarm::folder::SwarmFolder;
use super::swarm::state::{State, check_ended};
use super::{Exit, Usage};
use crate::id::PieceIndex;
use crate::net::announce::{TrackerUrl, TrackerUrlError};
use crate::torrent::layout::Layout;
use crate::torrent::split::{Distribution, MAX_PEERS, Order, Split, SplitError, blocks_of, split};
use crate::units::format_size;

/// Splits a file into blocks and distributes them over peers.
///
/// Writes DIR/peers/FILE.torrent and DIR/peers/peer_1/blocks/block_0.bin and so on. A second split replaces the
/// first as a whole, and is refused where you put files of your own among them. The same seed gives the same distribution, here and in `minibit run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to share, of any kind
    file: PathBuf,
    /// How many peers get a share
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PEERS)))]
    peers: u32,
    /// Bytes that are transferred at once, as `512 B` or `16KiB`
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = size)]
    block_size: u32,
    /// Bytes that are hashed together, a multiple of the block size [default: the block size]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    piece_size: Option<u32>,
    /// Who holds what at the start
    #[arg(long, value_enum, default_value_t = Kind::RandomSubset)]
    distribution: Kind,
    /// Pieces for each peer, with `--distribution fixed`
    #[arg(long, value_name = "K", required_if_eq("distribution", "fixed"))]
    pieces_each: Option<u32>,
    /// The random seed of the distribution
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Whom the .torrent names as trackers, http:// or udp://; every --tracker is a tier that is asked when those before it
    /// fail, and those of one tier, parted by commas, are asked in random order (BEP 12)
    #[arg(long = "tracker", value_name = "URL[,URL]", value_parser = tier)]
    tiers: Vec<Tier>,
    /// Where the folder `peers` is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// Tracker URLs as they were written.
#[derive(Clone, Debug)]
struct Tier(Vec<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Every piece to one random peer, then a random sample of the pieces to each
    RandomSubset,
    /// Everything to peer 1
    SingleSeed,
    /// Every piece to exactly one peer
    Disjoint,
    /// So many pieces to each (--pieces-each), every piece held by somebody
    Fixed,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let announce: Vec<Vec<String>> = args.tiers.iter().map(|tier| tier.0.clone()).collect();
    let order = Order {
        file: &args.file,
        out: &args.out,
        peers: args.peers,
        block_size: args.block_size,
        piece_size: args.piece_size.unwrap_or(args.block_size),
        distribution: distribution(&args)?,
        random_seed: args.seed,
        announce: &announce,
    };
    check_ended(State::here(&SwarmFolder::beside_peers(&args.out))?.peers.iter())?;
    let bar = progress_bar();
    let done = split(&order, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let done = done.map_err(blame)?;
    println!("{}", summary(&order, &done));
    println!("{}", table(&done));
    println!("{}", coverage(&done));
    println!("written: {}", done.folder.display());
    if order.piece_size < Layout::STANDARD_BLOCK {
        eprintln!("note: other BitTorrent clients expect pieces of at least 16 KiB (--piece-size 16KiB)");
    }
    Ok(Exit::Done)
}

fn distribution(args: &Args) -> anyhow::Result<Distribution> {
    match (args.distribution, args.pieces_each) {
        (Kind::Fixed, pieces_each) => {
            let pieces_each = pieces_each.context("the command line demands --pieces-each here")?;
            Ok(Distribution::Fixed { pieces_each })
        }
        (_, Some(_)) => Err(Usage("--pieces-each goes with --distribution fixed only".to_owned()).into()),
        (Kind::RandomSubset, None) => Ok(Distribution::RandomSubset),
        (Kind::SingleSeed, None) => Ok(Distribution::SingleSeed),
        (Kind::Disjoint, None) => Ok(Distribution::Disjoint),
    }
}

fn tier(text: &str) -> Result<Tier, TrackerUrlError> {
    let urls = text.split(',').map(|url| TrackerUrl::parse(url).map(|_| url.to_owned()));
    urls.collect::<Result<_, _>>().map(Tier)
}

/// What the disk did is MiniBit's failure, everything else the user's to mend.
fn blame(error: SplitError) -> anyhow::Error {
    match error {
        SplitError::Io { path, source } if source.kind() == io::ErrorKind::StorageFull => {
            let place = path.display();
            anyhow::Error::new(source)
                .context(format!("cannot write {place}; free some space, and split again"))
        }
        SplitError::Io { .. } | SplitError::Changed(_) => error.into(),
        _ => Usage(error.to_string()).into(),
    }
}

/// Hidden where stderr is no terminal.
pub(super) fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
        .expect("the template is a constant and names known keys");
    ProgressBar::new(0).with_style(style)
}

fn summary(order: &Order<'_>, done: &Split) -> String {
    let layout = &done.metainfo.layout;
    format!(
        "{}: {} bytes, {} of {}, {} of {}; {} with seed {}",
        done.metainfo.name,
        layout.total(),
        counted(layout.pieces().into(), "piece"),
        format_size(layout.piece_size().into()),
        counted(layout.blocks(), "block"),
        format_size(layout.block_size().into()),
        order.distribution.name(),
        order.random_seed,
    )
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn table(done: &Split) -> Table {
    let layout = &done.metainfo.layout;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["peer", "pieces", "blocks", "bytes"]);
    for (number, pieces) in (1..).zip(&done.held) {
        let bytes: u64 = pieces.iter().map(|piece| u64::from(layout.piece_length(piece))).sum();
        table.add_row([
            format!("peer_{number}"),
            pieces.count().to_string(),
            blocks_of(layout, pieces).to_string(),
            bytes.to_string(),
        ]);
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// How many peers hold a piece, the rarest and the most common one.
fn coverage(done: &Split) -> String {
    let holders = |piece| done.held.iter().filter(|pieces| pieces.contains(PieceIndex(piece))).count();
    let counts: Vec<usize> = (0..done.metainfo.layout.pieces()).map(holders).collect();
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least < most => {
            format!("coverage: every piece is held by {least} to {most} of {} peers", done.held.len())
        }
        (Some(all), _) => format!("coverage: every piece is held by {all} of {} peers", done.held.len()),
        _ => "coverage: an empty file has no pieces".to_owned(),
    }
}
