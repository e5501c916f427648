//! `minibit split` as a user meets it.

use std::fs;
use std::path::Path;

use minibit::id::BlockId;
use minibit::torrent::hash::PieceHash;
use minibit::torrent::metainfo::Metainfo;
use minibit::torrent::split::{Distribution, distribute};

use crate::command::{Folder, Ran};

/// Bytes of which no two blocks are equal.
fn content(length: usize) -> Vec<u8> {
    (0u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).take(length).collect()
}

/// Checks all of `peers` in `folder` against the content: exactly the blocks of the pieces that the distribution
/// gives, with exactly their bytes.
fn assert_split(folder: &Path, name: &str, content: &[u8], peers: u32, kind: Distribution, random_seed: u64) {
    let torrent = fs::read(folder.join(format!("{name}.torrent"))).unwrap();
    let metainfo = Metainfo::parse(&torrent).unwrap();
    assert_eq!(metainfo.name, name);
    assert!(metainfo.private && metainfo.is_single_file());
    let layout = metainfo.layout;
    let pieces = content.chunks(layout.piece_size() as usize);
    assert!(metainfo.piece_hashes.iter().copied().eq(pieces.map(|piece| PieceHash::of([piece]))));

    let held = distribute(layout.pieces(), peers, kind, &mut Distribution::stream(random_seed)).unwrap();
    for (number, pieces) in (1..).zip(&held) {
        let blocks = folder.join(format!("peer_{number}/blocks"));
        let mut expected = 0;
        for piece in pieces.iter() {
            for index in 0..layout.blocks_in(piece) {
                let id = BlockId { piece, index };
                let block = layout.block(id);
                let begin = layout.piece_offset(piece) as usize + block.begin as usize;
                let bytes = fs::read(blocks.join(format!("block_{}.bin", layout.block_number(id)))).unwrap();
                assert_eq!(bytes, content[begin..begin + block.length as usize], "{id:?} of peer {number}");
                expected += 1;
            }
        }
        assert_eq!(fs::read_dir(blocks).unwrap().count(), expected, "files of peer {number}");
    }
    assert!(!folder.join(format!("peer_{}", peers + 1)).exists());
}

#[test]
fn every_peer_gets_exactly_the_blocks_of_its_pieces_whatever_the_sizes_and_the_distribution() {
    let folder = Folder::new();
    let cases: [(usize, u32, &[&str], Distribution); 9] = [
        (51_118, 5, &[], Distribution::RandomSubset),
        (51_118, 5, &["--seed", "77"], Distribution::RandomSubset),
        (5_000, 3, &["--piece-size", "4 KiB"], Distribution::RandomSubset),
        (
            5_000,
            3,
            &["--block-size", "7B", "--piece-size", "21B", "--distribution", "disjoint"],
            Distribution::Disjoint,
        ),
        (5_000, 2, &["--distribution", "single-seed"], Distribution::SingleSeed),
        (
            5_000,
            3,
            &["--distribution", "fixed", "--pieces-each", "2"],
            Distribution::Fixed { pieces_each: 2 },
        ),
        (0, 3, &[], Distribution::RandomSubset),
        (1, 3, &[], Distribution::RandomSubset),
        (1_024, 9, &["--distribution", "disjoint"], Distribution::Disjoint),
    ];
    for (length, peers, more, kind) in cases {
        let content = content(length);
        folder.file("any.bin", &content);
        let number = peers.to_string();
        let args = [&["split", "any.bin", "--peers", &number], more].concat();
        let printed = folder.minibit(&args).done();
        assert!(printed.contains(&format!("any.bin: {length} bytes")), "{printed}");
        let random_seed = if more.first() == Some(&"--seed") { 77 } else { 1 };
        assert_split(&folder.path("peers"), "any.bin", &content, peers, kind, random_seed);
    }
}

#[test]
fn names_with_spaces_and_other_alphabets_stay_as_they_are() {
    let folder = Folder::new();
    for name in ["a história 1.txt", "日本語", "-x.bin", "no extension", "peer_1"] {
        folder.file(name, b"some bytes");
        folder.minibit(&["split", "--peers", "2", "--block-size", "4B", "--", name]).done();
        assert_split(&folder.path("peers"), name, b"some bytes", 2, Distribution::RandomSubset, 1);
    }
}

