"""The scenarios of scenarios/clients, whole: every client that is installed, under MiniBit's tracker and under opentracker.

    scripts/interop swarms [--mixed N] [--duel N] [--seed-foreign N] [--leech-foreign N] [--tracker NAME] [--jobs N]
    scripts/interop swarms --quick

Ten times each, unless numbers are given: then those alone. `mixed` runs one swarm of all clients; `duel` compares swarms of one client each;
`seed-foreign` and `leech-foreign` do so for one foreign seed, or two foreign leechers, among MiniBit's. After each it is
checked that the exit code is 0, that every peer of every cohort is complete and verified, that the comparison has its
intervals, and that nothing is left: no process that the run started, no network that it made, and so no open port.
Exit code 0: all went well; 1: something did not; 77: what ran went well, but a program is missing.
"""

import argparse
import csv
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from programs import Failed

SCENARIOS = pathlib.Path(__file__).parents[2] / "scenarios" / "clients"
TRACKERS = ("minibit", "opentracker")
FOREIGN = ("libtorrent", "transmission", "aria2", "rqbit")
# What the scenarios compare, as the results call it; `mixed` compares nothing.
AXES = {"duel": "peers.*.client", "seed-foreign": "peers.seed.client", "leech-foreign": "peers.guest.client"}
# Marks every process that a run starts, whatever it becomes and whoever adopts it.
MARK = "MINIBIT_INTEROP_SWARM"
# For what a run started to be gone after it: the system needs a moment to take a network apart.
PATIENCE_S = 5
# In `mixed`.
PEERS_OF_EACH = 2
# How often each is repeated.
REPEATS = {"mixed": 10, "duel": 10, "seed-foreign": 10, "leech-foreign": 10}
# Seconds for a run at the most, beside its scenario's own limit.
LIMIT_S = 360


def missing(minibit):
    """Foreign clients that MiniBit does not find, by its own word."""
    told = subprocess.run([minibit, "clients"], capture_output=True, text=True, timeout=60, check=True).stdout
    rows = {words[0]: line for line in told.splitlines() if (words := line.split())}
    return [client for client in FOREIGN if client not in rows or "missing" in rows[client]]


def processes(mark):
    """Those of the machine that carry the mark, by their numbers; who may not be looked into is nobody of ours."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def parent(pid):
    # The name, in parentheses, may hold anything.
    return int((pathlib.Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def orphaned_networks():
    """Every network with a process that nobody looks after any more, whatever became of its marks. The networks of others,
    who may have got the number of one that is gone, have somebody who waits for them."""
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if parent(entry.name) <= 1:
                    found.add(os.readlink(entry / "ns" / "net"))
            except OSError:
                continue
    return found


def left_over(mark, made):
    """What is still there of a run; an empty text where nothing is. A port is open only as long as its process and its network
    are there."""
    until = time.monotonic() + PATIENCE_S
    while True:
        there, networks_left = processes(mark), made & orphaned_networks()
        if not there and not networks_left:
            return ""
        if time.monotonic() > until:
            return f"left over: processes {there}, networks {sorted(networks_left)}"
        time.sleep(0.1)


def watched(command, mark, limit):
    """Runs it to its end. Returns its exit code, what it said, and the networks that its processes were in beside ours."""
    own = os.readlink("/proc/self/ns/net")
    made = set()
    with tempfile.TemporaryFile("w+") as said:
        environment = dict(os.environ, **{MARK: mark})
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment)
        until = time.monotonic() + limit
        try:
            while process.poll() is None:
                for pid in [process.pid, *processes(mark)]:
                    try:
                        made.add(os.readlink(f"/proc/{pid}/ns/net"))
                    except OSError:
                        continue
                if time.monotonic() > until:
                    raise Failed(f"not over within {limit} s")
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said.seek(0)
        return process.returncode, said.read(), made - {own}


def without(text, clients):
    """A scenario without these clients: not among the values of its axis, nor as cohorts of their own."""
    for client in clients:
        text = text.replace(f', "{client}"', "")
        text, cohorts = re.subn(rf'(?m)^\[peers\.{client}\]\n(?:.+\n)*\n?', "", text)
        if cohorts:
            text = re.sub(r'range = "= (\d+)"', lambda found: f'range = "= {int(found[1]) - PEERS_OF_EACH}"', text)
    return text


class Swarms:
    """One scenario under one tracker, some times."""

    def __init__(self, minibit, scenario, tracker, repeats, jobs, absent, work):
        self.scenario, self.tracker, self.repeats, self.jobs = scenario, tracker, repeats, jobs
        self.clients = ["minibit", *(client for client in FOREIGN if client not in absent)]
        place = work / f"{scenario}-{tracker}"
        place.mkdir()
        file = place / f"{scenario}.toml"
        file.write_text(without((SCENARIOS / file.name).read_text(), absent))
        self.results = place / "results" / scenario
        self.mark = f"{os.getpid()}-{place.name}"
        self.command = [str(word) for word in (
            minibit, "run", file, "--repeat", repeats, "--jobs", jobs, "--out", self.results.parent, "--allow-degraded",
            "--set", f"tracker.program={tracker}")]
        self.runs = repeats * (len(self.clients) if scenario in AXES else 1)
        self.problems, self.took = [], 0

    def name(self):
        return f"{self.scenario} under {self.tracker}"

    def run(self):
        """Whether all went well; otherwise `problems` says what did not."""
        began = time.monotonic()
        try:
            code, said, made = watched(self.command, self.mark, 60 + LIMIT_S * self.runs / self.jobs)
        except Failed as failure:
            self.problems.append(str(failure))
            return False
        self.took = time.monotonic() - began
        if code != 0:
            self.problems.append(f"exit code {code}\n{said[-3000:]}")
        if not made:
            self.problems.append("it ran in no network of its own")
        left = left_over(self.mark, made)
        if left:
            self.problems.append(left)
        try:
            self.judge()
        except OSError as error:
            self.problems.append(f"no results: {error}")
        return not self.problems

    def rows(self, table):
        with open(self.results / f"{table}.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def judge(self):
        peers = self.rows("completions")
        runs = {row["run_id"] for row in peers}
        if len(runs) != self.runs:
            self.problems.append(f"{len(runs)} runs instead of {self.runs}")
        for row in peers:
            if row["end"] != "complete" or row["completed"] != "true":
                self.problems.append(f"{row['peer']} of {self.case(row)}, run {row['run_id']}: {row['end']}")
        cohorts = {row["cohort"] for row in peers}
        if self.scenario == "mixed" and cohorts != {"seed", *self.clients}:
            self.problems.append(f"the cohorts are {sorted(cohorts)}")
        told = self.compared()
        if self.scenario in AXES and len(told) != len(self.clients) - 1:
            self.problems.append(f"{len(told)} comparisons instead of {len(self.clients) - 1}")
        if self.repeats > 1:
            bare = [row["value"] for row in told if not (row["ratio_low"] and row["ratio_high"])]
            self.problems += [f"no interval for {client}" for client in bare]

    def compared(self):
        """Every client's mean completion time against MiniBit's."""
        if self.scenario not in AXES:
            return []
        return [row for row in self.rows("comparison") if row["metric"] == "mean_completion_s"]

    def case(self, row):
        return row[AXES[self.scenario]] if self.scenario in AXES else self.scenario

    def table(self):
        """A row for every case: its runs, and the mean completion time; against MiniBit's, where that is compared."""
        ratios = {row["value"]: row for row in self.compared()}
        cases = {}
        for row in self.rows("runs"):
            cases.setdefault(self.case(row), []).append(row)
        for case, runs in cases.items():
            means = [float(run["mean_completion_s"]) for run in runs if run["mean_completion_s"]]
            complete = sum(run["ended"] == "complete" for run in runs)
            spread = f"{min(means):.1f} to {max(means):.1f}" if means else "–"
            row = ratios.get(case)
            ratio = f"{float(row['ratio']):.2f} [{float(row['ratio_low']):.2f}, {float(row['ratio_high']):.2f}]" \
                if row and row["ratio_low"] else "–"
            mean = f"{statistics.fmean(means):.1f}" if means else "–"
            yield f"| {self.scenario} | {self.tracker} | {case} | {complete} of {len(runs)} | {mean} | {spread} | {ratio} |"


