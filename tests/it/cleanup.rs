//! `minibit cleanup` among a user's own files.

use std::path::{Path, PathBuf};

use crate::command::{Folder, Ran};

const MANIFEST: &str = "generator = \"minibit\"\n";

/// A folder in which a file was split, with the user's own files around and in the way.
fn split_among_canaries() -> Folder {
    let folder = Folder::new();
    folder.file("a file", [1; 5_000]);
    folder.file("notes.txt", "mine");
    folder.file("peers_backup/.minibit/peer_1", "mine");
    folder.file(".minibit-notes/idea.txt", "mine");
    folder.file("old/peers/peer_1/blocks/block_0.bin", "mine");
    folder.file("results/README.md", "explains");
    folder
}

#[test]
fn everything_that_split_made_goes_and_nothing_else_changes() {
    let folder = split_among_canaries();
    let before = folder.everything();
    folder.minibit(&["split", "a file", "--peers", "3"]).done();
    folder.file("peers/peer_2/a file", "rebuilt");
    let printed = folder.minibit(&["cleanup"]).done();
    assert!(printed.contains("removed: ./peers (3 peers of a file.torrent)"), "{printed}");
    assert!(folder.everything() == before);
    assert_eq!(folder.minibit(&["cleanup"]).done(), "nothing to remove in .\n");
    assert!(folder.everything() == before);
}

#[test]
fn a_dry_run_says_the_same_and_removes_nothing() {
    let folder = split_among_canaries();
    folder.minibit(&["split", "a file", "--peers", "3"]).done();
    let before = folder.everything();
    let planned = folder.minibit(&["cleanup", "--dry-run"]).done();
    assert!(folder.everything() == before);
    let removed = folder.minibit(&["cleanup"]).done();
    assert_eq!(planned.replace("would remove", "removed"), removed);
}

#[test]
fn files_of_the_user_among_those_of_minibit_stay_and_are_named() {
    let folder = split_among_canaries();
    let mut mine = folder.everything();
    folder.minibit(&["split", "a file", "--peers", "3"]).done();
    for ours in ["peer_2/a file", "peer_2/a file.part", "peer_1/blocks/block_0.tmp"] {
        folder.file(&format!("peers/{ours}"), "MiniBit's");
    }
    let canaries = [
        "peers/a file",
        "peers/mine.txt",
        "peers/own/deep/block_0.bin",
        "peers/peer_01/blocks/block_0.bin",
        "peers/peer_1/a file.torrent",
        "peers/peer_1/blocks/block_0.bin.bak",
        "peers/peer_1/note",
        "peers/peer_3/blocks/more/block_0.bin",
    ];
    for canary in canaries {
        folder.file(canary, "mine");
        mine.insert(canary.into(), Some(b"mine".to_vec()));
        let parents = Path::new(canary).ancestors().skip(1).filter(|parent| *parent != Path::new(""));
        mine.extend(parents.map(|parent| (parent.to_owned(), None)));
    }
    let before = folder.everything();
    let named = |ran: &Ran| {
        let stderr = ran.stderr();
        for canary in ["a file", "mine.txt", "own", "peer_01", "peer_1/note", "peer_3/blocks/more"] {
            assert!(stderr.contains(&format!("left alone: ./peers/{canary} (not")), "{canary}: {stderr}");
        }
        assert_eq!(stderr.lines().count(), canaries.len(), "{stderr}");
    };

    let planned = folder.minibit(&["cleanup", "--dry-run"]);
    named(&planned);
    assert!(planned.done().contains("only what is MiniBit's"), "{}", planned.stdout());
    assert!(folder.everything() == before);
    folder
        .minibit(&["split", "a file", "--peers", "2"])
        .fails(2, "./peers/a file, ./peers/mine.txt, ./peers/own");
    assert!(folder.everything() == before);

    let removed = folder.minibit(&["cleanup"]);
    named(&removed);
    assert_eq!(planned.stdout().replace("would remove", "removed"), removed.done());
    assert_eq!(folder.everything(), mine);
}

#[test]
fn another_place_is_cleaned_where_asked_and_only_there() {
    let folder = split_among_canaries();
    folder.minibit(&["split", "a file", "--peers", "1"]).done();
    let before = folder.everything();
    folder.minibit(&["split", "a file", "--peers", "2", "--out", "there/deep"]).done();
    folder.minibit(&["cleanup", "--out", "there/deep"]).done();
    assert!(!folder.path("there/deep/peers").exists());
    std::fs::remove_dir_all(folder.path("there")).unwrap();
    assert!(folder.everything() == before);
    folder.minibit(&["cleanup", "--out", "nowhere"]).fails(2, "no such folder");
}

