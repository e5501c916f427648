//! The command line: one file per command, each with its `Args` and its `run()`.
//!
//! Results go to stdout, everything else to stderr.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod cleanup;
mod clients;
pub mod exit;
mod get;
mod logs;
mod parent;
mod peer;
mod quantity;
mod run;
mod scenario;
mod seed;
mod signals;
mod split;
mod start;
mod status;
mod stop;
mod swarm;
mod tracker;
mod transfer;

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::{Exit, Usage};

/// Simulate and benchmark BitTorrent-style swarms.
#[derive(Debug, Parser)]
#[command(name = "minibit", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Clients(clients::Args),
    Split(split::Args),
    #[command(subcommand)]
    Scenario(scenario::Command),
    Seed(seed::Args),
    Get(get::Args),
    Peer(peer::Args),
    Tracker(tracker::Args),
    #[command(subcommand)]
    Start(start::Command),
    Status(status::Args),
    Logs(logs::Args),
    Stop(stop::Args),
    Cleanup(cleanup::Args),
}

/// Parses the arguments, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Clients(args) => clients::run(&args),
        Command::Split(args) => split::run(args),
        Command::Scenario(command) => scenario::run(command),
        Command::Seed(args) => seed::run(&args),
        Command::Get(args) => get::run(&args),
        Command::Peer(args) => peer::run(args),
        Command::Tracker(args) => tracker::run(args),
        Command::Start(command) => start::run(command),
        Command::Status(args) => status::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Stop(args) => stop::run(&args),
        Command::Cleanup(args) => cleanup::run(args),
    };
    exit::report(result)
}

/// A random seed that nobody chose, for a peer or tracker that stands for itself and is never run again. The standard
/// library keys its hash maps by the operating system's randomness.
fn unrepeatable_random_seed() -> u64 {
    RandomState::new().hash_one(0)
}
