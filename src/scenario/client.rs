//! Which programs the peers of a cohort and the tracker of a run are.

/// The table of other people's clients, handed to a macro: each client's name in scenarios, which is its adapter's module
/// too, and its type.
macro_rules! foreign_clients {
    ($hand_to:ident) => {
        $hand_to! {
            libtorrent Libtorrent,
            transmission Transmission,
            aria2 Aria2,
            rqbit Rqbit,
        }
    };
}
#[cfg(feature = "cli")]
pub(crate) use foreign_clients;

macro_rules! client {
    ($($name:ident $client:ident,)+) => {
        /// A BitTorrent client that can take part in a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Client {
            Minibit,
            $($client,)+
        }

        impl Client {
            /// Every client with its name, as files and commands spell it.
            pub(in crate::scenario) const NAMES: &[(&str, Client)] =
                &[("minibit", Client::Minibit), $((stringify!($name), Client::$client),)+];

            /// Every client but MiniBit itself.
            pub const FOREIGN: &[Client] = &[$(Client::$client,)+];
        }
    };
}
foreign_clients!(client);

impl Client {
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
