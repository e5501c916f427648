"""One libtorrent peer of a MiniBit run. It is told what to be in a JSON file, its only argument, and asked over stdin,
a word a line; every answer is a line of JSON. When stdin ends, so does it."""

import json
import sys
import time

import libtorrent as lt

CHECKING = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data)


def settings(seat):
    slots = seat["unchoke_slots"] + seat["optimistic_slots"]
    category = lt.alert.category_t
    return {
        "listen_interfaces": f"{seat['address']}:{seat['port']}",
        "outgoing_interfaces": seat["address"],
        # Everybody has an address of its own but those who cannot be told one.
        "allow_multiple_connections_per_ip": True,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "in_enc_policy": int(lt.enc_policy.pe_disabled),
        "out_enc_policy": int(lt.enc_policy.pe_disabled),
        "upload_rate_limit": seat["upload"],
        "download_rate_limit": seat["download"],
        "choking_algorithm": 0,
        "unchoke_slots_limit": slots,
        "num_optimistic_unchoke_slots": seat["optimistic_slots"],
        "connections_limit": seat["max_connections"],
        "alert_mask": category.error_notification | category.status_notification | category.tracker_notification,
    }


def start(seat):
    wanted = settings(seat)
    session = lt.session(wanted, flags=0)  # no plugins, so no peer exchange
    # Rates hold for neighbours too: by default those in 10.0.0.0/8 have none.
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
    session.set_peer_class_filter(everybody)
    torrent = lt.add_torrent_params()
    torrent.ti = lt.torrent_info(seat["torrent"])
    torrent.save_path = seat["folder"]
    torrent.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    torrent.flags |= lt.torrent_flags.stop_when_ready
    return session, session.add_torrent(torrent), wanted


def get_ready(session, torrent, wanted):
    while torrent.status().state in CHECKING or not torrent.flags() & lt.torrent_flags.paused:
        for alert in session.pop_alerts():
            if isinstance(alert, (lt.listen_failed_alert, lt.file_error_alert, lt.torrent_error_alert)):
                return {"error": alert.message()}
        time.sleep(0.01)
    if not session.is_listening():
        return {"error": "it cannot listen"}
    has = session.get_settings()
    return {key: str(has[key]) for key in wanted if key != "alert_mask"}


def look(torrent):
    status = torrent.status(lt.torrent_handle.query_pieces)
    # A seed's list is empty: it needs none.
    pieces = status.pieces or [status.is_seeding] * torrent.torrent_file().num_pieces()
    if status.errc.value():
        return {"error": status.errc.message()}
    return {
        "pieces": "".join("1" if piece else "0" for piece in pieces),
        "downloaded": status.total_payload_download,
        "uploaded": status.total_payload_upload,
        "wasted": status.total_redundant_bytes + status.total_failed_bytes,
    }


def leave(session, torrent):
    session.pop_alerts()
    torrent.pause()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        session.wait_for_alert(100)
        heard = (lt.tracker_reply_alert, lt.tracker_error_alert)
        if any(isinstance(alert, heard) for alert in session.pop_alerts()):
            break
    return {}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        session, torrent, wanted = start(json.load(file))
    for line in sys.stdin:
        word = line.strip()
        if word == "get ready":
            answer = get_ready(session, torrent, wanted)
        elif word == "begin":
            torrent.unset_flags(lt.torrent_flags.stop_when_ready)
            torrent.resume()
            answer = {}
        elif word == "look":
            answer = look(torrent)
        else:
            answer = leave(session, torrent)
        print(json.dumps(answer), flush=True)


main()
