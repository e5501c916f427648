//! Swarms that nobody disturbs: they come to the same as in one process.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use minibit::driver::processes::{self, Options};
use minibit::driver::{Control, Ended, Outcome, sim};
use minibit::event::{Event, Record};
use minibit::id::PeerIndex;
use minibit::scenario::Scenario;
use minibit::scenario::file::{Overrides, from_text};

use crate::command::Folder;

const MINIBIT: &str = env!("CARGO_BIN_EXE_minibit");

fn scenario(text: &str) -> Scenario {
    let file = from_text(Path::new("swarm.toml"), text.to_owned(), &Overrides::default());
    file.unwrap_or_else(|error| panic!("{error}")).base
}

fn carried_out(plan: &Scenario, program: &str) -> (Outcome, Vec<Record>) {
    let (mut records, work) = (Vec::new(), tempfile::tempdir().unwrap());
    let options = Options { program: Path::new(program), work: Some(work.path()) };
    let outcome = processes::run(plan, 1, &options, &mut records, &Control::default()).unwrap();
    (outcome, records)
}

fn count(records: &[Record], which: impl Fn(&Event) -> bool) -> usize {
    records.iter().filter(|record| which(&record.event)).count()
}

#[test]
fn peers_find_each_other_over_a_udp_tracker_too() {
    let plan = scenario(
        "title = 'UDP'\ndriver = 'processes'\n[content]\nsize = '160 KiB'\n[tracker]\nprotocol = 'udp'\n\
         [peers.peer]\ncount = 4\n",
    );
    let (outcome, records) = carried_out(&plan, env!("CARGO_BIN_EXE_minibit"));
    assert_eq!(outcome.ended, Ended::Complete);
    assert_eq!(count(&records, |event| *event == Event::Completed), 4);
}

