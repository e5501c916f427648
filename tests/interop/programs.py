"""What every exchange with foreign programs needs: programs that end with it, MiniBit's commands in the foreground, and
comparisons of files."""

import hashlib
import pathlib
import queue
import random
import signal
import subprocess
import threading
import time
import urllib.request

DEADLINE_S = 60
CONTENT_BYTES = 3 * 1024 * 1024


class Failed(Exception):
    """What did not happen, and what was seen instead."""


class Program:
    """A program in the foreground; leaving the block ends it."""

    GRACE_S = 10

    def __init__(self, log, *command, stdout=None, **options):
        command = [str(word) for word in command]
        print("  $", *command, flush=True)
        self.name = pathlib.Path(command[0]).name
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stdout or output, stderr=output, **options
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """A signal ends it in good order; only one that does not listen is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(self.GRACE_S)
            except subprocess.TimeoutExpired:
                print("   ", self.name, "does not end, and is killed", flush=True)
                self.process.kill()
                self.process.wait()

    def said(self):
        """The end of what it wrote."""
        return pathlib.Path(self.log).read_text(errors="replace")[-2000:]

    def wait_until(self, done, what):
        """Looks again and again: this program has no way to tell."""
        until = time.monotonic() + DEADLINE_S
        while not done():
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode} before {what}; it said:\n{self.said()}")
            if time.monotonic() > until:
                raise Failed(f"{self.name}: not {what} within {DEADLINE_S} s; it said:\n{self.said()}")
            time.sleep(0.02)

    def wait_for_exit(self):
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs after {DEADLINE_S} s") from None
        if code != 0:
            raise Failed(f"{self.name} ended with exit code {code}; its stderr:\n{self.said()}")


class Minibit(Program):
    """A foreground command of MiniBit. Lines of its stdout can be waited for."""

    def __init__(self, program, log, *arguments):
        super().__init__(log, program, *arguments, stdout=subprocess.PIPE, text=True)
        self.name = f"minibit {arguments[0]}"
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def __exit__(self, *reason):
        super().__exit__(*reason)
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
        raise Failed(f"{self.name} never said {start!r} (exit code {self.process.poll()}); its stderr:\n{self.said()}")


def digest(path):
    if not path.is_file():
        raise Failed(f"{path.name} was not written to {path.parent}")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compare(original, copy):
    if digest(original) != digest(copy):
        raise Failed(f"{copy} differs from the original")
    print(f"    {copy.name}: {copy.stat().st_size} bytes, equal to the original", flush=True)


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def compare_all(original, copy, empty_files=True):
    """A file with its copy, or every file of a folder; those without a byte where the copy is to have them."""
    if original.is_file():
        compare(original, copy)
    for path in files_below(original):
        if empty_files or path.stat().st_size > 0:
            compare(path, copy / path.relative_to(original))


def split(minibit, content, out, *options):
    """The .torrent that MiniBit makes for a file."""
    options = ["--peers", "1", "--distribution", "single-seed", "--block-size", "16KiB", *options]
    with Minibit(minibit, out.parent / f"{out.name}.log", "split", content, "--out", out, *options) as command:
        command.wait_for_exit()
    return out / "peers" / f"{content.name}.torrent"


def split_content(minibit, work):
    """A file of random bytes and its .torrent, in `work`."""
    content = work / "content.bin"
    content.write_bytes(random.Random(1).randbytes(CONTENT_BYTES))
    return content, split(minibit, content, work / "split", "--piece-size", "64KiB")


def wait_for_scrape(url, what):
    """Returns when the answer to a scrape contains these bytes."""
    answer = b"nothing"
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as response:
                answer = response.read()
        except OSError as error:  # not there yet, or not ready to answer
            answer = str(error).encode()
        if what in answer:
            return
        time.sleep(0.02)
    raise Failed(f"{url} never said {what!r}, but {answer!r}")
