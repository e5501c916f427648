//! `minibit stop`: ends what `minibit start` started, and nothing else.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::ValueEnum;

use super::Exit;
use super::swarm::folder::SwarmFolder;
use super::swarm::process::Signal;
use super::swarm::state::{End, Member, State};
use super::swarm::{note, say};
use crate::time::Span;
use crate::units::parse_span;

/// Ends the peers and the tracker that `minibit start` started.
///
/// The peers first: each is asked to tell the tracker and to leave. What has not ended by --within is killed. A process
/// that was not started by `minibit start` is never touched, even if it has the number of one that was.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these [default: the peers, then the tracker]
    #[arg(value_enum)]
    which: Option<Which>,
    /// How long they may take to leave
    #[arg(long, value_name = "TIME", default_value = "10 s", value_parser = parse_span)]
    within: Span,
    /// Where the folder `peers` is
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Tracker,
    Peers,
}

/// For the system to end what it was told to end at once.
const KILLED_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at what is still there.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let folder = SwarmFolder::beside_peers(&args.out);
    // Looked at before anything is touched: a folder of somebody else is not locked either.
    if State::read(&folder)?.is_none() {
        say(format_args!("nothing to stop in {}", args.out.display()));
        return Ok(Exit::Done);
    }
    let _lock = folder.lock()?;
    let mut state = State::here(&folder)?;
    let within = Duration::from_nanos(args.within.as_nanos());
    let mut stopping = Stopping { within, refused: Vec::new(), touched: 0 };
    if args.which != Some(Which::Tracker) {
        stopping.stop(&mut state.peers.iter_mut().collect::<Vec<_>>());
    }
    if args.which != Some(Which::Peers) {
        stopping.stop(&mut state.tracker.iter_mut().collect::<Vec<_>>());
    }
    if stopping.touched == 0 {
        say(format_args!("nothing to stop in {}: nothing runs", args.out.display()));
        return Ok(Exit::Done);
    }
    if let Err(error) = state.write(&folder) {
        // They have ended all the same.
        note(format_args!("how they ended is not written down: {error:#}"));
    }
    if stopping.refused.is_empty() { Ok(Exit::Done) } else { bail!("{}", stopping.refused.join("; ")) }
}

/// What became of those who were to end.
struct Stopping {
    within: Duration,
    /// Why somebody still runs.
    refused: Vec<String>,
    /// How many had not been ended before.
    touched: usize,
}

impl Stopping {
    fn stop(&mut self, members: &mut [&mut Member]) {
        let mut asked = Vec::new();
        for member in members.iter_mut().filter(|member| member.end.is_none()) {
            self.touched += 1;
            match member.process.signal(Signal::Terminate) {
                Ok(true) => asked.push(&mut **member),
                Ok(false) => {
                    say(format_args!("{} had ended before: {}", member.name, member.absence()));
                    member.end = Some(End::Gone);
                }
                Err(error) => self.refused.push(format!("cannot end {}: {error}", named(member))),
            }
        }
        let late = self.ended(asked, self.within, End::Stopped);
        let mut killed = Vec::new();
        for member in late {
            match member.process.signal(Signal::Kill) {
                Ok(_) => killed.push(member),
                Err(error) => self.refused.push(format!("cannot kill {}: {error}", named(member))),
            }
        }
        for member in self.ended(killed, KILLED_WITHIN, End::Killed) {
            self.refused.push(format!("{} does not end; end it by hand", named(member)));
        }
    }

    /// Waits for them to end, all at the same time, and returns those that have not.
    fn ended<'a>(&self, mut waiting: Vec<&'a mut Member>, within: Duration, end: End) -> Vec<&'a mut Member> {
        let until = Instant::now() + within;
        loop {
            waiting.retain_mut(|member| {
                let is_running = member.process.is_running();
                if !is_running {
                    member.end = Some(end);
                    match end {
                        End::Killed => {
                            say(format_args!(
                                "{} did not leave within {} s and was killed",
                                member.name,
                                self.within.as_secs_f64()
                            ));
                        }
                        End::Stopped | End::Gone | End::Left => say(format_args!("{} stopped", member.name)),
                    }
                }
                is_running
            });
            if waiting.is_empty() || Instant::now() >= until {
                return waiting;
            }
            thread::sleep(PAUSE);
        }
    }
}

fn named(member: &Member) -> String {
    format!("{} (pid {})", member.name, member.process.pid)
}
