//! The one task that owns the tracker's state machine: questions come in over a channel, in order, each with its own
//! way back.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::id::InfoHash;
use crate::net::clock::Clock;
use crate::time::Time;
use crate::tracker::{RequestId, Tracker, TrackerAction, TrackerInput, TrackerReply};
use crate::wire::announce::AnnounceRequest;

/// Questions that wait for the tracker; askers beyond wait for a place.
const QUEUE: usize = 256;

/// What a connection asks the tracker.
#[derive(Debug)]
pub(super) enum Question {
    Announce { addr: SocketAddr, request: AnnounceRequest },
    Scrape { info_hashes: Vec<InfoHash> },
}

/// The way to the tracker's task.
#[derive(Clone, Debug)]
pub(super) struct Asker(mpsc::Sender<(Question, oneshot::Sender<TrackerReply>)>);

impl Asker {
    /// `None` when the tracker has stopped.
    pub async fn ask(&self, question: Question) -> Option<TrackerReply> {
        let (answer, answered) = oneshot::channel();
        self.0.send((question, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Starts the task among `tasks`; it ends when `stop` is cancelled.
pub(super) fn spawn(tracker: Tracker, clock: Clock, tasks: &TaskTracker, stop: CancellationToken) -> Asker {
    let (ask, asked) = mpsc::channel(QUEUE);
    let host = Host { tracker, clock, waiting: BTreeMap::new(), next: 0, actions: Vec::new() };
    tasks.spawn(host.run(asked, stop));
    Asker(ask)
}

struct Host {
    tracker: Tracker,
    clock: Clock,
    waiting: BTreeMap<RequestId, oneshot::Sender<TrackerReply>>,
    next: u64,
    actions: Vec<TrackerAction>,
}

impl Host {
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<(Question, oneshot::Sender<TrackerReply>)>,
        stop: CancellationToken,
    ) {
        loop {
            let due = self.tracker.deadline().unwrap_or(Time::NEVER);
            let input = tokio::select! {
                () = stop.cancelled() => return,
                question = asked.recv() => match question {
                    Some((question, answer)) => self.enter(question, answer),
                    None => return,
                },
                () = self.clock.sleep_until(due) => TrackerInput::Timeout,
            };
            self.tracker.handle(self.clock.now(), input, &mut self.actions);
            for TrackerAction::Reply { to, reply } in self.actions.drain(..) {
                if let Some(answer) = self.waiting.remove(&to) {
                    // Who hung up meanwhile needs no answer.
                    let _ = answer.send(reply);
                }
            }
        }
    }

    fn enter(&mut self, question: Question, answer: oneshot::Sender<TrackerReply>) -> TrackerInput {
        let from = RequestId(self.next);
        self.next += 1;
        self.waiting.insert(from, answer);
        match question {
            Question::Announce { addr, request } => TrackerInput::Announce { from, addr, request },
            Question::Scrape { info_hashes } => TrackerInput::Scrape { from, info_hashes },
        }
    }
}
