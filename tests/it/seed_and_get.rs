//! `minibit seed` and `minibit get` as a user meets them: a file or a folder goes from one to the other.

use std::fs;
use std::path::Path;

use minibit::torrent::metainfo::Metainfo;
use serde_json::Value;

use crate::command::{Folder, Running};

/// Bytes that no two pieces share.
fn bytes(length: u32) -> Vec<u8> {
    (0..length.div_ceil(4))
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect::<Vec<u8>>()[..length as usize]
        .to_vec()
}

/// A seed without a tracker, and where it listens.
fn seed(folder: &Folder, content: &str, more: &[&str]) -> (Running, String) {
    let seed = folder.start(&[&["seed", content], more].concat());
    let addr = seed.says("listening on ");
    (seed, addr)
}

fn summary(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
#[cfg(unix)]
fn a_file_goes_from_seed_to_get_through_a_tracker() {
    let folder = Folder::new();
    let story = bytes(1_000_001);
    folder.file("story.txt", &story);
    let tracker = folder.start(&["tracker", "--http", "127.0.0.1:0", "--log"]);
    let url = tracker.says("listening on ");
    let seed = folder.start(&["seed", "story.txt", "--tracker", &url, "--private"]);
    let torrent = seed.says("torrent: ");
    assert_eq!(Path::new(&torrent), folder.path("story.txt.torrent").canonicalize().unwrap());
    tracker.says_somewhere("came");

    let got = folder.minibit(&["get", "story.txt.torrent", "--to", "new", "--quiet"]);
    let line = got.done();
    assert!(line.starts_with("complete: new/story.txt: 1000001 bytes in "), "{line}");
    assert!(line.ends_with("with 1 peer; sent 0 bytes, ratio 0.00\n"), "{line}");
    assert_eq!(got.stderr(), "");
    assert!(fs::read(folder.path("new/story.txt")).unwrap() == story);
    tracker.says_somewhere("left");

    // In good order: the tracker hears of it, and the seed says what it did.
    seed.interrupt();
    let said = seed.says("complete: ");
    assert!(
        said.contains("1000001 bytes; sent 1000001 bytes in ") && said.ends_with("to 1 peer, ratio 1.00"),
        "{said}"
    );
    tracker.says_somewhere("left");
    assert_eq!(seed.code(), 130);

    let metainfo = Metainfo::parse(&fs::read(torrent).unwrap()).unwrap();
    assert_eq!((metainfo.announce, metainfo.private), (vec![vec![url]], true));
}

#[test]
fn a_folder_goes_with_odd_lengths_and_an_empty_file_and_the_seed_leaves_at_its_ratio() {
    let folder = Folder::new();
    let files =
        [("all/first.bin", 30_001), ("all/nothing", 0), ("all/sub/deeper/x", 1), ("all/sub/y.bin", 70_003)];
    for (path, length) in files {
        folder.file(path, bytes(length));
    }
    let (seed, addr) = seed(&folder, "all", &["--piece-size", "16KiB", "--until-ratio", "1"]);
    let got = folder.minibit(&["get", "all.torrent", "--to", "new", "--peer", &addr, "--json"]);
    let said = summary(&got.done());
    assert_eq!(
        (&said["complete"], &said["downloaded_bytes"], &said["peers_most"]),
        (&true.into(), &100_005.into(), &1.into())
    );
    for (path, length) in files {
        assert!(fs::read(folder.path(&format!("new/{path}"))).unwrap() == bytes(length), "{path}");
    }
    assert_eq!(seed.code(), 0);

    // All is there: nobody is asked.
    let again = folder.minibit(&["get", "all.torrent", "--to", "new", "--peer", &addr, "--json"]);
    let said = summary(&again.done());
    assert_eq!((&said["already_there_bytes"], &said["peers_most"]), (&100_005.into(), &0.into()));
}

#[test]
#[allow(clippy::disallowed_methods)] // no event says that another process has written
fn a_download_that_was_killed_goes_on_with_what_is_there() {
    let folder = Folder::new();
    let story = bytes(640 * 1024);
    folder.file("story.txt", &story);
    let (_seed, addr) = seed(&folder, "story.txt", &["--piece-size", "16KiB"]);
    let get = ["get", "story.txt.torrent", "--to", "new", "--peer", &addr];
    let slow = folder.start(&[&get[..], &["--download", "400 KiB/s"]].concat());
    let begun = folder.path("new/story.txt");
    // Written from its end or its middle: some piece is there.
    let some = || {
        fs::read(&begun)
            .is_ok_and(|there| there.chunks(16_384).zip(story.chunks(16_384)).any(|(a, b)| a == b))
    };
    let seen = (0..5_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        some()
    });
    assert!(seen, "nothing came");
    drop(slow);
    assert!(fs::read(&begun).unwrap() != story, "it was too fast to be killed");

    let said = summary(&folder.minibit(&[&get[..], &["--json"]].concat()).done());
    let (already, downloaded) =
        (said["already_there_bytes"].as_u64().unwrap(), said["downloaded_bytes"].as_u64().unwrap());
    assert!(already >= 16_384, "{said}");
    assert_eq!(already + downloaded, story.len() as u64);
    assert!(fs::read(&begun).unwrap() == story);
}

