//! One peer on the bench: no driver, only what it hears and what it wants done.

use std::net::SocketAddr;

use bytes::Bytes;
use minibit::event::CloseReason;
use minibit::id::{Block, ConnId, InfoHash, PeerId, PeerIndex, PieceIndex};
use minibit::peer::policy::Policy;
use minibit::peer::{Action, Direction, Features, Input, Neighbours, Peer, RemotePeer, Setup};
use minibit::time::Time;
use minibit::torrent::bitfield::Bitfield;
use minibit::torrent::layout::Layout;
use minibit::wire::message::{BitfieldPayload, Message, Payload};

pub(crate) const PIECES: u32 = 10;
pub(crate) const CONN: ConnId = ConnId(0);

/// One peer under test and what it wants done.
pub(crate) struct Bench {
    pub(crate) peer: Peer,
    pub(crate) now: Time,
    pub(crate) actions: Vec<Action>,
    features: Features,
}

impl Bench {
    /// A peer that has the first `pieces` of ten pieces of two 8-byte blocks, connected to one remote.
    pub(crate) fn with(pieces: u32) -> Bench {
        let mut have = Bitfield::empty(PIECES);
        (0..pieces).for_each(|piece| {
            have.insert(PieceIndex(piece));
        });
        Bench::new(Layout::new(160, 16, 8).unwrap(), have)
    }

    /// A peer connected to one remote.
    pub(crate) fn new(layout: Layout, have: Bitfield) -> Bench {
        Bench::speaking(Features::default(), layout, have)
    }

    /// A peer connected to one remote that has announced the same extensions.
    pub(crate) fn speaking(features: Features, layout: Layout, have: Bitfield) -> Bench {
        let peer =
            Bench::setup(Policy { peer_exchange: features.extended, ..Policy::default() }, layout, have);
        let mut bench = Bench { peer, now: Time::ZERO, actions: Vec::new(), features };
        bench.connect(CONN, 2);
        bench
    }

    /// A peer that is connected to nobody.
    pub(crate) fn setup(policy: Policy, layout: Layout, have: Bitfield) -> Peer {
        let setup = Setup {
            index: PeerIndex(0),
            random_seed: 1,
            peer_id: PeerId::minibit([1; 12]),
            addr: SocketAddr::from(([10, 0, 0, 1], 6881)),
            info_hash: InfoHash([9; 20]),
            layout,
            have,
            policy,
            uploads: true,
            neighbours: Neighbours::FromTracker { dial: None },
            schedule: None,
            trackers: vec![1],
        };
        Peer::new(setup, Time::ZERO)
    }

    pub(crate) fn connect(&mut self, conn: ConnId, name: u8) {
        self.connect_as(conn, name, Direction::Incoming);
    }

    pub(crate) fn connect_as(&mut self, conn: ConnId, name: u8, direction: Direction) {
        let remote = RemotePeer {
            addr: SocketAddr::from(([10, 0, 0, name], 6881)),
            peer_id: PeerId([name; 20]),
            direction,
            features: self.features,
            index: Some(PeerIndex(u32::from(name))),
        };
        self.input(Input::Connected { conn, remote: Box::new(remote) });
    }

    pub(crate) fn input(&mut self, input: Input) -> &[Action] {
        self.actions.clear();
        self.peer.handle(self.now, input, &mut self.actions);
        &self.actions
    }

    pub(crate) fn receive(&mut self, message: Message) -> &[Action] {
        self.input(Input::Received { conn: CONN, message })
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        self.actions.iter().find_map(|action| match action {
            Action::Close { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    /// What the remote of `CONN` was asked for just now.
    pub(crate) fn requested(&self) -> Vec<Block> {
        let request = |action: &Action| match action {
            Action::Send { message: Message::Request(block), .. } => Some(*block),
            _ => None,
        };
        self.actions.iter().filter_map(request).collect()
    }
}

pub(crate) fn raw(bytes: &'static [u8]) -> Message {
    Message::Bitfield(BitfieldPayload::Raw(Bytes::from_static(bytes)))
}

pub(crate) fn block(piece: u32, begin: u32, length: u32) -> Block {
    Block { piece: PieceIndex(piece), begin, length }
}

pub(crate) fn data(block: Block) -> Message {
    Message::Piece { block, payload: Payload::Bytes(Bytes::from(vec![7; block.length as usize])) }
}
