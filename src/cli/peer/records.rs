//! What happens to the peer of this process, as lines that another program may follow while they are written.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::event::{Record, json as line};
use crate::id::PieceIndex;
use crate::torrent::bitfield::Bitfield;
use crate::torrent::metainfo::Metainfo;

/// Means stdout where a file is named.
const STDOUT: &str = "-";

/// Writes every batch at once, whole lines only: what is written can be read.
pub(super) struct RecordLines {
    path: PathBuf,
    out: Box<dyn Write + Send>,
    names: Vec<String>,
    lines: String,
    failed: Option<io::Error>,
}

/// Who writes, where it listens, of which torrent it is, and when its clock began.
pub(super) struct Beginning<'a> {
    /// Its name.
    pub peer: &'a str,
    pub addr: SocketAddr,
    pub metainfo: &'a Metainfo,
    /// In nanoseconds since 1970.
    pub clock_start: u64,
    pub have: &'a Bitfield,
    /// Where the whole file will be.
    pub file: &'a Path,
    /// By which rule it unchokes.
    pub choker: &'a str,
}

impl RecordLines {
    /// A new file, or stdout. `names` are the peers', in the order of their indices.
    pub(super) fn open(path: &Path, names: Vec<String>) -> anyhow::Result<RecordLines> {
        let out: Box<dyn Write + Send> = if is_stdout(path) {
            Box::new(io::stdout())
        } else {
            let file = File::create(path);
            Box::new(file.with_context(|| format!("cannot write {} (--records)", path.display()))?)
        };
        Ok(RecordLines { path: path.to_owned(), out, names, lines: String::new(), failed: None })
    }

    /// The line before all records.
    pub(super) fn begin(&mut self, line: &str) {
        self.write_line(line);
    }

    /// The peer goes on without its records; `finish` says so.
    pub(super) fn write(&mut self, records: &[Record]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        records.iter().for_each(|record| line::write(record, &self.names, &mut lines));
        self.write_line(&lines);
        self.lines = lines;
    }

    /// Whether everything is written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.failed {
            Some(error) => Err(error).with_context(|| format!("cannot write {}", self.path.display())),
            None => Ok(()),
        }
    }

    fn write_line(&mut self, lines: &str) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.out.write_all(lines.as_bytes()).and_then(|()| self.out.flush()) {
            // Whether somebody hears it or not.
            let _ = writeln!(io::stderr(), "note: the records end here, the peer goes on: {error}");
            self.failed = Some(error);
        }
    }
}

impl Beginning<'_> {
    pub(super) fn line(&self) -> String {
        let &Beginning { peer, addr, metainfo, clock_start, have, file, choker } = self;
        let line = json!({
            "peer": peer,
            "pid": std::process::id(),
            "listening": addr.to_string(),
            "clock_start_unix_ns": clock_start,
            "torrent": metainfo.name,
            "info_hash": metainfo.info_hash.to_string(),
            "bytes": metainfo.total(),
            "piece_size": metainfo.layout.piece_size(),
            "block_size": metainfo.layout.block_size(),
            "pieces": metainfo.layout.pieces(),
            "held": ranges(have),
            "file": file.to_string_lossy(),
            "choker": choker,
        });
        format!("{line}\n")
    }
}

/// First and last of every row of pieces without a gap.
fn ranges(have: &Bitfield) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for PieceIndex(piece) in have.iter() {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == piece => *last = piece,
            _ => ranges.push((piece, piece)),
        }
    }
    ranges
}

pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STDOUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_a_row_are_one_range() {
        let mut have = Bitfield::empty(9);
        for piece in [0, 1, 2, 4, 7, 8] {
            have.insert(PieceIndex(piece));
        }
        assert_eq!(ranges(&have), [(0, 2), (4, 4), (7, 8)]);
        assert_eq!(ranges(&Bitfield::empty(9)), []);
    }
}