#[test]
fn get_stays_as_a_seed_where_it_is_told_to_and_tells_its_address_to_others() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    let (first, addr) = seed(&folder, "story.txt", &["--until-ratio", "1"]);
    let get = |to| vec!["get", "story.txt.torrent", "--to", to];
    let stays = folder.start(&[&get("one")[..], &["--peer", &addr, "--stay"]].concat());
    let addr = stays.says("listening on ");
    // The first seed is gone when the second comes: only the one that stays has it.
    assert_eq!(first.code(), 0);
    folder.minibit(&[&get("two")[..], &["--peer", &addr]].concat()).done();
    assert!(fs::read(folder.path("two/story.txt")).unwrap() == bytes(50_000));
}

#[test]
fn a_get_that_finds_nobody_gives_up_in_time_and_says_why() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    folder.minibit(&["seed", "story.txt", "--for", "100 ms"]).done();
    let get = ["get", "story.txt.torrent", "--to", "new"];
    folder.minibit(&get).fails(2, "name one with --tracker URL, or a peer with --peer");
    let nobody = [&get[..], &["--tracker", "http://127.0.0.1:1/announce", "--timeout", "300 ms"]].concat();
    let gave_up = folder.minibit(&nobody);
    gave_up.fails(3, "not complete within the --timeout: 0 of 4 pieces; no peer was reached");
    assert!(gave_up.stdout().starts_with("incomplete: new/story.txt: 0 bytes in "), "{}", gave_up.stdout());
}

#[test]
fn a_get_of_another_torrent_gets_nothing_from_a_seed_and_the_seed_stays() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    folder.file("other.txt", bytes(60_000));
    folder.minibit(&["seed", "other.txt", "--for", "50 ms"]).done();
    let (_seed, addr) = seed(&folder, "story.txt", &[]);
    let get =
        |torrent| folder.minibit(&["get", torrent, "--to", "new", "--peer", &addr, "--timeout", "500 ms"]);
    get("other.txt.torrent").fails(3, "no peer was reached: is anybody there who seeds it");
    get("story.txt.torrent").done();
}

#[test]
fn what_is_not_what_the_torrent_describes_is_not_seeded() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    folder.file("all/a", bytes(7));
    let brief = ["--for", "50 ms"];
    folder.minibit(&[&["seed", "story.txt"], &brief[..]].concat()).done();
    folder.minibit(&[&["seed", "all"], &brief[..]].concat()).done();
    // What is there is used again.
    let before = folder.everything();
    folder.minibit(&[&["seed", "story.txt"], &brief[..]].concat()).done();
    assert!(folder.everything() == before);

    folder.minibit(&["seed", "story.txt", "--piece-size", "32KiB"]).fails(2, "exists and says otherwise");
    folder.minibit(&["seed", "story.txt.torrent"]).fails(2, "minibit seed FILE --torrent");
    folder.minibit(&["seed", "none"]).fails(2, "cannot read none");
    folder.minibit(&["seed", "none", "--until-ratio", "-1"]).fails(2, "a ratio is not negative");
    folder
        .minibit(&["seed", "all", "--torrent", "all/t.torrent"])
        .fails(2, "in the folder that it describes");
    folder.minibit(&["seed", "all", "--torrent", "story.txt.torrent"]).fails(2, "all is no file");
    folder.file("story.txt", bytes(50_001));
    folder.minibit(&["seed", "story.txt"]).fails(2, "has 50001 bytes, not 50000; name another --torrent");
    folder.file("story.txt", [1; 50_000]);
    folder.minibit(&["seed", "story.txt"]).fails(2, "4 of 4 pieces differ");
    fs::remove_file(folder.path("all/a")).unwrap();
    folder.minibit(&["seed", "all"]).fails(2, "is no file");
    assert!(!folder.path("all/a").exists(), "nothing is made in its place");
    folder.minibit(&["get", "story.txt", "--peer", "127.0.0.1:1"]).fails(2, "story.txt is no torrent");
}

