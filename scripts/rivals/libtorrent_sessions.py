"""libtorrent sessions in one process: TORRENT SESSION..., each SESSION as `seed|leecher,ADDRESS,PORT,FOLDER`. Where both are among
them, leechers start when a line comes on stdin. Prints `complete K` when the K-th of them, counted from 0, has everything.
Ends on SIGTERM."""

import sys
import time

import libtorrent

POLL_S = 0.005


def settings(address, port):
    return {
        "listen_interfaces": f"{address}:{port}",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        "out_enc_policy": 2,  # none: as all the others here
        "in_enc_policy": 2,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": libtorrent.alert.category_t.status_notification | libtorrent.alert.category_t.error_notification,
    }


def start(role, address, port, folder):
    session = libtorrent.session(settings(address, port))
    torrent = libtorrent.add_torrent_params()
    torrent.ti = libtorrent.torrent_info(sys.argv[1])
    torrent.save_path = folder
    torrent.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
    if role == "seed":
        torrent.flags |= libtorrent.torrent_flags.seed_mode
    return session, session.add_torrent(torrent)


def look(number, session):
    for alert in session.pop_alerts():
        if isinstance(alert, libtorrent.torrent_finished_alert):
            print("complete", number, flush=True)
        elif "error" in type(alert).__name__ or "failed" in type(alert).__name__:
            print(number, alert.message(), file=sys.stderr, flush=True)


specs = [word.split(",") for word in sys.argv[2:]]
seeds = {number: start(*spec) for number, spec in enumerate(specs) if spec[0] == "seed"}
if seeds and len(seeds) < len(specs):
    sys.stdin.readline()
leechers = {number: start(*spec) for number, spec in enumerate(specs) if spec[0] == "leecher"}
while True:
    if len(specs) == 1 and leechers:
        # One session tells when there is something to know, and needs no polling.
        leechers[0][0].wait_for_alert(500)
    else:
        time.sleep(POLL_S)
    for number, (session, _) in leechers.items():
        look(number, session)
