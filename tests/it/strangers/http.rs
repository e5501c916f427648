//! Bytes that are hardly HTTP, on the TCP port.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::{CRAFTED_INPUTS, GOOD_QUERY, MOST_BYTES_EACH, RANDOM_INPUTS, Tracker, random_input};

/// Sends the input and its end; whatever answer there is comes to its end as well. True if there was one.
fn send(tracker: &Tracker, input: &[u8]) -> bool {
    let mut stream = tracker.dial();
    // A tracker that has heard enough may close first.
    let _ = stream.write_all(input).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {}", input.escape_ascii()),
    }
    !answer.is_empty()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

#[test]
fn ten_thousand_random_inputs_do_no_harm() {
    let tracker = Tracker::start();
    let good = [
        get(&format!("/announce?{GOOD_QUERY}")),
        get(&format!("/announce?{GOOD_QUERY}&compact=0&event=completed")),
        get("/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=%00%01bbbbbbbbbbbbbbbbbb"),
        get("/metrics"),
    ];
    tracker.is_well("before");
    let before = tracker.resident();
    let mut answered = 0;
    for random_seed in 0..RANDOM_INPUTS {
        if send(&tracker, &random_input(random_seed, &good)) {
            answered += 1;
        }
    }
    assert!((100..RANDOM_INPUTS).contains(&answered), "{answered} were near enough to be answered");
    tracker.is_well("random seeds 0 to 9,999");
    let grown = tracker.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes after connections that are all closed");
}

#[test]
fn two_hundred_crafted_inputs_do_no_harm_and_cost_little_while_they_hang_on() {
    let tracker = Tracker::start();
    let crafted = crafted();
    assert!(crafted.len() >= CRAFTED_INPUTS, "{}", crafted.len());
    for input in &crafted {
        send(&tracker, input);
        tracker.is_well(&input[..input.len().min(200)].escape_ascii().to_string());
    }

    // The same again, all at once, and without an end.
    let before = tracker.resident();
    let mut open = Vec::new();
    for input in &crafted {
        let mut stream = tracker.dial();
        stream.set_nonblocking(true).unwrap();
        // What the tracker does not take in is not its burden.
        let _ = stream.write(input);
        open.push(stream);
    }
    tracker.is_well("all at once");
    let each = tracker.resident().saturating_sub(before) / open.len() as u64;
    assert!(each < MOST_BYTES_EACH, "{each} bytes a connection");
}

#[test]
fn five_hundred_idle_or_slow_connections_cost_little_and_hold_nobody_up() {
    let tracker = Tracker::start();
    tracker.is_well("before");
    let before = tracker.resident();
    let begun = [&b"GET /announce?info_hash="[..], &[b'a'; 4_000]].concat();
    let open: Vec<TcpStream> = (0..500)
        .map(|number| {
            let mut stream = tracker.dial();
            let sent = [0, 1, begun.len()][number % 3];
            stream.write_all(&begun[..sent]).unwrap();
            stream
        })
        .collect();
    let mut times = Vec::new();
    for _ in 0..100 {
        let asked_at = Instant::now();
        assert!(tracker.get(&format!("/announce?{GOOD_QUERY}")).contains("8:interval"));
        times.push(asked_at.elapsed());
    }
    let each = tracker.resident().saturating_sub(before) / open.len() as u64;
    times.sort();
    println!("{each} bytes a connection, p99 {:?}", times[98]);
    assert!(each < MOST_BYTES_EACH, "{each} bytes a connection");
    // Far below a header's deadline, far above what a busy machine needs.
    assert!(times[98].as_secs() < 2, "{times:?}");
}

fn crafted() -> Vec<Vec<u8>> {
    let mut inputs: BTreeSet<Vec<u8>> = BTreeSet::new();
    inputs.extend(targets().iter().map(|target| get(target)));
    inputs.extend(lines().into_iter().map(|line| [line.as_bytes(), b"\r\nHost: x\r\n\r\n"].concat()));
    let line = format!("GET /announce?{GOOD_QUERY} HTTP/1.1\r\n");
    inputs.extend(headers().into_iter().map(|header| [line.as_bytes(), &header, b"\r\n\r\n"].concat()));
    inputs.extend(raw());
    inputs.into_iter().collect()
}

