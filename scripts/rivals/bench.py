"""What the comparisons with other programs share: a network of their own, programs that end with them, rounds in which all
take turns, and a table of medians and of their ratios."""

import argparse
import hashlib
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PIECE_SIZE = 256 * 1024
GRACE_S = 5
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """What did not happen, and what was seen instead."""


def arguments(description, programs, **defaults):
    """The options that all comparisons have, for more to be added."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if "size" in defaults:
        parser.add_argument("--size", type=size, default=defaults["size"], help="of the content, as 64MiB or 1GiB")
    parser.add_argument("--rounds", type=int, default=defaults["rounds"], help="in each of which all take their turn")
    parser.add_argument("--programs", default=",".join(programs), help="which of %(default)s; minibit:PATH is another build")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one turn")
    parser.add_argument("--quiet-wait", type=float, default=5, help="seconds to wait at most for an idle machine")
    return parser


def parse(parser, build=True):
    """The options, checked; and the program `minibit`, built unless `build` is false."""
    options = parser.parse_args()
    if not (1 <= options.rounds <= 50 and options.timeout <= 600 and options.quiet_wait <= 60):
        parser.error("at most 50 rounds, 600 s for a turn, 60 s of waiting")
    known, options.programs = parser.get_default("programs").split(","), options.programs.split(",")
    for name in options.programs:
        if name not in known and not name.startswith("minibit:"):
            parser.error(f"no program {name}; there are {', '.join(known)}, and minibit:PATH for another build")
    if build and "minibit" in options.programs and os.environ.get("MINIBIT_NAMESPACE") != "private":
        subprocess.run(["cargo", "build", "--quiet", "--release"], cwd=REPOSITORY, check=True, timeout=1800)
    return options


def size(text):
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * factor
    raise argparse.ArgumentTypeError("expected a number with KiB, MiB or GiB")


def size_text(number):
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20)):
        if number % factor == 0:
            return f"{number // factor} {unit}"
    return f"{number // 1024} KiB"


def minibit(name):
    """The program meant by `minibit` or `minibit:PATH`."""
    _, _, path = name.partition(":")
    return pathlib.Path(path).resolve() if path else REPOSITORY / "target/release/minibit"


def installed(name):
    """Where a program is: on the PATH, or built by scripts/tools."""
    for root in ("rivals", "tools"):
        built = REPOSITORY / "target" / root / "bin" / name
        if built.exists():
            return str(built)
    return shutil.which(name)


def libtorrent_python():
    """A Python that has libtorrent."""
    for python in (REPOSITORY / "target/venv/bin/python", sys.executable):
        probe = [str(python), "-c", "import libtorrent"]
        if os.path.exists(python) and subprocess.run(probe, capture_output=True).returncode == 0:
            return str(python)
    return None


def enter_private_network():
    """Goes on in a network namespace with a loopback device only: no packet leaves the machine, whatever a client does."""
    if os.environ.get("MINIBIT_NAMESPACE") == "private":
        return
    private = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    environment = dict(os.environ, MINIBIT_NAMESPACE="private")
    script = 'ip link set lo up && exec "$@"'
    os.execvpe(private[0], [*private, "sh", "-c", script, "sh", sys.executable, *sys.argv], environment)


def workplace():
    """A folder in memory that is gone afterwards, also when the comparison is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return tempfile.TemporaryDirectory(prefix="minibit-rivals.", dir="/dev/shm")


def content(path, length):
    """Random bytes, and their SHA-1."""
    sha1 = hashlib.sha1()
    with open(path, "wb") as file:
        for begin in range(0, length, 1 << 20):
            part = os.urandom(min(1 << 20, length - begin))
            sha1.update(part)
            file.write(part)
    return sha1.digest()


def is_content(path, digest):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha1").digest() == digest


class Program:
    """A program that ends with this one, at the latest with the block it is started in."""

    def __init__(self, command, log, stdin=subprocess.DEVNULL, stdout=None, stderr=None, **options):
        self.name = pathlib.Path(str(command[0])).name
        self.log = log
        bound = ["setpriv", "--pdeathsig", "KILL", *(str(word) for word in command)]
        with open(log, "wb") as output:
            streams = {"stdin": stdin, "stdout": stdout or output, "stderr": stderr or output}
            self.process = subprocess.Popen(bound, **streams, **options)
        self.usage = None
        self.highest = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code() is None:
            self.process.send_signal(signal.SIGTERM)
            until = time.monotonic() + GRACE_S
            while self.code() is None and time.monotonic() < until:
                time.sleep(0.005)
        if self.code() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def code(self):
        """The exit code, once it has ended."""
        if self.process.returncode is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.usage = usage
                self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode

    def cpu(self):
        """Seconds, of user and system."""
        if self.code() is not None and self.usage:
            return self.usage.ru_utime + self.usage.ru_stime
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def peak_mib(self):
        """Resident, as far as it was looked at."""
        try:
            for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.highest = int(line.split()[1]) / 1024
        except OSError:
            pass  # it has ended, and was looked at before
        return self.highest

    def said(self):
        return pathlib.Path(self.log).read_text(errors="replace")[-1500:]

    def must_run(self):
        if self.code() is not None:
            raise Failed(f"{self.name} ended with {self.code()}; it said:\n{self.said()}")


