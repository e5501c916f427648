use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::id::InfoHash;
use crate::net::store::Store;
use crate::net::store::tests::verify;
use crate::peer::Verdict;
use crate::torrent::hash::PieceHash;

/// Files of odd lengths, one of no bytes, one of many pieces, and padding in between; pieces of 32 bytes.
const FILES: [(&str, u64, bool); 7] = [
    ("story/one", 5, false),
    ("story/deep/er/none", 0, false),
    ("story/.pad/27", 27, true),
    ("story/deep/many", 101, false),
    ("story/deep/er/byte", 1, false),
    ("story/história.txt", 33, false),
    ("story/zero at the end", 0, false),
];

fn torrent(files: &[(&str, u64, bool)]) -> (Metainfo, Bytes) {
    let file = |(path, length, padding): &(&str, _, _)| metainfo::File {
        path: (*path).to_owned(),
        length: *length,
        padding: *padding,
    };
    let files: Vec<metainfo::File> = files.iter().map(file).collect();
    let byte = |(at, file): (usize, &metainfo::File)| {
        (0..file.length)
            .map(move |offset| if file.padding { 0 } else { (at as u64 * 50 + offset) as u8 })
            .collect::<Vec<u8>>()
    };
    let content: Bytes = files.iter().enumerate().flat_map(byte).collect();
    let metainfo = Metainfo {
        info_hash: InfoHash([0; 20]),
        name: "story".to_owned(),
        files,
        layout: Layout::new(content.len() as u64, 32, 8).unwrap(),
        piece_hashes: content.chunks(32).map(|piece| PieceHash::of([piece])).collect(),
        announce: vec![],
        private: false,
    };
    (metainfo, content)
}

fn cut(piece: Bytes) -> Vec<Bytes> {
    piece.chunks(8).map(|block| piece.slice_ref(block)).collect()
}

fn fill(store: &Store, content: &Bytes) {
    for (piece, data) in (0..).map(PieceIndex).zip(content.chunks(32)) {
        let (verdict, error) = verify(store, piece, cut(content.slice_ref(data)), false);
        assert_eq!(verdict, Verdict::Good { digests: vec![] }, "{error:?}");
    }
}

/// Every file below a folder, and what no file is.
fn tree(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.insert(name);
        }
    }
    found
}

#[test]
fn every_file_has_its_own_bytes_and_padding_is_in_none() {
    let folder = TempDir::new().unwrap();
    let (metainfo, content) = torrent(&FILES);
    let store = Store::in_folder(&metainfo, folder.path()).unwrap();
    assert!(store.scan().is_empty());
    fill(&store, &content);
    assert!(store.scan().is_full());
    assert_eq!(store.content_hash().unwrap(), PieceHash::of([&content]).0);

    let written: BTreeSet<String> =
        FILES.iter().filter(|(.., padding)| !padding).map(|(path, ..)| (*path).to_owned()).collect();
    assert_eq!(tree(folder.path()), written);
    let mut begin = 0;
    for (path, length, padding) in FILES {
        let end = begin + length as usize;
        if !padding {
            assert_eq!(fs::read(folder.path().join(path)).unwrap(), content[begin..end], "{path}");
        }
        begin = end;
    }
}

#[test]
fn any_range_of_bytes_is_read_across_files() {
    let folder = TempDir::new().unwrap();
    let (metainfo, content) = torrent(&FILES);
    let store = Store::in_folder(&metainfo, folder.path()).unwrap();
    fill(&store, &content);
    for piece in 0..metainfo.layout.pieces() {
        let whole = metainfo.layout.piece_length(PieceIndex(piece));
        for begin in 0..whole {
            for length in 1..=whole - begin {
                let at = piece as usize * 32 + begin as usize;
                let block = Block { piece: PieceIndex(piece), begin, length };
                assert_eq!(store.read(block).unwrap(), content[at..at + length as usize], "{block:?}");
            }
        }
    }
}

#[test]
fn what_is_there_already_counts_and_what_is_missing_or_wrong_is_fetched_again() {
    let folder = TempDir::new().unwrap();
    let (metainfo, content) = torrent(&FILES);
    fill(&Store::in_folder(&metainfo, folder.path()).unwrap(), &content);
    let many = folder.path().join("story/deep/many");
    let mut changed = fs::read(&many).unwrap();
    changed[40] ^= 1;
    fs::write(&many, changed).unwrap();
    fs::remove_file(folder.path().join("story/história.txt")).unwrap();
    // The content's byte 72 lies in piece 2; the last file's 33 bytes from 134 on in pieces 4 and 5.
    let store = Store::in_folder(&metainfo, folder.path()).unwrap();
    assert_eq!(store.scan().iter().map(|piece| piece.0).collect::<Vec<_>>(), [0, 1, 3]);
    fill(&store, &content);
    assert!(store.scan().is_full());
}

