//! `minibit seed`: a file or a folder, shared.

#[cfg(unix)]
use std::fs;
use std::io::{self, Write as _};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;

use super::peer::{Conduct, Place, Reach, read_metainfo};
use super::quantity::{size, time};
use super::split::progress_bar;
use super::transfer::{Output, Transfer, Until};
use super::{Exit, Usage};
use crate::net::announce::TrackerUrl;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::create::{CreateError, Order, create};
use crate::torrent::layout::Layout;
use crate::torrent::metainfo::Metainfo;

/// Shares a file, or a folder with everything in it, until Ctrl-C.
///
/// Writes the .torrent file that others need for `minibit get` or for any other client, unless it is there already: then the
/// content is checked against it. Progress goes to stderr. On stdout it says `torrent: FILE` and `listening on IP:PORT`, and
/// one line at the end: what it sent, to how many peers, how fast, and the share ratio.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file or folder
    #[arg(value_name = "FILE")]
    content: PathBuf,
    /// The .torrent file: used where it exists, written otherwise [default: FILE.torrent, beside the file]
    #[arg(long, value_name = "FILE")]
    torrent: Option<PathBuf>,
    /// Bytes that are hashed together in a new .torrent, as `256KiB` [default: what suits the content]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    piece_size: Option<u32>,
    /// Let a new .torrent forbid clients to find peers but through its trackers (BEP 27)
    #[arg(long)]
    private: bool,
    /// Leave when this many times the content's length has been sent; above 0
    #[arg(long, value_name = "RATIO", value_parser = ratio, allow_negative_numbers = true)]
    until_ratio: Option<f64>,
    /// Leave after this time, as `10 min`
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    lasting: Option<Duration>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    conduct: Conduct,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio > 0.0);
    ratio.ok_or_else(|| "must be a number above 0: a ratio is not negative".to_owned())
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let content = resolved(&args.content)?;
    let torrent = match &args.torrent {
        Some(torrent) => torrent.clone(),
        None => content.with_added_extension("torrent"),
    };
    let is_new = is_to_be_made(&torrent)?;
    let listener = args.reach.bind()?;
    let metainfo = if is_new { make(args, &content, &torrent)? } else { take(args, &torrent)? };
    let is_other = |what: String| {
        Usage(format!(
            "{} is not what {} describes: {what}; name another --torrent, or remove it to have it made anew",
            args.content.display(),
            torrent.display(),
        ))
    };
    let place = Place::of_content(&content, &metainfo).map_err(is_other)?;
    let store = place.open_to_read(&metainfo)?;
    // What has just been hashed need not be hashed again.
    let have = if is_new { Bitfield::full(metainfo.layout.pieces()) } else { store.scan() };
    if !have.is_full() {
        let (wrong, of) = (have.pieces() - have.count(), have.pieces());
        return Err(is_other(format!("{wrong} of {of} pieces differ")).into());
    }
    let tiers = args.reach.tiers(&metainfo);
    if tiers.is_empty() && !args.output.is_quiet() {
        eprintln!("note: no tracker (--tracker URL): others come with `minibit get … --peer IP:PORT`");
    }
    let names = |named: &str, url: &str| TrackerUrl::parse(named).is_ok_and(|named| named.to_string() == url);
    for url in args.reach.trackers.iter().map(TrackerUrl::to_string) {
        if !metainfo.announce.iter().flatten().any(|named| names(named, &url)) {
            eprintln!(
                "note: {} does not name that tracker; others need it too: --tracker {url}",
                torrent.display()
            );
        }
    }
    args.output.say(&format!("torrent: {}", torrent.display()));
    let transfer = Transfer {
        began,
        torrent: &torrent,
        metainfo: &metainfo,
        place: Arc::new(place),
        store: Arc::new(store),
        have,
        reach: &args.reach,
        listener: Some(listener),
        tiers,
        conduct: &args.conduct,
        output: args.output,
        until: Until { lost: true, ratio: args.until_ratio, time: args.lasting, ..Until::default() },
        tells_address: true,
    };
    Ok(transfer.run()?.exit)
}

