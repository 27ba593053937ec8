"""SIGTERM under load: what was asked is answered, leadership passes at once, nothing acknowledged is lost."""
import http.client
import json
import os
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
sys.path.insert(0, os.path.dirname(__file__))
from harness import PATIENCE, shell, wait_for  # noqa: E402
from ledger import Ledger, common_end  # noqa: E402
from pair import held_jobs, pair  # noqa: E402
from protocol import ProtocolWorker, add_inert_pool  # noqa: E402

TAKEOVER = 300  # takeover_s; a standby that leads sooner was told to
HALF = 64 * 1024  # of the upload


def stop_limit():
    """What the service manager grants, in seconds."""
    with open(f"{os.environ['DROVER_SOURCE']}/packaging/drover.service", encoding="utf-8") as unit:
        return int(re.search(r"^TimeoutStopSec=(\d+)$", unit.read(), re.MULTILINE).group(1))


class Traffic:
    """Clients of one daemon, each asking again and again on a connection that it keeps, until the daemon is gone."""

    def __init__(self, port):
        self.port = port
        self.seen = []  # (kind, when it was sent, status or None, body)
        self.threads = []

    def add(self, kind, method, path, body=None, headers=None, clients=1):
        """`body` may be a function that makes one for each request."""
        for _ in range(clients):
            thread = threading.Thread(target=self._run, args=(kind, method, path, body, headers or {}), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, kind, method, path, body, headers):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while True:
            try:
                payload = body() if callable(body) else body
                link.request(method, path, payload and json.dumps(payload), {"Content-Type": "application/json", **headers})
            except OSError:
                if link.sock is None:
                    return  # nobody listens any more
                link.close()
                continue
            sent = time.monotonic()
            try:
                reply = link.getresponse()
                self.seen.append((kind, sent, reply.status, reply.read()))
            except (OSError, http.client.HTTPException):
                self.seen.append((kind, sent, None, b""))
                link.close()

    def count(self, kind):
        return sum(1 for one in self.seen if one[0] == kind)

    def end(self):
        for thread in self.threads:
            thread.join(timeout=PATIENCE)
            assert not thread.is_alive(), "a client still waits for its answer"
        return self.seen


def begin_upload(worker, attempt, port):
    """Half of an artifact is sent."""
    link = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    headers = "".join(f"{name}: {value}\r\n" for name, value in worker.headers(attempt).items())
    link.sendall(f"PUT {worker.path(attempt, 'artifacts/half')} HTTP/1.1\r\nHost: localhost\r\n{headers}"
                 f"Content-Length: {2 * HALF}\r\n\r\n".encode() + b"x" * HALF)
    return link


def test_sigterm_under_load_answers_what_was_asked_and_hands_over_at_once():
    with pair(pool={"max": 1, "slots": 4}, config={"store": {"takeover_s": TAKEOVER}}) as two:
        drover, old = two.drover, two.leader
        _, release, check = held_jobs(drover, 3)
        machines = add_inert_pool(drover, "inert", 2)
        poller, uploader = [ProtocolWorker(drover, machine, port=old.port).register() for machine in machines]
        job = drover.submit(shell("true", queue="inert", name="uploads"))
        attempt = wait_for(uploader.claim, "the uploader to get its job")[0]
        uploader.beat(attempt)
        two.add()

        count = iter(range(1 << 30))
        traffic = Traffic(old.port)
        traffic.add("submit", "POST", "/jobs", lambda: [shell("true", queue="storm", name=f"storm-{next(count)}")] * 3, clients=6)
        traffic.add("poll", "POST", f"/workers/{poller.id}/claim", lambda: {"nonce": f"n-{next(count)}", "slots": 1, "wait_s": 20},
                    poller.headers())
        traffic.add("log", "GET", f"/jobs/{job['id']}/logs/stdout", clients=2)
        traffic.add("list", "GET", "/jobs?limit=50", clients=2)
        upload = begin_upload(uploader, attempt, old.port)
        for kind in ("submit", "log", "list"):
            wait_for(lambda kind=kind: traffic.count(kind) > 50, f"traffic of kind {kind}")

        since = time.monotonic()
        old.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "info stopping\n" in drover.daemon_log(), "it to take the signal", every=0.001)
        old.process.send_signal(signal.SIGTERM)  # a second one does no harm
        took = two.take_over(since)
        upload.sendall(b"x" * HALF)
        uploaded = upload.recv(100)
        assert re.match(rb"HTTP/1.1 (201|503) ", uploaded), uploaded
        assert old.process.wait(timeout=stop_limit()) == 0
        ended = time.monotonic() - since
        print(f"the standby led after {took:.1f} s, the old leader was gone after {ended:.1f} s")
        assert took < TAKEOVER

        ledger = Ledger(drover)
        for kind, sent, status, body in traffic.end():
            if sent < since:
                assert status is not None, f"a request of kind {kind} was cut"
            if status is None:
                continue
            assert status < 300 or status == 503 or (kind, status) == ("log", 404), (kind, status, body)
            if kind == "submit" and status == 201:
                ledger.jobs += [(made["number"], made["id"], None) for made in json.loads(body)]
        cut = sum(1 for _, _, status, _ in traffic.seen if status is None)
        print(f"of {len(traffic.seen)} requests {cut} were sent to a daemon that had closed")
        polls = [one for one in traffic.seen if one[0] == "poll" and one[1] < since]
        assert polls and json.loads(polls[-1][3])["jobs"] == [], "the long poll that waited ends empty-handed"
        names = dict(line.split("|") for line in drover.postgres.sql("SELECT id, name FROM jobs").splitlines())
        ledger.jobs = [(number, uuid, names.get(uuid, "missing")) for number, uuid, _ in ledger.jobs]
        assert len(ledger.jobs) > 150

        # What the workers have to say, the next daemon hears.
        again = uploader.try_report(attempt, port=two.leader.port)
        assert again.status == 200, again
        release()
        check()
        common_end(drover, ledger)

        # A cloud that is slow to answer holds nothing up, and the launch under way is made once.
        old = two.leader
        two.add()
        drover.cloud.control("POST", "/delay", {"action": "RunInstances", "ms": 10000})
        pool = {"name": "slow", "queues": ["slow"], "image": "ami-local", "instance_types": ["local.small"], "min": 0, "max": 1,
                "slots": 1}
        assert drover.call("POST", "/pools", pool).status == 201
        job = drover.submit(shell("true", queue="slow"))
        wait_for(lambda: drover.postgres.sql("SELECT count(*) FROM launch WHERE state = 'intended'") == "1", "the intent")
        since = time.monotonic()
        old.process.send_signal(signal.SIGTERM)
        took = two.take_over(since)
        print(f"amid a launch: the standby led after {took:.1f} s")
        assert took < TAKEOVER
        drover.cloud.control("POST", "/delay", {"action": "RunInstances", "ms": 0})
        assert old.process.wait(timeout=stop_limit()) == 0
        assert drover.wait_state(job["id"], "succeeded")["attempts"] == 1
        assert len([one for one in drover.cloud.instances() if one["tags"].get("drover:pool") == "slow"]) == 1
        common_end(drover, ledger)
