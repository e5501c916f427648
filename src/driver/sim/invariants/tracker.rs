//! The tracker knows exactly who announced within two intervals and did not stop, counts seeds and leechers among them
//! right, tells nobody of himself, of a stranger or of the same peer twice, and counts `completed` once for an entry.

use std::collections::{BTreeMap, BTreeSet};

use super::{Invariant, ensure};
use crate::driver::sim::world::Answer;
use crate::driver::sim::world::{INFO_HASH, World};
use crate::event::{Event, Record};
use crate::id::PeerIndex;
use crate::time::Time;
use crate::wire::announce::AnnounceEvent;

#[derive(Default)]
pub(super) struct Tracker {
    /// Whom the tracker must know.
    entries: BTreeMap<PeerIndex, Entry>,
    downloads: u32,
    completed: BTreeSet<PeerIndex>,
}

struct Entry {
    expires: Time,
    complete: bool,
    told_completed: bool,
}

impl Invariant for Tracker {
    fn name(&self) -> &'static str {
        "tracker"
    }

    fn record(&mut self, _world: &World, record: &Record) -> Result<(), String> {
        if record.event == Event::Completed {
            self.completed.insert(record.peer);
        }
        Ok(())
    }

    fn answer(&mut self, world: &World, answer: &Answer) -> Result<(), String> {
        self.entries.retain(|_, entry| entry.expires > world.now);
        self.announced(world, answer);
        self.told_well(world, answer)?;
        let counts = world.tracker.counts(&INFO_HASH).unwrap_or_default();
        let complete = self.entries.values().filter(|entry| entry.complete).count();
        let expected = (complete, self.entries.len() - complete, self.downloads);
        let counted = (counts.complete as usize, counts.incomplete as usize, counts.downloaded);
        ensure(counted == expected, || {
            format!("seeds, leechers and downloads counted: {counted:?}, there are {expected:?}")
        })?;
        let told = (answer.response.complete, answer.response.incomplete);
        ensure(told == (Some(counts.complete), Some(counts.incomplete)), || {
            format!("told of {told:?} seeds and leechers, counted {counted:?}")
        })?;
        // With lost answers a peer may say it again after its entry has expired.
        let says_once = world.fault.disturbances.is_empty();
        ensure(!says_once || self.downloads as usize <= self.completed.len(), || {
            format!("{} downloads counted, {} peers completed", self.downloads, self.completed.len())
        })
    }

    fn world(&mut self, world: &World) -> Result<(), String> {
        let overdue = world.tracker.deadline().filter(|due| *due < world.now);
        ensure(overdue.is_none(), || format!("an entry that expired at {overdue:?} is still there"))
    }
}

impl Tracker {
    fn announced(&mut self, world: &World, answer: &Answer) {
        if answer.event == AnnounceEvent::Stopped {
            self.entries.remove(&answer.asker);
            return;
        }
        let says_completed = answer.event == AnnounceEvent::Completed;
        let told_before = self.entries.get(&answer.asker).is_some_and(|entry| entry.told_completed);
        if says_completed && !told_before {
            self.downloads += 1;
        }
        let entry = Entry {
            expires: world.now + answer.response.interval * 2,
            complete: says_completed || answer.left == Some(0),
            told_completed: says_completed || told_before,
        };
        self.entries.insert(answer.asker, entry);
    }

    fn told_well(&self, world: &World, answer: &Answer) -> Result<(), String> {
        let own = world.host(answer.asker).plan.virtual_addr;
        let told = &answer.response.peers;
        ensure(!told.contains(&own), || "was told of itself".into())?;
        let distinct: BTreeSet<_> = told.iter().collect();
        ensure(distinct.len() == told.len(), || "was told of a peer twice".into())?;
        let living: BTreeSet<_> =
            self.entries.keys().map(|peer| world.host(*peer).plan.virtual_addr).collect();
        let stranger = told.iter().find(|addr| !living.contains(addr));
        ensure(stranger.is_none(), || format!("was told of {stranger:?}, which is not in the swarm"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::driver::sim::invariants::doctored::complaint;
    use crate::id::PeerId;
    use crate::time::Span;
    use crate::tracker::{Families, RequestId, TrackerInput};
    use crate::wire::announce::AnnounceRequest;

    fn tracker(_: &World) -> Box<dyn Invariant> {
        Box::new(Tracker::default())
    }

    /// Behind the invariants' back.
    fn announce(world: &mut World, addr: SocketAddr, left: u64) {
        let request = AnnounceRequest {
            info_hash: INFO_HASH,
            peer_id: PeerId([7; 20]),
            port: addr.port(),
            uploaded: 0,
            downloaded: 0,
            left: Some(left),
            event: AnnounceEvent::Completed,
            num_want: None,
        };
        let input = TrackerInput::Announce { from: RequestId(0), addr, request, families: Families::Both };
        world.tracker.handle(world.now, input, &mut Vec::new());
    }

    /// Breaks the first answer that names somebody.
    fn answer(mut doctor: impl FnMut(&mut Answer, &mut World)) -> String {
        complaint(tracker, |world| {
            let Some(mut answer) = world.answers.pop() else { return false };
            let names = !answer.response.peers.is_empty();
            if names {
                doctor(&mut answer, world);
            }
            world.answers.push(answer);
            names
        })
    }

    #[test]
    fn whoever_is_told_of_itself_is_seen() {
        let said = answer(|answer, world| {
            answer.response.peers.push(world.host(answer.asker).plan.virtual_addr);
        });
        assert_eq!(said, "tracker: was told of itself");
    }

    #[test]
    fn a_peer_that_is_named_twice_is_seen() {
        let said = answer(|answer, _| answer.response.peers.push(answer.response.peers[0]));
        assert_eq!(said, "tracker: was told of a peer twice");
    }

    #[test]
    fn a_peer_that_never_announced_is_seen() {
        let said = answer(|answer, world| {
            let absent = world.hosts.iter().find(|host| host.peer.is_none()).expect("somebody comes late");
            answer.response.peers.push(absent.plan.virtual_addr);
        });
        assert!(said.contains("which is not in the swarm"), "{said}");
    }

    #[test]
    fn an_entry_too_many_is_seen() {
        let said = answer(|_, world| {
            announce(world, ([10, 99, 0, 1], 1).into(), 0);
        });
        assert!(said.starts_with("tracker: seeds, leechers and downloads counted: (2, "), "{said}");
    }

    #[test]
    fn a_wrong_number_in_an_answer_is_seen() {
        let said = answer(|answer, _| answer.response.complete = Some(99));
        assert!(said.starts_with("tracker: told of (Some(99)"), "{said}");
    }

    #[test]
    fn an_entry_that_outlives_two_intervals_is_seen() {
        let said = complaint(tracker, |world| {
            let announced = world.tracker.deadline().is_some();
            if announced {
                world.now += Span::from_secs(61);
            }
            announced
        });
        assert!(said.contains("is still there"), "{said}");
    }

    #[test]
    fn a_download_of_somebody_incomplete_is_seen() {
        let said = answer(|answer, world| {
            answer.event = AnnounceEvent::Completed;
            announce(world, world.host(answer.asker).plan.virtual_addr, 9_999);
            let counts = world.tracker.counts(&INFO_HASH).unwrap();
            let response = &mut answer.response;
            (response.complete, response.incomplete) = (Some(counts.complete), Some(counts.incomplete));
        });
        assert_eq!(said, "tracker: 1 downloads counted, 0 peers completed");
    }
}
