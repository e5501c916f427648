"""What every exchange with foreign programs needs: MiniBit's commands in the foreground, and a comparison of files."""

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


def digest(path):
    if not path.is_file():
        raise Failed(f"{path.name} was not written to {path.parent}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compare(original, copy):
    if digest(original) != digest(copy):
        raise Failed(f"{copy} differs from the original")
    print(f"    {copy.name}: {copy.stat().st_size} bytes, equal to the original", flush=True)


def split_content(minibit, work):
    """A file of random bytes and its .torrent, in `work`."""
    content = work / "content.bin"
    content.write_bytes(random.Random(1).randbytes(CONTENT_BYTES))
    split = ["split", content, "--peers", "1", "--distribution", "single-seed"]
    split += ["--block-size", "16KiB", "--piece-size", "64KiB", "--out", work / "split"]
    with Minibit(minibit, work / "split.log", *split) as command:
        command.wait_for_exit()
    return content, work / "split" / "peers" / f"{content.name}.torrent"


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
