//! `minibit tracker`: one tracker in the foreground.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::signals::Signals;
use super::{Exit, parent, unrepeatable_random_seed};
use crate::net::announce::TrackerUrl;
use crate::net::clock::Clock;
use crate::net::open_files::OpenFiles;
use crate::net::tracker_server::{Announced, Limits, Listen, TrackerServer};
use crate::time::Span;
use crate::tracker::{Settings, Tracker};
use crate::units::parse_span;
use crate::wire::announce::AnnounceEvent;

/// Where a tracker listens that was told nothing else.
const DEFAULT_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6969);

/// Lines of a log that may wait to be printed.
const UNTOLD: usize = 1_024;

/// Runs one tracker until Ctrl-C.
///
/// Answers announces and scrapes over HTTP, over UDP, or over both, for any torrent and any client; HTTP also has
/// `/metrics`, in Prometheus' text format. Says `listening on URL` on stdout for each of its addresses when it is ready.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen for HTTP; port 0 lets the system choose; may be repeated, for IPv6 say
    /// [default: 127.0.0.1:6969, unless --udp is given]
    #[arg(long, value_name = "IP:PORT")]
    http: Vec<SocketAddr>,
    /// Where to listen for UDP; port 0 lets the system choose; may be repeated
    #[arg(long, value_name = "IP:PORT")]
    udp: Vec<SocketAddr>,
    /// How often peers are asked to announce, as `30 s` or `30 min` [default: a scenario's]
    #[arg(long, value_name = "TIME", value_parser = interval)]
    interval: Option<Span>,
    /// How many peers one answer names
    #[arg(long, value_name = "N", default_value_t = Settings::default().peers_returned)]
    peers_returned: u32,
    /// What decides which peers it names [default: another number every time]
    #[arg(long, value_name = "S")]
    random_seed: Option<u64>,
    /// How many seconds of its time pass in a second
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = time_scale)]
    time_scale: f64,
    /// Print every announce, a line each on stdout
    #[arg(long)]
    log: bool,
    /// End when stdin ends: with the program that started it, whatever ends that
    #[arg(long)]
    until_stdin_ends: bool,
    /// End when stdin ends before a line came on it
    #[arg(long, hide = true)]
    until_let_go: bool,
}

/// Where peers ask that were told nothing else.
pub(super) fn default_url() -> TrackerUrl {
    TrackerUrl::http_at(DEFAULT_HTTP)
}

fn time_scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale: &f64| scale.is_finite() && *scale > 0.0);
    scale.ok_or_else(|| "must be a number above 0".to_owned())
}

/// Clients take the interval in whole seconds, and 0 would ask them to announce without a pause.
pub(super) fn interval(text: &str) -> Result<Span, String> {
    let interval = parse_span(text).map_err(|error| error.to_string())?;
    if interval < Span::from_secs(1) { Err("must be at least 1 s".to_owned()) } else { Ok(interval) }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(args))
}

async fn serve(args: Args) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    if args.until_stdin_ends {
        parent::live_no_longer_than_stdin()?;
    }
    if args.until_let_go {
        parent::live_no_longer_than_stdin_until_let_go()?;
    }
    let interval = args.interval.unwrap_or(Settings::default().interval);
    let settings = Settings { interval, peers_returned: args.peers_returned };
    let tracker = Tracker::new(settings, args.random_seed.unwrap_or_else(unrepeatable_random_seed));
    let mut listen = Listen { http: args.http, udp: args.udp };
    if listen == Listen::default() {
        listen = Listen::http(DEFAULT_HTTP);
    }
    let limits = Limits::default();
    // Where the system allows fewer, connections are closed earlier.
    let _files = OpenFiles::reserve(limits.connections as u64);
    let clock = Clock::start(args.time_scale);
    let (watcher, mut announces) = mpsc::channel(UNTOLD);
    let server = match args.log {
        true => TrackerServer::start_watched(&listen, tracker, clock, limits, watcher)?,
        false => TrackerServer::start(&listen, tracker, clock, limits)?,
    };
    for url in server.urls() {
        println!("listening on {url}");
    }
    let exit = loop {
        tokio::select! {
            exit = signals.next() => break exit,
            Some(announced) = announces.recv() => say(&announced),
        }
    };
    server.stop().await;
    while let Ok(announced) = announces.try_recv() {
        say(&announced);
    }
    Ok(exit)
}

/// With the time, because nobody else knows it. The tracker goes on where nobody hears it.
fn say(announced: &Announced) {
    let Announced { addr, event, left, told } = announced;
    let what = match event {
        AnnounceEvent::Started => "came",
        AnnounceEvent::Completed => "is complete",
        AnnounceEvent::Stopped => "left",
        AnnounceEvent::None => "is still there",
    };
    let left = match left {
        Some(0) | None => String::new(),
        Some(left) => format!(", lacks {left} bytes"),
    };
    let told = match told {
        Ok(_) if *event == AnnounceEvent::Stopped => String::new(),
        Ok(1) => "; told of 1 peer".to_owned(),
        Ok(peers) => format!("; told of {peers} peers"),
        Err(refusal) => format!("; refused: {}", refusal.reason),
    };
    let now = Timestamp::now();
    let _ = writeln!(io::stdout(), "{now:.3} {addr} {what}{left}{told}");
}
