//! What happens because time passes: choke rounds, announces, keepalives, idle and snubbed connections, new dials.

use crate::event::CloseReason;
use crate::id::ConnId;
use crate::peer::Peer;
use crate::peer::connections::Connections;
use crate::peer::seam::{Action, Deadline, DeadlineReason};
use crate::time::{Span, Time};
use crate::wire::message::Message;

/// A silent connection gets a keepalive. BEP 3 says two minutes; some clients are stricter.
pub(super) const KEEPALIVE_AFTER: Span = Span::from_secs(100);
/// A connection that sends nothing at all, not even keepalives, is dead.
const IDLE_AFTER: Span = Span::from_secs(300);

impl Peer {
    /// When `handle(now, Input::Timeout, …)` is due next, and why.
    pub fn deadline(&self) -> Option<Deadline> {
        if self.stopped {
            return None;
        }
        let mut first: Option<Deadline> = None;
        let mut consider = |at: Time, why| {
            if first.is_none_or(|first| (at, why) < (first.at, first.why)) {
                first = Some(Deadline { at, why });
            }
        };
        debug_assert_eq!(self.next_search, self.search_deadline());
        if !self.connections.open.is_empty() {
            consider(self.next_check, DeadlineReason::ConnectionCheck);
            consider(self.next_exchange, DeadlineReason::PeerExchange);
            if self.uploads {
                consider(self.next_round, DeadlineReason::ChokeRound);
            }
        }
        if let Some(search) = self.next_search {
            consider(search.at, search.why);
        }
        first
    }

    /// Finds out when other peers are to be looked for: after whatever concerned trackers, addresses or the number of
    /// connections. [`Peer::deadline`] is asked for after every step, and most steps are none of these.
    pub(super) fn plan_search(&mut self) {
        self.next_search = self.search_deadline();
    }

    fn search_deadline(&self) -> Option<Deadline> {
        let announce = self.announcer.due().map(|at| Deadline { at, why: DeadlineReason::Announce });
        let seeks = || self.dialer.seeks(self.connections.count() + self.dialer.dialing());
        let redial = self.dialer.due().filter(|_| seeks());
        let redial = redial.map(|at| Deadline { at, why: DeadlineReason::Redial });
        announce.into_iter().chain(redial).min()
    }

    pub(super) fn timeout(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.uploads && self.connections.count() > 0 && self.next_round <= now {
            // From now on, not from when it was due: a late timer must not shorten anybody's round.
            self.next_round = now + self.policy.round;
            self.choke_round(now, actions);
        }
        if self.next_check <= now {
            self.check_connections(now, actions);
        }
        if self.next_exchange <= now {
            self.exchange_peers(now, actions);
        }
        self.dialer.wake(now);
        self.dial(now, actions);
        if self.announcer.due().is_some_and(|due| due <= now)
            && let Some((tracker, event)) = self.announcer.next(now)
        {
            self.dialer.starve(self.starves(now));
            self.announce(tracker, event, actions);
        }
    }

    /// Skips the rounds that passed while nobody was connected; the phase stays.
    pub(super) fn resume_rounds(&mut self, now: Time) {
        if self.next_round < now {
            let missed = now.since(self.next_round).as_nanos().div_ceil(self.policy.round.as_nanos().max(1));
            self.next_round += self.policy.round * missed;
        }
    }

    /// Makes sure that the connections are looked at by then.
    pub(super) fn check_by(&mut self, at: Time) {
        self.next_check = self.next_check.min(at);
    }

    /// `next_check` is only a lower bound: data that came in has moved the timers on. So this looks at every timer,
    /// acts on those that are over, and takes the earliest of the others as the next bound.
    fn check_connections(&mut self, now: Time, actions: &mut Vec<Action>) {
        for conn in (0..self.connections.end()).map(ConnId) {
            if !self.connections.open.contains(conn) {
                continue;
            }
            if self.connections.idle_at(conn) <= now {
                self.close(now, conn, CloseReason::Idle, actions);
                continue;
            }
            let snub = self.snub_at(conn).is_some_and(|at| at <= now);
            if self.connections.keepalive_at(conn) <= now {
                self.send(now, conn, Message::KeepAlive, actions);
            }
            if snub {
                self.note_snub(now, conn, actions);
                self.ask_all(now, actions);
            }
        }
        let all = &self.connections;
        let silences = all.open.iter().map(|conn| all.idle_at(conn).min(all.keepalive_at(conn)));
        let snubs = all.open.iter().filter_map(|conn| self.snub_at(conn));
        self.next_check = silences.chain(snubs).min().unwrap_or(Time::NEVER);
    }

    /// When it is snubbed if no block comes: it unchoked us, or promised to answer all the same, and owes us blocks.
    fn snub_at(&self, conn: ConnId) -> Option<Time> {
        let connection = self.connections.get(conn)?;
        let owes = !connection.outstanding.is_empty() && !self.connections.snubbed.contains(conn);
        owes.then(|| connection.owing_since + self.policy.snub_after)
    }
}

impl Connections {
    fn idle_at(&self, conn: ConnId) -> Time {
        self.last_received_at(conn) + IDLE_AFTER
    }

    fn keepalive_at(&self, conn: ConnId) -> Time {
        self.last_sent_at(conn) + KEEPALIVE_AFTER
    }
}
