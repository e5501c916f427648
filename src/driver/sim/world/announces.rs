//! The tracker in virtual time: a host without links of its own, reached after the asker's latency.

use crate::driver::sim::event::{Event, Parcel};
use crate::driver::sim::world::World;
use crate::driver::sim::world::paths::TIME_OUT;
use crate::id::PeerIndex;
use crate::time::Time;
use crate::tracker::{Families, RequestId, TrackerAction, TrackerInput, TrackerReply};
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, AnnounceResponse};

/// An answer of the tracker and who asked: what the invariants look at.
#[derive(Clone, Debug)]
pub(in crate::driver::sim) struct Answer {
    pub(in crate::driver::sim) asker: PeerIndex,
    /// As what it announced, and how many bytes it said it lacked.
    pub(in crate::driver::sim) event: AnnounceEvent,
    pub(in crate::driver::sim) left: Option<u64>,
    pub(in crate::driver::sim) response: AnnounceResponse,
}

impl World {
    pub(super) fn announce(&mut self, peer: PeerIndex, tracker: usize, request: Box<AnnounceRequest>) {
        let stay = self.host(peer).stay;
        match self.announce_crossing(peer) {
            Some(at) => {
                self.dispatch(at, peer, peer, Parcel::Announce { peer, stay, tracker, request });
            }
            None => self.announce_times_out(peer, stay, tracker),
        }
    }

    pub(super) fn announce_arrives(
        &mut self,
        peer: PeerIndex,
        stay: u32,
        tracker: usize,
        request: AnnounceRequest,
    ) {
        let host = self.host(peer);
        let addr = host.plan.virtual_addr;
        let (event, left) = (request.event, request.left);
        let input = TrackerInput::Announce {
            from: RequestId(u64::from(peer.0)),
            addr,
            request,
            families: Families::Both,
        };
        for TrackerAction::Reply { reply, .. } in self.ask_tracker(input) {
            let answer = match reply {
                TrackerReply::Announce(response) => {
                    let told = response.clone();
                    self.answers.push(Answer { asker: peer, event, left, response: told });
                    Ok(Box::new(response))
                }
                TrackerReply::Refused(refusal) => Err(refusal.reason),
                TrackerReply::Scrape(_) => continue,
            };
            let source = self.tracker_source();
            match self.announce_answer_crossing(peer) {
                Some(at) => {
                    self.dispatch(at, source, peer, Parcel::AnnounceAnswer { peer, stay, tracker, answer });
                }
                None => self.announce_times_out(peer, stay, tracker),
            }
        }
    }

    /// The announce or its answer is lost: the peer hears nothing, for as long as a socket waits.
    fn announce_times_out(&mut self, peer: PeerIndex, stay: u32, tracker: usize) {
        let answer = Err("no answer in time".into());
        let at = self.now + TIME_OUT;
        self.dispatch(at, peer, peer, Parcel::AnnounceAnswer { peer, stay, tracker, answer });
    }

    pub(super) fn tracker_timer(&mut self) {
        self.tracker_timer_at = None;
        self.ask_tracker(TrackerInput::Timeout);
    }

    fn ask_tracker(&mut self, input: TrackerInput) -> Vec<TrackerAction> {
        let mut actions = Vec::new();
        self.tracker.handle(self.now, input, &mut actions);
        let due = self.tracker.deadline().map(|at| at.max(self.now)).filter(|at| *at < Time::NEVER);
        if let Some(at) = due.filter(|at| self.tracker_timer_at.is_none_or(|scheduled| *at < scheduled)) {
            self.tracker_timer_at = Some(at);
            let source = self.tracker_source();
            self.schedule(at, source, Event::TrackerTimer);
        }
        actions
    }
}
