use std::collections::BTreeMap;

use super::*;
use crate::torrent::bencode::BencodeError;
use proptest::prelude::*;

/// A bencoded string.
fn s(text: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("{}:", text.as_ref().len()).as_bytes(), text.as_ref()].concat()
}

fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> = entries.iter().flat_map(|(key, value)| [s(key), value.clone()].concat()).collect();
    [b"d", &body[..], b"e"].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"l", &items.concat()[..], b"e"].concat()
}

fn i(number: i64) -> Vec<u8> {
    format!("i{number}e").into_bytes()
}

/// The usual entries of `info` for five bytes in two pieces, with some replaced, added or (empty) left out.
fn torrent(changes: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let usual = [("length", i(5)), ("name", s("a")), ("piece length", i(4)), ("pieces", s([7; 40]))];
    let mut info: BTreeMap<&str, Vec<u8>> = usual.into_iter().collect();
    info.extend(changes.iter().cloned());
    info.retain(|_, value| !value.is_empty());
    dict(&[("info", dict(&info.into_iter().collect::<Vec<_>>()))])
}

/// A torrent of several files of one byte each, in one piece.
fn folder(files: &[&[&str]]) -> Vec<u8> {
    let file =
        |path: &&[&str]| dict(&[("length", i(1)), ("path", list(&path.iter().map(s).collect::<Vec<_>>()))]);
    let files_value = list(&files.iter().map(file).collect::<Vec<_>>());
    let changes =
        [("length", vec![]), ("files", files_value), ("piece length", i(1 << 20)), ("pieces", s([7; 20]))];
    torrent(&changes)
}

fn error(bytes: &[u8]) -> String {
    Metainfo::parse(bytes).unwrap_err().to_string()
}

#[test]
fn the_info_hash_is_that_of_the_bytes_as_they_stand() {
    // Unknown keys inside `info` count too.
    let bytes = torrent(&[("zz", list(&[i(-3)]))]);
    let info = &bytes[b"d4:info".len()..bytes.len() - 1];
    let metainfo = Metainfo::parse(&bytes).unwrap();
    assert_eq!(metainfo.info_hash.0, PieceHash::of([info]).0);
    assert_ne!(metainfo.info_hash, Metainfo::parse(&torrent(&[])).unwrap().info_hash);
}

#[test]
fn a_foreign_torrent_gets_blocks_that_every_client_accepts() {
    let layout = |piece_size, pieces: usize| {
        let changes =
            [("length", i(100_000)), ("piece length", i(piece_size)), ("pieces", s(vec![0; 20 * pieces]))];
        Metainfo::parse(&torrent(&changes)).unwrap().layout
    };
    assert_eq!(layout(65_536, 2).block_size(), 16_384);
    assert_eq!(layout(1_000, 100).block_size(), 1_000);
    assert_eq!(layout(50_000, 2).blocks(), 8);
}

#[test]
fn an_empty_file_has_no_piece() {
    let metainfo = Metainfo::parse(&torrent(&[("length", i(0)), ("pieces", s(""))])).unwrap();
    assert_eq!((metainfo.total(), metainfo.layout.pieces()), (0, 0));
}

#[test]
fn several_files_lie_in_a_folder_of_the_torrents_name() {
    let metainfo =
        Metainfo::parse(&folder(&[&["x.txt"], &["sub folder", "\u{e1}"], &["sub folder", "y"]])).unwrap();
    let paths: Vec<&str> = metainfo.files.iter().map(|file| &*file.path).collect();
    assert_eq!(paths, ["a/x.txt", "a/sub folder/\u{e1}", "a/sub folder/y"]);
    assert_eq!(metainfo.total(), 3);
    assert!(!metainfo.is_single_file());
    assert!(Metainfo::parse(&torrent(&[])).unwrap().is_single_file());
}

#[test]
fn paths_that_lead_out_or_meet_are_refused() {
    for path in [&[".."][..], &["x", "..", "y"], &["/etc/passwd"], &["a\\b"], &[""], &["C:"], &["x\0"], &[]] {
        assert!(Metainfo::parse(&folder(&[path])).is_err(), "{path:?} is accepted");
    }
    assert!(Metainfo::parse(&folder(&[&["x"; 65]])).is_err());
    for files in [[&["x"][..], &["x"]], [&["x"], &["X"]], [&["x"], &["x", "y"]], [&["x", "y"], &["x"]]] {
        assert!(error(&folder(&files)).contains("occurs twice"), "{files:?}");
    }
    assert!(Metainfo::parse(&folder(&[&["x"], &["x!"], &["x y", "z"], &["xy"]])).is_ok());
    for name in ["", "..", "a/b", "/abs"] {
        assert!(matches!(Metainfo::parse(&torrent(&[("name", s(name))])), Err(MetainfoError::Name(_))));
    }
}

#[test]
fn padding_is_known_as_such_and_symbolic_links_are_refused() {
    let with_attr = |attr: &str| {
        let file = dict(&[("attr", s(attr)), ("length", i(1)), ("path", list(&[s(".pad"), s("1")]))]);
        let files = list(&[file.clone(), file]);
        torrent(&[("length", vec![]), ("files", files), ("pieces", s([7; 20]))])
    };
    let metainfo = Metainfo::parse(&with_attr("p")).unwrap();
    assert!(metainfo.files.iter().all(|file| file.padding));
    assert!(error(&with_attr("l")).contains("symbolic link"));
}

