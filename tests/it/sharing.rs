//! How uplinks and downlinks share, against max-min fairness: long transfers of real peers in virtual time.

use std::collections::BTreeMap;
use std::path::Path;

use minibit::driver::sim::{self, Options};
use minibit::driver::{Control, Recorder};
use minibit::event::{Event, Record};
use minibit::scenario::Scenario;
use minibit::scenario::file::{Overrides, from_text};
use minibit::time::{Span, Time};

/// Flows are measured when everybody's pipeline is full and nobody is done yet.
const FROM: Time = Time::from_nanos(20_000_000_000);
const LENGTH: Span = Span::from_secs(60);
/// So many requests are outstanding on every connection where all have the same: 200 KiB.
const SAME_DEPTH: u32 = 50;
/// How far from its fair share a flow may be, in per cent.
const TOLERANCE: f64 = 2.0;
const PAGE: &str = include_str!("../../docs/agreement.md");

/// Every seed sends to every leecher; links in kB/s, `None` is unlimited.
struct Case {
    uplinks: &'static [Option<u32>],
    downlinks: &'static [Option<u32>],
}

const CASES: &[Case] = &[
    Case { uplinks: &[Some(400); 4], downlinks: &[Some(400)] },
    Case { uplinks: &[Some(100); 4], downlinks: &[Some(800)] },
    Case { uplinks: &[Some(40), Some(80), Some(400), Some(400)], downlinks: &[Some(400)] },
    Case { uplinks: &[Some(400); 8], downlinks: &[Some(400)] },
    Case { uplinks: &[Some(400)], downlinks: &[None; 4] },
    Case { uplinks: &[Some(400)], downlinks: &[None; 8] },
    Case { uplinks: &[Some(400)], downlinks: &[Some(40), Some(80), Some(400), None] },
    Case { uplinks: &[Some(200), Some(400)], downlinks: &[Some(100), Some(200), None] },
    Case { uplinks: &[Some(100), Some(200), Some(300)], downlinks: &[None; 3] },
    Case { uplinks: &[Some(400); 3], downlinks: &[Some(100), Some(200), Some(300)] },
    Case { uplinks: &[Some(50), Some(300), None], downlinks: &[Some(60), Some(150), Some(400), Some(400)] },
];

impl Case {
    fn scenario(&self) -> Scenario {
        let mut text = String::from(
            "driver = \"sim\"\ntime_limit = \"81 s\"\n[policy]\nchoker = \"unchoke-all\"\n\
             [content]\nsize = \"64 MiB\"\npiece_size = \"128 KiB\"\nblock_size = \"4 KiB\"\n",
        );
        let mut peer = |name: String, start_with: &str, links: [(&str, Option<u32>); 2]| {
            text += &format!("[peers.{name}]\ncount = 1\nstart_with = {start_with:?}\nlatency = \"10 ms\"\n");
            for (link, rate) in links {
                text += &rate.map_or(String::new(), |rate| format!("{link} = \"{rate} kB/s\"\n"));
            }
        };
        for (at, uplink) in self.uplinks.iter().enumerate() {
            peer(format!("seed-{at}"), "all", [("upload", *uplink), ("download", None)]);
        }
        for (at, downlink) in self.downlinks.iter().enumerate() {
            peer(format!("leecher-{at}"), "nothing", [("upload", Some(0)), ("download", *downlink)]);
        }
        let file = from_text(Path::new("sharing.toml"), text, &Overrides::default()).unwrap();
        file.cases[0].scenario.clone()
    }

