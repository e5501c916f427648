//! rqbit, asked over its HTTP API. It cannot be told which address to call from: all of them call from, and listen at, the
//! one address of the private network that is nobody's own, each with a port of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::driver::processes::child::{Child, Said};
use crate::scenario::Client;

use super::answers::{by_octets, count};
use super::installed::{self, Installed};
use super::seat::{Seat, bytes_per_second};
use super::{Adapter, Seen, Settings, rpc};

/// Between two questions while it checks its file.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a connection may be silent. Its own ten seconds end nearly all those between its peers, and now and then all for
/// good (docs/clients.md).
const PATIENCE: &str = "60s";
/// The last of its first words.
const LAST_OF_THEM: &str = "HTTP API";
/// Between two of them.
const HESITATION: Duration = Duration::from_millis(500);

/// It would draw its pieces otherwise.
const OCTETS: Option<(&str, &str)> = Some(("accept", "application/octet-stream"));

pub(super) struct Rqbit {
    at: SocketAddr,
    torrent: PathBuf,
    pieces: u32,
    /// What it was told.
    told: BTreeMap<String, String>,
}

impl Adapter for Rqbit {
    const CLIENT: Client = Client::Rqbit;
    const INSTALL: &'static str =
        "cargo install rqbit --version 9.1.0 --locked --no-default-features --features default-tls";
    const SLOTS: bool = false;
    const OPTIMISTIC_SLOTS: bool = false;
    const CONNECTIONS: bool = true;
    const RATE_UNIT: u64 = 1;
    const ADDRESS: bool = false;
    const NO_SWITCH: &[&str] =
        &["encryption: it has none", "peer exchange: it takes part unless the torrent is private"];

    /// Where programs are, or in the `tools` beside the program's folder, where a build keeps its own.
    fn find() -> Result<Installed, String> {
        let beside = installed::beside_the_program("tools/bin/rqbit");
        let there = installed::ask(PathBuf::from("rqbit"), &["--version"]);
        match (there, beside) {
            (Err(_), Some(program)) => installed::ask(program, &["--version"]),
            (there, _) => there,
        }
    }

    fn set_up(seat: &Seat, installed: &Installed) -> io::Result<(Rqbit, Command)> {
        let (at, torrent, pieces) = (seat.asked_at(), seat.torrent.clone(), seat.pieces);
        let mut options = vec![
            ("listen-ip", seat.listen.ip().to_string()),
            ("listen-port", seat.listen.port().to_string()),
            ("peer-limit", seat.max_connections.to_string()),
            ("peer-read-write-timeout", PATIENCE.to_owned()),
        ];
        for (name, rate) in [("ratelimit-upload", seat.upload), ("ratelimit-download", seat.download)] {
            options.extend(rate.map(|rate| (name, bytes_per_second(Some(rate)).to_string())));
        }
        let switches = ["disable-dht", "disable-dht-persistence", "disable-lsd", "disable-upnp-port-forward"];
        let mut command = Command::new(&installed.program);
        command.args(switches.map(|name| format!("--{name}"))).arg("--ipv4-only");
        command.args(options.iter().map(|(name, value)| format!("--{name}={value}")));
        command.arg(format!("--http-api-listen-addr={at}"));
        // Where it listens it tells nowhere else.
        command.args(["-v", "info"]);
        command.args(["server", "start", "--disable-persistence"]).arg(&seat.folder);
        command.env("HOME", &seat.settings).env("XDG_CACHE_HOME", &seat.settings).current_dir(&seat.settings);
        let switches = switches.map(|name| (name.to_owned(), "true".to_owned()));
        let options = options.into_iter().map(|(name, value)| (name.to_owned(), value));
        let told = options.chain(switches).collect();
        Ok((Rqbit { at, torrent, pieces, told }, command))
    }