#[test]
fn a_second_split_replaces_the_first_as_a_whole_and_leaves_nothing_else() {
    let folder = Folder::new();
    folder.file("long.bin", content(9_000));
    folder.file("short.bin", content(1_500));
    folder.minibit(&["split", "long.bin", "--peers", "6"]).done();
    folder.file("peers/peer_1/long.bin", "rebuilt earlier");
    folder.minibit(&["split", "short.bin", "--peers", "2"]).done();
    assert_split(&folder.path("peers"), "short.bin", &content(1_500), 2, Distribution::RandomSubset, 1);
    assert!(
        !folder.path("peers/long.bin.torrent").exists() && !folder.path("peers/peer_1/long.bin").exists()
    );
    let top = folder.everything().into_keys().filter(|path| path.components().count() == 1);
    assert_eq!(top.collect::<Vec<_>>(), ["long.bin", "peers", "short.bin"].map(std::path::PathBuf::from));
}

#[test]
fn the_same_split_gives_the_same_bytes() {
    let folders = [Folder::new(), Folder::new()];
    for folder in &folders {
        folder.file("a", content(3_000));
        folder.minibit(&["split", "a", "--peers", "3", "--seed", "5"]).done();
    }
    assert_eq!(folders[0].everything(), folders[1].everything());
}

#[test]
fn a_split_that_is_refused_leaves_the_old_one_and_the_file_as_they_were() {
    let folder = Folder::new();
    folder.file("a", content(3_000));
    folder.file("blocks", "x");
    folder.file("big", content(400_000));
    fs::create_dir(folder.path("empty")).unwrap();
    folder.minibit(&["split", "a", "--peers", "3"]).done();
    folder.file("peers/peer_1/a", content(3_000));
    let before = folder.everything();
    let refused: [(&[&str], &str); 17] = [
        (&["missing", "--peers", "2"], "missing: there is no such file"),
        (&["empty", "--peers", "2"], "not a file"),
        (&["blocks", "--peers", "2"], "rename the file"),
        (&["peers/peer_1/a", "--peers", "2"], "copy the file elsewhere"),
        (&["big", "--peers", "2", "--block-size", "1B"], "choose larger blocks"),
        (&["big", "--peers", "10000", "--block-size", "5KiB"], "choose larger blocks"),
        (&["a", "--peers", "0"], "--peers"),
        (&["a", "--peers", "4000000000"], "--peers"),
        (&["a"], "--peers"),
        (&["a", "--peers", "2", "--block-size", "0B"], "at least 1 B"),
        (&["a", "--peers", "2", "--block-size", "1KB"], "KiB"),
        (&["a", "--peers", "2", "--block-size", "4GiB"], "less than 4 GiB"),
        (&["a", "--peers", "2", "--block-size", "20MiB"], "16 MiB"),
        (&["a", "--peers", "2", "--piece-size", "1500B"], "multiple of the block size"),
        (&["a", "--peers", "2", "--distribution", "fixed"], "--pieces-each"),
        (&["a", "--peers", "2", "--distribution", "fixed", "--pieces-each", "1"], "at least 2"),
        (&["a", "--peers", "2", "--pieces-each", "1"], "--distribution fixed"),
    ];
    for (args, message) in refused {
        folder.minibit(&[&["split"], args].concat()).fails(2, message);
        assert!(folder.everything() == before, "{args:?} changed something");
    }
}

