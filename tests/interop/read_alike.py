"""MiniBit's own .torrent files, read by others: does everybody find the same in them?

    tests/interop/enclosed python read_alike.py MINIBIT READER...

Compares info-hash, name, piece length, pieces, sizes and trackers as MiniBit says them with what each reader says:
libtorrent, transmission-show, imdl. Exit code 77: nothing differs, but a reader is not installed.
"""

import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

from clients import find
from programs import Failed, Minibit, split

# Name, bytes, bytes of a piece, and tiers of trackers.
TORRENTS = (
    ("one byte.bin", 1, 256 * 1024, ["http://10.77.0.1:6969/announce"]),
    ("plain.txt", 16 * 1024 - 1, 16 * 1024, []),
    ("História ção.bin", 3 * 1024 * 1024 + 77, 256 * 1024, ["http://10.77.0.1:6969/announce,udp://10.77.0.1:6969", "udp://10.77.0.2:1"]),
    ("日本語", 1_000_000, 48 * 1024, ["udp://10.77.0.1:6969/announce"]),
)


def minibit(program, torrent, work):
    """As MiniBit itself reads it: a peer says so first in its records."""
    records = work / "records"
    peer = ["peer", torrent, "--dir", work / "peer", "--records", records, "--tracker", "http://10.77.0.1:1/announce"]
    with Minibit(program, work / "peer.log", *peer) as running:
        running.wait_for_line("listening on")
    first = json.loads(records.read_text().splitlines()[0])
    return {
        "info-hash": first["info_hash"],
        "name": first["torrent"],
        "piece length": first["piece_size"],
        "pieces": first["pieces"],
        "bytes": first["bytes"],
        "files": [(first["torrent"], first["bytes"])],
        "private": True,
    }


def libtorrent(torrent):
    import libtorrent as reader

    info = reader.torrent_info(str(torrent))
    files = info.files()
    return {
        "info-hash": str(info.info_hash()),
        "name": info.name(),
        "piece length": info.piece_length(),
        "pieces": info.num_pieces(),
        "bytes": info.total_size(),
        "files": [(files.file_path(at), files.file_size(at)) for at in range(files.num_files())],
        "private": info.priv(),
        "trackers": sorted(tracker.url for tracker in info.trackers()),
    }


def transmission_show(torrent):
    """It writes sizes with three digits: those can only be compared as it would write them."""
    words = [find("transmission-show"), torrent]
    text = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout

    def field(name):
        return re.search(rf"^ +{name}: (.*)$", text, re.MULTILINE)[1]

    return {
        "info-hash": field("Hash"),
        "name": field("Name"),
        "pieces": int(field("Piece Count")),
        "rounded piece length": field("Piece Size"),
        "rounded bytes": field("Total Size"),
        "private": field("Privacy").startswith("Private"),
        "trackers": sorted(re.findall(r"^ +((?:http|udp)://\S+)$", text, re.MULTILINE)),
    }


def imdl(torrent):
    words = [find("imdl"), "torrent", "show", "--json", "--input", torrent]
    said = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout)
    tiers = [tracker for tier in said.get("announce_list") or [] for tracker in tier]
    return {
        "info-hash": said["info_hash"],
        "name": said["name"],
        "piece length": said["piece_size"],
        "pieces": said["piece_count"],
        "bytes": said["content_size"],
        "private": bool(said["private"]),
        "trackers": sorted(tiers or [tracker for tracker in [said["tracker"]] if tracker]),
    }


READERS = {
    "libtorrent": (libtorrent, lambda: True),
    "transmission-show": (transmission_show, lambda: find("transmission-show")),
    "imdl": (imdl, lambda: find("imdl")),
}


UNITS = {"B": 1, "Byte": 1, "Bytes": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def is_rounded(shown, exact):
    """Whether the last digit that is shown may stand for the exact number, rounded or cut."""
    number, unit = shown.split()
    digits = len(number.partition(".")[2])
    return abs(float(number) * UNITS[unit] - exact) < UNITS[unit] / 10**digits


def differences(ours, theirs):
    for field, said in theirs.items():
        about = field.removeprefix("rounded ")
        same = said == ours[about] if field == about else is_rounded(said, ours[about])
        if not same:
            yield f"{field} is {said!r}, and not {ours[about]!r}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("minibit", type=pathlib.Path, help="the program to test")
    arguments.add_argument("readers", nargs="*", choices=[*READERS, []], default=[], metavar="READER", help=", ".join(READERS))
    given = arguments.parse_args()
    wanted = given.readers or list(READERS)
    missing = [name for name in wanted if not READERS[name][1]()]
    wrong = []
    with tempfile.TemporaryDirectory(prefix="minibit-interop-") as work:
        for number, (name, size, piece, tiers) in enumerate(TORRENTS):
            place = pathlib.Path(work) / str(number)
            place.mkdir()
            (place / name).write_bytes(random.Random(number).randbytes(size))
            trackers = [word for tier in tiers for word in ("--tracker", tier)]
            torrent = split(given.minibit.resolve(), place / name, place / "split", "--piece-size", f"{piece}B", *trackers)
            ours = minibit(given.minibit.resolve(), torrent, place)
            ours["trackers"] = sorted(url for tier in tiers for url in tier.split(","))
            for reader in wanted:
                if reader not in missing:
                    found = list(differences(ours, READERS[reader][0](torrent)))
                    print(f"    {name}, {size} bytes: {reader} reads it", "DIFFERENTLY" if found else "alike", flush=True)
                    wrong += [f"{name}: {reader}: {difference}" for difference in found]
    if wrong:
        raise Failed("\n".join(wrong))
    for reader in missing:
        print(f"SKIPPED: {reader} is not installed")
    return 77 if missing else 0


try:
    sys.exit(main())
except Failed as failure:
    sys.exit(f"FAILED: {failure}")
