//! The packets of a UDP tracker (BEP 15), in both directions. Trackers take no answer on trust: a connection id proves
//! that whoever asks can hear at the address it asks from. What makes an id valid is not known here.

mod reply;
mod request;

pub use reply::{Reply, parse_reply, write_announced, write_connected, write_failed, write_scraped};
pub use request::{Request, parse_request, write_announce, write_connect, write_scrape};

/// What every connect request begins with.
const PROTOCOL: u64 = 0x0417_2710_1980;
/// No packet that we write is longer: what reaches everybody in one piece, the least that IPv6 carries less its headers.
pub const MAX_BYTES: usize = 1280 - 40 - 8;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const FAILED: u32 = 3;

/// Names a request, chosen at random by whoever asks; the answer repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionId(pub u32);

/// What a tracker has given to an address, to be shown with every further request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(pub u64);

/// Of the packet that asks: decides how long a peer is in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// Why bytes are no packet of a UDP tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("{0} bytes are too few")]
    TooShort(usize),
    #[error("its kind {0} is unknown")]
    UnknownAction(u32),
    #[error("a connect without BEP 15's number at the beginning")]
    NotTheProtocol,
    #[error("its peers or counts end in the middle of one")]
    BrokenRow,
}

/// The next bytes of a packet.
struct Reader<'p> {
    rest: &'p [u8],
    length: usize,
}

impl<'p> Reader<'p> {
    fn new(packet: &'p [u8]) -> Reader<'p> {
        Reader { rest: packet, length: packet.len() }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], PacketError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(PacketError::TooShort(self.length))?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn u16(&mut self) -> Result<u16, PacketError> {
        self.bytes().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, PacketError> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, PacketError> {
        self.bytes().map(u64::from_be_bytes)
    }
}