/// Queries of announces and scrapes.
fn targets() -> Vec<String> {
    let mut targets = Vec::new();
    let numbers = ["", "-1", "0", "00", "65535", "65536", "2147483648", "4294967296", "18446744073709551616"];
    let texts = ["+1", "0x10", "1e9", "%31", "%", "%4", "%zz", "%00", "NaN", "1;2", "\u{FFFD}"];
    for parameter in ["port", "left", "uploaded", "downloaded", "numwant", "compact", "event"] {
        for value in numbers.iter().chain(&texts) {
            targets.push(format!("/announce?{parameter}={value}&{GOOD_QUERY}"));
        }
    }
    for hash in ["", "a", "%61", "aaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaa", "%", "%%%%%%%%%%%%%%%%%%%%"]
    {
        targets.push(format!("/announce?info_hash={hash}&port=1&peer_id=bbbbbbbbbbbbbbbbbbbb"));
        targets.push(format!("/announce?peer_id={hash}&port=1&info_hash=bbbbbbbbbbbbbbbbbbbb"));
        targets.push(format!("/scrape?info_hash={hash}"));
    }
    for times in [2, 64, 74, 75, 200] {
        targets.push(format!("/scrape?{}", "info_hash=aaaaaaaaaaaaaaaaaaaa&".repeat(times)));
        targets.push(format!("/announce?{}", "&".repeat(times * 30)));
        targets.push(format!("/announce?{GOOD_QUERY}&ip={}", "203.0.113.7,".repeat(times)));
    }
    targets
}

/// Request lines.
fn lines() -> Vec<String> {
    let methods =
        ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "G E T", "PRI", "\u{e9}"];
    let mut lines: Vec<String> = methods.map(|method| format!("{method} /announce HTTP/1.1")).into();
    for target in [
        "/",
        "//",
        "/../announce",
        "/announce/",
        "/ANNOUNCE",
        "*",
        "http://x/announce",
        "announce",
        "/announce#x",
    ] {
        lines.push(format!("GET {target} HTTP/1.1"));
    }
    for version in
        ["", "HTTP", "HTTP/0.9", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/9.9", "HTTP/1.1 x", "ICY/1.0"]
    {
        lines.push(format!("GET /announce {version}"));
    }
    for length in [1_000, 8_000, 8_192, 20_000] {
        lines.push(format!("GET /announce?{} HTTP/1.1", "a".repeat(length)));
        lines.push(format!("{} /announce HTTP/1.1", "G".repeat(length)));
        lines.push("GET".to_owned() + &" ".repeat(length));
    }
    lines
}

/// Headers of an announce that would be good.
fn headers() -> Vec<Vec<u8>> {
    let mut headers: Vec<Vec<u8>> = [
        "Content-Length: 18446744073709551616",
        "Content-Length: -1",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 1000000000",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Expect: 100-continue",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Connection: keep-alive",
        "Host:",
        "Host: a\r\nHost: b",
        "X-Forwarded-For: 203.0.113.7",
        "Range: bytes=0-99999999999999999999",
        "No colon",
        ": no name",
        " folded: header",
        "A: b\r\n c",
        "A\u{0}: b",
        "A: \u{1b}[2J",
    ]
    .map(|header| header.as_bytes().to_vec())
    .into();
    for times in [10, 63, 64, 65, 100, 1_000] {
        headers.push(b"A: b\r\n".repeat(times));
        headers.push([b"A: ", &b"b".repeat(times * 10)[..]].concat());
        headers.push([b"Cookie: \xFF".repeat(times), b"\r\n".to_vec()].concat());
    }
    headers
}

/// What is something else altogether.
fn raw() -> Vec<Vec<u8>> {
    let mut raw: Vec<Vec<u8>> = vec![
        b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb".to_vec(),
        b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\0\0\0\x01".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"GET /announce\r\n".to_vec(),
        b"GET /announce HTTP/1.1\n\n".to_vec(),
        b"GET /announce HTTP/1.1\r\r".to_vec(),
        get("/scrape").repeat(200),
        [get("/announce"), vec![b'x'; 100_000]].concat(),
        Vec::new(),
    ];
    for byte in [0, b'\r', b'\n', b' ', b'G', b'%', 0x7F, 0x80, 0xFF] {
        raw.extend([1, 100, 10_000, 100_000].map(|length| vec![byte; length]));
    }
    raw
}