HEAD = """| scenario | tracker | client | complete | mean s | of single runs | against MiniBit [95 %] |
|---|---|---|---|---|---|---|"""


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("minibit", type=pathlib.Path, help="the program to test")
    for scenario in REPEATS:
        arguments.add_argument(f"--{scenario}", type=int, metavar="REPEATS", help="0 leaves it out")
    arguments.add_argument("--tracker", action="append", choices=TRACKERS, help="only under this one; may be repeated")
    arguments.add_argument("--without", action="append", choices=FOREIGN, default=[], help="not with this client")
    arguments.add_argument("--jobs", type=int, default=1, help="runs side by side")
    arguments.add_argument("--quick", action="store_true",
                           help="one mixed swarm under each tracker, with the clients that apt and PyPI give")
    arguments.add_argument("--table", type=pathlib.Path, help="write the table to this file too")
    given = arguments.parse_args()
    repeats = {scenario: getattr(given, scenario.replace("-", "_")) for scenario in REPEATS}
    usual = {"mixed": 1} if given.quick else REPEATS if not any(repeats.values()) else {}
    repeats = {scenario: usual.get(scenario, 0) if told is None else told for scenario, told in repeats.items()}
    minibit = given.minibit.resolve()
    absent = missing(minibit)
    left_out = [*given.without, *(["rqbit"] if given.quick else [])]
    skipped = [client for client in absent if client not in left_out]
    trackers = [tracker for tracker in given.tracker or TRACKERS if tracker == "minibit" or shutil.which(tracker)]
    skipped += [tracker for tracker in given.tracker or TRACKERS if tracker not in trackers]

    swarms = []
    with tempfile.TemporaryDirectory(prefix="minibit-interop-") as work:
        work = pathlib.Path(work)
        work.chmod(0o755)
        for scenario, count in repeats.items():
            for tracker in trackers if count else []:
                one = Swarms(minibit, scenario, tracker, count, given.jobs, {*absent, *left_out}, work)
                went_well = one.run()
                print(f"{one.name()}: {'ok' if went_well else 'FAILED'} after {one.took:.0f} s", *one.problems,
                      sep="\n  ", file=sys.stderr, flush=True)
                swarms.append(one)
        rows = [row for one in swarms if one.results.is_dir() for row in one.table()]
    shown = "\n".join([HEAD, *rows])
    print(shown)
    if given.table:
        given.table.write_text(shown + "\n", encoding="utf-8")
    failed = [one for one in swarms if one.problems]
    for one in failed:
        print(f"\nFAILED: {one.name()}:", *one.problems, sep="\n  ")
    for name in skipped:
        print(f"SKIPPED: {name} is not installed (minibit clients tells how to)")
    return 1 if failed or not swarms else 77 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
