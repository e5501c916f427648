"""Every client in both directions over every size, as a table.

    scripts/interop matrix | quick

Every exchange runs in a namespace of its own (tests/interop/enclosed), several at a time. Exit code 0: all went well;
1: one failed, or was not over in time; 77: what ran went well, but a client is missing.
"""

import argparse
import concurrent.futures
import contextlib
import pathlib
import random
import signal
import subprocess
import sys
import tempfile

import libtorrent

from clients import CLIENTS
from exchange import ANNOUNCE
from programs import Failed, split

HERE = pathlib.Path(__file__).parent
KIB, MIB = 1024, 1024 * 1024
PIECE = 256 * KIB
SIZES = {
    "1 B": 1,
    "16 KiB − 1": 16 * KIB - 1,
    "16 KiB": 16 * KIB,
    "16 KiB + 1": 16 * KIB + 1,
    "256 KiB": PIECE,
    "3 MiB + 77 B": 3 * MIB + 77,
    "64 MiB": 64 * MIB,
}
# Odd lengths, several files in one piece, one file over several pieces, a file without a byte, names beyond ASCII.
SEVERAL = {"first": 1, "sub/second": 700_001, "sub/deeper/none": 0, "sub/história.bin": 16 * KIB + 1, "última": 333_333}
SEVERAL_NAME = f"{len(SEVERAL)} files"
# The same, each begun with a piece of its own (BEP 47).
PADDED_NAME = f"{SEVERAL_NAME}, padded"
QUICK_SIZES = ("1 B", "16 KiB + 1", "3 MiB + 77 B", SEVERAL_NAME)
# Of those that apt and PyPI give.
QUICK_CLIENTS = ("libtorrent", "Transmission", "aria2")
DIRECTIONS = {"from": "downloads from MiniBit", "to": "uploads to MiniBit"}
LIMIT_S = 150


def one_file(minibit, work, number, size):
    """Content that no compression shortens, and MiniBit's torrent of it."""
    content = work / f"{number}" / "content.bin"
    content.parent.mkdir()
    content.write_bytes(random.Random(number).randbytes(size))
    options = ("--piece-size", f"{PIECE}B", "--tracker", ANNOUNCE)
    return content, split(minibit, content, content.parent / "split", *options)


def several_files(work, name, padding=0):
    """A folder, and libtorrent's torrent of it: MiniBit makes none of several files."""
    folder = work / name
    files = []
    for number, (path, size) in enumerate(SEVERAL.items()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(random.Random(number).randbytes(size))
        files.append(libtorrent.create_file_entry(f"{name}/{path}", size))
    torrent = libtorrent.create_torrent(files, PIECE, libtorrent.create_torrent.v1_only | padding)
    torrent.set_priv(True)
    torrent.add_tracker(ANNOUNCE)
    libtorrent.set_piece_hashes(torrent, str(work))
    made = work / f"{name}.torrent"
    made.write_bytes(libtorrent.bencode(torrent.generate()))
    return folder, made


def exchange(running, minibit, client, direction, torrent, content, work):
    """What went wrong, or nothing."""
    work.mkdir()
    command = [HERE / "enclosed", sys.executable, "-B", HERE / "exchange.py", minibit, "--client", client]
    command += ["--direction", direction, "--torrent", torrent, "--content", content, "--work", work]
    with open(work / "output", "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        running.append(process)
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            code = f"not over within {LIMIT_S} s"
        finally:
            process.kill()  # and with it all that runs in its namespace
            process.wait()
    return None if code == 0 else f"{code}\n{(work / 'output').read_text(errors='replace')[-3000:]}"


def run(minibit, clients, contents, work, jobs):
    """What went wrong, by client, direction and content; absent where there is no such client."""
    results, running = {}, []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for client in clients:
            for direction in DIRECTIONS:
                for name, (content, torrent) in contents.items():
                    place = work / f"exchange {len(results)}"
                    words = (running, minibit, client.name, direction, torrent, content, place)
                    results[client.name, direction, name] = pool.submit(exchange, *words)
        try:
            for key, result in results.items():
                results[key] = result.result()
                print(*key, "ok" if results[key] is None else "FAILED", sep=", ", file=sys.stderr, flush=True)
        except BaseException:  # interrupted: nothing begins any more, and what runs ends
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.kill()
            raise
    return results


def table(clients, versions, contents, results):
    lines = [f"| client | direction | {' | '.join(contents)} |", "|---" * (2 + len(contents)) + "|"]
    for client in clients:
        version = versions[client]
        for direction, words in DIRECTIONS.items():
            def cell(name):
                if version is None:
                    return "skipped"
                return "ok" if results[client.name, direction, name] is None else "FAILED"
            lines.append(f"| {client.name}{version and ' ' + version or ''} | {words} | {' | '.join(map(cell, contents))} |")
    return "\n".join(lines)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("minibit", type=pathlib.Path, help="the program to test")
    arguments.add_argument("--quick", action="store_true", help="some sizes, with the clients that apt and PyPI give")
    arguments.add_argument("--client", action="append", help="only this one; may be repeated")
    arguments.add_argument("--jobs", type=int, default=8, help="exchanges at a time")
    arguments.add_argument("--table", type=pathlib.Path, help="write the table to this file too")
    given = arguments.parse_args()
    wanted = given.client or (QUICK_CLIENTS if given.quick else [client.name for client in CLIENTS])
    clients = [client for client in CLIENTS if client.name in wanted]
    versions = {client: client.version() for client in clients}
    installed = [client for client in clients if versions[client]]

    with tempfile.TemporaryDirectory(prefix="minibit-interop-") as work:
        work, minibit = pathlib.Path(work), given.minibit.resolve()
        contents = {}
        with contextlib.redirect_stdout(sys.stderr):
            for number, (name, size) in enumerate(SIZES.items()):
                if not given.quick or name in QUICK_SIZES:
                    contents[name] = one_file(minibit, work, number, size)
        contents[SEVERAL_NAME] = several_files(work, "several")
        contents[PADDED_NAME] = several_files(work, "padded", libtorrent.create_torrent.canonical_files)
        results = run(minibit, installed, contents, work, given.jobs)

    shown = table(clients, versions, contents, results)
    print(shown)
    if given.table:
        given.table.write_text(shown + "\n")
    failures = {key: problem for key, problem in results.items() if problem is not None}
    for key, problem in failures.items():
        print(f"\nFAILED: {', '.join(key)}: {problem}")
    for client in clients:
        if versions[client] is None:
            print(f"SKIPPED: {client.name} is not installed ({client.install})")
    skipped = (len(clients) - len(installed)) * len(DIRECTIONS) * len(contents)
    print(f"{len(results) - len(failures)} ok, {len(failures)} failed, {skipped} skipped")
    return 1 if failures else 77 if skipped else 0


try:
    sys.exit(main())
except Failed as failure:
    sys.exit(f"FAILED: {failure}")