#[test]
fn a_folder_that_minibit_did_not_make_is_never_replaced() {
    let folder = Folder::new();
    folder.file("a", "content");
    folder.file("mine/peers/thesis.txt", "years of work");
    folder.file("forged/peers/.minibit", "generator = \"somebody\"");
    let before = folder.everything();
    for out in ["mine", "forged"] {
        folder.minibit(&["split", "a", "--peers", "2", "--out", out]).fails(2, "not made by MiniBit");
    }
    assert!(folder.everything() == before);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_folder_is_not_followed() {
    let folder = Folder::new();
    folder.file("a", "content");
    folder.minibit(&["split", "a", "--peers", "2", "--out", "elsewhere"]).done();
    std::os::unix::fs::symlink("elsewhere/peers", folder.path("peers")).unwrap();
    let before = folder.everything();
    folder.minibit(&["split", "a", "--peers", "3"]).fails(2, "not made by MiniBit");
    assert!(folder.everything() == before);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_reported_and_the_old_one_stays() {
    let folder = Folder::new();
    folder.file("a", "content");
    folder.file("file", "no folder");
    let before = folder.everything();
    folder.minibit(&["split", "a", "--peers", "2", "--out", "file"]).fails(1, "file");
    assert!(folder.everything() == before);
}

/// The kernel says that this file is empty, and then it is not: a file that grows under the reader's hands.
#[cfg(target_os = "linux")]
#[test]
fn a_split_that_fails_half_way_leaves_the_old_one_and_nothing_of_its_own() {
    let folder = Folder::new();
    folder.file("a", content(3_000));
    folder.minibit(&["split", "a", "--peers", "3"]).done();
    let before = folder.everything();
    folder.minibit(&["split", "/proc/version", "--peers", "2"]).fails(1, "changed while it was read");
    assert!(folder.everything() == before);
}

#[test]
fn small_pieces_are_mentioned_and_standard_ones_are_not() {
    let folder = Folder::new();
    folder.file("a", content(40_000));
    let small = folder.minibit(&["split", "a", "--peers", "2"]);
    assert!(small.stderr().contains("16 KiB"), "{}", small.stderr());
    let standard = folder.minibit(&["split", "a", "--peers", "2", "--piece-size", "16KiB"]);
    standard.done();
    assert_eq!(standard.stderr(), "");
}

#[test]
fn every_piece_is_reported_as_held() {
    let folder = Folder::new();
    folder.file("a", content(5_000));
    let printed = folder.minibit(&["split", "a", "--peers", "2", "--distribution", "single-seed"]).done();
    assert!(printed.contains("every piece is held by 1 of 2 peers"), "{printed}");
}

#[test]
fn the_torrent_names_trackers_in_tiers_and_only_those_that_can_be_asked() {
    let folder = Folder::new();
    folder.file("a.txt", content(100));
    let split = |trackers: &[&str]| folder.minibit(&[&["split", "a.txt", "--peers", "1"], trackers].concat());
    let tiers =
        [["udp://127.0.0.1:6969/announce", "http://tracker.example/announce"], ["http://[::1]:1/a", ""]];
    split(&["--tracker", &tiers[0].join(","), "--tracker", tiers[1][0]]).done();
    let metainfo = Metainfo::parse(&fs::read(folder.path("peers/a.txt.torrent")).unwrap()).unwrap();
    assert_eq!(metainfo.announce, [tiers[0].to_vec(), vec![tiers[1][0]]]);
    split(&["--tracker", "wss://tracker.example"])
        .fails(2, "wss is not supported, only http:// and udp:// are");
    split(&["--tracker", "http://a/,"]).fails(2, "is no URL");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_may_be_larger_than_the_memory_for_it() {
    // Each of the threads, as many as there are cores, needs a few blocks.
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    let memory_kib = 16 * 1_024 + cores * 8 * 1_024;
    let folder = Folder::new();
    let content = fs::File::create(folder.path("large.bin")).unwrap();
    let length = 2 * memory_kib * 1_024;
    content.set_len(length).unwrap();

    let unlimited = folder.command(&["split", "large.bin", "--peers", "1", "--block-size", "256KiB"]);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -d \"$0\" && exec \"$@\"", &memory_kib.to_string()]);
    limited.arg(unlimited.get_program()).args(unlimited.get_args()).current_dir(folder.path(""));
    // To read the program's symbols takes memory too.
    limited.env("RUST_BACKTRACE", "0");
    Ran::of(limited).done();
    let blocks = fs::read_dir(folder.path("peers/peer_1/blocks")).unwrap();
    assert_eq!(blocks.map(|block| block.unwrap().metadata().unwrap().len()).sum::<u64>(), length);
}
