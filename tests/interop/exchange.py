"""One exchange of one torrent between MiniBit and another client, under MiniBit's tracker.

    tests/interop/enclosed python exchange.py MINIBIT --client NAME --direction from|to --torrent FILE --content PATH --work DIR

`from`: the client downloads from a MiniBit seed. `to`: it seeds to a MiniBit leecher. The torrent must name the tracker
below. Every wait has a deadline. Exit code 0 says that everything arrived whole.
"""

import argparse
import pathlib
import shutil
import sys
import urllib.parse

import libtorrent

from clients import CLIENTS
from programs import Failed, Minibit, compare_all, files_below, wait_for_scrape

TRACKER, MINIBIT, OTHER = (f"10.77.0.{n}" for n in range(1, 4))
MINIBIT_PORT = 6881
ANNOUNCE = f"http://{TRACKER}:6969/announce"


def wait_until_the_seed_is_known(torrent):
    """Otherwise the leecher might be told of nobody, and ask again only after the tracker's interval."""
    info_hash = libtorrent.torrent_info(str(torrent)).info_hash().to_bytes()
    scrape = f"{ANNOUNCE.replace('announce', 'scrape')}?info_hash={urllib.parse.quote(info_hash)}"
    wait_for_scrape(scrape, b"8:completei1e")


def from_minibit(minibit, client, torrent, content, work):
    with minibit("peer", torrent, "--dir", content.parent, "--listen", f"{MINIBIT}:{MINIBIT_PORT}") as seed:
        seed.wait_for_line("complete:")
        wait_until_the_seed_is_known(torrent)
        with client(OTHER, torrent, work, work / "client") as leecher:
            leecher.wait_until_complete()
        # It has ended: nothing is in its memory alone any more.
        compare_all(content, work / content.name, client.makes_empty_files)


def write_padding(torrent, folder):
    """As a client has it that takes padding for files like others."""
    files = libtorrent.torrent_info(str(torrent)).files()
    for at in range(files.num_files()):
        if files.file_flags(at) & libtorrent.file_flags_t.flag_pad_file:
            path = folder / files.file_path(at)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(files.file_size(at)))


def to_minibit(minibit, client, torrent, content, work):
    seeded, got = work / "seeded", work / "got"
    seeded.mkdir()
    (shutil.copytree if content.is_dir() else shutil.copy)(content, seeded / content.name)
    if client.writes_padding:
        write_padding(torrent, seeded)
    with client(OTHER, torrent, seeded, work / "client"):
        wait_until_the_seed_is_known(torrent)
        leecher = ("peer", torrent, "--dir", got, "--listen", f"{MINIBIT}:{MINIBIT_PORT}", "--on-complete", "leave")
        with minibit(*leecher) as peer:
            peer.wait_for_line("complete:")
            peer.wait_for_exit()
    compare_all(content, got / content.name)
    expected = len(files_below(content)) if content.is_dir() else 1
    if len(files_below(got)) != expected:
        raise Failed(f"MiniBit wrote {files_below(got)}, which are not {expected} files")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("minibit", type=pathlib.Path, help="the program to test")
    arguments.add_argument("--client", required=True, choices=[client.name for client in CLIENTS])
    arguments.add_argument("--direction", required=True, choices=["from", "to"])
    arguments.add_argument("--torrent", required=True, type=pathlib.Path)
    arguments.add_argument("--content", required=True, type=pathlib.Path)
    arguments.add_argument("--work", required=True, type=pathlib.Path, help="an empty folder")
    given = arguments.parse_args()
    (given.work / "client").mkdir()
    client = next(client for client in CLIENTS if client.name == given.client)
    exchange = from_minibit if given.direction == "from" else to_minibit

    def minibit(command, *words):
        return Minibit(given.minibit, given.work / f"{command}.log", command, *words)

    with minibit("tracker", "--http", ANNOUNCE.split("/")[2]) as tracker:
        tracker.wait_for_line("listening on")
        exchange(minibit, client, given.torrent, given.content, given.work)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")
