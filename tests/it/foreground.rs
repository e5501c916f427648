//! `minibit tracker` and `minibit peer` as a user meets them: programs of their own, on loopback.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use minibit::id::PeerId;
use minibit::torrent::hash::PieceHash;
use minibit::torrent::layout::Layout;
use minibit::torrent::metainfo::{Draft, Metainfo};
use minibit::wire::extended::{ExtendedHandshake, HANDSHAKE};
use minibit::wire::handshake::{Handshake, Reserved};
use serde_json::Value;

use crate::command::{Folder, Running};

/// A story of 40 blocks in the hands of three peers, none of which has all of it.
fn split_story() -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    let story: Vec<u8> = (0u32..10_240).flat_map(|number| number.to_le_bytes()).collect();
    folder.file("story.txt", &story);
    folder.minibit(&["split", "story.txt", "--peers", "3", "--distribution", "disjoint"]).done();
    (folder, story)
}

fn start_peer(folder: &Folder, number: u32, tracker: &str) -> Running {
    let dir = format!("peers/peer_{number}");
    folder.start(&["peer", "peers/story.txt.torrent", "--dir", &dir, "--tracker", tracker])
}

#[test]
fn peers_of_a_split_file_put_it_together_in_processes_of_their_own() {
    let (folder, story) = split_story();
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0"]);
    let url = tracker.says("listening on ");
    let peers: Vec<Running> = (1..=3).map(|number| start_peer(&folder, number, &url)).collect();
    for (number, peer) in (1..).zip(&peers) {
        peer.says("complete: ");
        assert!(fs::read(folder.path(&format!("peers/peer_{number}/story.txt"))).unwrap() == story);
    }

    // A newcomer without a folder of blocks gets the file as one, and leaves when told to.
    let newcomer =
        ["peer", "peers/story.txt.torrent", "--dir", "new", "--tracker", &url, "--on-complete", "leave"];
    assert_eq!(folder.start(&newcomer).code(), 0);
    assert!(fs::read(folder.path("new/story.txt")).unwrap() == story);
    assert_eq!(folder.minibit(&newcomer).done(), "complete: new/story.txt\n", "nothing is left to do");
}

