use super::*;
use crate::net::store::positioned::Positioned;

use std::fs;
use tempfile::TempDir;

use crate::peer::Verdict;

/// 100 bytes in pieces of 32 and blocks of 8, so that the last of both is short.
fn sample() -> (Layout, Bytes, PieceHashes) {
    let content: Bytes = (0..100u8).collect();
    let hashes = content.chunks(32).map(|piece| PieceHash::of([piece])).collect();
    (Layout::new(100, 32, 8).unwrap(), content, hashes)
}

fn piece(content: &Bytes, index: u32) -> Bytes {
    let begin = index as usize * 32;
    content.slice(begin..content.len().min(begin + 32))
}

/// The same as its blocks.
fn blocks_of(content: &Bytes, index: u32) -> Vec<Bytes> {
    cut(&piece(content, index))
}

fn cut(piece: &Bytes) -> Vec<Bytes> {
    piece.chunks(8).map(|block| piece.slice_ref(block)).collect()
}

pub(super) fn verify(
    store: &Store,
    piece: PieceIndex,
    blocks: Vec<Bytes>,
    digests: bool,
) -> (Verdict, Option<StoreError>) {
    let mut verdicts = store.verify(vec![Unhashed { piece, blocks, digests }]);
    let (of, verdict, error) = verdicts.next().unwrap();
    assert_eq!(of, piece);
    (verdict, error)
}

/// One store of each kind in a folder of its own.
fn every_kind(folder: &TempDir) -> Vec<Store> {
    let (layout, _, hashes) = sample();
    vec![
        Store::in_memory(layout, hashes.clone()),
        Store::in_blocks(layout, hashes.clone(), &folder.path().join("peer 1/blocks")).unwrap(),
        Store::in_file(layout, hashes, &folder.path().join("peer 2/história.txt")).unwrap(),
    ]
}

#[test]
fn every_kind_gives_back_what_was_verified_and_rebuilds_the_content() {
    let folder = TempDir::new().unwrap();
    let (layout, content, _) = sample();
    for store in every_kind(&folder) {
        assert!(store.scan().is_empty(), "{store:?}");
        for index in 0..4 {
            let (verdict, error) = verify(&store, PieceIndex(index), blocks_of(&content, index), false);
            assert_eq!(verdict, Verdict::Good { digests: vec![] }, "{error:?}");
        }
        assert!(store.scan().is_full(), "{store:?}");
        for begin in 0..32 {
            for length in 1..=32 - begin {
                let block = Block { piece: PieceIndex(1), begin, length };
                let at = 32 + begin as usize;
                assert_eq!(store.read(block).unwrap(), content[at..at + length as usize]);
            }
        }
        assert_eq!(store.content_hash().unwrap(), PieceHash::of([&content]).0);
        let rebuilt = folder.path().join("rebuilt.txt");
        store.rebuild(&rebuilt).unwrap();
        assert_eq!(fs::read(&rebuilt).unwrap(), content);
        assert_eq!(store.layout(), layout);
    }
}

#[test]
fn a_wrong_piece_is_judged_block_by_block_and_not_stored() {
    let folder = TempDir::new().unwrap();
    let (_, content, _) = sample();
    for store in every_kind(&folder) {
        let mut wrong = piece(&content, 0).to_vec();
        wrong[9] ^= 1;
        let (Verdict::Bad { digests: bad }, None) = verify(&store, PieceIndex(0), cut(&wrong.into()), false)
        else {
            panic!("one wrong bit is found");
        };
        assert!(store.scan().is_empty());
        let (Verdict::Good { digests: good }, None) =
            verify(&store, PieceIndex(0), blocks_of(&content, 0), true)
        else {
            panic!("the right piece is taken after a wrong one");
        };
        let differ: Vec<bool> = bad.iter().zip(&good).map(|(bad, good)| bad != good).collect();
        assert_eq!(differ, [false, true, false, false]);
    }
}

#[test]
fn ranges_outside_a_piece_and_missing_pieces_are_errors() {
    let folder = TempDir::new().unwrap();
    for store in every_kind(&folder) {
        for (piece, begin, length) in [(0, 31, 2), (0, 0, 0), (3, 4, 1), (4, 0, 1), (0, u32::MAX, 1)] {
            let block = Block { piece: PieceIndex(piece), begin, length };
            assert!(matches!(store.read(block), Err(StoreError::OutsidePiece { .. })), "{block:?}");
        }
        assert!(store.read_verified(PieceIndex(0)).is_err());
        let rebuilt = folder.path().join("incomplete");
        assert!(store.rebuild(&rebuilt).is_err());
        assert!(!rebuilt.exists() && !folder.path().join("incomplete.part").exists());
    }
}

#[test]
fn blocks_are_the_files_that_split_writes() {
    let folder = TempDir::new().unwrap();
    let (layout, content, hashes) = sample();
    let store = Store::in_blocks(layout, hashes, folder.path()).unwrap();
    for index in [1, 3] {
        store.write(PieceIndex(index), piece(&content, index)).unwrap();
    }
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["block_12.bin", "block_4.bin", "block_5.bin", "block_6.bin", "block_7.bin"]);
    assert_eq!(fs::read(folder.path().join("block_12.bin")).unwrap(), content[96..]);
}

