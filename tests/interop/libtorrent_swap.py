"""Swaps 3 MiB between libtorrent and MiniBit, once in each direction, over MiniBit's tracker.

    scripts/interop

Must run in a network namespace whose loopback device holds 10.77.0.1 to 10.77.0.5; `scripts/interop` makes one. Every
program has an address of its own, because clients keep one connection per remote address. Every wait is for a line, an
alert, an exit or the tracker's word, and has a deadline. Exit code 0 says that both files arrived whole.
"""

import argparse
import hashlib
import pathlib
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import libtorrent

CONTENT_BYTES = 3 * 1024 * 1024
TRACKER, MINIBIT_SEED, LIBTORRENT_LEECHER, LIBTORRENT_SEED, MINIBIT_LEECHER = (f"10.77.0.{n}" for n in range(1, 6))
PORT = 6881
DEADLINE_S = 60


class Failed(Exception):
    """What did not happen, and what was seen instead."""


class Minibit:
    """A foreground command of MiniBit. Lines of its stdout can be waited for; leaving the block interrupts it."""

    def __init__(self, program, log, *arguments):
        command = [str(program), *map(str, arguments)]
        print("  $", *command, flush=True)
        self.name = f"minibit {arguments[0]}"
        self.log = log
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Ctrl-C ends it in good order; only one that does not listen is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)

    def wait_for_line(self, start):
        """What follows `start` in the first line that begins with it."""
        until = time.monotonic() + DEADLINE_S
        try:
            while (line := self.lines.get(timeout=max(0.0, until - time.monotonic()))) is not None:
                print("   ", self.name, "says:", line, flush=True)
                if line.startswith(start):
                    return line[len(start):].strip()
        except queue.Empty:
            pass
        stderr = pathlib.Path(self.log).read_text(errors="replace")[-2000:]
        raise Failed(f"{self.name} never said {start!r} (exit code {self.process.poll()}); its stderr:\n{stderr}")

    def wait_for_exit(self):
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs after {DEADLINE_S} s") from None
        if code != 0:
            raise Failed(f"{self.name} ended with exit code {code}; its stderr:\n{pathlib.Path(self.log).read_text()}")


class Libtorrent:
    """One libtorrent peer on one address that speaks BEP 3 over TCP and finds others through the tracker alone."""

    def __init__(self, address, torrent, folder, tracker):
        category = libtorrent.alert.category_t
        self.session = libtorrent.session(
            {
                "listen_interfaces": f"{address}:{PORT}",
                "outgoing_interfaces": address,  # else it dials from any address of the device
                "enable_dht": False,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "enable_incoming_utp": False,
                "enable_outgoing_utp": False,  # tried first, it costs seconds before TCP is
                "in_enc_policy": int(libtorrent.enc_policy.pe_disabled),
                "out_enc_policy": int(libtorrent.enc_policy.pe_disabled),
                "alert_mask": category.error_notification | category.status_notification | category.tracker_notification | category.connect_notification,
            },
            flags=0,  # no plugins, so no peer exchange
        )
        settings = libtorrent.add_torrent_params()
        settings.ti = libtorrent.torrent_info(str(torrent))
        settings.trackers = [tracker]
        settings.save_path = str(folder)
        settings.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
        self.torrent = self.session.add_torrent(settings)
        self.seen = []  # the kind of every alert so far, with what it says

    def wait_for(self, what):
        """Returns when an alert of this kind was seen, before or during the wait."""
        until = time.monotonic() + DEADLINE_S
        while all(kind != what for kind, _ in self.seen):
            left = until - time.monotonic()
            if left <= 0:
                last = "\n".join(": ".join(alert) for alert in self.seen[-15:])
                raise Failed(f"libtorrent gave no {what} within {DEADLINE_S} s; its last alerts:\n{last}")
            self.session.wait_for_alert(int(left * 1000) + 1)
            self.seen += [(type(alert).__name__, alert.message()) for alert in self.session.pop_alerts()]


