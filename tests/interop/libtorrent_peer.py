"""A libtorrent peer in this process, with the settings that let it meet MiniBit and nobody else."""

import time

import libtorrent

from programs import DEADLINE_S, Failed


class Libtorrent:
    """One libtorrent peer on one address that speaks BEP 3 over TCP and finds others through the tracker alone."""

    def __init__(self, address, port, torrent, folder, tracker=None):
        category = libtorrent.alert.category_t
        self.session = libtorrent.session(
            {
                "listen_interfaces": f"{address}:{port}",
                "outgoing_interfaces": address,  # else it dials from any address of the device
                "enable_dht": False,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "enable_incoming_utp": False,
                "enable_outgoing_utp": False,  # tried first, it costs seconds before TCP is
                "in_enc_policy": int(libtorrent.enc_policy.pe_disabled),
                "out_enc_policy": int(libtorrent.enc_policy.pe_disabled),
                "alert_mask": category.error_notification | category.status_notification | category.tracker_notification | category.connect_notification,
            },
            flags=0,  # no plugins, so no peer exchange
        )
        settings = libtorrent.add_torrent_params()
        settings.ti = libtorrent.torrent_info(str(torrent))
        if tracker:
            settings.trackers = [tracker]
        settings.save_path = str(folder)
        settings.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
        self.torrent = self.session.add_torrent(settings)
        self.seen = []  # the kind of every alert so far, with what it says

    def wait_for(self, what):
        """Returns when an alert of this kind was seen, before or during the wait."""
        until = time.monotonic() + DEADLINE_S
        while all(kind != what for kind, _ in self.seen):
            left = until - time.monotonic()
            if left <= 0:
                last = "\n".join(": ".join(alert) for alert in self.seen[-15:])
                raise Failed(f"libtorrent gave no {what} within {DEADLINE_S} s; its last alerts:\n{last}")
            self.session.wait_for_alert(int(left * 1000) + 1)
            self.seen += [(type(alert).__name__, alert.message()) for alert in self.session.pop_alerts()]

    def flush(self):
        """Returns when everything is on the disk."""
        self.session.pause()
        self.wait_for("torrent_paused_alert")
