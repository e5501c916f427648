"""Answers every UDP announce (BEP 15) on 127.0.0.1:PORT with nobody, until a second has passed without a new torrent; then
prints the info-hashes that were announced, one a line. A tracker that serves listed torrents only is given this list."""

import socket
import struct
import sys
import time

LONGEST_S = 30

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
    port.bind(("127.0.0.1", int(sys.argv[1])))
    port.settimeout(0.2)
    announced = set()
    begun = time.monotonic()
    latest = None
    while time.monotonic() - begun < LONGEST_S and (latest is None or time.monotonic() - latest < 1):
        try:
            packet, sender = port.recvfrom(2048)
        except TimeoutError:
            continue
        if len(packet) < 16:
            continue
        action, transaction = struct.unpack_from(">II", packet, 8)
        if action == 0:
            port.sendto(struct.pack(">IIQ", action, transaction, 1), sender)
        elif action == 1 and len(packet) >= 98:
            info_hash = packet[16:36]
            if info_hash not in announced:
                announced.add(info_hash)
                latest = time.monotonic()
            port.sendto(struct.pack(">IIIII", action, transaction, 1800, 0, 1), sender)

print("\n".join(sorted(info_hash.hex().upper() for info_hash in announced)))
