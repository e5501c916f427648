//! Tells a release build which git revision it is of, so that results can say so. Without git it is not known; debug
//! builds leave it out, because every commit would build them anew.
#![allow(clippy::print_stdout)] // how a build script talks to cargo

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    // Outside a repository of its own (a package from a registry) somebody else's revision would be found.
    if !Path::new(".git").exists() {
        return;
    }
    let Some(folder) = git(&["rev-parse", "--absolute-git-dir"]) else { return };
    println!("cargo:rerun-if-changed={folder}/HEAD");
    println!("cargo:rerun-if-changed={folder}/logs/HEAD");
    if let Some(revision) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=MINIBIT_REVISION={revision}");
    }
}

/// What git says, trimmed; `None` without git or on failure.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
