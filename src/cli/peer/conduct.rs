//! How a peer of the command line picks, chokes and how fast its links are: the options, and the same once more as
//! words for a process that is started with them.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::Usage;
use crate::net::host::Links;
use crate::peer::policy::Policy;
use crate::scenario::file::{Overrides, from_text};
use crate::time::Span;
use crate::torrent::metainfo::Metainfo;
use crate::units::{Rate, parse_rate};

/// What a peer does differently from others.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Conduct {
    /// Which piece it asks for next: rarest-first, random or sequential [default: rarest-first]
    #[arg(long, value_name = "NAME", help_heading = "Policy and links")]
    picker: Option<String>,
    /// Whom it unchokes: tit-for-tat, rarity, random or unchoke-all [default: tit-for-tat]
    #[arg(long, value_name = "NAME", help_heading = "Policy and links")]
    choker: Option<String>,
    /// Any key of a scenario's section `policy`, as `policy.unchoke_slots=2`; may be given several times
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Policy and links")]
    set: Vec<String>,
    /// How fast it sends, as `64 KiB/s` [default: as fast as it goes]
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Policy and links")]
    upload: Option<Rate>,
    /// How fast it receives [default: as fast as it goes]
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Policy and links")]
    download: Option<Rate>,
}

/// Where policies are read from: a scenario in which nothing but `[policy]` matters.
const ANY_SCENARIO: &str = "\
title = \"one peer\"
[content]
size = \"1 B\"
block_size = \"1 B\"
[peers.seed]
start_with = \"all\"
[peers.leecher]
start_with = \"nothing\"
[policy]
fast_extension = true
extension_protocol = true
peer_exchange = true
";

fn rate(text: &str) -> Result<Rate, String> {
    let rate = parse_rate(text).map_err(|error| error.to_string())?;
    if rate.is_zero() { Err("must be more than 0".to_owned()) } else { Ok(rate) }
}

impl Conduct {
    pub(in crate::cli) fn policy(&self) -> anyhow::Result<Policy> {
        if let Some(other) = self.set.iter().find(|setting| !setting.starts_with("policy.")) {
            return Err(Usage(format!(
                "--set {other}: of a peer only keys of [policy] can be set, as policy.unchoke_slots=2"
            ))
            .into());
        }
        let overrides = Overrides { set: self.settings(), ..Overrides::default() };
        let read = from_text(Path::new("peer.toml"), ANY_SCENARIO.to_owned(), &overrides);
        Ok(read.map_err(|error| Usage(error.to_string()))?.base.policy)
    }

    /// The same for this torrent. BEP 27: of a private one's peers nobody is told but by its trackers.
    pub(super) fn policy_for(&self, metainfo: &Metainfo) -> anyhow::Result<Policy> {
        let mut policy = self.policy()?;
        policy.peer_exchange &= !metainfo.private;
        Ok(policy)
    }

    fn settings(&self) -> Vec<String> {
        let own = [("picker", &self.picker), ("choker", &self.choker)];
        let own = own.into_iter().filter_map(|(key, name)| Some(format!("policy.{key}={}", name.as_ref()?)));
        self.set.iter().cloned().chain(own).collect()
    }

    pub(in crate::cli) fn links(&self) -> Links {
        Links { upload: self.upload, download: self.download, latency: Span::ZERO }
    }

    /// The options that mean the same.
    pub(in crate::cli) fn words(&self) -> Vec<OsString> {
        let set = self.settings().into_iter().map(|setting| ("--set", setting));
        let rates = [("--upload", self.upload), ("--download", self.download)];
        let rates = rates.into_iter().filter_map(|(option, rate)| Some((option, rate?.to_string())));
        set.chain(rates).flat_map(|(option, value)| [option.into(), value.into()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::peer::policy::{ChokerPolicy, PickerPolicy};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        conduct: Conduct,
    }

    fn conduct(words: &[&str]) -> Conduct {
        Line::parse_from([&["peer"], words].concat()).conduct
    }

    #[test]
    fn words_say_the_same_again() {
        let said = ["--picker", "random", "--set", "policy.unchoke_slots=2", "--upload", "64 KiB/s"];
        let conduct = conduct(&said);
        let again = Line::parse_from([OsString::from("peer")].into_iter().chain(conduct.words())).conduct;
        for conduct in [conduct, again] {
            let policy = conduct.policy().unwrap();
            assert_eq!((policy.picker, policy.unchoke_slots), (PickerPolicy::Random, 2));
            assert_eq!(policy.choker, ChokerPolicy::TitForTat);
            assert_eq!(
                (conduct.links().upload, conduct.links().download),
                (Some(parse_rate("64 KiB/s").unwrap()), None)
            );
        }
        // Clients of today speak it; the papers' clients of a scenario do not.
        let usual = Policy {
            fast_extension: true,
            extension_protocol: true,
            peer_exchange: true,
            ..Policy::default()
        };
        assert_eq!(Line::parse_from(["peer"]).conduct.policy().unwrap(), usual);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_advice() {
        for (words, advice) in [
            (&["--picker", "rarest"][..], "rarest-first"),
            (&["--picker", "hypercube"], "not possible with these peers"),
            (&["--set", "repeat=3"], "only keys of [policy]"),
            (&["--set", "policy.chocker=random"], "choker"),
        ] {
            let error = conduct(words).policy().unwrap_err().to_string();
            assert!(error.contains(advice), "{error}");
        }
        assert!(Line::try_parse_from(["peer", "--upload", "0 B/s"]).is_err());
    }
}