    async fn get_ready(&mut self, process: &mut Child) -> Result<Settings, String> {
        let listens: Vec<String> =
            self.first_words(process).await?.iter().filter_map(|line| listens(line)).collect();
        let mut effective = BTreeMap::new();
        if !listens.is_empty() {
            effective.insert("listens".to_owned(), listens.join(", "));
            self.told.retain(|name, _| !name.starts_with("listen-"));
        }
        let limits = self.get("/torrents/limits").await?.good()?.json()?;
        for (name, limit) in [("ratelimit-upload", "upload_bps"), ("ratelimit-download", "download_bps")] {
            effective.insert(
                name.to_owned(),
                count(&limits[limit]).map_or("none".to_owned(), |limit| limit.to_string()),
            );
            self.told.remove(name);
        }
        // It has figures to tell of its DHT only where it has one.
        let dht = self.get("/dht/stats").await?.status;
        effective.insert("dht".to_owned(), if dht == 200 { "on" } else { "off" }.to_owned());
        Ok(Settings { effective, told: std::mem::take(&mut self.told) })
    }

    /// It checks its file now: it knows no torrent that only waits.
    async fn begin(&mut self, _: &mut Child) -> Result<(), String> {
        let torrent = std::fs::read(&self.torrent).map_err(|error| error.to_string())?;
        self.post("/torrents?overwrite=true", torrent).await?;
        while self.status().await?["state"] == "initializing" {
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// What it received in vain it does not tell.
    async fn look(&mut self, _: &mut Child) -> Result<Seen, String> {
        let status = self.status().await?;
        let haves = rpc::ask(Method::GET, self.at, "/torrents/0/haves", OCTETS, Vec::new()).await?.good()?;
        Ok(Seen {
            pieces: by_octets(&haves.body, self.pieces)?,
            downloaded: count(&status["live"]["snapshot"]["fetched_bytes"]),
            uploaded: count(&status["live"]["snapshot"]["uploaded_bytes"]),
            wasted: None,
        })
    }

    async fn leave(&mut self, _: &mut Child) -> Result<(), String> {
        self.post("/torrents/0/pause", Vec::new()).await
    }
}

impl Rqbit {
    /// What it says until it can be asked.
    async fn first_words(&self, process: &mut Child) -> Result<Vec<String>, String> {
        let mut heard = rpc::wait_for(self.at, process).await?;
        while !heard.iter().any(|line| line.contains(LAST_OF_THEM)) {
            match timeout(HESITATION, process.next()).await {
                Ok(Some(Said::Lines(lines))) => heard.extend(lines),
                // It has others, or none: then it has only been told.
                Ok(_) | Err(_) => break,
            }
        }
        Ok(heard)
    }

    async fn status(&self) -> Result<Value, String> {
        let status = self.get("/torrents/0/stats/v1").await?.good()?.json()?;
        match status["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(status),
        }
    }

    async fn get(&self, path: &str) -> Result<rpc::Answer, String> {
        rpc::ask(Method::GET, self.at, path, None, Vec::new()).await
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<(), String> {
        rpc::ask(Method::POST, self.at, path, None, body).await?.good().map(drop)
    }
}

/// `TCP 10.77.0.1:10292`: what it says it listens for, and where; uTP too, if it did.
fn listens(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("Listening on ")?;
    let (place, _) = rest.split_once(" for incoming ")?;
    Some(if rest.contains("uTP") { format!("uTP over {place}") } else { place.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_listens_for_is_in_its_first_words() {
        let said = "\u{1b}[32m INFO\u{1b}[0m librqbit::listen: Listening on TCP 10.77.0.1:10292 for incoming peer connections\n";
        assert_eq!(listens(said).as_deref(), Some("TCP 10.77.0.1:10292"));
        let said = "Listening on UDP 10.77.0.1:10292 for incoming uTP peer connections";
        assert_eq!(listens(said).as_deref(), Some("uTP over UDP 10.77.0.1:10292"));
        assert_eq!(listens("started HTTP API at http://10.77.1.2:9091"), None);
    }
}