#[test]
fn get_leaves_alone_whatever_else_its_folder_holds() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    let others = ["new/blocks/block_0.bin", "new/blocks/block_1.bin.tmp", "new/story.txt.part"];
    others.iter().for_each(|path| drop(folder.file(path, "mine")));
    let (_seed, addr) = seed(&folder, "story.txt", &[]);
    let said = folder.minibit(&["get", "story.txt.torrent", "--to", "new", "--peer", &addr]).done();
    assert!(said.starts_with("complete: new/story.txt"), "{said}");
    assert!(fs::read(folder.path("new/story.txt")).unwrap() == bytes(50_000));
    for path in others {
        assert_eq!(fs::read(folder.path(path)).unwrap(), b"mine", "{path}");
    }
    assert_eq!(fs::read_dir(folder.path("new")).unwrap().count(), 3);
    assert_eq!(fs::read_dir(folder.path("new/blocks")).unwrap().count(), 2);
}

#[test]
#[cfg(unix)]
fn a_seed_leaves_a_torrent_alone_that_is_not_its_own() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    let link = folder.path("link.torrent");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    let to_link = ["seed", "story.txt", "--torrent", "link.torrent"];
    folder.minibit(&to_link).fails(2, "a symbolic link that leads nowhere; remove it");
    assert!(link.is_symlink() && !link.exists());

    // All come at once: whoever is late says so, or takes what the first one made.
    folder.file("large", bytes(4_000_000));
    let seeds: Vec<Running> = (0..4).map(|_| folder.start(&["seed", "large", "--for", "300 ms"])).collect();
    let codes: Vec<i32> = seeds.into_iter().map(Running::code).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 1].contains(code)), "{codes:?}");
    let torrent = fs::read(folder.path("large.torrent")).unwrap();
    assert_eq!(Metainfo::parse(&torrent).unwrap().total(), 4_000_000);
    assert_eq!(folder.everything().len(), 4, "nothing is left beside it");
}

#[test]
#[cfg(target_os = "linux")]
fn a_seed_never_changes_what_it_shares_and_ends_where_somebody_else_does() {
    type Change = fn(&Path);
    let changes: [(&str, Change, &str); 5] = [
        ("story.txt", |path| fs::write(path, [1; 50_000]).unwrap(), "has changed since it was opened"),
        ("story.txt", |path| fs::write(path, "short").unwrap(), "has changed since it was opened"),
        ("all/a", |path| fs::write(path, [1; 50_000]).unwrap(), "has changed since it was opened"),
        ("all/a", |path| fs::remove_file(path).unwrap(), "No such file"),
        (
            "all/a",
            |path| fs::rename(path.with_file_name("../other"), path).unwrap(),
            "has changed since it was opened",
        ),
    ];
    for (changed, change, reason) in changes {
        let folder = Folder::new();
        let content = changed.split('/').next().unwrap();
        let path = folder.file(changed, bytes(50_000));
        if content == "all" {
            folder.file("all/b", [2; 50_000]);
            folder.file("other", [3; 50_000]);
        }
        let seed = folder.start_with_log(&["seed", content], "log");
        let addr = seed.says("listening on ");
        change(&path);
        let before = fs::read(&path).ok();
        let torrent = format!("{content}.torrent");
        let _get = folder.start(&["get", &torrent, "--to", "new", "--peer", &addr]);
        let said = seed.says("incomplete: ");
        assert!(said.contains("are missing; sent "), "{said}");
        assert_eq!(seed.code(), 1);
        let log = fs::read_to_string(folder.path("log")).unwrap();
        assert!(log.contains(changed) && log.contains(reason), "{log}");
        assert!(log.contains(&format!("it is no longer what {}", folder.path("").display())), "{log}");
        assert!(!log.contains("could not"), "{log}");
        assert!(fs::read(&path).ok() == before, "{changed}: {reason}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_was_only_touched_under_its_seed_is_still_shared() {
    let folder = Folder::new();
    let path = folder.file("story.txt", bytes(50_000));
    let (_seed, addr) = seed(&folder, "story.txt", &[]);
    fs::write(path, bytes(50_000)).unwrap();
    folder.minibit(&["get", "story.txt.torrent", "--to", "new", "--peer", &addr]).done();
    assert!(fs::read(folder.path("new/story.txt")).unwrap() == bytes(50_000));
}

#[test]
fn get_replaces_no_file_of_another_content_and_resumes_its_own() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    folder.file("all/a", bytes(50_000));
    folder.file("all/b", [0; 20_000]);
    let (_one, addr) = seed(&folder, "story.txt", &[]);
    let get = ["get", "story.txt.torrent", "--to", "new", "--peer", &addr];
    let other: Vec<u8> = bytes(50_000).iter().map(|byte| !byte).collect();
    folder.file("new/story.txt", &other);
    folder.minibit(&get).fails(2, "new/story.txt is there and holds nothing of what the torrent describes");
    assert!(fs::read(folder.path("new/story.txt")).unwrap() == other);
    // One piece of it is right: it was begun.
    folder.file("new/story.txt", [&bytes(50_000)[..16_384], &other[16_384..]].concat());
    let said = folder.minibit(&get).done();
    assert!(said.contains("16384 bytes were there"), "{said}");
    assert!(fs::read(folder.path("new/story.txt")).unwrap() == bytes(50_000));
    // Begun, and nothing has come: some systems write the zeros.
    folder.file("new/story.txt", [0; 50_000]);
    folder.minibit(&get).done();

    // Zeros are right by accident, and what is missing is not made.
    let (_all, addr) = seed(&folder, "all", &[]);
    let get = ["get", "all.torrent", "--to", "new", "--peer", &addr];
    folder.file("new/all/a", &other);
    folder.minibit(&get).fails(2, "new/all is there and holds nothing of what the torrent describes");
    assert!(fs::read(folder.path("new/all/a")).unwrap() == other && !folder.path("new/all/b").exists());
    folder.file("new/all/a", [&bytes(50_000)[..16_384], &other[16_384..]].concat());
    folder.minibit(&get).done();
    assert!(fs::read(folder.path("new/all/a")).unwrap() == bytes(50_000));
    assert!(fs::read(folder.path("new/all/b")).unwrap() == [0; 20_000]);
}

#[test]
#[cfg(unix)]
fn what_stands_in_the_place_of_a_folders_file_is_left_alone_and_said() {
    let folder = Folder::new();
    folder.file("all/a", bytes(50_000));
    folder.file("all/b", bytes(20_000));
    let (_seed, addr) = seed(&folder, "all", &[]);
    let get = ["get", "all.torrent", "--to", "new", "--peer", &addr];
    folder.file("new/all/a", bytes(49_999));
    folder.minibit(&get).fails(2, "new/all/a is another file than the torrent's");
    fs::remove_file(folder.path("new/all/a")).unwrap();
    std::os::unix::fs::symlink("../../all/a", folder.path("new/all/a")).unwrap();
    folder.minibit(&get).fails(2, "new/all/a is a symbolic link");
    assert!(!folder.path("new/all/b").exists());
}

#[test]
fn where_a_port_is_in_use_nothing_is_made_and_nothing_said_but_what_helps() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    folder.file("other.txt", bytes(50_000));
    let (_seed, addr) = seed(&folder, "story.txt", &[]);
    let before = folder.everything();
    let get = ["get", "story.txt.torrent", "--to", "new", "--peer", &addr, "--listen", &addr];
    for command in [&get[..], &["seed", "other.txt", "--listen", &addr]] {
        let refused = folder.minibit(command);
        refused.fails(1, "choose another --listen");
        assert_eq!(refused.stdout(), "");
        assert!(folder.everything() == before);
    }
}

