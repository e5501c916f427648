//! The reference run in the repository: the same bytes on every machine.

use std::fs;
use std::path::Path;

use crate::command::Folder;
use crate::run::VIRTUAL;

const AGAIN: &str =
    "cargo run --release -- run scenarios/10peers.toml --driver sim --out results/reference --fresh";

#[test]
fn ten_peers_in_virtual_time_give_the_reference_byte_for_byte() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let scenario = repository.join("scenarios/10peers.toml");
    folder.minibit(&["run", scenario.to_str().unwrap(), "--driver", "sim"]).done();
    for file in VIRTUAL {
        let made = fs::read_to_string(folder.path("results/10peers").join(file)).unwrap();
        let kept = fs::read_to_string(repository.join("results/reference/10peers").join(file)).unwrap();
        let differs = made.lines().zip(kept.lines()).position(|(made, kept)| made != kept);
        assert!(
            made == kept,
            "{file} differs from the reference, first in line {}; if that is meant: {AGAIN}",
            differs.unwrap_or(made.lines().count().min(kept.lines().count())) + 1
        );
    }
}