    /// Bytes per second from every seed to every leecher. The pipelines are all of one depth, or follow their rates.
    fn measured(&self, depth: Option<u32>) -> Vec<Vec<f64>> {
        let mut scenario = self.scenario();
        if let Some(depth) = depth {
            (scenario.policy.pipeline.min, scenario.policy.pipeline.max) = (depth, depth);
        }
        let mut flows = Flows(BTreeMap::new());
        sim::run(&scenario, 1, &Options::default(), &mut flows, &Control::default()).unwrap();
        let seeds = self.uplinks.len();
        let flow = |from: usize, to: usize| {
            let bytes = flows.0.get(&(from as u32, (seeds + to) as u32)).copied().unwrap_or(0);
            bytes as f64 / LENGTH.as_secs_f64()
        };
        (0..seeds).map(|from| (0..self.downlinks.len()).map(|to| flow(from, to)).collect()).collect()
    }

    /// The flow that is farthest from its fair share, in per cent.
    fn worst(&self, depth: Option<u32>) -> f64 {
        let (measured, fair) = (self.measured(depth).concat(), self.max_min().concat());
        let off = measured.iter().zip(&fair).map(|(measured, fair)| (measured / fair - 1.0).abs() * 100.0);
        off.fold(0.0, f64::max)
    }

    fn row(&self) -> String {
        let links = |links: &[Option<u32>]| {
            let rates = links.iter().map(|rate| rate.map_or("∞".to_owned(), |rate| rate.to_string()));
            rates.collect::<Vec<_>>().join(", ")
        };
        let (ups, downs) = (links(self.uplinks), links(self.downlinks));
        let shape = format!("{} → {}", self.uplinks.len(), self.downlinks.len());
        let (same, own) = (self.worst(Some(SAME_DEPTH)), self.worst(None));
        assert!(same <= TOLERANCE, "{shape} ({ups} to {downs}): a flow is {same:.1} % off its fair share");
        format!("| {shape} | {ups} | {downs} | {same:.1} % | {own:.0} % |")
    }

    /// Water-filling: all flows grow alike until a link is full; those that cross it stay, the others go on.
    fn max_min(&self) -> Vec<Vec<f64>> {
        let links = |rates: &[Option<u32>]| -> Vec<f64> {
            rates.iter().map(|rate| rate.map_or(f64::INFINITY, |rate| f64::from(rate) * 1_000.0)).collect()
        };
        let (mut up, mut down) = (links(self.uplinks), links(self.downlinks));
        let mut rates = vec![vec![0.0; down.len()]; up.len()];
        let mut growing: Vec<(usize, usize)> =
            (0..up.len()).flat_map(|from| (0..down.len()).map(move |to| (from, to))).collect();
        while !growing.is_empty() {
            let crossing = |link: usize, end: fn(&(usize, usize)) -> usize| {
                growing.iter().filter(|flow| end(flow) == link).count() as f64
            };
            let room = |free: f64, flows: f64| if flows > 0.0 { free / flows } else { f64::INFINITY };
            let ups = up.iter().enumerate().map(|(link, free)| room(*free, crossing(link, |flow| flow.0)));
            let downs =
                down.iter().enumerate().map(|(link, free)| room(*free, crossing(link, |flow| flow.1)));
            let step = ups.chain(downs).fold(f64::INFINITY, f64::min);
            for &(from, to) in &growing {
                rates[from][to] += step;
                up[from] -= step;
                down[to] -= step;
            }
            growing.retain(|&(from, to)| up[from] > 1e-6 && down[to] > 1e-6);
        }
        rates
    }
}

/// Bytes from whom to whom within the time that is measured.
struct Flows(BTreeMap<(u32, u32), u64>);

impl Recorder for Flows {
    fn record(&mut self, record: &Record) {
        if let Event::Downloaded { from: Some(from), block, .. } = record.event
            && record.at >= FROM
            && record.at < FROM + LENGTH
        {
            *self.0.entry((from.0, record.peer.0)).or_default() += u64::from(block.length);
        }
    }
}

#[test]
fn links_share_as_max_min_fairness_says_and_the_page_shows_it() {
    let rows: Vec<String> = CASES.iter().map(Case::row).collect();
    let table = rows.join("\n");
    assert!(PAGE.contains(&table), "docs/agreement.md shows another table than this one:\n{table}");
}