/// Its own name and place, where `.` or a link was given.
fn resolved(content: &Path) -> anyhow::Result<PathBuf> {
    let resolved = content
        .canonicalize()
        .map_err(|error| Usage(format!("cannot read {}: {error}", content.display())))?;
    if resolved.is_file() && resolved.extension().is_some_and(|extension| extension == "torrent") {
        let torrent = content.display();
        return Err(Usage(format!(
            "{torrent} is a .torrent file; name what it describes: minibit seed FILE --torrent {torrent}"
        ))
        .into());
    }
    Ok(resolved)
}

fn is_to_be_made(torrent: &Path) -> anyhow::Result<bool> {
    let is_missing = !torrent.exists();
    if is_missing && torrent.is_symlink() {
        return Err(Usage(format!(
            "{} is a symbolic link that leads nowhere; remove it, or name another --torrent",
            torrent.display()
        ))
        .into());
    }
    Ok(is_missing)
}

/// A new torrent, written where none is.
fn make(args: &Args, content: &Path, torrent: &Path) -> anyhow::Result<Metainfo> {
    let beside = torrent.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = beside.canonicalize();
    let folder = folder.map_err(|error| Usage(format!("cannot write to {}: {error}", beside.display())))?;
    if content.is_dir() && folder.starts_with(content) {
        return Err(Usage(format!(
            "{} would lie in the folder that it describes; choose another --torrent",
            torrent.display()
        ))
        .into());
    }
    let announce: Vec<Vec<String>> = args.reach.trackers.iter().map(|url| vec![url.to_string()]).collect();
    let order = Order { content, piece_size: args.piece_size, announce: &announce, private: args.private };
    let bar = if args.output.is_quiet() { ProgressBar::hidden() } else { progress_bar() };
    let made = create(&order, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let (bytes, metainfo) = made.map_err(blame)?;
    write_new(&folder, torrent, &bytes)?;
    if metainfo.layout.piece_size() < Layout::STANDARD_BLOCK {
        eprintln!("note: other BitTorrent clients expect pieces of at least 16 KiB (--piece-size 16KiB)");
    }
    Ok(metainfo)
}

/// All of it or nothing, and never in place of another: somebody may have come first while the content was hashed.
fn write_new(folder: &Path, torrent: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has permissions to set"))]
    let mut all_may_read = tempfile::Builder::new();
    #[cfg(unix)]
    all_may_read.permissions(fs::Permissions::from_mode(0o666));
    let written = all_may_read.tempfile_in(folder).and_then(|mut beside| {
        beside.write_all(bytes)?;
        Ok(beside.persist_noclobber(torrent)?)
    });
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
            "{} was made by another program meanwhile and stays as it is; the same command again takes it",
            torrent.display()
        ),
        // Its own words name a file that nobody asked for.
        Err(error) => {
            let reason = io::Error::from(error.kind());
            bail!(
                "cannot write {}: {reason}; name a place for it with --torrent ELSEWHERE",
                torrent.display()
            )
        }
    }
}

fn take(args: &Args, torrent: &Path) -> anyhow::Result<Metainfo> {
    let metainfo = read_metainfo(torrent)?;
    let size = metainfo.layout.piece_size();
    if args.piece_size.is_some_and(|wanted| wanted != size) || (args.private && !metainfo.private) {
        return Err(Usage(format!(
            "{} exists and says otherwise than --piece-size or --private; remove it, or name another --torrent",
            torrent.display()
        ))
        .into());
    }
    Ok(metainfo)
}

/// What the system refuses is a failure; the rest is for the user to mend.
fn blame(error: CreateError) -> anyhow::Error {
    match error {
        CreateError::Io { .. } | CreateError::Changed(_) => error.into(),
        _ => Usage(error.to_string()).into(),
    }
}