#[test]
fn a_seed_says_which_name_is_not_for_everybody_and_which_tracker_the_torrent_lacks() {
    let folder = Folder::new();
    folder.file("all/CON", "x");
    folder.minibit(&["seed", "all"]).fails(2, "all/CON: the name \"CON\" is a device on Windows; rename it");
    folder.file("cases/name", "x");
    folder.file("cases/NAME", "x");
    if fs::read_dir(folder.path("cases")).unwrap().count() == 2 {
        folder.minibit(&["seed", "cases"]).fails(2, "differ only in upper and lower case");
    }
    folder.file("story.txt", bytes(50_000));
    let seed = |more: &[&str]| folder.minibit(&[&["seed", "story.txt", "--for", "50 ms"], more].concat());
    assert!(!seed(&[]).stderr().contains("does not name"));
    let url = "http://127.0.0.1:1/announce";
    let lacking = seed(&["--tracker", url]);
    lacking.done();
    let note = format!("story.txt.torrent does not name that tracker; others need it too: --tracker {url}");
    assert!(lacking.stderr().contains(&note), "{}", lacking.stderr());
    let another = seed(&["--tracker", url, "--torrent", "another.torrent"]);
    another.done();
    assert!(!another.stderr().contains("does not name"), "{}", another.stderr());
}

#[test]
fn who_has_everything_needs_nobody() {
    let folder = Folder::new();
    folder.file("story.txt", bytes(50_000));
    folder.minibit(&["seed", "story.txt", "--for", "50 ms"]).done();
    let said = folder.minibit(&["get", "story.txt.torrent"]).done();
    assert!(said.starts_with("complete: ./story.txt: 50000 bytes"), "{said}");
    folder.minibit(&["get", "story.txt.torrent", "--to", "new"]).fails(2, "name one with --tracker");
    assert!(!folder.path("new").exists(), "nothing is made for nothing");
}
