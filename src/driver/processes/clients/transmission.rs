//! Transmission's daemon, asked by its RPC.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::driver::processes::child::Child;
use crate::scenario::Client;
use crate::units::Rate;

use super::answers::{as_settings, by_base64, count};
use super::installed::{self, Installed};
use super::seat::{Seat, bytes_per_second};
use super::{Adapter, Seen, Settings, rpc};

/// What a question without a valid id is answered with: the id.
const CONFLICT: u16 = 409;
const SESSION_ID: &str = "x-transmission-session-id";
/// One of the settings that it is not given.
const NEVER_GIVEN: &str = "umask";
/// Its limits count in thousands of bytes a second.
const KILOBYTE: u64 = 1_000;
/// Between two questions while it checks its file.
const PAUSE: Duration = Duration::from_millis(20);
const STOPPED: u64 = 0;
/// Where it keeps its settings, and writes down those it has as soon as it has them all.
const SETTINGS: &str = "settings.json";
/// The settings that are shown.
const SHOWN: [&str; 15] = [
    "cache-size-mb",
    "dht-enabled",
    "encryption",
    "lpd-enabled",
    "peer-limit-global",
    "peer-limit-per-torrent",
    "peer-port",
    "pex-enabled",
    "rename-partial-files",
    "speed-limit-down",
    "speed-limit-down-enabled",
    "speed-limit-up",
    "speed-limit-up-enabled",
    "upload-slots-per-torrent",
    "utp-enabled",
];

pub(super) struct Transmission {
    at: SocketAddr,
    session: String,
    torrent: PathBuf,
    folder: PathBuf,
    pieces: u32,
    settings: PathBuf,
}

impl Adapter for Transmission {
    const CLIENT: Client = Client::Transmission;
    const INSTALL: &'static str = "apt install transmission-daemon";
    const SLOTS: bool = true;
    const OPTIMISTIC_SLOTS: bool = false;
    const CONNECTIONS: bool = true;
    const RATE_UNIT: u64 = KILOBYTE;
    const ADDRESS: bool = true;
    const NO_SWITCH: &[&str] = &["encryption: it prefers none, and takes encrypted connections all the same"];

    fn find() -> Result<Installed, String> {
        installed::ask(PathBuf::from("transmission-daemon"), &["--version"])
    }

    fn set_up(seat: &Seat, installed: &Installed) -> io::Result<(Transmission, Command)> {
        let told = seat.settings.join(SETTINGS);
        std::fs::write(&told, settings(seat).to_string())?;
        let mut command = Command::new(&installed.program);
        command.args(["--foreground", "--log-error", "--config-dir"]).arg(&seat.settings);
        command.env("HOME", &seat.settings).env("TRANSMISSION_HOME", &seat.settings);
        let transmission = Transmission {
            at: seat.asked_at(),
            session: String::new(),
            torrent: seat.torrent.clone(),
            folder: seat.folder.clone(),
            pieces: seat.pieces,
            settings: told,
        };
        Ok((transmission, command))
    }

    async fn get_ready(&mut self, process: &mut Child) -> Result<Settings, String> {
        rpc::wait_for(self.at, process).await?;
        let add = json!({"filename": self.torrent, "download-dir": self.folder, "paused": true});
        self.call("torrent-add", add).await?;
        self.call("torrent-verify", json!({})).await?;
        while count(&self.status(&["status"]).await?["status"]) != Some(STOPPED) {
            sleep(PAUSE).await;
        }
        let mut effective = self.written_down().await?;
        effective.extend(as_settings(&self.call("session-get", json!({})).await?));
        effective.retain(|key, _| SHOWN.contains(&key.as_str()));
        Ok(Settings { effective, ..Settings::default() })
    }

    async fn begin(&mut self, _: &mut Child) -> Result<(), String> {
        self.call("torrent-start-now", json!({})).await.map(drop)
    }

