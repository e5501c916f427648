//! What the next input will touch of a peer's connections, asked for before it comes ([`crate::fetch`]).

use crate::fetch;
use crate::id::ConnId;
use crate::peer::connections::Connections;

impl Connections {
    /// What the next block for the uplink will look at.
    pub(crate) fn fetch_for_upload(&self) {
        fetch::one(&self.uploading);
        fetch::one(&self.slots);
    }

    /// What every other step of the peer looks at besides.
    pub(crate) fn fetch(&self) {
        // With those above, one of every line.
        fetch::one(&self.open);
        fetch::one(&self.unchoked);
        fetch::one(&self.rows);
        fetch::one(&self.torrent_pieces);
        fetch::one(&self.snubbed);
    }

    /// What one connection's blocks and requests change.
    pub(crate) fn fetch_slot(&self, conn: ConnId) {
        let at = conn.0 as usize;
        fetch::at(&self.slots, at);
        fetch::at(&self.far_ends, at);
        // It may begin in the middle of a line.
        fetch::at(&self.far_ends, at + 1);
        fetch::at(&self.holdings, at);
        fetch::at(&self.last_sent_at, at);
    }

    /// What a HAVE changes of one connection.
    pub(crate) fn fetch_holding(&self, conn: ConnId) {
        fetch::at(&self.holdings, conn.0 as usize);
    }

    /// What HAVEs, and a piece of our own, change of every connection.
    pub(crate) fn fetch_holdings(&self) {
        fetch::all(&self.holdings);
    }

    /// What a choking round looks at.
    pub(crate) fn fetch_for_round(&self) {
        fetch::all(&self.unchoked_at);
        fetch::all(&self.places);
        self.moving.iter().for_each(|conn| fetch::at(&self.slots, conn.0 as usize));
    }

    /// The same behind that; some time after [`fetch_for_round`](Self::fetch_for_round).
    pub(crate) fn fetch_rates(&self) {
        for connection in self.moving.iter().filter_map(|conn| self.get(conn)) {
            connection.rates.fetch();
        }
    }

    /// What telling everybody of a piece changes.
    pub(crate) fn fetch_sent(&self) {
        fetch::all(&self.last_sent_at);
    }
}
