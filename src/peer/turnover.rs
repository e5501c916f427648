//! A peer that has as many connections as it may have and gets nothing over them, or gives nothing, gives some up for
//! others. Otherwise a few peers that have nothing for each other, or nothing to give, could stay among themselves for
//! ever. (libtorrent's peer turnover, for peers that need it.)

use crate::event::CloseReason;
use crate::id::ConnId;
use crate::peer::Peer;
use crate::peer::connection::FarEnd;
use crate::peer::seam::Action;
use crate::time::{Span, Time};

/// A peer that has got nothing for so many times the snub time is no longer content with few connections; one that is
/// complete and has given nothing for so long, no longer with those it has. Longer than the beginning of a swarm takes, when
/// everybody waits for the first pieces.
const STARVED_AFTER: u64 = 5;
/// And who lacks something is no longer content with those it has after this: with a slow seed everybody gets nothing for
/// minutes, and whoever stays with those he knows hears of the next piece first.
pub(crate) const STUCK_AFTER: u64 = 20;
/// A connection is of no use if it was of none for so long since it was made: as long as BEP 3 lets it be silent.
pub(crate) const TRIED_AFTER: Span = Span::from_secs(120);

impl Peer {
    /// Once a tracker has answered: gives up half of the connections that are of no use, where the peer has got nothing
    /// for long, is connected to as many as it may, and knows of others.
    pub(super) fn make_room(&mut self, now: Time, actions: &mut Vec<Action>) {
        let full = self.dialer.is_full(self.connections.count());
        if !full || self.hunger(now) < self.policy.snub_after || !self.dialer.has_others() {
            return;
        }
        let (patient, idle) = (self.is_stuck(now), self.idle());
        let half = idle.len().div_ceil(2);
        // Whoever is stuck lets each have its time: over a far path, or where many wait for few slots, an unchoke comes later
        // than a tracker's next answer, and if every connection were given up before it can come, it never would.
        let useless: Vec<_> =
            idle.into_iter().take(half).filter(|conn| !patient || self.is_tried(now, *conn)).collect();
        for conn in useless {
            self.close(now, conn, CloseReason::Turnover, actions);
        }
    }

    /// Gives up a connection for one that somebody else makes, if nothing has moved for very long and there is one over
    /// which neither side wants anything.
    ///
    /// Peers that have nothing for each other look for others at different times: if those were always turned away, the
    /// same ones would find back to each other. And of two that are complete neither may know it of the other, for a
    /// piece that both have by now was told by neither; if they kept newcomers out, those would find no seed.
    pub(super) fn give_way(&mut self, now: Time, actions: &mut Vec<Action>) -> bool {
        let wanted = self.have.is_full() && !self.connections.interested.is_empty();
        if wanted || !self.is_stuck(now) {
            return false;
        }
        // One at a time: while somebody is new, nobody else has to go. Otherwise peers that starve together would hand
        // each other round, and whoever has something for them would soon be the one that was there longest.
        if !self.connections.open.iter().all(|conn| self.is_tried(now, conn)) {
            return false;
        }
        let wanting = self.connections.interested.union(&self.connections.interesting);
        let Some(conn) = self.idle().into_iter().find(|conn| !wanting.contains(*conn)) else { return false };
        // Nobody is dialled instead: the place is taken.
        if self.drop_connection(now, conn, CloseReason::Turnover, actions) {
            actions.push(Action::Close { conn, reason: CloseReason::Turnover });
        }
        true
    }

    /// Whether it lacks something and has got nothing for so long that it is no longer content with few connections.
    pub(super) fn starves(&self, now: Time) -> bool {
        self.hunger(now) >= self.policy.snub_after * STARVED_AFTER
    }

    /// Whether it has got nothing, or being complete has given nothing, for so long that others may do better.
    fn is_stuck(&self, now: Time) -> bool {
        let times = if self.have.is_full() { STARVED_AFTER } else { STUCK_AFTER };
        now.since(self.last_block_at) >= self.policy.snub_after * times
    }

    /// For how long it has got nothing although it lacks something.
    fn hunger(&self, now: Time) -> Span {
        if self.have.is_full() { Span::ZERO } else { now.since(self.last_block_at) }
    }

    /// Whether a connection has had its time.
    fn is_tried(&self, now: Time, conn: ConnId) -> bool {
        self.connections.far_end(conn).is_some_and(|end| now.since(end.opened_at) >= TRIED_AFTER)
    }

    /// Connections on which nothing is under way, the least interested and oldest first.
    fn idle(&self) -> Vec<ConnId> {
        let all = &self.connections;
        let asked = |conn| all.get(conn).is_some_and(|connection| !connection.outstanding.is_empty());
        let idle = all.far_ends().filter(|(conn, _)| !all.unchoked.contains(*conn) && !asked(*conn));
        let rank = |(conn, end): (ConnId, &FarEnd)| {
            let interesting = all.interesting.contains(conn);
            (all.interested.contains(conn), interesting, end.opened_at, conn)
        };
        let mut ranked: Vec<_> = idle.map(rank).collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(.., conn)| conn).collect()
    }
}
