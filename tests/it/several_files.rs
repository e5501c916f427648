//! Torrents of several files, as `minibit peer` shares them: every file arrives under its name, and nothing else does.

use std::fs;

use minibit::torrent::hash::hash_pieces;

use crate::command::Folder;

const PIECE: u32 = 1024;

/// Odd lengths, one of them none, and padding up to the next piece (BEP 47).
const FILES: [(&str, usize, bool); 6] = [
    ("first.bin", 3_001, false),
    (".pad", 71, true),
    ("empty", 0, false),
    ("sub/second.bin", 1, false),
    ("sub/deeper/third.bin", 20_077, false),
    ("last.bin", 513, false),
];

fn content(at: usize) -> Vec<u8> {
    let (_, length, padding) = FILES[at];
    (0..length).map(|byte| if padding { 0 } else { (byte * (at + 3) / 7) as u8 }).collect()
}

/// Bencoded, as some other program could have made it.
fn torrent() -> Vec<u8> {
    let all: Vec<u8> = (0..FILES.len()).flat_map(content).collect();
    let hashes: Vec<u8> = hash_pieces(&all[..], PIECE).unwrap().into_iter().flat_map(|hash| hash.0).collect();
    let mut torrent = b"d4:infod5:filesl".to_vec();
    for (path, length, padding) in FILES {
        let attributes = if padding { "4:attr1:p" } else { "" };
        let path: String = path.split('/').map(|name| format!("{}:{name}", name.len())).collect();
        torrent.extend(format!("d{attributes}6:lengthi{length}e4:pathl{path}ee").bytes());
    }
    torrent.extend(format!("e4:name4:many12:piece lengthi{PIECE}e6:pieces{}:", hashes.len()).bytes());
    torrent.extend(hashes);
    torrent.extend(b"ee");
    torrent
}

#[test]
fn several_files_go_from_peer_to_peer_under_their_names_and_padding_stays_out() {
    let folder = Folder::new();
    folder.file("many.torrent", torrent());
    for (at, (path, _, padding)) in FILES.into_iter().enumerate() {
        if !padding {
            folder.file(&format!("seed/many/{path}"), content(at));
        }
    }
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0"]);
    let url = tracker.says("listening on ");
    let seed = folder.start(&["peer", "many.torrent", "--dir", "seed", "--tracker", &url]);
    assert_eq!(seed.says("complete: "), "seed/many");

    let leecher = ["peer", "many.torrent", "--dir", "new", "--tracker", &url, "--on-complete", "leave"];
    assert_eq!(folder.start(&leecher).code(), 0);
    for (at, (path, _, padding)) in FILES.into_iter().enumerate() {
        let there = folder.path(&format!("new/many/{path}"));
        if padding {
            assert!(!there.exists());
        } else {
            assert!(fs::read(there).unwrap() == content(at), "{path}");
        }
    }
    // Everything is there: nothing is left to do, nobody is asked.
    assert_eq!(folder.minibit(&leecher).done(), "complete: new/many\n");
}

#[test]
fn a_file_of_somebody_else_in_the_place_of_one_is_left_alone() {
    let folder = Folder::new();
    folder.file("many.torrent", torrent());
    folder.file("new/many/last.bin", "mine");
    let before = folder.everything();
    let peer = ["peer", "many.torrent", "--dir", "new", "--tracker", "http://127.0.0.1:1/announce"];
    folder.minibit(&peer).fails(2, "new/many/last.bin is another file than the torrent's");
    assert_eq!(folder.everything(), before);
}
