//! A run under opentracker instead of MiniBit's tracker. It says nothing when it is ready and nothing when it is asked for its
//! settings: it is ready when it can be reached.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::ForeignClient;
use crate::driver::processes::tracker::{Ready, TrackerProcess};
use crate::id::InfoHash;
use crate::net::announce::TrackerUrl;
use crate::scenario::Scenario;
use crate::units::format_span;

/// The torrents that it tracks, in its folder: Debian's build answers for no other.
const LISTED: &str = "torrents";

#[derive(Debug)]
pub(super) struct Opentracker {
    addr: SocketAddr,
    url: String,
    folder: PathBuf,
    not_honoured: Vec<String>,
}

impl Opentracker {
    /// Puts what it reads into the run's folder.
    pub(super) fn set_up(
        scenario: &Scenario,
        folder: &Path,
        info_hash: InfoHash,
        addr: SocketAddr,
    ) -> io::Result<Opentracker> {
        let folder = folder.join("opentracker");
        fs::create_dir_all(&folder)?;
        let_everybody_in(&folder)?;
        let hash: String = info_hash.0.iter().map(|byte| format!("{byte:02X}")).collect();
        fs::write(folder.join(LISTED), hash + "\n")?;
        let settings = scenario.tracker;
        let fixed = |key: &str, value: String| format!("tracker.{key} = {value}: it has its own");
        Ok(Opentracker {
            addr,
            url: TrackerUrl::at(scenario.tracker_protocol, addr).to_string(),
            folder,
            not_honoured: vec![
                fixed("interval", format_span(settings.interval)),
                fixed("peers_returned", settings.peers_returned.to_string()),
            ],
        })
    }

    /// Returns once it can be reached.
    pub(super) async fn start(&self, stderr: PathBuf) -> Result<TrackerProcess, String> {
        let ready = Ready::Reached { addr: self.addr, url: self.url.clone() };
        let folder = self.folder.clone();
        let command = move |at: SocketAddr| command(&folder, at);
        let advice = |reason| format!("{reason} (to install opentracker: apt install opentracker)");
        TrackerProcess::keep_running(self.addr, command, stderr, ready).await.map_err(advice)
    }

    pub(super) fn report(&self) -> ForeignClient {
        ForeignClient {
            cohort: "[tracker]".to_owned(),
            client: "opentracker".to_owned(),
            not_honoured: self.not_honoured.clone(),
            ..ForeignClient::default()
        }
    }
}

#[cfg(unix)]
fn let_everybody_in(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn let_everybody_in(_: &Path) -> io::Result<()> {
    Ok(())
}

/// It does not watch its stdin, so a shell does, and ends it with the run, however that ends. (The system would not: it
/// forgets whom to end with his parent as soon as he changes his user, and opentracker will not be root.)
const WATCHED: &str = r#"
exec 3<&0
"$@" 3<&- &
tracker=$!
{ cat <&3; kill "$tracker"; } >/dev/null 2>&1 &
wait "$tracker"
"#;

/// Of root it makes somebody who can do nothing, shut into its folder. In a namespace whose root is the only user it has to be
/// somebody else from the start.
fn command(folder: &Path, at: SocketAddr) -> Command {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let mut command = Command::new("sh");
    command.args(["-c", WATCHED, "sh"]);
    if !knows_others() {
        command.args(["unshare", "--user", "--map-user=1000", "--map-group=1000"]);
    }
    command.args(["opentracker", "-i", &ip, "-p", &port, "-P", &port, "-u", "nobody"]);
    command.arg("-d").arg(folder).args(["-w", LISTED]);
    command
}

/// Whether there are users besides the one who is root here.
fn knows_others() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().count() > 1 || map.split_whitespace().nth(2).is_some_and(|count| count != "1")
}