#[test]
fn files_that_a_crash_or_a_stranger_left_wrong_are_not_counted() {
    let folder = TempDir::new().unwrap();
    let (layout, content, hashes) = sample();
    let store = Store::in_blocks(layout, hashes, folder.path()).unwrap();
    for index in 0..4 {
        store.write(PieceIndex(index), piece(&content, index)).unwrap();
    }
    fs::write(folder.path().join("block_0.bin"), b"").unwrap();
    fs::write(folder.path().join("block_4.bin"), b"flipped!").unwrap();
    fs::remove_file(folder.path().join("block_9.bin")).unwrap();
    let have: Vec<u32> = store.scan().iter().map(|piece| piece.0).collect();
    assert_eq!(have, [3]);
    assert!(matches!(store.rebuild(&folder.path().join("all")), Err(StoreError::Read { .. })));
}

#[test]
fn a_piece_that_cannot_be_written_is_not_stored_and_the_reason_is_told() {
    let folder = TempDir::new().unwrap();
    let (layout, content, hashes) = sample();
    let blocks = folder.path().join("blocks");
    let store = Store::in_blocks(layout, hashes, &blocks).unwrap();
    // A file where the directory was: no write can succeed, whoever runs the test.
    fs::remove_dir(&blocks).unwrap();
    fs::write(&blocks, b"in the way").unwrap();
    let (verdict, error) = verify(&store, PieceIndex(0), blocks_of(&content, 0), false);
    assert_eq!(verdict, Verdict::StoreFailed);
    let reason = error.unwrap().to_string();
    assert!(reason.contains("block_0.bin") && reason.starts_with("cannot write"), "{reason}");
    // Room again: the same piece is taken.
    fs::remove_file(&blocks).unwrap();
    fs::create_dir(&blocks).unwrap();
    assert!(matches!(verify(&store, PieceIndex(0), blocks_of(&content, 0), false).0, Verdict::Good { .. }));
    assert!(Store::in_file(layout, sample().2, &blocks).is_err(), "a directory is no file");
}

#[test]
fn a_store_of_a_file_reads_it_and_makes_and_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let (layout, content, hashes) = sample();
    let path = folder.path().join("f");
    let open = || Store::of_file(layout, hashes.clone(), &path);
    assert!(matches!(open(), Err(StoreError::Read { .. })) && !path.exists());
    fs::write(&path, &content[1..]).unwrap();
    assert!(matches!(open(), Err(StoreError::Occupied(_))), "it is shorter");
    fs::write(&path, &content).unwrap();
    let store = open().unwrap();
    assert!(store.scan().is_full());
    let reason = store.write(PieceIndex(0), piece(&content, 1)).unwrap_err().to_string();
    assert!(reason.contains("it can only be read; make it writable"), "{reason}");
    // Half of it is still right.
    let half = layout.piece_offset(PieceIndex(2)) as usize;
    fs::write(&path, [&content[..half], &vec![7; content.len() - half][..]].concat()).unwrap();
    let first = |piece| Block { piece: PieceIndex(piece), begin: 1, length: 2 };
    assert_eq!(store.read(first(0)).unwrap(), content.slice(1..3));
    assert!(matches!(store.read(first(3)), Err(StoreError::Changed(_))));
    assert!(!matches!(store.read_at_once(first(3)), Some(Ok(_))));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_as_one() {
    let (layout, content, hashes) = sample();
    let file = fs::File::options().read(true).write(true).open("/dev/full").unwrap();
    let place = Place::File(SingleFile::on(layout, "/dev/full".into(), Positioned::new(file)));
    let store = Store { layout, hashes, place };
    let (verdict, error) = verify(&store, PieceIndex(0), blocks_of(&content, 0), false);
    assert_eq!(verdict, Verdict::StoreFailed);
    let reason = error.unwrap().to_string();
    assert!(reason.contains("/dev/full") && reason.contains("free some space"), "{reason}");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_a_user_s_file_is_not_replaced() {
    let (layout, content, hashes) = sample();
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("canary"), "mine").unwrap();
    for link in ["f.part", "f-link", "blocks-link"] {
        std::os::unix::fs::symlink(at("canary"), at(link)).unwrap();
    }
    let store = Store::in_memory(layout, hashes.clone());
    for index in 0..layout.pieces() {
        store.write(PieceIndex(index), piece(&content, index)).unwrap();
    }
    // A link in the way of the file being built is replaced, not written through.
    store.rebuild(&at("f")).unwrap();
    assert_eq!(std::fs::read(at("f")).unwrap(), content);
    store.rebuild(&at("f")).unwrap();
    // A file of another content is somebody's.
    std::fs::write(at("other"), "another story").unwrap();
    assert!(matches!(store.rebuild(&at("other")), Err(StoreError::Occupied(_))));
    assert!(matches!(store.rebuild(&at("f-link")), Err(StoreError::Occupied(_))));
    assert!(matches!(Store::in_file(layout, hashes.clone(), &at("f-link")), Err(StoreError::Link(_))));
    assert!(matches!(Store::in_blocks(layout, hashes, &at("blocks-link")), Err(StoreError::Link(_))));
    assert_eq!(std::fs::read_to_string(at("canary")).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(at("other")).unwrap(), "another story");
}
