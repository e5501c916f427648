//! A host's announces, one after the other: what the tracker hears last was said last.

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::net::announce::{TimeOuts, TrackerUrl, announce};
use crate::net::clock::Clock;
use crate::net::host::{Happening, Host};
use crate::peer::Input;
use crate::time::{Span, Time};
use crate::wire::announce::{AnnounceEvent, AnnounceRequest, AnnounceResponse};

/// In wall time.
const TIME_OUTS: TimeOuts = TimeOuts {
    connect: Duration::from_secs(5),
    http: Duration::from_secs(10),
    packet: Duration::from_secs(15),
    udp: Duration::from_secs(60),
};

#[derive(Debug)]
pub(super) struct Announces {
    /// `None` after the last one.
    queue: Option<mpsc::UnboundedSender<(usize, AnnounceRequest)>>,
    said: CancellationToken,
}

impl Announces {
    /// Says what is pushed to `trackers` from `source`; answers go to the inbox. The way there and back takes the
    /// host's latency, but for the last word.
    pub(super) fn start(
        trackers: Vec<TrackerUrl>,
        source: IpAddr,
        clock: Clock,
        latency: Span,
        inbox: &mpsc::Sender<Happening>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Announces {
        // The peer has at most one announce to a tracker open, and a last one.
        let (queue, mut requests) = mpsc::unbounded_channel::<(usize, AnnounceRequest)>();
        let (inbox, stop, said) = (inbox.clone(), stop.clone(), CancellationToken::new());
        let all_said = said.clone().drop_guard();
        let announce_all = async move {
            let _all_said = all_said;
            while let Some((tracker, request)) = requests.recv().await {
                let way = if request.event == AnnounceEvent::Stopped { Span::ZERO } else { latency };
                clock.sleep_until(clock.now() + way).await;
                let answer = match trackers.get(tracker) {
                    Some(url) => announce(url, source, &request, TIME_OUTS).await.map_err(|e| e.to_string()),
                    None => Err(format!("there is no tracker {tracker}")),
                };
                let answer = answer.map_err(String::into_boxed_str);
                clock.sleep_until(clock.now() + way).await;
                if inbox.send(Happening::Announced { tracker, answer }).await.is_err() {
                    return;
                }
            }
        };
        tasks.spawn(async move { stop.run_until_cancelled(announce_all).await });
        Announces { queue: Some(queue), said }
    }

    pub(super) fn push(&self, tracker: usize, request: AnnounceRequest) {
        if let Some(queue) = &self.queue {
            // Refused only when the host is ending.
            let _ = queue.send((tracker, request));
        }
    }

    /// No more announces come; the future ends when the last one is said.
    pub(super) fn close(&mut self) -> impl Future<Output = ()> + use<> {
        self.queue = None;
        self.said.clone().cancelled_owned()
    }
}

impl Host {
    pub(super) fn announced(
        &mut self,
        now: Time,
        tracker: usize,
        answer: Result<AnnounceResponse, Box<str>>,
    ) {
        let input = match answer {
            Ok(response) => Input::Announced { tracker, response: Box::new(response) },
            Err(reason) => Input::AnnounceFailed { tracker, reason },
        };
        self.input(now, input);
    }
}
