//! The tracker on a UDP port (BEP 15). What is no request is not answered, and whoever has not proved its address gets no
//! more bytes than it sent. Knows nothing of what the tracker decides.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::connection_ids::ConnectionIds;
use super::desk::Desk;
use crate::id::InfoHash;
use crate::tracker::Families;
use crate::wire::announce::AnnounceRequest;
use crate::wire::announce::packet::{
    Family, MAX_BYTES, Request, TransactionId, parse_request, write_announced, write_connected, write_failed,
    write_scraped,
};

/// Room for the longest scrape, and for an announce with options (BEP 41); what is beyond is cut off.
const MAX_PACKET: usize = 2_048;
/// Packets answered before others of the thread have their turn.
const TURN: usize = 64;
/// After a failed receive, before the next.
const RECEIVE_PAUSE: Duration = Duration::from_millis(50);
/// Told to whoever has not proved its address, so short: a packet of 29 bytes.
const UNKNOWN_ID: &str = "connection id expired";

/// One port.
#[derive(Debug)]
pub(super) struct Port {
    pub socket: UdpSocket,
    pub ids: ConnectionIds,
    pub desk: Arc<Desk>,
    pub stop: CancellationToken,
}

impl Port {
    /// Answers until the stop.
    pub async fn serve(self) {
        let mut packet = [0; MAX_PACKET];
        let mut answer = Vec::with_capacity(MAX_BYTES);
        while let Some(ready) = self.stop.run_until_cancelled(self.socket.readable()).await {
            if ready.is_err() || !self.turn(&mut packet, &mut answer) {
                sleep(RECEIVE_PAUSE).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Answers what has come, up to a turn's worth. False if the system reports an error.
    fn turn(&self, packet: &mut [u8; MAX_PACKET], answer: &mut Vec<u8>) -> bool {
        for _ in 0..TURN {
            match self.socket.try_recv_from(packet) {
                Ok((length, from)) => {
                    if self.answer(&packet[..length], from.ip().to_canonical(), answer)
                        && self.socket.try_send_to(answer, from).is_err()
                    {
                        // Whoever gets no answer asks again.
                        self.desk.counters.udp.unsent.add_one();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // On some systems the fate of an earlier answer.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Writes the answer to a packet; false where there is none.
    fn answer(&self, packet: &[u8], from: IpAddr, answer: &mut Vec<u8>) -> bool {
        let counters = &self.desk.counters.udp;
        let Ok(request) = parse_request(packet) else {
            counters.malformed.add_one();
            return false;
        };
        let now = self.desk.uptime();
        match request {
            Request::Connect { transaction } => {
                write_connected(transaction, self.ids.give(from, now), answer);
                counters.connects.add_one();
            }
            Request::Announce { connection, transaction, .. }
            | Request::Scrape { connection, transaction, .. }
                if !self.ids.knows(connection, from, now) =>
            {
                write_failed(transaction, UNKNOWN_ID, answer);
                counters.unknown_id.add_one();
            }
            Request::Announce { transaction, request, .. } => {
                self.announce(transaction, &request, from, answer);
            }
            Request::Scrape { transaction, info_hashes, .. } => {
                self.scrape(transaction, &info_hashes, answer);
            }
        }
        true
    }

    fn announce(
        &self,
        transaction: TransactionId,
        request: &AnnounceRequest,
        from: IpAddr,
        answer: &mut Vec<u8>,
    ) {
        let family = if from.is_ipv4() { Family::V4 } else { Family::V6 };
        match self.desk.announce(SocketAddr::new(from, request.port), request, Families::Askers) {
            Ok(response) => {
                write_announced(transaction, &response, family, answer);
                self.desk.counters.udp.announces.add_one();
            }
            Err(refusal) => {
                write_failed(transaction, &refusal.reason, answer);
                self.desk.counters.udp.refused.add_one();
            }
        }
    }

    fn scrape(&self, transaction: TransactionId, info_hashes: &[InfoHash], answer: &mut Vec<u8>) {
        let known = self.desk.scrape(info_hashes).files;
        // Answers have no hashes, only places: a swarm that nobody knows is one of nobody.
        let counts = info_hashes.iter().map(|asked| {
            let found = known.iter().find(|(info_hash, _)| info_hash == asked);
            found.map(|(_, counts)| *counts).unwrap_or_default()
        });
        write_scraped(transaction, counts, answer);
        self.desk.counters.udp.scrapes.add_one();
    }
}

#[cfg(test)]
mod tests;
