//! What happens to the peer of this process, as lines that another program may follow while they are written.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::event::{Record, json as line};
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

    /// The line before all records: who writes here, where it listens, of which torrent it is, and when its clock
    /// began.
    pub(super) fn begin(&mut self, addr: SocketAddr, metainfo: &Metainfo, clock_start: u64) {
        let line = json!({
            "peer": self.names.first(),
            "pid": std::process::id(),
            "listening": addr.to_string(),
            "clock_start_unix_ns": clock_start,
            "torrent": metainfo.name,
            "info_hash": metainfo.info_hash.to_string(),
            "bytes": metainfo.total(),
            "piece_size": metainfo.layout.piece_size(),
            "pieces": metainfo.layout.pieces(),
        });
        self.write_line(&format!("{line}\n"));
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
        if self.failed.is_none() {
            self.failed = self.out.write_all(lines.as_bytes()).and_then(|()| self.out.flush()).err();
        }
    }
}

pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STDOUT
}
