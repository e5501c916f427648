//! When what sets out arrives. Every delivery from one host to another asks here, and only here.

use crate::driver::sim::connection::{LinkId, Side};
use crate::driver::sim::world::World;
use crate::id::PeerIndex;
use crate::time::{Span, Time};

/// As long as a peer on a socket waits for the answer to a dial or to an announce.
pub(super) const TIME_OUT: Span = Span::from_secs(10);

impl World {
    /// A connection begins that may have had another's number.
    pub(super) fn begin_paths(&mut self, link: LinkId) {
        if let Some(paths) = &mut self.paths {
            paths.begin(link);
        }
    }

    /// When what is sent now over a connection comes to that side; `None` if it is lost.
    pub(super) fn crossing(&mut self, link: LinkId, to: Side) -> Option<Time> {
        let connection = &self.connections[link];
        let even = self.now + connection.latency;
        let Some(paths) = &mut self.paths else { return Some(even) };
        let ends = (connection.end(to.other()).host, connection.end(to).host);
        paths.crossing((link, to), ends, self.now, even)
    }

    /// When an announce that is sent now comes to the tracker; `None` if it is lost.
    pub(super) fn announce_crossing(&mut self, from: PeerIndex) -> Option<Time> {
        let even = self.now + self.host(from).plan.latency;
        let Some(paths) = &mut self.paths else { return Some(even) };
        paths.announce(from, self.now, even)
    }

    /// When the tracker's answer that is sent now comes to the peer; `None` if it is lost.
    pub(super) fn announce_answer_crossing(&mut self, to: PeerIndex) -> Option<Time> {
        let even = self.now + self.host(to).plan.latency;
        let Some(paths) = &mut self.paths else { return Some(even) };
        paths.announce_answer(to, self.now, even)
    }
}