#[test]
fn a_peers_folder_of_somebody_else_is_left_alone_and_mentioned() {
    let folder = Folder::new();
    folder.file("peers/peer_1/blocks/block_0.bin", "mine");
    folder.file("peers/.minibit", "generator = \"other\"");
    let before = folder.everything();
    let ran = folder.minibit(&["cleanup", "--results"]);
    assert_eq!(ran.done(), "nothing to remove in .\n");
    assert!(ran.stderr().contains("not made by MiniBit"));
    assert!(folder.everything() == before);
}

#[test]
fn what_a_killed_split_left_goes_too() {
    let folder = Folder::new();
    folder.file(".minibit-split-1-0/.minibit", MANIFEST);
    folder.file(".minibit-split-1-0/peer_1/blocks/block_0.bin", "half");
    std::fs::create_dir(folder.path(".minibit-old-2-0")).unwrap();
    folder.minibit(&["cleanup"]).done();
    assert!(folder.everything().is_empty(), "{:?}", folder.everything().keys());
}

#[cfg(unix)]
#[test]
fn links_are_never_followed() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let canary = folder.file("canary/file", "mine");
    folder.file("canary/.minibit", MANIFEST);
    folder.file("canary/MANIFEST.toml", MANIFEST);
    folder.file("canary/runs/1/completions.csv", "mine");
    folder.file("a", [1; 2_000]);
    folder.minibit(&["split", "a", "--peers", "1", "--out", "there"]).done();
    let before = folder.everything();
    symlink("../../canary", folder.path("there/peers/peer_1/link")).unwrap();
    symlink(&canary, folder.path("there/peers/link")).unwrap();
    symlink("../canary", folder.path("there/results")).unwrap();
    symlink("../canary", folder.path("there/.minibit")).unwrap();
    symlink("../canary", folder.path("there/.minibit-split-9-9")).unwrap();
    folder.minibit(&["cleanup", "--results", "--out", "there"]).done();
    assert!(!folder.path("there/peers/peer_1/blocks").exists());
    for link in ["there/peers/peer_1/link", "there/peers/link"] {
        assert!(folder.path(link).is_symlink(), "{link} is the user's");
    }
    for (path, content) in before.iter().filter(|(path, _)| path.starts_with("canary")) {
        assert_eq!(folder.everything().get(path), Some(content), "{}", path.display());
    }
}

#[test]
fn results_go_only_when_asked_and_only_what_minibit_wrote() {
    let folder = Folder::new();
    folder.file("results/README.md", "explains");
    folder.file("results/other/MANIFEST.toml", "name = \"a cargo project\"");
    folder.file("results/other/runs/1", "not MiniBit's");
    folder.file("results/kept/MANIFEST.toml", MANIFEST);
    folder.file("results/kept/KEEP", "for the thesis");
    folder.file("results/reference/10peers/MANIFEST.toml", MANIFEST);
    folder.file("results/reference/10peers/runs.csv", "the reference run");
    folder.file("results/annotated/notes.txt", "mine");
    let before = folder.everything();
    for name in ["results/10peers", "results/annotated", "elsewhere/mine"] {
        folder.file(&format!("{name}/MANIFEST.toml"), MANIFEST);
        folder.file(&format!("{name}/runs/abc/completions.csv"), "peer");
        folder.file(&format!("{name}/comparison.csv"), "ratio");
    }
    let with_results = folder.everything();
    folder.minibit(&["cleanup"]).done();
    assert!(folder.everything() == with_results);

    let printed = folder.minibit(&["cleanup", "--results"]).done();
    assert_eq!(printed, "removed: ./results/10peers (results)\nremoved: ./results/annotated (results)\n");
    folder.minibit(&["cleanup", "--results", "--out", "elsewhere"]).done();
    assert!(!folder.path("elsewhere/mine").exists());
    let mut expected = before;
    expected.insert(PathBuf::from("elsewhere"), None);
    assert!(folder.everything() == expected);
    assert_eq!(folder.minibit(&["cleanup", "--results"]).done(), "nothing to remove in .\n");
}
