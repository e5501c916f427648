"""BitTorrent clients side by side: how each is started as a seed or a leecher, how it tells that it is complete, and a swarm of
one of them under MiniBit's tracker. TCP without encryption, no DHT, no local discovery, no port forwarding; otherwise
everybody's defaults, but for what loopback needs."""

import contextlib
import functools
import hashlib
import os
import pathlib
import statistics
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import bench

PORT = 51413
TRACKER = "127.0.0.1:6969"
POLL_S = 0.002
SEED_LIMIT_S = 90
# A seed that the tracker counts may still be busy with what it does at its start.
SETTLE_S = 0.3


class Torrent:
    """One file of random bytes and its .torrent, made here so that it is nobody's own."""

    def __init__(self, folder, length):
        self.content = pathlib.Path(folder) / "content.bin"
        self.file = pathlib.Path(folder) / "content.torrent"
        self.sha1 = bench.content(self.content, length)
        hashes = bytearray()
        with open(self.content, "rb") as content:
            while piece := content.read(bench.PIECE_SIZE):
                hashes += hashlib.sha1(piece).digest()
        info = b"d6:lengthi%de4:name11:content.bin12:piece lengthi%de6:pieces%d:%se" % (
            length,
            bench.PIECE_SIZE,
            len(hashes),
            bytes(hashes),
        )
        self.info_hash = hashlib.sha1(info).digest()
        announce = f"http://{TRACKER}/announce".encode()
        self.file.write_bytes(b"d8:announce%d:%s4:info%se" % (len(announce), announce, info))


class Peer:
    """One process of a client. `number` 0 is the seed."""

    def __init__(self, torrent, folder, number):
        self.torrent, self.number = torrent, number
        self.address, self.port = f"127.0.0.{number + 2}", PORT
        self.dir = folder / f"peer{number}"
        self.home = folder / f"home{number}"
        self.log = folder / f"log{number}"
        self.file = self.dir / torrent.content.name
        self.program = None
        self.first_data = self.complete = None
        self.dir.mkdir()
        self.home.mkdir()
        if number == 0:
            os.link(torrent.content, self.file)

    def start(self, stack, *command, **options):
        environment = dict(os.environ, HOME=str(self.home), XDG_CACHE_HOME=str(self.home))
        program = bench.Program(command, self.log, env=environment, **options)
        self.program = stack.enter_context(program)

    def hear(self, word):
        """Complete as soon as a line of its stdout has the word."""

        def listen():
            for line in self.program.process.stdout:
                if word in line and self.complete is None:
                    self.complete = time.monotonic()

        threading.Thread(target=listen, daemon=True).start()

    def has_data(self):
        try:
            return os.stat(self.file).st_blocks > 0
        except FileNotFoundError:
            return False

    def look(self):
        """Whether it is complete."""
        return self.complete is not None


class Minibit(Peer):
    """Its own account of completeness is its end."""

    def __init__(self, program, *args):
        super().__init__(*args)
        self.command = [program, "peer", self.torrent.file, "--dir", self.dir, "--listen", f"{self.address}:{self.port}"]

    def run(self, stack):
        self.start(stack, *self.command, stdout=subprocess.PIPE)
        self.hear(b"complete: ")


class Aria2(Peer):
    def run(self, stack):
        mark, hook = self.home / "complete", self.home / "hook"
        hook.write_text(f"#!/bin/sh\n: >'{mark}'\n")
        hook.chmod(0o755)
        self.mark = mark
        role = ["--check-integrity=true"] if self.number == 0 else [f"--on-bt-download-complete={hook}"]
        self.start(
            stack,
            *("aria2c", "--no-conf=true", "--quiet=true", "--enable-dht=false", "--enable-dht6=false"),
            *("--bt-enable-lpd=false", "--disable-ipv6=true", "--file-allocation=none", "--seed-ratio=0.0"),
            *("--bt-max-peers=0", "--bt-request-peer-speed-limit=1000M"),
            *(f"--interface={self.address}", f"--bt-external-ip={self.address}", f"--listen-port={self.port}"),
            *(f"--dir={self.dir}", *role, self.torrent.file),
        )

    def look(self):
        if self.complete is None and self.mark.exists():
            self.complete = time.monotonic()
        return self.complete is not None


class Rqbit(Peer):
    """It cannot dial from an address of its own, so that all are at 127.0.0.1 with a port each."""

    def run(self, stack):
        self.start(
            stack,
            *(bench.installed("rqbit"), "--disable-dht", "--disable-dht-persistence", "--disable-lsd"),
            *("--disable-upnp-port-forward", "--http-api-listen-addr", f"127.0.0.1:{3030 + self.number}"),
            *("--listen-port", PORT + self.number, "download", "--overwrite", "-o", self.dir, self.torrent.file),
            stdout=subprocess.PIPE,
        )
        self.hear(b"torrent finished downloading")