#[test]
#[cfg(unix)]
fn records_of_several_peers_are_lines_on_one_time() {
    let (folder, story) = split_story();
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0"]);
    let url = tracker.says("listening on ");
    let ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(1_000);
    let start = ago.as_nanos().to_string();
    let peers: Vec<Running> = (1..=3)
        .map(|number| {
            let (dir, name) = (format!("peers/peer_{number}"), format!("p{number}"));
            let place = ["peer", "peers/story.txt.torrent", "--dir", &dir, "--tracker", &url];
            let records = ["--name", &name, "--clock-start", &start, "--records", "-"];
            folder.start(&[place, records].concat())
        })
        .collect();
    for (number, peer) in (1..).zip(peers) {
        let mut lines = Vec::new();
        let json = |line: String| serde_json::from_str::<Value>(&line).unwrap();
        // While they are written: nothing has ended yet.
        while lines.last().is_none_or(|line: &Value| line["event"] != "completed") {
            lines.push(json(peer.says("")));
        }
        peer.interrupt();
        lines.extend(peer.rest().into_iter().map(json));

        let (first, events) = lines.split_first().unwrap();
        assert!(first["listening"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert_eq!(
            (&first["bytes"], &first["clock_start_unix_ns"].to_string()),
            (&story.len().into(), &start)
        );
        assert!(events.iter().all(|event| event["peer"] == format!("p{number}")));
        assert!(events.iter().all(|event| (1_000.0..2_000.0).contains(&event["at_s"].as_f64().unwrap())));
        let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!((kinds[0], &kinds[kinds.len() - 2..]), ("arrived", &["left", "totals"][..]));
        let gained = kinds.iter().filter(|kind| **kind == "piece_verified").count() as u64;
        assert_eq!(Some(events[0]["pieces"].as_u64().unwrap() + gained), first["pieces"].as_u64());
    }
}

#[test]
fn peers_over_udp_and_http_find_each_other_at_one_tracker() {
    let (folder, story) = split_story();
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"]);
    let (http, udp) = (tracker.says("listening on "), tracker.says("listening on "));
    assert!(http.starts_with("http://127.0.0.1:") && udp.starts_with("udp://127.0.0.1:"), "{http} {udp}");
    let peers: Vec<Running> =
        [(1, &udp), (2, &http), (3, &udp)].map(|(number, url)| start_peer(&folder, number, url)).into();
    for (number, peer) in (1..).zip(&peers) {
        peer.says("complete: ");
        assert!(fs::read(folder.path(&format!("peers/peer_{number}/story.txt"))).unwrap() == story);
    }
}

#[test]
fn peers_fall_through_a_torrents_tiers_to_the_tracker_that_answers() {
    let folder = Folder::new();
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"]);
    let (http, udp) = (tracker.says("listening on "), tracker.says("listening on "));
    let story = folder.file("story.txt", [7; 40_000]);
    let second = format!("http://127.0.0.1:1/announce,{udp},udp://127.0.0.1:1/announce");
    let tiers = ["--tracker", "udp://127.0.0.1:1/announce", "--tracker", &second, "--tracker", &http];
    folder
        .minibit(
            &[&["split", "story.txt", "--peers", "2", "--distribution", "disjoint"], &tiers[..]].concat(),
        )
        .done();
    let peers = [1, 2].map(|number| {
        let dir = format!("peers/peer_{number}");
        folder.start(&["peer", "peers/story.txt.torrent", "--dir", &dir])
    });
    for (number, peer) in (1..).zip(&peers) {
        peer.says("complete: ");
        let whole = fs::read(folder.path(&format!("peers/peer_{number}/story.txt"))).unwrap();
        assert!(whole == fs::read(&story).unwrap());
    }
}

#[test]
fn a_tracker_refuses_an_interval_that_lets_peers_announce_without_a_pause() {
    let folder = Folder::new();
    folder.minibit(&["tracker", "--http", "127.0.0.1:0", "--interval", "0s"]).fails(2, "at least 1 s");
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_peer_and_tracker_in_good_order() {
    let (folder, _) = split_story();
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0"]);
    let url = tracker.says("listening on ");
    let peer = start_peer(&folder, 1, &url);
    peer.says("listening on 127.0.0.1:");
    peer.interrupt();
    assert_eq!(peer.code(), 130);
    tracker.interrupt();
    assert_eq!(tracker.code(), 130);
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let (folder, _) = split_story();
    let peer = |torrent: &str, dir: &str, more: &[&str]| {
        folder.minibit(&[&["peer", torrent, "--dir", dir], more].concat())
    };
    let torrent = "peers/story.txt.torrent";
    peer("none.torrent", "new", &[]).fails(2, "cannot read none.torrent");
    peer("story.txt", "new", &[]).fails(2, "story.txt is no torrent");
    peer(torrent, "new", &[]).fails(2, "--tracker");
    peer(torrent, "new", &["--tracker", "https://127.0.0.1:1"]).fails(2, "only http:// and udp://");

    let mine = folder.file("mine/story.txt", "another story");
    peer(torrent, "mine", &["--tracker", "http://127.0.0.1:1/announce"]).fails(2, "13 bytes");
    assert_eq!(fs::read_to_string(mine).unwrap(), "another story", "a file that was there is left alone");

    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0"]);
    let url = tracker.says("listening on ");
    let taken = url.trim_start_matches("http://").trim_end_matches("/announce");
    folder.minibit(&["tracker", "--http", taken]).fails(1, "another program listens there");
    peer(torrent, "new", &["--tracker", &url, "--listen", taken]).fails(1, "cannot listen on");
}

/// A torrent of one piece.
fn torrent(private: bool) -> (Vec<u8>, Metainfo) {
    let content = [7; 1024];
    let layout = Layout::new(1024, 1024, 1024).unwrap();
    let draft = Draft {
        name: "story.txt",
        files: None,
        layout,
        piece_hashes: &[PieceHash::of([&content[..]])],
        announce: &[vec!["http://127.0.0.1:9/announce".to_owned()]],
        private,
    };
    draft.build().unwrap()
}

#[test]
fn a_peer_takes_no_part_in_peer_exchange_where_the_torrent_is_private() {
    for private in [false, true] {
        let folder = Folder::new();
        let (bytes, metainfo) = torrent(private);
        folder.file("story.torrent", bytes);
        let peer = folder.start(&["peer", "story.torrent", "--dir", "new"]);
        let mut stream = TcpStream::connect(peer.says("listening on ")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let reserved = Reserved::announcing(false, true);
        let ours = Handshake { reserved, info_hash: metainfo.info_hash, peer_id: PeerId([1; 20]) };
        stream.write_all(&ours.encode()).unwrap();
        stream.read_exact(&mut [0; Handshake::LENGTH]).unwrap();
        let said = loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut message).unwrap();
            if let [20, HANDSHAKE, payload @ ..] = &message[..] {
                break ExtendedHandshake::parse(payload).unwrap();
            }
        };
        assert_eq!(said.peer_exchange.is_none(), private, "{said:?}");
    }
}
