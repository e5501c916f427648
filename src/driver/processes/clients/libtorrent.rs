//! libtorrent (Rasterbar), by its Python binding: a script of ours holds one of its sessions and answers on stdout.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::driver::processes::child::{Child, Said};
use crate::scenario::Client;

use super::answers::{as_settings, by_digits, count};
use super::installed::{self, Installed};
use super::seat::{Seat, bytes_per_second};
use super::{Adapter, Seen, Settings};

const SCRIPT: &str = include_str!("libtorrent.py");
const VERSION: [&str; 2] = ["-c", "import libtorrent; print(libtorrent.__version__)"];

pub(super) struct Libtorrent;

impl Adapter for Libtorrent {
    const CLIENT: Client = Client::Libtorrent;
    const INSTALL: &'static str =
        "python3 -m pip install libtorrent (MINIBIT_PYTHON names the Python that has it)";
    const SLOTS: bool = true;
    const OPTIMISTIC_SLOTS: bool = true;
    const CONNECTIONS: bool = true;
    const RATE_UNIT: u64 = 1;
    const ADDRESS: bool = true;
    const NO_SWITCH: &[&str] = &[];

    /// In the first of several Pythons that has it.
    fn find() -> Result<Installed, String> {
        let mut reasons = Vec::new();
        for python in pythons() {
            match installed::ask(python, &VERSION) {
                Ok(installed) => return Ok(installed),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join("; "))
    }

    fn set_up(seat: &Seat, installed: &Installed) -> io::Result<(Libtorrent, Command)> {
        let (script, told) = (seat.settings.join("peer.py"), seat.settings.join("seat.json"));
        let listen = seat.listen;
        let seat = json!({
            "address": listen.ip(),
            "port": listen.port(),
            "torrent": seat.torrent,
            "folder": seat.folder,
            "upload": bytes_per_second(seat.upload),
            "download": bytes_per_second(seat.download),
            "unchoke_slots": seat.unchoke_slots,
            "optimistic_slots": seat.optimistic_slots,
            "max_connections": seat.max_connections,
        });
        std::fs::write(&script, SCRIPT)?;
        std::fs::write(&told, seat.to_string())?;
        let mut command = Command::new(&installed.program);
        command.arg("-B").arg(script).arg(told);
        Ok((Libtorrent, command))
    }

    async fn get_ready(&mut self, process: &mut Child) -> Result<Settings, String> {
        let effective = as_settings(&ask(process, "get ready").await?);
        Ok(Settings { effective, ..Settings::default() })
    }

    async fn begin(&mut self, process: &mut Child) -> Result<(), String> {
        ask(process, "begin").await.map(drop)
    }

    async fn look(&mut self, process: &mut Child) -> Result<Seen, String> {
        let answer = ask(process, "look").await?;
        let pieces = answer["pieces"].as_str().ok_or("it does not tell its pieces")?;
        Ok(Seen {
            pieces: by_digits(pieces)?,
            downloaded: count(&answer["downloaded"]),
            uploaded: count(&answer["uploaded"]),
            wasted: count(&answer["wasted"]),
        })
    }

    async fn leave(&mut self, process: &mut Child) -> Result<(), String> {
        ask(process, "leave").await.map(drop)
    }
}

/// The one that is named, that of a `venv` beside the program's folder (where a build keeps its tools), and the usual one.
fn pythons() -> Vec<PathBuf> {
    let named = std::env::var_os("MINIBIT_PYTHON").map(PathBuf::from);
    let beside = installed::beside_the_program("venv/bin/python");
    named.into_iter().chain(beside).chain([PathBuf::from("python3")]).collect()
}

/// A word there, a line back.
async fn ask(process: &mut Child, word: &str) -> Result<Value, String> {
    process.tell(&format!("{word}\n"));
    let line = match process.next().await {
        Some(Said::Lines(lines)) => lines.concat(),
        Some(Said::Ended(_)) | None => return Err("its process ended by itself".to_owned()),
    };
    let answer: Value = serde_json::from_str(&line).map_err(|_| format!("it said {:?}", line.trim_end()))?;
    match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer),
    }
}