class Libtorrent(Peer):
    def run(self, stack):
        role = "seed" if self.number == 0 else "leecher"
        sessions = pathlib.Path(__file__).with_name("libtorrent_sessions.py")
        spec = f"{role},{self.address},{self.port},{self.dir}"
        self.start(stack, bench.libtorrent_python(), sessions, self.torrent.file, spec, stdout=subprocess.PIPE)
        self.hear(b"complete ")


def client(name):
    """What makes a peer of the client; `None` where it is not installed."""
    if name.partition(":")[0] == "minibit":
        program = bench.minibit(name)
        return functools.partial(Minibit, program) if program.exists() else None
    kind = {"aria2": Aria2, "rqbit": Rqbit, "libtorrent": Libtorrent}[name]
    there = bench.libtorrent_python() if name == "libtorrent" else bench.installed({"aria2": "aria2c"}.get(name, name))
    return kind if there else None


def complete_peers(torrent):
    """How many the tracker knows to have everything."""
    question = urllib.parse.urlencode({"info_hash": torrent.info_hash})
    try:
        answer = urllib.request.urlopen(f"http://{TRACKER}/scrape?{question}", timeout=2).read()
    except OSError:
        return 0
    _, found, rest = answer.partition(b"8:completei")
    return int(rest.partition(b"e")[0]) if found else 0


def tracker(stack, torrent, log):
    command = [bench.minibit("minibit"), "tracker", "--http", TRACKER, "--interval", "30min"]
    program = stack.enter_context(bench.Program(command, log, stdout=subprocess.PIPE, text=True))
    if not program.process.stdout.readline().startswith("listening"):
        raise bench.Failed(f"the tracker does not listen; it said:\n{program.said()}")


def wait_for_seed(torrent, program):
    until = time.monotonic() + SEED_LIMIT_S
    while complete_peers(torrent) == 0:
        program.must_run()
        if time.monotonic() > until:
            raise bench.Failed(f"the seed has not come within {SEED_LIMIT_S} s; it said:\n{program.said()}")
        time.sleep(0.02)
    time.sleep(SETTLE_S)


def wait_for_all(leechers, programs, until):
    """Notes when each has its first data and when it is complete."""
    lacking = list(leechers)
    peaks_due = 0
    while lacking:
        for peer in lacking:
            if peer.first_data is None and peer.has_data():
                peer.first_data = time.monotonic()
        lacking = [peer for peer in lacking if not peer.look()]
        if time.monotonic() >= peaks_due:
            peaks_due = time.monotonic() + 0.05
            for program in programs:
                program.peak_mib()
            for peer in lacking:
                if not peer.look():
                    peer.program.must_run()
            if time.monotonic() > until:
                raise bench.Failed(f"{len(lacking)} are not complete in time; one said:\n{lacking[0].program.said()}")
        time.sleep(POLL_S)


def swarm(make, torrent, leechers, timeout_s):
    """A seed that has checked its file and is known to the tracker, and so many leechers started at one time, each a process.
    Seconds count from before the first is started to the last that is complete; CPU is that of all peers in this time."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(bench.workplace()))
        tracker(stack, torrent, folder / "tracker.log")
        peers = [make(torrent, folder, number) for number in range(leechers + 1)]
        seed, others = peers[0], peers[1:]
        seed.run(stack)
        wait_for_seed(torrent, seed.program)

        before, machine, begun = seed.program.cpu(), bench.Machine(), time.monotonic()
        for peer in others:
            peer.run(stack)
        programs = [peer.program for peer in peers]
        wait_for_all(others, programs, begun + timeout_s)
        cpu = sum(program.cpu() for program in programs) - before
        used_by_others = machine.used_by_others(cpu)
        peak = sum(program.peak_mib() for program in programs)
        time.sleep(SETTLE_S)
        for peer in others:
            if not bench.is_content(peer.file, torrent.sha1):
                raise bench.Failed(f"peer {peer.number} has other bytes than the seed")
    return timings(begun, [(peer.first_data, peer.complete) for peer in others], cpu, peak, used_by_others)


def timings(begun, marks, cpu, peak, used_by_others):
    """`marks` are each leecher's first data, if it was seen, and its completion."""
    last = max(complete for _, complete in marks)
    seen = [first for first, _ in marks if first is not None]
    return {
        "start": last - begun,
        "data": last - min(seen) if seen else None,
        "median": statistics.median(complete for _, complete in marks) - begun,
        "cpu": cpu,
        "peak": peak,
        "others": used_by_others,
    }


COLUMNS = {
    "start": ("start to done, s", 2),
    "data": ("first data to done, s", 2),
    "cpu": ("CPU of all peers, s", 2),
    "peak": ("peak memory of all, MiB", 0),
    "others": ("cores used by others", 2),
}
