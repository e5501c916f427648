//! Bytes ↔ types, without I/O: the peer wire (BEP 3, 6, 10) and the tracker's HTTP forms (BEP 3, 23).

pub mod announce;
pub mod message;
