"""A flood of submissions takes nothing from the workers: every heartbeat is heard, and no lease is lost."""
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
sys.path.insert(0, os.path.dirname(__file__))
from harness import shell, stack  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

WORKERS = 200
BEATING = 10  # threads, each of which lets its share of the workers say something once a second
CONNECTIONS = 64
SECONDS = 20

# A process of its own, so that its threads take no turns from those that beat. Each connection has one request under way at
# any time: a hundred jobs of a kilobyte. It goes on for so long, and until more requests than connections were accepted. Prints
# how many were accepted and how many refused.
FLOOD = """
import socket, sys, threading, time
port, connections, seconds, body = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.stdin.buffer.read()
request = (b"POST /jobs HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)) + body
counts, lock, until = {}, threading.Lock(), time.monotonic() + seconds
def submit():
    connection = socket.create_connection(("127.0.0.1", port))
    reader = connection.makefile("rb")
    while time.monotonic() < until or counts.get(201, 0) <= connections:
        connection.sendall(request)
        status = int(reader.readline().split()[1])
        length = 0
        while (line := reader.readline().lower()) not in (b"\\r\\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        reader.read(length)
        with lock:
            counts[status] = counts.get(status, 0) + 1
threads = [threading.Thread(target=submit) for _ in range(connections)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(counts.get(201, 0), sum(count for status, count in counts.items() if status != 201))
"""


def test_workers_are_heard_during_a_flood_of_submissions():
    settings = {"heartbeat_interval_s": 1, "lease_s": 5, "max_launches_per_minute": 1000}
    with stack(pool={"max": 0}, settings=settings) as drover:
        instances = add_inert_pool(drover, "inert", WORKERS)
        workers = [ProtocolWorker(drover, instance).register() for instance in instances[:WORKERS]]
        drover.submit([shell("true", queue="inert") for _ in range(WORKERS)])
        held = {}
        latencies, wrong, over = [], [], threading.Event()

        def beat(share):
            while not over.is_set():
                round_began = time.monotonic()
                for worker in [worker for worker in share if worker in held]:
                    asked = time.monotonic()
                    answer = worker.beat(held[worker])
                    latencies.append(time.monotonic() - asked)
                    if answer.status != 200 or answer.json["stop"]:
                        wrong.append((worker.id, answer))
                over.wait(max(0.0, 1 - (time.monotonic() - round_began)))

        beating = [threading.Thread(target=beat, args=(workers[one::BEATING],)) for one in range(BEATING)]
        for thread in beating:
            thread.start()
        try:
            # Each says something from its claim on: on a slow machine all the claims take longer than a lease.
            for worker in workers:
                held[worker] = worker.claim()[0]
            latencies.clear()
            body = json.dumps([{"task": {"command": "true", "env": {"X": "#" * 1000}}, "queue": "nobody"} for _ in range(100)])
            flood = subprocess.run([sys.executable, "-c", FLOOD, str(drover.port), str(CONNECTIONS), str(SECONDS)],
                                   input=body.encode(), capture_output=True, check=True, timeout=SECONDS + 300)
        finally:
            over.set()
            for thread in beating:
                thread.join()
        accepted, refused = map(int, flood.stdout.split())
        latencies.sort()
        print(f"{accepted} requests of 100 jobs accepted, {refused} refused; {len(latencies)} heartbeats, "
              f"p50 {latencies[len(latencies) // 2]:.3f} s, p99 {latencies[len(latencies) * 99 // 100]:.3f} s, "
              f"longest {latencies[-1]:.3f} s")
        assert not wrong, f"{len(wrong)} heartbeats were refused or told to stop; the first: {wrong[0]}"
        ended = drover.postgres.sql("SELECT count(*) FROM attempt")
        assert ended == "0", f"{ended} attempts have ended"
        assert drover.postgres.sql("SELECT count(*) FROM lease") == str(WORKERS)
