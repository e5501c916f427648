"""How long announces over HTTP take while 500 connections hang on the tracker at 127.0.0.1:PORT: a third of them silent, a
third in the middle of their request, a third sending a byte of it a second. What the tracker closes is opened again."""

import collections
import http.client
import select
import socket
import sys
import threading
import time

ADDRESS = ("127.0.0.1", int(sys.argv[1]))
SECONDS = int(sys.argv[2])
HANGING = 500
THREADS = 4
BEGUN = b"GET /announce?info_hash="
QUERY = "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-XX0001-{:012d}&port={}&left=1"


def dial(kind):
    client = socket.create_connection(ADDRESS)
    client.setblocking(False)
    if kind == "begun":
        client.send(BEGUN)
    return client


def hang_on(stop, hanging, reopened):
    """Lets dripping connections drip and replaces closed ones, once a second."""
    while not stop.wait(1):
        readable, _, _ = select.select(hanging, [], [], 0)
        for closed in readable:
            kind = hanging.pop(closed)
            closed.close()
            hanging[dial(kind)] = kind
            reopened[kind] += 1
        for client, kind in hanging.items():
            if kind == "dripping":
                try:
                    client.send(b"G")
                except OSError:
                    pass  # closed since; replaced a second later


def announce(until, port, times):
    number = 0
    while time.monotonic() < until:
        number += 1
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(*ADDRESS, timeout=30)
        connection.request("GET", QUERY.format(number % 1000, port))
        answer = connection.getresponse().read()
        connection.close()
        times.append(time.perf_counter() - begun)
        if b"8:interval" not in answer:
            sys.exit(f"not an announce's answer: {answer!r}")


def measure(until):
    times = []
    threads = [threading.Thread(target=announce, args=(until, 7000 + n, times)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    at = lambda share: f"{1000 * times[min(len(times) - 1, int(share * len(times)))]:.1f}"
    return f"{len(times)} | {at(0.5)} | {at(0.99)} | {at(1)}"


print("| connections that hang on | announces | p50 ms | p99 ms | longest ms |")
print("|---|---|---|---|---|")
print(f"| none | {measure(time.monotonic() + SECONDS / 3)} |", flush=True)
hanging = {dial(kind): kind for n in range(HANGING) for kind in [("silent", "begun", "dripping")[n % 3]]}
stop, reopened = threading.Event(), collections.Counter()
hangers = threading.Thread(target=hang_on, args=(stop, hanging, reopened))
hangers.start()
row = measure(time.monotonic() + SECONDS)
stop.set()
hangers.join()
print(f"| {HANGING}, {sum(reopened.values())} of them opened again | {row} |")
