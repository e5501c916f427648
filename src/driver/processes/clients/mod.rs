//! Other people's clients as peers of a run: each a process of its own, at its own address of the run's private network.
//! MiniBit prepares its folder and settings, starts it, asks it how far it is, and ends it. What goes over the wire is
//! the client's own affair.
//!
//! An `Adapter` is all that a client needs: a file of its own here, and its line in the table of `scenario::client`.

mod answers;
mod aria2;
mod installed;
mod libtorrent;
mod register;
mod rpc;
mod rqbit;
mod seat;
mod stay;
mod transmission;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::processes::attend::Attended;
use crate::driver::processes::child::Child;
use crate::driver::real_time::io_error;
use crate::driver::real_time::member::Member;
use crate::driver::real_time::original::Original;
use crate::driver::{DriverError, ForeignClient};
use crate::net::announce::TrackerUrl;
use crate::net::store::PieceHashes;
use crate::peer::policy::Policy;
use crate::scenario::{Client, Scenario, foreign_clients};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::layout::Layout;

pub use installed::Installed;
use register::Register;
use seat::Seat;

/// How MiniBit deals with one client.
trait Adapter: Sized + Send + 'static {
    const CLIENT: Client;
    /// What a user types to have it.
    const INSTALL: &'static str;
    /// Whether it can be told how many peers to unchoke, how many of them as optimists, and how many to be connected to.
    const SLOTS: bool;
    const OPTIMISTIC_SLOTS: bool;
    const CONNECTIONS: bool;
    /// In how many bytes a second its limits count.
    const RATE_UNIT: u64;
    /// Whether it can be told its address, to listen at and to call from.
    const ADDRESS: bool;
    /// What it has no switch for, and what it does then.
    const NO_SWITCH: &[&str];

    /// Looks for the program and asks for its version.
    fn find() -> Result<Installed, String>;

    /// Writes its settings down, and says how it is started. Files of the content are in the seat's folder.
    fn set_up(seat: &Seat, installed: &Installed) -> io::Result<(Self, Command)>;

    /// Returns its settings once it has checked its files. Nobody has heard of it yet.
    fn get_ready(&mut self, process: &mut Child) -> impl Future<Output = Result<Settings, String>> + Send;

    /// Comes to the swarm.
    fn begin(&mut self, process: &mut Child) -> impl Future<Output = Result<(), String>> + Send;

    /// How far it is.
    fn look(&mut self, process: &mut Child) -> impl Future<Output = Result<Seen, String>> + Send;

    /// Leaves in good order: the tracker hears of it.
    fn leave(&mut self, process: &mut Child) -> impl Future<Output = Result<(), String>> + Send;
}

/// A client's settings, by its own words for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settings {
    /// As it says it has them.
    effective: BTreeMap<String, String>,
    /// What it was told, where it cannot be asked what became of it.
    told: BTreeMap<String, String>,
}

/// How far a client is, in this stay.
#[derive(Clone, Debug)]
struct Seen {
    pieces: Bitfield,
    /// Payload bytes; `None` is what it does not tell.
    downloaded: Option<u64>,
    uploaded: Option<u64>,
    wasted: Option<u64>,
}

/// Makes of the table of clients the macro that calls a function, generic over adapters, with the adapter of a client.
/// MiniBit itself has none.
macro_rules! adapters {
    ($($module:ident $client:ident,)+) => {
        macro_rules! with_adapter {
            ($who:expr, $call:ident $arguments:tt) => {
                match $who {
                    $(Client::$client => Some($call::<$module::$client> $arguments),)+
                    Client::Minibit => None,
                }
            };
        }
    };
}
foreign_clients!(adapters);

/// A client that MiniBit knows: what `minibit clients` shows.
#[derive(Debug)]
pub struct Known {
    pub client: Client,
    /// Or why it is not there.
    pub found: Result<Installed, String>,
    pub install: &'static str,
}

/// Every foreign client that can take part in a run, and whether it is there. Takes as long as asking for versions.
pub fn known() -> Vec<Known> {
    fn one<A: Adapter>() -> Known {
        Known { client: A::CLIENT, found: A::find(), install: A::INSTALL }
    }
    Client::FOREIGN.iter().filter_map(|client| with_adapter!(*client, one())).collect()
}

