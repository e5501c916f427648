//! `minibit clients`: which other clients can take part in a run on this machine.

use std::io::{self, Write as _};

use super::Exit;
use crate::driver::processes::clients::{Known, known};

/// Lists the other clients that scenarios may name, with their versions, and how to install those that are missing.
///
/// A cohort is of such a client by `client = "NAME"` in its section, with --driver processes (docs/clients.md).
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    for client in known() {
        writeln!(out, "{}", line(&client))?;
    }
    Ok(Exit::Done)
}

fn line(known: &Known) -> String {
    let name = known.client.name();
    match &known.found {
        Ok(found) => format!("{name:<13} {:<10} {}", found.version, found.program.display()),
        Err(reason) => {
            format!("{name:<13} {:<10} {reason}\n{:<24} to install it: {}", "missing", "", known.install)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::processes::clients::Installed;
    use crate::scenario::Client;

    #[test]
    fn a_client_that_is_there_shows_its_version_and_one_that_is_not_how_to_get_it() {
        let found = Ok(Installed { program: "/usr/bin/aria2c".into(), version: "1.36.0".to_owned() });
        let known = |found| Known { client: Client::Aria2, found, install: "apt install aria2" };
        assert_eq!(line(&known(found)), "aria2         1.36.0     /usr/bin/aria2c");
        let missing = line(&known(Err("aria2c is not installed".to_owned())));
        assert!(missing.starts_with("aria2         missing    aria2c is not installed\n"), "{missing}");
        assert!(missing.ends_with(" to install it: apt install aria2"), "{missing}");
    }
}