    /// What it received in vain it tells only as far as it was corrupt.
    async fn look(&mut self, _: &mut Child) -> Result<Seen, String> {
        const LOCAL_ERROR: u64 = 3;
        let fields = ["pieces", "downloadedEver", "corruptEver", "uploadedEver", "error", "errorString"];
        let status = self.status(&fields).await?;
        if count(&status["error"]) == Some(LOCAL_ERROR) {
            return Err(status["errorString"].as_str().unwrap_or("an error without a word").to_owned());
        }
        let good = count(&status["downloadedEver"]);
        let pieces = status["pieces"].as_str().ok_or("it does not tell its pieces")?;
        Ok(Seen {
            pieces: by_base64(pieces, self.pieces)?,
            downloaded: good.and_then(|good| Some(good + count(&status["corruptEver"])?)),
            uploaded: count(&status["uploadedEver"]),
            wasted: None,
        })
    }

    async fn leave(&mut self, process: &mut Child) -> Result<(), String> {
        self.call("session-close", json!({})).await?;
        while process.next().await.is_some() {}
        Ok(())
    }
}

impl Transmission {
    /// Its settings, some of which it does not tell when asked. It has written them itself once there are more than it was
    /// given.
    async fn written_down(&self) -> Result<BTreeMap<String, String>, String> {
        loop {
            let read = std::fs::read(&self.settings).map_err(|error| error.to_string())?;
            // It may be half written.
            if let Ok(settings) = serde_json::from_slice::<Value>(&read)
                && settings.get(NEVER_GIVEN).is_some()
            {
                return Ok(as_settings(&settings));
            }
            sleep(PAUSE).await;
        }
    }

    /// These fields of the one torrent it has.
    async fn status(&mut self, fields: &[&str]) -> Result<Value, String> {
        let answer = self.call("torrent-get", json!({"fields": fields})).await?;
        answer["torrents"].get(0).cloned().ok_or_else(|| "it has lost its torrent".to_owned())
    }

    async fn call(&mut self, method: &str, arguments: Value) -> Result<Value, String> {
        let call = json!({"method": method, "arguments": arguments}).to_string();
        for _ in 0..2 {
            let id = Some((SESSION_ID, self.session.as_str()));
            let answer = rpc::ask(Method::POST, self.at, "/transmission/rpc", id, call.clone()).await?;
            if answer.status == CONFLICT {
                let id = answer.headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
                self.session = id.unwrap_or_default().to_owned();
                continue;
            }
            let mut answer = answer.good()?.json()?;
            return match answer["result"].as_str() {
                Some("success") => Ok(answer["arguments"].take()),
                other => Err(format!("{method}: {}", other.unwrap_or("no result"))),
            };
        }
        Err(format!("{method}: it takes no session id"))
    }
}

fn settings(seat: &Seat) -> Value {
    let (listen, asked_at) = (seat.listen, seat.asked_at());
    json!({
        "bind-address-ipv4": listen.ip(),
        // Of no device: it would listen at everybody's otherwise.
        "bind-address-ipv6": "fe80::1",
        "peer-port": listen.port(),
        "peer-port-random-on-start": false,
        "port-forwarding-enabled": false,
        "rpc-enabled": true,
        "rpc-bind-address": asked_at.ip(),
        "rpc-port": asked_at.port(),
        "rpc-authentication-required": false,
        "rpc-whitelist-enabled": false,
        "rpc-host-whitelist-enabled": false,
        "dht-enabled": false,
        "lpd-enabled": false,
        "pex-enabled": false,
        "utp-enabled": false,
        // Plain connections are preferred; it cannot be told to take no others.
        "encryption": 0,
        "preallocation": 0,
        "incomplete-dir-enabled": false,
        "rename-partial-files": false,
        "download-queue-enabled": false,
        "seed-queue-enabled": false,
        "queue-stalled-enabled": false,
        "ratio-limit-enabled": false,
        "idle-seeding-limit-enabled": false,
        "speed-limit-up-enabled": seat.upload.is_some(),
        "speed-limit-up": kilobytes_per_second(seat.upload),
        "speed-limit-down-enabled": seat.download.is_some(),
        "speed-limit-down": kilobytes_per_second(seat.download),
        // It has an optimistic one besides.
        "upload-slots-per-torrent": seat.unchoke_slots,
        "peer-limit-global": seat.max_connections,
        "peer-limit-per-torrent": seat.max_connections,
    })
}

/// Its unit: a thousand bytes. Rounded to the nearest.
fn kilobytes_per_second(rate: Option<Rate>) -> u64 {
    ((bytes_per_second(rate) + KILOBYTE / 2) / KILOBYTE).max(1)
}
