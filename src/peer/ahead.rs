//! What the next input will touch, asked for before it comes ([`crate::fetch`]). Nothing here waits for memory: what is
//! read to find out what to ask for was asked for by the step before.

use crate::fetch;
use crate::id::{ConnId, PieceIndex};
use crate::peer::Peer;
use crate::peer::haves::Have;

/// What is about to come to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A block of this piece.
    Block(PieceIndex),
    /// A request for a block of this piece.
    Request(PieceIndex),
    /// A HAVE that it may do something about.
    Have,
    /// Something at which it may ask for blocks.
    Asking,
    /// A choking round.
    Round,
    /// The uplink will have room.
    Upload,
    /// Anything that changes little.
    Word,
}

impl Expected {
    /// Whether HAVEs will be noted before it.
    pub fn asks_for_haves(self) -> bool {
        match self {
            Expected::Block(_) | Expected::Have | Expected::Asking | Expected::Round => true,
            Expected::Request(_) | Expected::Upload | Expected::Word => false,
        }
    }
}

impl Peer {
    /// The first step: the peer itself, as far as the next block for its uplink goes.
    pub(crate) fn fetch_for_upload(&self) {
        // One of every line.
        fetch::one(&self.next_round);
        fetch::one(&self.served);
        self.connections.fetch_for_upload();
        fetch::one(&self.policy);
        fetch::one(&self.layout);
        fetch::one(&self.totals);
        fetch::one(&self.schedule);
    }

    /// The first step: the peer itself.
    pub(crate) fn fetch(&self) {
        self.fetch_for_upload();
        self.connections.fetch();
        fetch::one(&self.asked);
        self.picker.fetch();
        self.blame.fetch();
    }

    /// The second step: what the peer has for what is about to come on one of its connections.
    pub(crate) fn fetch_for(&self, conn: Option<ConnId>, expected: Expected) {
        if let Some(conn) = conn {
            self.connections.fetch_slot(conn);
        }
        match expected {
            Expected::Block(piece) => {
                self.fetch_for_asking(conn);
                self.picker.fetch_piece(piece);
                self.blame.fetch_pieces();
                if self.completes_pieces() {
                    self.connections.rows().fetch_column(piece);
                    self.connections.fetch_sent();
                    fetch::at(self.have.words(), piece.0 as usize / 64);
                }
            }
            Expected::Request(piece) => fetch::at(self.have.words(), piece.0 as usize / 64),
            Expected::Asking => self.fetch_for_asking(conn),
            Expected::Round => self.connections.fetch_for_round(),
            Expected::Upload => self.connections.fetch_slot(self.next_served()),
            Expected::Have | Expected::Word => {}
        }
    }

    fn fetch_for_asking(&self, conn: Option<ConnId>) {
        if let Some(conn) = conn {
            self.connections.rows().fetch_row(conn);
        }
        self.picker.fetch_for_pick(conn);
        if self.completes_pieces() {
            self.connections.fetch_holdings();
        }
    }

    /// Whether every block is a piece of its own. Of others few complete theirs, and which do is not known ahead.
    pub(crate) fn completes_pieces(&self) -> bool {
        self.layout.blocks_per_piece() == 1
    }

    /// The third step: what lies behind that.
    pub(crate) fn fetch_rest_for(&self, conn: Option<ConnId>, expected: Expected) {
        if expected == Expected::Round {
            return self.connections.fetch_rates();
        }
        let conn = conn.unwrap_or_else(|| self.next_served());
        let Some(connection) = self.connections.get(conn) else { return };
        match expected {
            Expected::Block(piece) => {
                self.picker.fetch_blocks(piece);
                self.picker.fetch_latest(conn);
                self.blame.fetch_piece(piece);
                fetch_first(&connection.outstanding);
                connection.rates.fetch();
            }
            Expected::Request(_) => fetch_first(&connection.uploads),
            Expected::Upload => {
                fetch_first(&connection.uploads);
                connection.rates.fetch();
            }
            Expected::Asking => self.picker.fetch_latest(conn),
            Expected::Have | Expected::Round | Expected::Word => {}
        }
    }

    /// The second step: what a word on this connection will look at, if a request for this piece.
    pub(crate) fn fetch_for_word(&self, conn: ConnId, asked: Option<PieceIndex>) {
        self.connections.fetch_slot(conn);
        if let Some(piece) = asked {
            fetch::at(self.have.words(), piece.0 as usize / 64);
        }
    }

    /// The third step: where a request takes its place.
    pub(crate) fn fetch_rest_for_request(&self, conn: ConnId) {
        if let Some(connection) = self.connections.get(conn) {
            fetch_first(&connection.uploads);
        }
    }

    /// The connection that is served next, as things stand.
    pub(crate) fn next_served(&self) -> ConnId {
        self.next_in_turn(&|_| true).unwrap_or(self.served)
    }

    /// The third step: what HAVEs will change that are noted before this.
    pub(crate) fn fetch_for_haves(&self, haves: &[Have], expected: Expected) {
        let rows = self.connections.rows();
        haves.iter().for_each(|have| rows.fetch_bit(have.conn, have.piece));
        let asks = matches!(expected, Expected::Block(_) | Expected::Asking);
        // Otherwise these have been asked for all together.
        if !asks || !self.completes_pieces() {
            haves.iter().for_each(|have| self.connections.fetch_holding(have.conn));
            haves.iter().for_each(|have| self.picker.fetch_count(have.piece));
            haves.iter().for_each(|have| fetch::at(self.have.words(), have.piece.0 as usize / 64));
        }
    }
}

/// The first two lines of what is outstanding: how long it is would have to be looked up where it lies.
fn fetch_first<T>(outstanding: &[T]) {
    fetch::at(outstanding, 0);
    fetch::at(outstanding, fetch::LINE / size_of::<T>());
}
