"""Other people's clients, each as one peer that shares one torrent over TCP and hears of others through the tracker alone:
how it is started, how it tells that it has everything, and which version it is."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.request

from programs import Program

TOOLS = pathlib.Path(__file__).parents[2] / "target" / "tools" / "bin"
# rqbit listens on all addresses, so no port may be MiniBit's.
PORT = 6882


def find(program):
    return shutil.which(program) or shutil.which(program, path=TOOLS)


def version_said_by(program, *question):
    """The first number of several parts in the answer; `None` where there is no such program."""
    if not find(program):
        return None
    answer = subprocess.run([find(program), *question], capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"\d+(\.\d+)+", answer.stdout + answer.stderr)
    return found[0] if found else "of unknown version"


class Client:
    """Everything it may write lies in `work`; `folder` has, or gets, what the torrent names."""

    makes_empty_files = True
    writes_padding = False  # BEP 47

    def __init__(self, address, torrent, folder, work):
        self.address, self.torrent, self.folder, self.work = address, torrent, folder, work

    def environment(self):
        return dict(os.environ, HOME=str(self.work), XDG_CONFIG_HOME=str(self.work), XDG_DATA_HOME=str(self.work),
                    XDG_CACHE_HOME=str(self.work))

    def run(self, *command):
        return Program(self.work / "client.log", *command, env=self.environment(), cwd=self.work)


class LibtorrentClient(Client):
    name = "libtorrent"
    install = "PyPI: libtorrent"

    @staticmethod
    def version():
        try:
            import libtorrent
        except ImportError:
            return None
        return libtorrent.version

    def __enter__(self):
        from libtorrent_peer import Libtorrent

        self.peer = Libtorrent(self.address, PORT, self.torrent, self.folder)
        return self

    def __exit__(self, *_):
        self.peer.flush()

    def wait_until_complete(self):
        self.peer.wait_for("torrent_finished_alert")


class Transmission(Client):
    name = "Transmission"
    install = "apt: transmission-daemon"
    makes_empty_files = False  # 3.00
    writes_padding = True

    @staticmethod
    def version():
        return version_said_by("transmission-daemon", "--version")

    def __enter__(self):
        torrents = self.work / "torrents"
        torrents.mkdir()
        shutil.copy(self.torrent, torrents)
        (self.work / "settings.json").write_text(json.dumps(self.settings()))
        # What is in its folder of torrents it takes up when it starts, and checks what is there of their content.
        self.daemon = self.run(find("transmission-daemon"), "--foreground", "--config-dir", self.work)
        return self

    def settings(self):
        return {
            "bind-address-ipv4": self.address,
            "peer-port": PORT,
            "peer-port-random-on-start": False,
            "port-forwarding-enabled": False,
            "dht-enabled": False,
            "lpd-enabled": False,
            "pex-enabled": False,
            "utp-enabled": False,
            "encryption": 0,
            "download-dir": str(self.folder),
            "incomplete-dir-enabled": False,
            "rename-partial-files": True,
            "start-added-torrents": True,
            "download-queue-enabled": False,
            "seed-queue-enabled": False,
            "ratio-limit-enabled": False,
            "idle-seeding-limit-enabled": False,
            "speed-limit-down-enabled": False,
            "speed-limit-up-enabled": False,
            "alt-speed-enabled": False,
            "blocklist-enabled": False,
            "rpc-enabled": True,
            "rpc-bind-address": self.address,
            "rpc-authentication-required": False,
            "rpc-whitelist-enabled": False,
            "rpc-host-whitelist-enabled": False,
        }

    def __exit__(self, *reason):
        self.daemon.__exit__(*reason)

    def wait_until_complete(self):
        self.daemon.wait_until(self.is_complete, "complete")

    def is_complete(self):
        said = {"method": "torrent-get", "arguments": {"fields": ["percentDone", "leftUntilDone", "errorString"]}}
        request = urllib.request.Request(f"http://{self.address}:9091/transmission/rpc", json.dumps(said).encode())
        request.add_header("X-Transmission-Session-Id", getattr(self, "rpc_id", ""))
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                torrents = json.load(response)["arguments"]["torrents"]
        except urllib.error.HTTPError as error:  # 409 tells the id that the next request must name
            self.rpc_id = error.headers.get("X-Transmission-Session-Id", "")
            return False
        except OSError:  # not listening yet
            return False
        return bool(torrents) and all(torrent["percentDone"] == 1 for torrent in torrents)


class Aria2(Client):
    name = "aria2"
    install = "apt: aria2"
    writes_padding = True

    @staticmethod
    def version():
        return version_said_by("aria2c", "--version")

    def __enter__(self):
        self.done = self.work / "complete"
        hook = self.work / "on_complete"
        hook.write_text(f"#!/bin/sh\n: > '{self.done}'\n")
        hook.chmod(0o755)
        self.program = self.run(
            find("aria2c"), "--no-conf=true", f"--dir={self.folder}", f"--interface={self.address}",
            f"--listen-port={PORT}", "--disable-ipv6=true", "--enable-dht=false", "--enable-dht6=false",
            "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--bt-require-crypto=false",
            "--bt-min-crypto-level=plain", "--file-allocation=none", "--seed-ratio=0.0", "--check-integrity=true",
            "--summary-interval=0", "--console-log-level=info", f"--on-bt-download-complete={hook}", self.torrent,
        )
        return self

    def __exit__(self, *reason):
        self.program.__exit__(*reason)

    def wait_until_complete(self):
        self.program.wait_until(self.done.exists, "complete")


class Rqbit(Client):
    name = "rqbit"
    install = "scripts/tools all: cargo install rqbit"

    @staticmethod
    def version():
        return version_said_by("rqbit", "--version")

    def __enter__(self):
        self.api = "127.0.0.1:3030"
        self.program = self.run(
            find("rqbit"), "--disable-dht", "--disable-dht-persistence", "--disable-lsd", "--disable-upnp-port-forward",
            "--http-api-listen-addr", self.api, "--listen-port", str(PORT),
            "download", "--overwrite", "--output-folder", self.folder, self.torrent,
        )
        return self

    def __exit__(self, *reason):
        self.program.__exit__(*reason)

    def wait_until_complete(self):
        self.program.wait_until(self.is_complete, "complete")

    def is_complete(self):
        try:
            with urllib.request.urlopen(f"http://{self.api}/torrents/0/stats/v1", timeout=5) as response:
                return json.load(response)["finished"]
        except OSError:  # not listening yet, or the torrent is not known yet
            return False


CLIENTS = (LibtorrentClient, Transmission, Aria2, Rqbit)
