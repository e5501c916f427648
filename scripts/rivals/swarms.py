"""A swarm of one client under MiniBit's tracker, from the leechers' start to the last one's completion: a process each, or
all in one."""

import contextlib
import csv
import os
import pathlib
import statistics
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import bench
from clients import PORT, TRACKER

POLL_S = 0.002
SEED_LIMIT_S = 90
# A seed that the tracker counts may still be busy with what it does at its start.
SETTLE_S = 0.3


def complete_peers(torrent):
    """How many the tracker knows to have everything."""
    question = urllib.parse.urlencode({"info_hash": torrent.info_hash}, quote_via=urllib.parse.quote)
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


def of_processes(make, torrent, leechers, timeout_s):
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


def of_libtorrent_sessions(torrent, leechers, timeout_s):
    """The same of libtorrent sessions in one process; seconds count from before those of the leechers are made."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(bench.workplace()))
        tracker(stack, torrent, folder / "tracker.log")
        folders = [folder / f"peer{number}" for number in range(leechers + 1)]
        for place in folders:
            place.mkdir()
        os.link(torrent.content, folders[0] / torrent.content.name)
        roles = ["seed"] + leechers * ["leecher"]
        specs = [f"{role},127.0.0.{number + 2},{PORT},{folders[number]}" for number, role in enumerate(roles)]
        sessions = pathlib.Path(__file__).with_name("libtorrent_sessions.py")
        command = [bench.libtorrent_python(), sessions, torrent.file, *specs]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        program = stack.enter_context(bench.Program(command, folder / "log", **pipes))
        wait_for_seed(torrent, program)

        complete = {}

        def listen():
            for line in program.process.stdout:
                if line.startswith(b"complete "):
                    complete[int(line.split()[1])] = time.monotonic()

        threading.Thread(target=listen, daemon=True).start()
        files = [place / torrent.content.name for place in folders[1:]]
        before, machine, begun = program.cpu(), bench.Machine(), time.monotonic()
        program.process.stdin.write(b"go\n")
        program.process.stdin.flush()
        first = None
        while len(complete) < leechers:
            program.must_run()
            if first is None and any(file.exists() and os.stat(file).st_blocks > 0 for file in files):
                first = time.monotonic()
            if time.monotonic() > begun + timeout_s:
                raise bench.Failed(f"{len(complete)} of {leechers} complete in time; it said:\n{program.said()}")
            time.sleep(POLL_S)
        cpu, peak = program.cpu() - before, program.peak_mib()
        used_by_others = machine.used_by_others(cpu)
        time.sleep(SETTLE_S)
        if not all(bench.is_content(file, torrent.sha1) for file in files):
            raise bench.Failed("a leecher has other bytes than the seed")
    return timings(begun, [(first, at) for at in complete.values()], cpu, peak, used_by_others)


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


def of_minibit_tasks(program, length, leechers, timeout_s):
    """The same as one run of a scenario: all peers tasks of one process, their pieces in files. Seconds count from the first
    arrival; every complete peer's content is compared by the run itself. CPU is that of the whole command, with making the
    content, hashing it, and reading it again from every peer's file."""
    scenario = f"""title = "One process"
driver = "tasks"
repeat = 1
time_limit = "{int(timeout_s)} s"
[content]
size = "{bench.size_text(length)}"
piece_size = "{bench.size_text(bench.PIECE_SIZE)}"
block_size = "16 KiB"
[policy]
fast_extension = true
extension_protocol = true
[peers.seed]
start_with = "all"
[peers.leecher]
count = {leechers}
start_with = "nothing"
"""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(bench.workplace()))
        (folder / "swarm.toml").write_text(scenario)
        command = [program, "run", folder / "swarm.toml", "--files", "--quiet", "--out", folder / "results"]
        environment = dict(os.environ, TMPDIR=str(folder))
        machine, begun = bench.Machine(), time.monotonic()
        run = stack.enter_context(bench.Program(command, folder / "log", env=environment))
        while run.code() is None:
            run.peak_mib()
            if time.monotonic() > begun + timeout_s:
                raise bench.Failed(f"not over in time; it said:\n{run.said()}")
            time.sleep(0.01)
        if run.code() != 0:
            run.must_run()
        used_by_others = machine.used_by_others(run.cpu())
        with open(folder / "results/swarm/runs.csv", newline="") as rows:
            (row,) = csv.DictReader(rows)
    return {
        "start": float(row["last_completion_s"]),
        "data": None,
        "median": float(row["median_completion_s"]),
        "cpu": run.cpu(),
        "peak": run.peak_mib(),
        "others": used_by_others,
    }


COLUMNS = {
    "start": ("start to done, s", 2),
    "data": ("first data to done, s", 2),
    "cpu": ("CPU of all peers, s", 2),
    "peak": ("peak memory of all, MiB", 0),
    "others": ("cores used by others", 2),
}