def busy_s():
    """CPU seconds of everybody on this machine, since it was started."""
    user, nice, system, _, _, irq, softirq = (int(word) for word in open("/proc/stat").readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS_PER_S


class Machine:
    """How much of it others use, from here on: neither the measured programs nor this one."""

    def __init__(self):
        self.begun, self.busy, self.own = time.monotonic(), busy_s(), time.process_time()

    def used_by_others(self, measured_cpu_s):
        own = time.process_time() - self.own
        lasted = max(time.monotonic() - self.begun, 0.05)
        return max(0.0, (busy_s() - self.busy - own - measured_cpu_s) / lasted)


def whole(command, folder, length, timeout_s, **options):
    """One program from its start to its end, and how many bytes of `length` it does in a second."""
    machine, begun = Machine(), time.monotonic()
    with Program(command, pathlib.Path(folder) / "log", **options) as program:
        while program.code() is None:
            program.peak_mib()
            if time.monotonic() > begun + timeout_s:
                raise Failed(f"{program.name} is not done in time")
            time.sleep(0.001)
        lasted = time.monotonic() - begun
        if program.code() != 0:
            program.must_run()
        used_by_others = machine.used_by_others(program.cpu())
        return {
            "wall": lasted,
            "rate": length / lasted / 2**30,
            "cpu": program.cpu(),
            "peak": program.peak_mib(),
            "others": used_by_others,
        }


WHOLE = {
    "wall": ("wall, s", 3),
    "rate": ("GiB/s", 2),
    "cpu": ("CPU, s", 2),
    "peak": ("peak memory, MiB", 0),
    "others": ("cores used by others", 2),
}


def wait_for_quiet(limit_s):
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        machine = Machine()
        time.sleep(0.25)
        if machine.used_by_others(0) < 0.2:
            return


def take_turns(contestants, options):
    """Everybody once, and then again: what each call returned, by name. Who fails in a round has no result of it, and who
    fails twice is given up. `contestants` maps names to what is called."""
    results = {name: [] for name in contestants}
    failures = dict.fromkeys(contestants, 0)
    for turn in range(options.rounds):
        for name, measure in contestants.items():
            if failures[name] == 2:
                continue
            wait_for_quiet(options.quiet_wait)
            try:
                row = measure()
            except (Failed, OSError, subprocess.SubprocessError) as failure:
                failures[name] += 1
                print(f"FAILED: {name} in round {turn + 1}: {failure}", file=sys.stderr, flush=True)
                continue
            results[name].append(row)
            shown = ", ".join(f"{key} {value:.3f}" for key, value in row.items() if value is not None)
            print(f"round {turn + 1}: {name}: {shown}", file=sys.stderr, flush=True)
    return results, failures


def skip(name, why):
    print(f"SKIPPED: {name}: {why}", file=sys.stderr, flush=True)


def table(results, failures, columns):
    """Medians with minimum and maximum, and below them those of every MiniBit in parts of those of every other program.
    `columns` maps the keys of a result to headings and digits."""
    medians = {}
    print(f"| program | {' | '.join(heading for heading, _ in columns.values())} | rounds |")
    print(f"|---|{'---|' * (len(columns) + 1)}")
    for name, rows in results.items():
        if not rows:
            continue
        cells = []
        for key, (_, digits) in columns.items():
            values = sorted(row[key] for row in rows if row.get(key) is not None)
            if values:
                medians[name, key] = statistics.median(values)
                cells.append(f"{medians[name, key]:.{digits}f} ({values[0]:.{digits}f}–{values[-1]:.{digits}f})")
            else:
                cells.append("")
        failed = f", {failures[name]} failed" if failures[name] else ""
        print(f"| {name} | {' | '.join(cells)} | {len(rows)}{failed} |")
    for ours in (name for name in results if name.startswith("minibit")):
        for theirs in (name for name in results if not name.startswith("minibit")):
            ratios = []
            for key in columns:
                mine, other = medians.get((ours, key)), medians.get((theirs, key))
                ratios.append(f"{mine / other:.2f}" if mine and other and key != "others" else "")
            if any(ratios):
                print(f"| {ours} / {theirs} | {' | '.join(ratios)} | |")
    sys.stdout.flush()
    return 1 if any(failures.values()) else 0
