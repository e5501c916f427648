//! Which programs the peers of a cohort and the tracker of a run are.

/// A BitTorrent client that can take part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    Minibit,
    Libtorrent,
    Transmission,
    Aria2,
    Rqbit,
}

impl Client {
    /// Every client but MiniBit itself.
    pub const FOREIGN: [Client; 4] = [Client::Libtorrent, Client::Transmission, Client::Aria2, Client::Rqbit];

    /// It picks, chokes and talks as its authors wanted it: no policy of a scenario reaches it.
    pub fn is_foreign(self) -> bool {
        self != Client::Minibit
    }
}

/// A tracker that a run can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackerProgram {
    Minibit,
    Opentracker,
}
