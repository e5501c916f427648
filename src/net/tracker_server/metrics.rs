//! What a tracker has done so far, in Prometheus' text format. Knows nothing of how it was asked for.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::tracker::Load;

/// Prometheus' name for the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counts up from the start.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub http: HttpCounters,
    pub udp: UdpCounters,
}

#[derive(Debug, Default)]
pub(super) struct HttpCounters {
    pub announces: Counter,
    pub scrapes: Counter,
    /// Told a reason.
    pub refused: Counter,
    /// No HTTP, or nothing that a tracker has.
    pub malformed: Counter,
    /// Connections closed because their time was over.
    pub slow: Counter,
    /// Connections closed to make room for another.
    pub evicted: Counter,
}

#[derive(Debug, Default)]
pub(super) struct UdpCounters {
    pub connects: Counter,
    pub announces: Counter,
    pub scrapes: Counter,
    pub refused: Counter,
    pub malformed: Counter,
    /// Requests with a connection id that is too old, or not ours.
    pub unknown_id: Counter,
    /// Answers that the system would not take.
    pub unsent: Counter,
}

impl Counters {
    /// The whole text.
    pub fn render(&self, load: Load, uptime: Duration) -> String {
        let (http, udp) = (&self.http, &self.udp);
        let mut text = String::with_capacity(2_048);
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, f64)]| {
            let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _infallible = writeln!(text, "{name}{labels} {value}");
            }
        };
        let count = |counter: &Counter| counter.get() as f64;
        family(
            "minibit_tracker_announces_total",
            "counter",
            "Announces answered.",
            &[
                ("{transport=\"http\"}", count(&http.announces)),
                ("{transport=\"udp\"}", count(&udp.announces)),
            ],
        );
        family(
            "minibit_tracker_scrapes_total",
            "counter",
            "Scrapes answered.",
            &[("{transport=\"http\"}", count(&http.scrapes)), ("{transport=\"udp\"}", count(&udp.scrapes))],
        );
        family(
            "minibit_tracker_connects_total",
            "counter",
            "Connection ids given out.",
            &[("{transport=\"udp\"}", count(&udp.connects))],
        );
        family(
            "minibit_tracker_errors_total",
            "counter",
            "Requests that came to nothing, by reason.",
            &[
                ("{transport=\"http\",reason=\"refused\"}", count(&http.refused)),
                ("{transport=\"http\",reason=\"malformed\"}", count(&http.malformed)),
                ("{transport=\"http\",reason=\"slow\"}", count(&http.slow)),
                ("{transport=\"http\",reason=\"evicted\"}", count(&http.evicted)),
                ("{transport=\"udp\",reason=\"refused\"}", count(&udp.refused)),
                ("{transport=\"udp\",reason=\"malformed\"}", count(&udp.malformed)),
                ("{transport=\"udp\",reason=\"unknown_connection_id\"}", count(&udp.unknown_id)),
                ("{transport=\"udp\",reason=\"unsent\"}", count(&udp.unsent)),
            ],
        );
        let (peers, torrents) = (load.peers as f64, load.swarms as f64);
        family("minibit_tracker_peers", "gauge", "Peers in all swarms together.", &[("", peers)]);
        family("minibit_tracker_torrents", "gauge", "Swarms that are remembered.", &[("", torrents)]);
        let uptime = uptime.as_secs_f64();
        family("minibit_tracker_uptime_seconds", "gauge", "Since the tracker started.", &[("", uptime)]);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let counters = Counters::default();
        counters.http.announces.add_one();
        counters.udp.announces.add_one();
        counters.udp.announces.add_one();
        let text = counters.render(Load { swarms: 3, peers: 7 }, Duration::from_millis(1_500));
        for line in [
            "# TYPE minibit_tracker_announces_total counter",
            "minibit_tracker_announces_total{transport=\"http\"} 1",
            "minibit_tracker_announces_total{transport=\"udp\"} 2",
            "minibit_tracker_errors_total{transport=\"udp\",reason=\"malformed\"} 0",
            "minibit_tracker_torrents 3",
            "minibit_tracker_peers 7",
            "minibit_tracker_uptime_seconds 1.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing:\n{text}");
        }
        let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = sample.rsplit_once(' ').unwrap();
            let name = name.split('{').next().unwrap();
            assert!(families.iter().any(|family| family.split(' ').next() == Some(name)), "{sample}");
            assert!(value.parse::<f64>().is_ok(), "{sample}");
        }
    }
}