#[test]
fn v2_only_is_refused_by_name_and_a_hybrid_is_read_as_v1() {
    let tree = ("file tree", dict(&[]));
    let v2 = torrent(&[("length", vec![]), ("pieces", vec![]), tree.clone(), ("meta version", i(2))]);
    assert_eq!(Metainfo::parse(&v2), Err(MetainfoError::V2Only));
    assert!(error(&v2).contains("BitTorrent v2"));
    let hybrid = torrent(&[tree, ("meta version", i(2))]);
    assert_eq!(Metainfo::parse(&hybrid).unwrap().layout.pieces(), 2);
}

#[test]
fn only_the_integer_one_makes_a_torrent_private() {
    let private = |value| Metainfo::parse(&torrent(&[("private", value)])).unwrap().private;
    assert!(private(i(1)));
    assert!(!private(i(0)) && !private(s("1")) && !private(vec![]));
}

#[test]
fn a_tracker_list_is_kept_in_tiers_and_stands_above_the_single_tracker() {
    let with = |top: &[(&str, Vec<u8>)]| {
        let info = torrent(&[]);
        let info = info[b"d4:info".len()..info.len() - 1].to_vec();
        let mut entries: Vec<(&str, Vec<u8>)> = top.to_vec();
        entries.push(("info", info));
        Metainfo::parse(&dict(&entries)).map(|metainfo| metainfo.announce)
    };
    let tiers = list(&[list(&[s("http://a"), s("")]), list(&[]), list(&[s("udp://b"), s("c")])]);
    let expected = Ok(vec![vec!["http://a".to_owned()], vec!["udp://b".to_owned(), "c".to_owned()]]);
    assert_eq!(with(&[("announce", s("z")), ("announce-list", tiers)]), expected);
    assert_eq!(with(&[("announce", s("z")), ("announce-list", list(&[]))]), Ok(vec![vec!["z".to_owned()]]));
    let blank = list(&[list(&[s("")])]);
    assert_eq!(with(&[("announce", s("z")), ("announce-list", blank)]), Ok(vec![vec!["z".to_owned()]]));
    assert_eq!(with(&[("announce", s(""))]), Ok(vec![]));
    assert!(with(&[("announce", s([0xff]))]).is_err());
    assert!(with(&[("announce-list", list(&[s("a")]))]).is_err());
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("name", vec![], "`name` is missing"),
        ("pieces", vec![], "`pieces` is missing"),
        ("piece length", vec![], "`piece length` is missing"),
        ("length", vec![], "either `length` or `files`"),
        ("files", list(&[]), "either `length` or `files`"),
        ("length", i(-1), "zero or more"),
        ("length", s("5"), "an integer"),
        ("length", i(i64::MAX), "are more than 2097152 pieces"),
        ("piece length", i(0), "`piece length` must be"),
        ("piece length", i(1 << 40), "`piece length` must be"),
        ("pieces", s([0; 39]), "20 bytes for each piece"),
        ("pieces", s([0; 60]), "lists 3 pieces, but the content has 2"),
        ("name", s([0xff, 0xfe]), "UTF-8"),
        ("name", i(1), "a string"),
    ];
    for (key, value, expected) in cases {
        let message = error(&torrent(&[(key, value)]));
        assert!(message.contains(expected), "{key}: {message}");
    }
    assert_eq!(Metainfo::parse(b"le"), Err(MetainfoError::NotADictionary));
    assert_eq!(Metainfo::parse(b"de"), Err(MetainfoError::Missing { key: "info" }));
    assert!(error(b"d4:infolee").contains("a dictionary"));
    let trailing = [torrent(&[]), b"\n".to_vec()].concat();
    assert!(matches!(Metainfo::parse(&trailing), Err(MetainfoError::Bencode(_))));
}

#[test]
fn lengths_that_overflow_together_are_refused() {
    let file = |name| dict(&[("length", i(i64::MAX)), ("path", list(&[s(name)]))]);
    let files = list(&[file("x"), file("y"), file("z")]);
    assert!(error(&torrent(&[("length", vec![]), ("files", files)])).contains("length"));
}

#[test]
fn a_stored_block_size_must_fit_the_piece() {
    let with = |block_size| {
        let mut bytes = torrent(&[]);
        bytes.pop();
        bytes.extend([s("minibit block size"), block_size, b"e".to_vec()].concat());
        Metainfo::parse(&bytes).map(|metainfo| metainfo.layout.block_size())
    };
    assert_eq!(with(i(3)), Ok(3));
    for wrong in [i(0), i(-1), i(5), i(i64::MAX), s("2")] {
        assert!(with(wrong).unwrap_err().to_string().contains("block size"));
    }
}

#[test]
fn a_key_that_occurs_twice_or_out_of_order_is_refused() {
    for bytes in [&b"d4:infode4:infodee"[..], b"d4:infod4:name1:a4:name1:bee", b"d4:infod4:name1:a3:abc0:ee"]
    {
        let refused = Metainfo::parse(bytes);
        assert!(matches!(refused, Err(MetainfoError::Bencode(BencodeError::Malformed(_)))), "{refused:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Metainfo::parse(&bytes);
    }

    #[test]
    fn a_good_file_with_bytes_changed_cut_or_inserted_never_panics(
        several: bool, at in any::<prop::sample::Index>(), byte: u8, kind in 0..3u8,
    ) {
        let mut bytes = if several { folder(&[&["x"], &["y", "z"]]) } else { torrent(&[("private", i(1))]) };
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, byte),
        }
        if let Ok(metainfo) = Metainfo::parse(&bytes) {
            prop_assert_eq!(metainfo.piece_hashes.len(), metainfo.layout.pieces() as usize);
            prop_assert!(metainfo.files.iter().all(|file| file.path.split('/').all(|name| check_name(name).is_ok())));
        }
    }
}
