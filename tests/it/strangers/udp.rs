//! Packets that are hardly a tracker's, on the UDP port.

use std::net::UdpSocket;
use std::time::Duration;

use minibit::id::{InfoHash, PeerId};
use minibit::wire::announce::packet::{
    ConnectionId, Family, Reply, TransactionId, parse_reply, write_announce, write_connect, write_scrape,
};
use minibit::wire::announce::{AnnounceEvent, AnnounceRequest};

use super::{CRAFTED_INPUTS, PATIENCE, RANDOM_INPUTS, Tracker, random_input};

/// Names the connects that only see whether the tracker is through with what came before.
const ROLL_CALL: TransactionId = TransactionId(0xFFFF_FFFE);
/// So many packets wait for the tracker at a time: none is lost.
const UNANSWERED: usize = 20;

pub(super) struct Stranger {
    socket: UdpSocket,
    /// Bytes of the answers to everything but roll calls.
    heard: usize,
    roll_calls: u64,
}

impl Stranger {
    pub fn of(tracker: &Tracker, from: &str) -> Stranger {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.connect(tracker.udp).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Stranger { socket, heard: 0, roll_calls: 0 }
    }

    /// Returns when everything sent before is answered, or never will be.
    pub fn connect(&mut self) -> ConnectionId {
        self.socket.send(&write_connect(ROLL_CALL)).unwrap();
        self.roll_calls += 1;
        let mut packet = [0; 4_096];
        loop {
            let length = self.socket.recv(&mut packet).expect("an answer");
            let packet = &packet[..length];
            if let Ok((ROLL_CALL, Reply::Connected { connection })) = parse_reply(packet, Family::V4) {
                return connection;
            }
            self.heard += length;
        }
    }

    fn send_all(&mut self, packets: &[Vec<u8>]) {
        for some in packets.chunks(UNANSWERED) {
            for packet in some {
                self.socket.send(packet).unwrap();
            }
            self.connect();
        }
    }
}

fn announce(connection: ConnectionId) -> Vec<u8> {
    let request = AnnounceRequest {
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId([8; 20]),
        port: 6_881,
        uploaded: 0,
        downloaded: 0,
        left: Some(1),
        event: AnnounceEvent::Started,
        num_want: None,
    };
    write_announce(connection, TransactionId(1), &request)
}

/// What the tracker has counted, whatever came of it.
fn counted(tracker: &Tracker) -> u64 {
    let names = ["announces_total", "scrapes_total", "connects_total"];
    let answered: u64 =
        names.iter().map(|name| tracker.count(&format!("minibit_tracker_{name}{{transport=\"udp\"}}"))).sum();
    answered + tracker.count("minibit_tracker_errors_total{transport=\"udp\"")
}

#[test]
fn ten_thousand_random_inputs_do_no_harm_whether_the_address_is_proved_or_not() {
    let tracker = Tracker::start();
    let mut stranger = Stranger::of(&tracker, "127.0.0.1");
    let id = stranger.connect();
    let good = |id| {
        let scrape = write_scrape(id, TransactionId(2), &[InfoHash([7; 20]); 10]);
        let options = [&announce(id)[..], b"\x02\x09/announce\x01\0"].concat();
        [announce(id), scrape, options]
    };
    tracker.is_well("before");
    let (before, already) = (tracker.resident(), counted(&tracker) - stranger.roll_calls);
    let inputs = |good: &[Vec<u8>]| -> Vec<Vec<u8>> {
        (0..RANDOM_INPUTS).map(|random_seed| random_input(random_seed, good)).collect()
    };

    let unproved = inputs(&good(ConnectionId(0)));
    stranger.send_all(&unproved);
    let sent: usize = unproved.iter().map(Vec::len).sum();
    assert!(
        stranger.heard <= sent,
        "{} bytes for {sent} from who has not proved its address",
        stranger.heard
    );
    stranger.send_all(&inputs(&good(id)));

    tracker.is_well("random seeds 0 to 9,999");
    // The last look at its health connects once more.
    let all = 2 * RANDOM_INPUTS + stranger.roll_calls + already + 1;
    assert_eq!(counted(&tracker), all, "every packet was looked at");
    let grown = tracker.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}

#[test]
fn two_hundred_crafted_inputs_do_no_harm() {
    let tracker = Tracker::start();
    let mut stranger = Stranger::of(&tracker, "127.0.0.1");
    let id = stranger.connect();
    let (crafted, before) = (crafted(id), tracker.resident());
    assert!(crafted.len() >= CRAFTED_INPUTS, "{}", crafted.len());
    for packet in crafted {
        stranger.socket.send(&packet).unwrap();
        stranger.connect();
        tracker.is_well(&packet[..packet.len().min(120)].escape_ascii().to_string());
    }
    let grown = tracker.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}

#[test]
fn a_flood_of_rubbish_leaves_a_place_for_everybody_else() {
    let tracker = Tracker::start();
    let flooder = Stranger::of(&tracker, "127.0.0.2");
    flooder.socket.set_nonblocking(true).unwrap();
    let stranger = Stranger::of(&tracker, "127.0.0.3");
    stranger.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answered = 0;
    for _ in 0..30 {
        // Far more than waits for the tracker at a time; what the system drops is dropped. The stranger asks in between:
        // behind it all there may never be room for anybody, where the tracker has no core of its own.
        for _ in 0..10 {
            (0..100).for_each(|_| drop(flooder.socket.send(&[0xFF; 200])));
            stranger.socket.send(&write_connect(ROLL_CALL)).unwrap();
        }
        answered += usize::from(stranger.socket.recv(&mut [0; 100]).is_ok());
        assert!(tracker.get("/metrics").starts_with("HTTP/1.1 200"));
    }
    assert!(answered > 0, "a client that asks again and again is heard");
    tracker.is_well("after the flood");
}

fn crafted(id: ConnectionId) -> Vec<Vec<u8>> {
    let lengths =
        [0, 1, 8, 11, 12, 15, 16, 17, 35, 36, 56, 97, 98, 99, 120, 1_500, 2_047, 2_048, 2_049, 9_000, 65_507];
    let mut packets = Vec::new();
    for action in [0, 1, 2, 3, 4, 255, u32::MAX] {
        for length in lengths {
            let begin = if action == 0 { 0x0417_2710_1980 } else { id.0 };
            let mut packet = begin.to_be_bytes().to_vec();
            packet.extend(action.to_be_bytes());
            packet.resize(length, 0xFF);
            packets.push(packet);
        }
    }
    for (place, length) in [(16, 40), (56, 8), (64, 8), (72, 8), (80, 4), (84, 4), (92, 4), (96, 2)] {
        for byte in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut packet = announce(id);
            packet[place..place + length].fill(byte);
            packets.push(packet);
        }
    }
    for options in
        [&b"\0"[..], b"\x01", b"\x02", b"\x02\0", b"\x02\x01", b"\x02\xFF/", b"\x03\x05ab", &[2; 255]]
    {
        packets.push([&announce(id)[..], options].concat());
    }
    for swarms in [1, 2, 73, 74, 75, 1_000] {
        let one = write_scrape(id, TransactionId(3), &[InfoHash([9; 20])]);
        packets.push([&one[..16], &one[16..].repeat(swarms)].concat());
    }
    packets
}
