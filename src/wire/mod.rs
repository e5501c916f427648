//! Bytes ↔ types, without I/O: the peer wire (BEP 3, 6, 10) and the tracker's HTTP and UDP forms (BEP 3, 7, 15,
//! 23, 31, 48).

pub mod announce;
pub mod codec;
mod compact;
pub mod extended;
pub mod handshake;
pub mod message;
pub mod round_trip;