#[test]
fn more_files_than_stay_open_are_written_and_read() {
    let names: Vec<String> = (0..4 * KEPT_OPEN).map(|number| format!("story/{number}")).collect();
    let files: Vec<(&str, u64, bool)> = names.iter().map(|name| (&name[..], 3, false)).collect();
    let folder = TempDir::new().unwrap();
    let (metainfo, content) = torrent(&files);
    let files = Folder::open(&metainfo, folder.path()).unwrap();
    for (piece, data) in (0..).map(PieceIndex).zip(content.chunks(32)) {
        files.write(piece, &cut(Bytes::copy_from_slice(data))).unwrap();
        assert_eq!(files.read(Block { piece, begin: 0, length: data.len() as u32 }).unwrap(), data);
    }
    assert_eq!(files.open.lock().unwrap().len(), KEPT_OPEN);
}

#[test]
fn padding_that_is_not_zeros_is_the_torrents_fault_and_nothing_of_the_piece_is_written() {
    let folder = TempDir::new().unwrap();
    let (mut metainfo, content) = torrent(&FILES);
    let mut lie = content[..32].to_vec();
    lie[31] = 1;
    metainfo.piece_hashes[0] = PieceHash::of([&lie]);
    let store = Store::in_folder(&metainfo, folder.path()).unwrap();
    let (verdict, error) = verify(&store, PieceIndex(0), cut(lie.into()), false);
    assert_eq!(verdict, Verdict::StoreFailed);
    assert!(error.unwrap().to_string().contains("BEP 47"));
    assert_eq!(fs::read(folder.path().join("story/one")).unwrap(), [0; 5]);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_made() {
    let (metainfo, _) = torrent(&FILES);
    type Obstacle = fn(&Path) -> std::io::Result<()>;
    let obstacles: [(&str, Obstacle); 3] = [
        ("story/história.txt", |path| fs::write(path, "of another length")),
        ("story/deep", |path| fs::write(path, "a file, where a folder belongs")),
        ("story/one", |path| fs::create_dir(path)),
    ];
    for (at, obstacle) in obstacles {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("story")).unwrap();
        obstacle(&folder.path().join(at)).unwrap();
        let before = tree(folder.path());
        let error = Store::in_folder(&metainfo, folder.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Occupied(path) if *path == folder.path().join(at)), "{error}");
        assert_eq!(tree(folder.path()), before);
    }
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_wherever_on_the_way_it_lies_and_whenever_it_is_put_there() {
    use std::os::unix::fs::symlink;
    let (metainfo, content) = torrent(&FILES);
    for link in ["story", "story/deep", "story/deep/er", "story/deep/many", "story/zero at the end"] {
        let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let at = folder.path().join(link);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(elsewhere.path(), &at).unwrap();
        let error = Store::in_folder(&metainfo, folder.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Link(path) if *path == at), "{link}: {error}");
        // One that leads nowhere yet would make a file there.
        fs::remove_file(&at).unwrap();
        symlink(elsewhere.path().join("new"), &at).unwrap();
        assert!(matches!(Store::in_folder(&metainfo, folder.path()), Err(StoreError::Link(_))), "{link}");
        assert!(tree(elsewhere.path()).is_empty());
    }

    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = Store::in_folder(&metainfo, folder.path()).unwrap();
    let canary = elsewhere.path().join("one");
    fs::write(&canary, "mine!").unwrap();
    fs::rename(folder.path().join("story"), folder.path().join("moved away")).unwrap();
    symlink(elsewhere.path(), folder.path().join("story")).unwrap();
    let (verdict, error) = verify(&store, PieceIndex(0), cut(content.slice(..32)), false);
    assert_eq!(verdict, Verdict::StoreFailed, "{error:?}");
    assert!(error.unwrap().to_string().contains("symbolic link"));
    assert!(store.scan().is_empty());
    assert_eq!(fs::read_to_string(&canary).unwrap(), "mine!");
}