#[test]
fn fifty_peers_complete() {
    let folder = Folder::new();
    folder.file(
        "fifty.toml",
        "title = 'Fifty'\ndriver = 'processes'\nrepeat = 1\n[content]\nsize = '1 MiB'\n\
         [peers.seed]\ncount = 1\nstart_with = 'all'\n[peers.leecher]\ncount = 49\nstart_with = 'nothing'\n",
    );
    folder.minibit(&["run", "fifty.toml", "--quiet"]).done();
    let rows = fs::read_to_string(folder.path("results/fifty/runs.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(rows.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let value = |name: &str| row[header.iter().position(|column| column == name).unwrap()].to_owned();
    assert_eq!((value("ended").as_str(), value("completers").as_str()), ("complete", "49"), "{row:?}");
    assert!(folder.left_behind().is_empty());
}

#[test]
fn the_driver_is_an_axis_and_every_table_has_the_same_columns() {
    let folder = Folder::new();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/10peers.toml");
    let story = story.to_str().unwrap();
    let one =
        ["--repeat", "1", "--set", "policy.picker=random", "--set", "policy.choker=tit-for-tat", "--quiet"];
    for driver in ["processes", "sim"] {
        let run = ["run", story, "--driver", driver, "--out", driver];
        folder.minibit(&[&run[..], &one].concat()).done();
    }
    for table in ["runs", "completions", "cohorts", "timeline", "comparison"] {
        let header = |driver: &str| {
            let path = folder.path(&format!("{driver}/10peers/{table}.csv"));
            fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned()
        };
        assert_eq!(header("processes"), header("sim"), "{table}");
    }
    let text = "title = 'Both'\nrepeat = 1\n[content]\nsize = '64 KiB'\n[peers.peer]\ncount = 4\n\
                [compare]\n\"driver\" = ['sim', 'tasks', 'processes']\n";
    folder.file("both.toml", text);
    folder.minibit(&["run", "both.toml", "--quiet"]).done();
    let runs = fs::read_to_string(folder.path("results/both/runs.csv")).unwrap();
    for driver in ["sim", "tasks", "processes"] {
        let row = runs.lines().find(|row| row.split(',').any(|cell| cell == driver)).unwrap();
        assert!(row.contains(",complete,"), "{row}");
    }
}

#[test]
fn who_crashes_comes_back_with_what_it_had_and_who_is_done_leaves() {
    let plan = scenario(
        "title = 'Churn'\ntime_scale = 10\n[content]\nsize = '160 KiB'\n\
         [peers.seed]\ncount = 1\nstart_with = 'all'\nupload = '16 KiB/s'\n\
         [peers.leecher]\ncount = 6\nstart_with = 'nothing'\narrival = 'over 5 s'\n\
         crash = '450 per hour'\nrejoin = '3 s'\non_complete = 'leave after 4 s'\n",
    );
    let (outcome, records) = carried_out(&plan, MINIBIT);
    assert_eq!(outcome.ended, Ended::Complete, "{records:#?}");
    let crashes = count(&records, |event| *event == Event::Crashed);
    let arrivals = count(&records, |event| matches!(event, Event::Arrived { .. }));
    let totals = count(&records, |event| matches!(event, Event::Totals(_)));
    assert!(crashes > 0 && arrivals > 7, "{crashes} crashes, {arrivals} arrivals");
    assert_eq!(arrivals, totals, "every stay adds up to something");
    assert_eq!(count(&records, |event| *event == Event::Completed), 6);
    for peer in (1..=6).map(PeerIndex) {
        let own = || records.iter().filter(|record| record.peer == peer).map(|record| &record.event);
        let begun_with: Vec<u32> = own()
            .filter_map(|event| match event {
                Event::Arrived { pieces, .. } => Some(*pieces),
                _ => None,
            })
            .collect();
        assert!(begun_with.is_sorted(), "verified pieces are lost: {begun_with:?}");
        let verified = own().filter(|event| matches!(event, Event::PieceVerified { .. })).count();
        assert_eq!(verified, 10, "none is fetched twice");
    }
    let pace = outcome.pace.unwrap();
    assert!(pace.block_latency_p50 > minibit::time::Span::ZERO, "the processes told how late they were");
}

#[test]
fn a_fixed_overlay_joins_the_same_peers_as_in_virtual_time_and_nobody_else() {
    let plan = scenario(
        "title = 'A ring'\n[content]\nsize = '160 KiB'\n[overlay]\nkind = 'random-regular'\ndegree = 2\n\
         [peers.seed]\ncount = 1\nstart_with = 'all'\n[peers.leecher]\ncount = 7\nstart_with = 'nothing'\n",
    );
    let (outcome, records) = carried_out(&plan, MINIBIT);
    assert_eq!(outcome.ended, Ended::Complete);
    let mut simulated: Vec<Record> = Vec::new();
    sim::run(&plan, 1, &sim::Options::default(), &mut simulated, &Control::default()).unwrap();
    let pairs = |records: &[Record]| -> BTreeSet<(PeerIndex, PeerIndex)> {
        let connected = records.iter().filter_map(|record| match record.event {
            Event::Connected { remote: Some(remote) } => {
                Some((record.peer.min(remote), record.peer.max(remote)))
            }
            _ => None,
        });
        connected.collect()
    };
    assert_eq!((pairs(&records), pairs(&records).len()), (pairs(&simulated), 8));
}

#[test]
fn a_peer_whose_process_cannot_start_has_failed_with_its_last_words() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *leecher-2*) echo 'no luck today' >&2; exit 1;; esac\nexec {MINIBIT} \"$@\"\n"
    );
    let path = folder.file("minibit", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let plan = scenario(
        "title = 'One is missing'\n[content]\nsize = '64 KiB'\n\
         [peers.seed]\ncount = 1\nstart_with = 'all'\n[peers.leecher]\ncount = 3\nstart_with = 'nothing'\n",
    );
    let (outcome, records) = carried_out(&plan, path.to_str().unwrap());
    assert_eq!(outcome.ended, Ended::Complete);
    let failed: Vec<&Record> =
        records.iter().filter(|record| matches!(record.event, Event::Failed { .. })).collect();
    let [Record { peer, event: Event::Failed { reason }, .. }] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!((*peer, reason.contains("code 1: no luck today")), (PeerIndex(2), true), "{reason}");
    assert_eq!(count(&records, |event| *event == Event::Completed), 2);
}
