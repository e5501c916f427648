//! What one remote has said over the extension protocol (BEP 10), and which peers were named to it (BEP 11). Knows
//! nothing of messages.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::time::Time;
use crate::wire::extended::{ExtendedHandshake, Flags, MOST_EXCHANGED, PeerExchange};

/// What a remote's handshake said, and what we have exchanged with it since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extended {
    pub(crate) said: ExtendedHandshake,
    /// Whom we have named to it.
    named: BTreeSet<SocketAddr>,
    /// Not before this it is told of others.
    pub(crate) next: Time,
    /// How many addresses we have taken from it.
    pub(crate) learnt: u32,
}

impl Extended {
    /// A later handshake changes only what it names.
    pub(crate) fn hear(&mut self, said: ExtendedHandshake) {
        self.said = ExtendedHandshake {
            peer_exchange: said.peer_exchange.or(self.said.peer_exchange),
            port: said.port.or(self.said.port),
            requests: said.requests.or(self.said.requests),
        };
    }

    /// What has changed among those who listen since the remote, who is at `own`, was told last.
    pub(crate) fn news(
        &mut self,
        listening: &[(SocketAddr, Flags)],
        own: Option<SocketAddr>,
    ) -> PeerExchange {
        let others = listening.iter().filter(|(addr, _)| Some(*addr) != own);
        let here: BTreeSet<SocketAddr> = others.clone().map(|(addr, _)| *addr).collect();
        let new = others.filter(|(addr, _)| !self.named.contains(addr));
        let added: Vec<_> = new.copied().take(MOST_EXCHANGED).collect();
        let dropped: Vec<_> = self.named.difference(&here).copied().take(MOST_EXCHANGED).collect();
        dropped.iter().for_each(|addr| {
            self.named.remove(addr);
        });
        self.named.extend(added.iter().map(|(addr, _)| *addr));
        PeerExchange { added, dropped }
    }
}
