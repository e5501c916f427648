//! An announce over UDP (BEP 15): a connection id first, then the announce, each sent again until it is answered. What is
//! no answer to the last packet is as good as none.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::AnnounceFailure;
use crate::wire::announce::packet::{
    Family, Reply, TransactionId, parse_reply, write_announce, write_connect,
};
use crate::wire::announce::{AnnounceRequest, AnnounceResponse};

/// Room for any answer that a tracker means to arrive; a longer one is cut off.
const MAX_PACKET: usize = 8 * 1024;
/// So many times a packet is sent again (BEP 15).
const MAX_REPEATS: u32 = 8;

/// Asks the tracker at `addr`. The first answer has `patience` to come before its packet is sent again.
pub(super) async fn announce(
    addr: SocketAddr,
    from: IpAddr,
    request: &AnnounceRequest,
    patience: Duration,
) -> Result<AnnounceResponse, AnnounceFailure> {
    let failed = |cause| AnnounceFailure::Connect { from, cause };
    let mut dialogue = Dialogue::open(addr, from, patience).await.map_err(failed)?;
    let connected = |reply| match reply {
        Reply::Connected { connection } => Some(Ok(connection)),
        Reply::Failed(refusal) => Some(Err(refusal)),
        _ => None,
    };
    let connection = dialogue.ask(write_connect, connected).await.map_err(failed)?;
    let connection = connection.ok_or(AnnounceFailure::Silence)?.map_err(AnnounceFailure::Refused)?;
    let announced = |reply| match reply {
        Reply::Announced(response) => Some(Ok(response)),
        Reply::Failed(refusal) => Some(Err(refusal)),
        _ => None,
    };
    let packet = |transaction| write_announce(connection, transaction, request);
    let answer = dialogue.ask(packet, announced).await.map_err(failed)?;
    answer.ok_or(AnnounceFailure::Silence)?.map_err(AnnounceFailure::Refused)
}

/// Questions to one tracker, one after the other.
struct Dialogue {
    /// Hears this tracker alone.
    socket: UdpSocket,
    family: Family,
    patience: Duration,
    random: RandomState,
    asked: u64,
}

impl Dialogue {
    async fn open(addr: SocketAddr, from: IpAddr, patience: Duration) -> io::Result<Dialogue> {
        let socket = UdpSocket::bind((from, 0)).await?;
        socket.connect(addr).await?;
        let family = if addr.is_ipv4() { Family::V4 } else { Family::V6 };
        Ok(Dialogue { socket, family, patience, random: RandomState::new(), asked: 0 })
    }

    /// Sends a packet, again and again with twice the patience (15 · 2ⁿ seconds, BEP 15), until something comes that
    /// `answer` takes. `None` after the last time; an error where the network says that nobody listens there.
    async fn ask<T>(
        &mut self,
        question: impl Fn(TransactionId) -> Vec<u8>,
        answer: impl Fn(Reply) -> Option<T>,
    ) -> io::Result<Option<T>> {
        self.asked += 1;
        let transaction = TransactionId(self.random.hash_one(self.asked) as u32);
        let question = question(transaction);
        for repeat in 0..=MAX_REPEATS {
            self.socket.send(&question).await?;
            let patience = self.patience.saturating_mul(1 << repeat);
            if let Ok(heard) = timeout(patience, self.hear(transaction, &answer)).await {
                return heard.map(Some);
            }
        }
        Ok(None)
    }

    /// The answer to this transaction, whatever else comes.
    async fn hear<T>(
        &self,
        transaction: TransactionId,
        answer: &impl Fn(Reply) -> Option<T>,
    ) -> io::Result<T> {
        let mut packet = vec![0; MAX_PACKET];
        loop {
            let length = self.socket.recv(&mut packet).await?;
            if let Ok((named, reply)) = parse_reply(&packet[..length], self.family)
                && named == transaction
                && let Some(taken) = answer(reply)
            {
                return Ok(taken);
            }
        }
    }
}

#[cfg(test)]
mod tests;
