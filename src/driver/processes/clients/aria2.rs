//! aria2, asked by JSON-RPC.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::driver::processes::child::Child;
use crate::scenario::Client;

use super::answers::{as_settings, by_hex, count};
use super::installed::{self, Installed};
use super::seat::{Seat, bytes_per_second};
use super::{Adapter, Seen, Settings, rpc};

/// Between two questions while it checks its file.
const PAUSE: Duration = Duration::from_millis(20);
/// The settings that are shown.
const SHOWN: [&str; 15] = [
    "bt-enable-lpd",
    "bt-max-peers",
    "bt-min-crypto-level",
    "bt-request-peer-speed-limit",
    "bt-require-crypto",
    "check-integrity",
    "disk-cache",
    "enable-dht",
    "enable-peer-exchange",
    "file-allocation",
    "interface",
    "listen-port",
    "max-download-limit",
    "max-upload-limit",
    "seed-ratio",
];

pub(super) struct Aria2 {
    at: SocketAddr,
    pieces: u32,
    /// Bytes that it started with: it counts what it has, not what it received.
    initial: u64,
    /// Its name for the download.
    gid: String,
}

impl Adapter for Aria2 {
    const CLIENT: Client = Client::Aria2;
    const INSTALL: &'static str = "apt install aria2";
    const SLOTS: bool = false;
    const OPTIMISTIC_SLOTS: bool = false;
    const CONNECTIONS: bool = true;
    const RATE_UNIT: u64 = 1;
    const ADDRESS: bool = true;
    const NO_SWITCH: &[&str] = &[
        "uTP: it has none",
        "encryption: it dials with an encrypted handshake first and, refused, again a second later without",
    ];

    fn find() -> Result<Installed, String> {
        installed::ask(PathBuf::from("aria2c"), &["--version"])
    }

    fn set_up(seat: &Seat, installed: &Installed) -> io::Result<(Aria2, Command)> {
        // It is asked at 127.0.0.1 and nowhere else.
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, seat.port_of_its_own()));
        let mut command = Command::new(&installed.program);
        command.args(["--no-conf=true", "--quiet=true", "--enable-rpc=true", "--pause=true"]);
        command.arg(format!("--rpc-listen-port={}", at.port()));
        command.arg(format!("--interface={}", seat.address));
        command.arg(format!("--listen-port={}", seat.listen.port()));
        command.arg(format!("--dir={}", seat.folder.display()));
        command.args(["--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"]);
        command.args(["--enable-peer-exchange=false", "--disable-ipv6=true"]);
        command.args(["--bt-require-crypto=false", "--bt-min-crypto-level=plain"]);
        command.args(["--check-integrity=true", "--allow-overwrite=true", "--file-allocation=none"]);
        // It seeds until it is told to end.
        command.args(["--seed-ratio=0.0", "--auto-save-interval=0"]);
        command.arg(format!("--bt-max-peers={}", seat.max_connections));
        command.arg(format!("--max-upload-limit={}", bytes_per_second(seat.upload)));
        command.arg(format!("--max-download-limit={}", bytes_per_second(seat.download)));
        command.arg(&seat.torrent).env("HOME", &seat.settings).current_dir(&seat.settings);
        let (pieces, initial) = (seat.pieces, seat.initial_bytes);
        Ok((Aria2 { at, pieces, initial, gid: String::new() }, command))
    }

    async fn get_ready(&mut self, process: &mut Child) -> Result<Settings, String> {
        rpc::wait_for(self.at, process).await?;
        let waiting = self.call("tellWaiting", json!([0, 1])).await?;
        self.gid = waiting[0]["gid"].as_str().ok_or("it has no download")?.to_owned();
        let mut settings = as_settings(&self.call("getGlobalOption", json!([])).await?);
        settings.extend(as_settings(&self.call("getOption", json!([self.gid])).await?));
        settings.retain(|key, _| SHOWN.contains(&key.as_str()));
        Ok(Settings { effective: settings, ..Settings::default() })
    }

    /// It checks its file now: paused it would not.
    async fn begin(&mut self, _: &mut Child) -> Result<(), String> {
        self.call("unpause", json!([self.gid])).await?;
        loop {
            let status = self.status().await?;
            let checks =
                status.get("verifiedLength").is_some() || status.get("verifyIntegrityPending").is_some();
            if status["status"] == "active" && !checks && status.get("bitfield").is_some() {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    async fn look(&mut self, _: &mut Child) -> Result<Seen, String> {
        let status = self.status().await?;
        let bitfield = status["bitfield"].as_str().unwrap_or_default();
        Ok(Seen {
            pieces: by_hex(bitfield, self.pieces)?,
            downloaded: count(&status["completedLength"]).map(|has| has.saturating_sub(self.initial)),
            uploaded: count(&status["uploadLength"]),
            wasted: None,
        })
    }

    async fn leave(&mut self, process: &mut Child) -> Result<(), String> {
        self.call("shutdown", json!([])).await?;
        while process.next().await.is_some() {}
        Ok(())
    }
}

impl Aria2 {
    async fn status(&self) -> Result<Value, String> {
        let status = self.call("tellStatus", json!([self.gid])).await?;
        match status["errorMessage"].as_str().filter(|_| status["status"] == "error") {
            Some(error) => Err(error.to_owned()),
            None => Ok(status),
        }
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        let call = json!({"jsonrpc": "2.0", "id": 0, "method": format!("aria2.{method}"), "params": params});
        let answer = rpc::ask(Method::POST, self.at, "/jsonrpc", None, call.to_string()).await?.json()?;
        match answer["error"]["message"].as_str() {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].clone()),
        }
    }
}
