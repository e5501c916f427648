//! Finding a client's program and asking it for its version, without waiting for ever.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// For a program to say its version.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// A client that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub program: PathBuf,
    pub version: String,
}

/// A program of the folder that the program's own folder is in: `target/tools/…` beside `target/release/minibit`.
pub(super) fn beside_the_program(path: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.join(path)).filter(|program| program.exists())
}

/// Starts `program` with `arguments`, and takes the first word that looks like a version from what it says.
pub(super) fn ask(program: PathBuf, arguments: &[&str]) -> Result<Installed, String> {
    let name = program.display().to_string();
    let said = said(Command::new(&program).args(arguments)).map_err(|reason| format!("{name} {reason}"))?;
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    match version {
        Some(version) => Ok(Installed { program, version: version.to_owned() }),
        None => Err(format!("{name} says no version, but {:?}", said.trim())),
    }
}

/// Both of its outputs, if it ends in time and well.
fn said(command: &mut Command) -> Result<String, String> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = piped.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not installed".to_owned(),
        _ => format!("cannot be started: {error}"),
    })?;
    let until = Instant::now() + PATIENCE;
    let ended = loop {
        match process.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) => break Err(format!("does not tell its version within {} s", PATIENCE.as_secs())),
            Err(error) => break Err(error.to_string()),
        }
    };
    if ended.is_err() {
        // One that has ended by itself need not be killed.
        let _ = process.kill().and_then(|()| process.wait().map(drop));
    }
    let status = ended?;
    let mut said = String::new();
    // A few lines fit the pipes, and what is no text is no version.
    let _ = process.stdout.take().map(|mut out| out.read_to_string(&mut said));
    let _ = process.stderr.take().map(|mut out| out.read_to_string(&mut said));
    if status.success() { Ok(said) } else { Err(format!("fails: {}", last_line(&said))) }
}

fn last_line(said: &str) -> &str {
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn ask_shell(script: &str) -> Result<Installed, String> {
        ask(PathBuf::from("sh"), &["-c", script])
    }

    #[test]
    fn the_version_is_the_first_number_on_either_output() {
        for script in ["echo aria2 version 1.36.0", "echo 'transmission-daemon 3.00 (bb6b)' >&2"] {
            let version = ask_shell(script).unwrap().version;
            assert!(["1.36.0", "3.00"].contains(&version.as_str()), "{version}");
        }
    }

    #[test]
    fn what_is_missing_or_fails_says_why() {
        let missing = ask(PathBuf::from("/nowhere/aria2c"), &[]).unwrap_err();
        assert_eq!(missing, "/nowhere/aria2c is not installed");
        assert_eq!(ask_shell("echo no module >&2; exit 1").unwrap_err(), "sh fails: no module");
        assert_eq!(ask_shell("echo hello").unwrap_err(), "sh says no version, but \"hello\"");
    }
}
