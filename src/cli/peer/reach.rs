//! How a peer of the command line finds others and is found: the options, and what they come to for a torrent.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use crate::cli::Usage;
use crate::net::announce::TrackerUrl;
use crate::peer::Neighbours;
use crate::torrent::metainfo::Metainfo;

#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Reach {
    /// Where to listen; port 0 lets the system choose. A peer on a loopback address dials no other machine
    #[arg(long, value_name = "IP:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    pub listen: SocketAddr,
    /// Whom to ask for peers, instead of the torrent's own trackers; may be
    /// repeated, the preferred one first
    #[arg(long = "tracker", value_name = "URL", value_parser = TrackerUrl::parse)]
    pub trackers: Vec<TrackerUrl>,
    /// Dial the peer that listens there, and nobody but those named so, whatever a tracker says; may be repeated
    #[arg(long = "peer", value_name = "IP:PORT")]
    pub peers: Vec<SocketAddr>,
}

impl Reach {
    /// Where the peer listens from now on. To be done before anything is made or said, because it may be impossible.
    pub(in crate::cli) fn bind(&self) -> anyhow::Result<TcpListener> {
        let bound = TcpListener::bind(self.listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        bound.with_context(|| {
            format!(
                "cannot listen on {}; choose another --listen, or let the system choose with port 0",
                self.listen
            )
        })
    }

    pub(in crate::cli) fn neighbours(&self) -> Neighbours {
        match &self.peers[..] {
            [] => Neighbours::FromTracker { dial: None },
            peers => Neighbours::Fixed { dial: peers.to_vec() },
        }
    }

    /// Whom to ask, in tiers: those that were named, or else those of the torrent that can be asked. May be none.
    pub(in crate::cli) fn tiers(&self, metainfo: &Metainfo) -> Vec<Vec<TrackerUrl>> {
        if !self.trackers.is_empty() {
            return self.trackers.iter().map(|url| vec![url.clone()]).collect();
        }
        let usable = |url: &String| {
            let tracker = TrackerUrl::parse(url);
            tracker.inspect_err(|error| eprintln!("note: {error}")).ok()
        };
        let tiers = metainfo.announce.iter().map(|tier| tier.iter().filter_map(usable).collect());
        tiers.filter(|tier: &Vec<_>| !tier.is_empty()).collect()
    }

    /// The same for a peer that nobody would find: one has to be there, or a peer to dial.
    pub(in crate::cli) fn some_tiers(&self, metainfo: &Metainfo) -> anyhow::Result<Vec<Vec<TrackerUrl>>> {
        let tiers = self.tiers(metainfo);
        if tiers.is_empty() && self.peers.is_empty() {
            return Err(Usage(
                "the torrent names no tracker that can be asked; name one with --tracker URL, or a peer with --peer \
                 IP:PORT"
                    .into(),
            )
            .into());
        }
        Ok(tiers)
    }
}
