"""BitTorrent clients side by side: how each is started as a seed or a leecher, and how it tells that it is complete. TCP
without encryption, no DHT, no local discovery, no port forwarding; otherwise everybody's defaults, but for what loopback
needs."""

import functools
import hashlib
import os
import pathlib
import subprocess
import threading
import time

import bench

PORT = 51413
TRACKER = "127.0.0.1:6969"


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
    """As a user has it: `get` ends when the file is there. Where `stays`, it goes on as a seed, and says so."""

    def __init__(self, program, stays, *args):
        super().__init__(*args)
        self.minibit, self.stays = program, stays

    def run(self, stack):
        at = ["--quiet", "--listen", f"{self.address}:{self.port}"]
        if self.number == 0:
            self.start(stack, self.minibit, "seed", self.file, "--torrent", self.torrent.file, *at)
        elif self.stays:
            command = [self.minibit, "get", self.torrent.file, "--to", self.dir, "--stay", *at]
            self.start(stack, *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.hear(b"complete: ")
        else:
            self.start(stack, self.minibit, "get", self.torrent.file, "--to", self.dir, *at)

    def look(self):
        if self.complete is None and not self.stays and self.program.code() == 0:
            self.complete = time.monotonic()
        return self.complete is not None


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


def client(name, stays):
    """What makes a peer of the client; `None` where it is not installed. The others seed on in any case."""
    if name.partition(":")[0] == "minibit":
        program = bench.minibit(name)
        return functools.partial(Minibit, program, stays) if program.exists() else None
    kind = {"aria2": Aria2, "rqbit": Rqbit, "libtorrent": Libtorrent}[name]
    there = bench.libtorrent_python() if name == "libtorrent" else bench.installed({"aria2": "aria2c"}.get(name, name))
    return kind if there else None
