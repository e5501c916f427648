//! What needs a machine of its own: the ports that a user gets without asking, and a disk that is full. Linux gives
//! both in namespaces; where it does not, that is said and nothing is tested.

use std::io::Write as _;
use std::process::Command;

use super::Swarm;
use crate::command::{Folder, Ran};

/// A shell script in namespaces of its own, in this folder, where `minibit` is the program under test. What it starts
/// in the background it ends.
fn alone(folder: &Folder, namespaces: &[&str], script: &str) -> Option<Ran> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.arg("--map-root-user").args(namespaces);
        command
    };
    let allowed = unshare().arg("true").output().is_ok_and(|output| output.status.success());
    if !allowed {
        // Past the test's own capture: nobody shall take this for a pass.
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: this machine allows no unshare {}", namespaces.join(" "));
        return None;
    }
    let minibit = folder.command(&[]);
    let program = minibit.get_program();
    let mut command = unshare();
    command.args(["bash", "-euc", &format!("minibit() {{ \"$MINIBIT\" \"$@\"; }}\n{script}")]);
    command.env("MINIBIT", program).env("NO_COLOR", "1").current_dir(folder.path(""));
    Some(Ran::of(command))
}

#[test]
fn the_commands_of_the_readme_work_as_they_are_typed() {
    let readme = include_str!("../../../README.md");
    let typed = readme.lines().find(|line| line.starts_with("minibit split historia.txt")).unwrap();
    assert!(typed.ends_with("&& minibit stop && minibit cleanup"), "{typed}");
    let swarm = Swarm { folder: Folder::new(), story: Vec::new() };
    swarm.folder.file("historia.txt", include_bytes!("../../../historia.txt"));
    let Some(ran) = alone(&swarm.folder, &["--net"], &format!("ip link set lo up\n{typed}\n")) else {
        return;
    };
    let printed = ran.done();
    for said in ["tracker listens on http://127.0.0.1:6969/announce", "peer_5 listens on", "tracker stopped"]
    {
        assert!(printed.contains(said), "{said:?} is not in:\n{printed}");
    }
    assert_eq!(swarm.folder.everything().len(), 1, "only the user's file is left");
}

#[test]
fn a_full_disk_is_said_by_whoever_meets_it_and_space_is_all_it_takes_to_go_on() {
    let folder = Folder::new();
    folder.file("story.txt", vec![7; 200_000]);
    let script = r#"
        trap 'minibit stop --within "2 s" >&2 || true' EXIT
        mkdir small && mount -t tmpfs -o size=1m tmpfs small && cd small
        fill() { cat /dev/zero > filler 2>/dev/null || true; }

        fill
        minibit split ../story.txt --peers 2 && exit 50
        echo "split: $?"
        minibit start tracker --http 127.0.0.1:0 && exit 51
        echo "start: $?"
        [[ ! -e .minibit-swarm ]] || exit 52

        rm filler
        minibit split ../story.txt --peers 2 --distribution single-seed --block-size 16KiB
        minibit start tracker --http 127.0.0.1:0
        fill
        minibit start peers && exit 53
        echo "peers: $?"
        minibit status --json

        rm filler
        minibit start peers --upload "20 KiB/s"
        fill
        for _ in {1..200}; do minibit status > ../status || break; sleep 0.1; done
        cat ../status
        minibit logs peer_2
        minibit stop && echo "all stopped"

        rm filler
        minibit start tracker --http 127.0.0.1:0
        minibit start peers
        for _ in {1..200}; do cmp --silent peers/peer_2/story.txt ../story.txt && break; sleep 0.1; done
        cmp peers/peer_2/story.txt ../story.txt && echo "the same story"
        minibit stop
        minibit cleanup
        ls -A | wc -l
    "#;
    let Some(ran) = alone(&folder, &["--mount"], script) else { return };
    let printed = ran.done();
    for refused in ["split: 1", "start: 1", "peers: 1"] {
        assert!(printed.contains(refused), "{printed}");
    }
    let advice = "free some space";
    assert_eq!(ran.stderr().lines().filter(|line| line.contains(advice)).count(), 4, "{}", ran.stderr());
    // By its records or, where those do not fit any more, by its last words.
    let failed = "cannot write ./peers/peer_2/blocks/block_";
    let row =
        printed.lines().find(|line| line.starts_with(" peer_2") && line.contains("/13")).unwrap_or_default();
    assert!(row.contains("failed: ") && !row.contains("gone"), "{row:?} in:\n{printed}");
    assert!(row.contains(failed), "{row:?} in:\n{printed}");
    let told = format!("peer_2   ended with an error: the peer could not go on: {failed}");
    assert!(printed.contains(&told), "{printed}");
    for went_on in ["all stopped\n", "the same story\n"] {
        assert!(printed.contains(went_on), "{printed}");
    }
    assert!(printed.ends_with("removed: ./.minibit-swarm\n0\n"), "nothing is left: {printed}");
}
