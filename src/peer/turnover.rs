//! A peer that has as many connections as it may have and gets nothing over them, or gives nothing, gives some up for
//! others. Otherwise a few peers that have nothing for each other, or nothing to give, could stay among themselves for
//! ever. (libtorrent's peer turnover, for peers that need it.)

use crate::event::CloseReason;
use crate::id::ConnId;
use crate::peer::Peer;
use crate::peer::connection::FarEnd;
use crate::peer::seam::Action;
use crate::time::{Span, Time};

/// A peer that has got nothing for so many times the snub time is no longer content with few connections, or with those
/// it has. Longer than the beginning of a swarm takes, when everybody waits for the first pieces.
pub(crate) const STARVED_AFTER: u64 = 5;
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
        let useless = self.useless(now);
        let half = useless.len().div_ceil(2);
        for conn in useless.into_iter().take(half) {
            self.close(now, conn, CloseReason::Turnover, actions);
        }
    }

    /// Gives up a connection for one that somebody else makes, if nothing has moved for very long and there is one that
    /// is of no use.
    ///
    /// Peers that have nothing for each other look for others at different times: if those were always turned away, the
    /// same ones would find back to each other. And of two that are complete neither may know it of the other, for a
    /// piece that both have by now was told by neither; if they kept newcomers out, those would find no seed.
    pub(super) fn give_way(&mut self, now: Time, actions: &mut Vec<Action>) -> bool {
        let wanted = self.have.is_full() && !self.connections.interested.is_empty();
        let gives_way = !wanted && self.is_idle(now);
        let useless = if gives_way { self.useless(now).first().copied() } else { None };
        if let Some(conn) = useless {
            self.close(now, conn, CloseReason::Turnover, actions);
        }
        useless.is_some()
    }

    /// Whether it lacks something and has got nothing for so long that it is no longer content with few connections.
    pub(super) fn starves(&self, now: Time) -> bool {
        !self.have.is_full() && self.is_idle(now)
    }

    /// Whether it has got nothing, or being complete has given nothing, for longer than the beginning of a swarm takes.
    fn is_idle(&self, now: Time) -> bool {
        now.since(self.last_block_at) >= self.policy.snub_after * STARVED_AFTER
    }

    /// For how long it has got nothing although it lacks something.
    fn hunger(&self, now: Time) -> Span {
        if self.have.is_full() { Span::ZERO } else { now.since(self.last_block_at) }
    }

    /// Connections on which nothing is under way, the least interested and oldest first. Whoever is idle lets each have
    /// its time: over a far path, or where many wait for few slots, an unchoke comes later than a tracker's next answer,
    /// and if every connection were given up before it can come, it never would.
    fn useless(&self, now: Time) -> Vec<ConnId> {
        let all = &self.connections;
        let asked = |conn| all.get(conn).is_some_and(|connection| !connection.outstanding.is_empty());
        let idle = |conn: ConnId| !all.unchoked.contains(conn) && !asked(conn);
        let patient = self.is_idle(now);
        let tried = |end: &FarEnd| !patient || now.since(end.opened_at) >= TRIED_AFTER;
        let rank = |(conn, end): (ConnId, &FarEnd)| {
            let interesting = all.interesting.contains(conn);
            (all.interested.contains(conn), interesting, end.opened_at, conn)
        };
        let useless = all.far_ends().filter(|(conn, end)| idle(*conn) && tried(end));
        let mut ranked: Vec<_> = useless.map(rank).collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(.., conn)| conn).collect()
    }
}