/// What the foreign clients of a run have in common.
pub(super) struct Foreign {
    found: BTreeMap<Client, Result<Installed, String>>,
    register: Register,
    /// Names the run's tracker.
    torrent: PathBuf,
    /// A folder for every peer's settings and logs.
    settings: PathBuf,
    name: String,
    layout: Layout,
    hashes: PieceHashes,
    policy: Policy,
}

impl Foreign {
    /// Looks for the programs, and puts the torrent they read into the run's folder.
    pub(super) fn pack(
        scenario: &Scenario,
        folder: &Path,
        original: &Original,
        tracker: SocketAddr,
    ) -> Result<Foreign, DriverError> {
        let url = TrackerUrl::at(scenario.tracker_protocol, tracker).to_string();
        let (torrent, settings) = (folder.join("announced.torrent"), folder.join("clients"));
        let bytes = original.torrent_under(&url)?;
        std::fs::write(&torrent, bytes)
            .and_then(|()| std::fs::create_dir_all(&settings))
            .map_err(io_error(format!("cannot write to {}", folder.display())))?;
        fn find<A: Adapter>() -> Result<Installed, String> {
            A::find().map_err(|reason| format!("{reason}; to install it: {}", A::INSTALL))
        }
        fn reported<A: Adapter>(register: &Register, scenario: &Scenario, found: &Result<Installed, String>) {
            register.enter::<A>(scenario, found.as_ref().ok());
        }
        let (register, mut found) = (Register::default(), BTreeMap::new());
        for cohort in scenario.foreign_cohorts() {
            let client = cohort.client;
            let here =
                || with_adapter!(client, find()).unwrap_or_else(|| Err("MiniBit has no adapter".into()));
            let found = found.entry(client).or_insert_with(here);
            with_adapter!(client, reported(&register, scenario, found));
        }
        Ok(Foreign {
            found,
            register,
            torrent,
            settings,
            name: original.name.clone(),
            layout: scenario.content.layout,
            hashes: original.hashes.clone(),
            policy: scenario.policy.clone(),
        })
    }

    /// Where others find the member's client.
    pub(super) fn listens_at(member: &Member) -> SocketAddr {
        fn place<A: Adapter>(address: IpAddr) -> SocketAddr {
            seat::listens_at(address, A::ADDRESS)
        }
        with_adapter!(member.plan.client, place(member.addr.ip())).unwrap_or(member.addr)
    }

    /// Starts the member's client, or fails its stay when it comes. Within a runtime.
    pub(super) fn start(&self, member: &Member, folder: &Path) -> Attended {
        fn attend<A: Adapter>(stay: stay::Stay) -> Attended {
            stay.attend::<A>()
        }
        let plan = &member.plan;
        let nowhere = || Err(format!("MiniBit has no adapter for {}", plan.client.name()));
        let stay = stay::Stay {
            seat: Seat {
                pieces: self.layout.pieces(),
                initial_bytes: member
                    .have
                    .iter()
                    .map(|piece| u64::from(self.layout.piece_length(piece)))
                    .sum(),
                address: member.addr.ip(),
                listen: Foreign::listens_at(member),
                folder: folder.to_owned(),
                content: self.name.clone(),
                torrent: self.torrent.clone(),
                settings: self.settings.join(format!("peer_{}_{}", plan.index.0 + 1, member.stay + 1)),
                upload: plan.upload,
                download: plan.download,
                unchoke_slots: self.policy.unchoke_slots,
                optimistic_slots: self.policy.optimistic_slots,
                max_connections: self.policy.max_connections,
            },
            peer: plan.index,
            name: plan.name.clone(),
            found: self.found.get(&plan.client).cloned().unwrap_or_else(nowhere),
            have: member.have.clone(),
            layout: self.layout,
            hashes: self.hashes.clone(),
            register: self.register.clone(),
        };
        with_adapter!(plan.client, attend(stay)).expect("a foreign client has an adapter")
    }

    /// One for every cohort, in the order of their names.
    pub(super) fn reports(&self) -> Vec<ForeignClient> {
        self.register.reports()
    }
}