def wait_until_seed_is_known(tracker, torrent):
    """Otherwise the leecher might be told of nobody, and ask again only after the tracker's interval."""
    info_hash = libtorrent.torrent_info(str(torrent)).info_hash().to_bytes()
    scrape = f"{tracker.replace('announce', 'scrape')}?info_hash={urllib.parse.quote(info_hash)}"
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        with urllib.request.urlopen(scrape, timeout=DEADLINE_S) as answer:
            if b"8:completei1e" in answer.read():
                return
        time.sleep(0.02)
    raise Failed(f"{tracker} knows of no seed after {DEADLINE_S} s")


def digest(path):
    if not path.is_file():
        raise Failed(f"{path.name} was not written to {path.parent}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compare(original, copy):
    if digest(original) != digest(copy):
        raise Failed(f"{copy} differs from the original")
    print(f"    {copy.name}: {copy.stat().st_size} bytes, equal to the original", flush=True)


def minibit_to_libtorrent(minibit, content, torrent, tracker, folder):
    print("libtorrent downloads from a MiniBit seed", flush=True)
    seed = ["peer", torrent, "--dir", content.parent, "--listen", f"{MINIBIT_SEED}:{PORT}", "--tracker", tracker]
    with Minibit(minibit, folder / "seed.log", *seed) as peer:
        peer.wait_for_line("listening on")
        wait_until_seed_is_known(tracker, torrent)
        leecher = Libtorrent(LIBTORRENT_LEECHER, torrent, folder, tracker)
        leecher.wait_for("torrent_finished_alert")
        received = leecher.torrent.status().total_payload_download
        leecher.session.pause()  # flushes to disk
        leecher.wait_for("torrent_paused_alert")
    compare(content, folder / content.name)
    if received < CONTENT_BYTES:
        raise Failed(f"libtorrent counts only {received} bytes received")


def libtorrent_to_minibit(minibit, content, torrent, tracker, folder):
    print("libtorrent seeds to a MiniBit peer", flush=True)
    seed = Libtorrent(LIBTORRENT_SEED, torrent, content.parent, tracker)
    seed.wait_for("torrent_finished_alert")  # its copy is checked
    wait_until_seed_is_known(tracker, torrent)
    leecher = ["peer", torrent, "--dir", folder, "--listen", f"{MINIBIT_LEECHER}:{PORT}", "--tracker", tracker]
    with Minibit(minibit, folder / "leecher.log", *leecher, "--on-complete", "leave") as peer:
        peer.wait_for_line("complete:")
        peer.wait_for_exit()
    compare(content, folder / content.name)
    sent = seed.torrent.status().total_payload_upload
    if sent < CONTENT_BYTES:
        raise Failed(f"libtorrent counts only {sent} bytes sent")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("minibit", type=pathlib.Path, help="the program to test")
    minibit = arguments.parse_args().minibit.resolve()
    print(f"libtorrent {libtorrent.version}", flush=True)

    with tempfile.TemporaryDirectory(prefix="minibit-interop-") as work:
        work = pathlib.Path(work)
        content = work / "content.bin"
        content.write_bytes(random.Random(1).randbytes(CONTENT_BYTES))
        split = ["split", content, "--peers", "1", "--distribution", "single-seed"]
        split += ["--block-size", "16KiB", "--piece-size", "64KiB", "--out", work / "split"]
        with Minibit(minibit, work / "split.log", *split) as command:
            command.wait_for_exit()
        torrent = work / "split" / "peers" / f"{content.name}.torrent"

        for port, direction in ((6969, minibit_to_libtorrent), (6970, libtorrent_to_minibit)):
            folder = work / direction.__name__
            folder.mkdir()
            # A tracker of its own for each direction, so that nobody meets the peers of the other one.
            with Minibit(minibit, folder / "tracker.log", "tracker", "--http", f"{TRACKER}:{port}") as tracker:
                direction(minibit, content, torrent, tracker.wait_for_line("listening on"), folder)


try:
    main()
except Failed as failure:
    sys.exit(f"FAILED: {failure}")
