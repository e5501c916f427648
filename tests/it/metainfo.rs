//! Metainfo against another client's: torrents of one folder, made by libtorrent 2.1.1, which also gave the hashes.

use minibit::torrent::metainfo::{Metainfo, MetainfoError};

const V1: &[u8] = include_bytes!("torrents/libtorrent-v1.torrent");
const HYBRID: &[u8] = include_bytes!("torrents/libtorrent-hybrid.torrent");
const V2: &[u8] = include_bytes!("torrents/libtorrent-v2.torrent");

fn written(metainfo: &Metainfo) -> Vec<(&str, u64)> {
    let files = metainfo.files.iter().filter(|file| !file.padding);
    files.map(|file| (&*file.path, file.length)).collect()
}

#[test]
fn a_v1_torrent_of_libtorrent_is_read_alike() {
    let metainfo = Metainfo::parse(V1).unwrap();
    assert_eq!(metainfo.info_hash.to_string(), "c957e6257d7e8d4bc957e752caa079598e7d0554");
    assert_eq!(written(&metainfo), [("many/sub dir/é", 70_000), ("many/a", 50_000)]);
    assert_eq!(metainfo.announce, [["http://127.0.0.1:1/announce"]]);
    assert_eq!(metainfo.layout.block_size(), 16_384);
    assert!(!metainfo.private && !metainfo.is_single_file());
}

#[test]
fn a_hybrid_torrent_of_libtorrent_is_read_as_v1_with_its_padding() {
    let metainfo = Metainfo::parse(HYBRID).unwrap();
    assert_eq!(metainfo.info_hash.to_string(), "9c1a1039522e7dc5b797993c69caa11d97d5fd4a");
    assert_eq!(written(&metainfo), [("many/a", 50_000), ("many/sub dir/é", 70_000)]);
    assert!(metainfo.files.iter().any(|file| file.padding) && metainfo.total() > 120_000);
}

#[test]
fn a_v2_torrent_of_libtorrent_is_refused_by_name() {
    assert_eq!(Metainfo::parse(V2), Err(MetainfoError::V2Only));
}
