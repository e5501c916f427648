"""Runs a MiniBit swarm under opentracker, over HTTP and over UDP.

    scripts/interop opentracker

Must run in a network namespace whose loopback device holds 10.77.0.1 to 10.77.0.8; `scripts/interop` makes one. Every wait
has a deadline. Exit code 0 says that every file arrived whole, and that opentracker counted what MiniBit announced.
"""

import argparse
import contextlib
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

from programs import Failed, Minibit, compare, split_content, wait_for_scrape

TRACKER, SEED, *LEECHERS = (f"10.77.0.{n}" for n in range(1, 6))
PORT = 6881


def info_hash_of(torrent):
    """SHA-1 of the bytes that stand behind the key `info`: they go on to the key that follows in MiniBit's torrents."""
    data = torrent.read_bytes()
    begin, end = data.index(b"4:info") + len(b"4:info"), data.index(b"18:minibit block size")
    return hashlib.sha1(data[begin:end]).digest()


def drop_to():
    """Whom opentracker becomes; where the namespace knows only one user, that one."""
    users = pathlib.Path("/proc/self/uid_map").read_text().split()
    return "nobody" if int(users[2]) > 1 else "root"


@contextlib.contextmanager
def opentracker(folder, port, info_hash):
    """Debian's build answers only for listed torrents."""
    folder.chmod(0o755)
    (folder / "whitelist").write_text(info_hash.hex().upper() + "\n")
    command = ["opentracker", "-i", TRACKER, "-p", str(port), "-P", str(port), "-u", drop_to(), "-d", str(folder)]
    print("  $", *command, flush=True)
    with open(folder / "opentracker.log", "wb") as log:
        process = subprocess.Popen([*command, "-w", "/whitelist"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
        if process.poll() is not None:
            raise Failed(f"opentracker ended: {(folder / 'opentracker.log').read_text()}")
    finally:
        process.kill()
        process.wait()


def swarm(minibit, content, torrent, tracker, scrape, folder):
    seed = ["peer", torrent, "--dir", content.parent, "--listen", f"{SEED}:{PORT}", "--tracker", tracker]
    with contextlib.ExitStack() as running:
        running.enter_context(Minibit(minibit, folder / "seed.log", *seed)).wait_for_line("listening on")
        wait_for_scrape(scrape, b"8:completei1e10:downloadedi0e10:incompletei0e")
        leechers = []
        for number, address in enumerate(LEECHERS):
            to = folder / f"leecher_{number}"
            to.mkdir()
            peer = ["peer", torrent, "--dir", to, "--listen", f"{address}:{PORT}", "--tracker", tracker]
            peer += ["--on-complete", "leave"]
            leechers.append((to, running.enter_context(Minibit(minibit, folder / f"{to.name}.log", *peer))))
        for to, peer in leechers:
            peer.wait_for_line("complete:")
            peer.wait_for_exit()
            compare(content, to / content.name)
        # Everybody has said `completed`, and `stopped` on leaving.
        wait_for_scrape(scrape, f"8:completei1e10:downloadedi{len(LEECHERS)}e10:incompletei0e".encode())
    wait_for_scrape(scrape, b"8:completei0e")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("minibit", type=pathlib.Path, help="the program to test")
    minibit = arguments.parse_args().minibit.resolve()
    with tempfile.TemporaryDirectory(prefix="minibit-interop-") as work:
        work = pathlib.Path(work)
        work.chmod(0o755)
        content, torrent = split_content(minibit, work)
        info_hash = info_hash_of(torrent)
        # A tracker of its own for each protocol, so that the counts are of one swarm.
        for port, protocol in ((6969, "http"), (6970, "udp")):
            print(f"A MiniBit swarm under opentracker, over {protocol}", flush=True)
            folder = work / protocol
            folder.mkdir()
            scrape = f"http://{TRACKER}:{port}/scrape?info_hash={urllib.parse.quote(info_hash)}"
            with opentracker(folder, port, info_hash):
                swarm(minibit, content, torrent, f"{protocol}://{TRACKER}:{port}/announce", scrape, folder)


try:
    main()
except Failed as failure:
    sys.exit(f"FAILED: {failure}")
