//! Ports among strangers: whatever bytes come, and however slowly, a tracker neither panics nor grows, and answers everybody
//! else; and a seed has little for each of many idle peers.

mod http;
mod peers;
mod udp;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use minibit::rng::{Entity, Purpose, Stream};

use crate::command::{Folder, Running};

const RANDOM_INPUTS: u64 = 10_000;
const CRAFTED_INPUTS: usize = 200;
/// What one connection may cost the tracker.
const MOST_BYTES_EACH: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
/// A query that a tracker answers.
const GOOD_QUERY: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-XX0001-abcdefghijkl&port=6881&left=1";

/// `minibit tracker` on one port of either kind.
struct Tracker {
    http: SocketAddr,
    udp: SocketAddr,
    running: Running,
    folder: Folder,
}

impl Tracker {
    fn start() -> Tracker {
        let folder = Folder::new();
        let args = ["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"];
        let running = folder.start_with_log(&args, "log");
        let addr = |scheme: &str| {
            let url = running.says(&format!("listening on {scheme}://"));
            url.strip_suffix("/announce").unwrap().parse().unwrap()
        };
        Tracker { http: addr("http"), udp: addr("udp"), running, folder }
    }

    /// What it answers to an HTTP request, until it closes.
    fn get(&self, target: &str) -> String {
        let mut stream = self.dial();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The sum of all counts whose name begins like this.
    fn count(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics");
        let samples = metrics.lines().filter(|line| line.starts_with(name));
        samples.map(|sample| sample.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Bytes of memory that it has now.
    fn resident(&self) -> u64 {
        self.running.resident()
    }

    /// It still answers over both, and nothing in it has panicked, which would be in its log.
    fn is_well(&self, context: &str) {
        let answer = self.get(&format!("/announce?{GOOD_QUERY}"));
        assert!(
            answer.starts_with("HTTP/1.1 200 OK") && answer.contains("8:interval"),
            "{context}: {answer}"
        );
        udp::Stranger::of(self, "127.0.0.1").connect();
        assert_eq!(fs::read_to_string(self.folder.path("log")).unwrap(), "", "{context}");
    }
}

/// Random bytes, or a good input with some of its bytes changed, cut off, or doubled.
fn random_input(random_seed: u64, good: &[Vec<u8>]) -> Vec<u8> {
    let mut draw = Stream::new(random_seed, Entity::Scenario, Purpose::Content);
    let mut input = vec![0; draw.index(2_000)];
    draw.fill(&mut input);
    if draw.below(3) == 0 {
        return input;
    }
    let changed = good[draw.index(good.len())].clone();
    let (from, to) = (draw.index(changed.len() + 1), draw.index(changed.len() + 1));
    match draw.below(4) {
        0 => changed[..from].to_vec(),
        1 => [&changed[..from], &changed[to..]].concat(),
        2 => [&changed[..from], &input, &changed[from..]].concat(),
        _ => {
            let mut changed = changed;
            for _ in 0..=draw.below(8) {
                let place = draw.index(changed.len());
                draw.fill(&mut changed[place..=place]);
            }
            changed
        }
    }
}
