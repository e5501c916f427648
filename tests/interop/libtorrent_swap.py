"""Swaps 3 MiB between libtorrent and MiniBit, in each direction, over MiniBit's tracker, by HTTP and by UDP.

    scripts/interop

Must run in a network namespace whose loopback device holds 10.77.0.1 to 10.77.0.8; `scripts/interop` makes one. Every
program has an address of its own, because clients keep one connection per remote address. Every wait is for a line, an
alert, an exit or the tracker's word, and has a deadline. Exit code 0 says that all files arrived whole.
"""

import argparse
import pathlib
import sys
import tempfile
import urllib.parse

import libtorrent

from libtorrent_peer import Libtorrent
from programs import CONTENT_BYTES, Failed, Minibit, compare, split_content, wait_for_scrape

MINIBIT_SEED, LIBTORRENT_LEECHER, LIBTORRENT_SEED, MINIBIT_LEECHER = (f"10.77.0.{n}" for n in range(1, 5))
TRACKERS = (f"10.77.0.{n}:6969" for n in range(5, 9))
PORT = 6881


def wait_until_seed_is_known(http, torrent):
    """Otherwise the leecher might be told of nobody, and ask again only after the tracker's interval."""
    info_hash = libtorrent.torrent_info(str(torrent)).info_hash().to_bytes()
    scrape = f"{http.replace('announce', 'scrape')}?info_hash={urllib.parse.quote(info_hash)}"
    wait_for_scrape(scrape, b"8:completei1e")


def minibit_to_libtorrent(minibit, content, torrent, http, tracker, folder):
    print("libtorrent downloads from a MiniBit seed", flush=True)
    seed = ["peer", torrent, "--dir", content.parent, "--listen", f"{MINIBIT_SEED}:{PORT}", "--tracker", tracker]
    with Minibit(minibit, folder / "seed.log", *seed) as peer:
        peer.wait_for_line("listening on")
        wait_until_seed_is_known(http, torrent)
        leecher = Libtorrent(LIBTORRENT_LEECHER, PORT, torrent, folder, tracker)
        leecher.wait_for("torrent_finished_alert")
        received = leecher.torrent.status().total_payload_download
        leecher.flush()
    compare(content, folder / content.name)
    if received < CONTENT_BYTES:
        raise Failed(f"libtorrent counts only {received} bytes received")


def libtorrent_to_minibit(minibit, content, torrent, http, tracker, folder):
    print("libtorrent seeds to a MiniBit peer", flush=True)
    seed = Libtorrent(LIBTORRENT_SEED, PORT, torrent, content.parent, tracker)
    seed.wait_for("torrent_finished_alert")  # its copy is checked
    wait_until_seed_is_known(http, torrent)
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
        content, torrent = split_content(minibit, work)
        for protocol in ("http", "udp"):
            for direction in (minibit_to_libtorrent, libtorrent_to_minibit):
                folder = work / f"{direction.__name__}_{protocol}"
                folder.mkdir()
                # A tracker of its own for each exchange, so that nobody meets the peers of another one; on an address of
                # its own, because libtorrent keeps UDP connection ids by address alone.
                addr = next(TRACKERS)
                with Minibit(minibit, folder / "tracker.log", "tracker", "--http", addr, "--udp", addr) as tracker:
                    urls = {"http": tracker.wait_for_line("listening on"), "udp": tracker.wait_for_line("listening on")}
                    direction(minibit, content, torrent, urls["http"], urls[protocol], folder)


try:
    main()
except Failed as failure:
    sys.exit(f"FAILED: {failure}")
